"""What is emulated here is emulated on a machine with a GPU too."""

from collections.abc import Iterator

import pytest

from kernelwright.harness.gpu.cuda import SWITCH


@pytest.fixture(scope="package", autouse=True)
def no_gpu() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SWITCH, "off")
        yield
