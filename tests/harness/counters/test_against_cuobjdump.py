"""What we read from a cubin is what `cuobjdump --dump-resource-usage` prints of it, kernel by kernel."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from kernelwright.harness import nvrtc
from kernelwright.harness.counters import cubin, tools
from kernelwright.harness.inline_cpp import BuildError
from kernelwright.harness.triton import compiled

TRITON = Path(__file__).parents[1] / "triton"
CUDA = TRITON.parent / "cuda"
LINE = re.compile(
    r"Function (\S+):\s+REG:(\d+) STACK:(\d+) SHARED:(\d+) LOCAL:(\d+) CONSTANT\[0\]:(\d+)"
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("triton") is None, reason="no Triton, and so no cuobjdump"),
    pytest.mark.skipif(tools.find("cuobjdump") is None, reason="no cuobjdump here"),
]


def compile_into(out: Path, targets: str, *names: str) -> Path:
    files = [str(TRITON / "correct" / f"{name}.py") for name in names]
    argv = [sys.executable, str(TRITON / "compile_kernels.py"), str(out), targets, *files]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return out


@pytest.fixture(scope="module")
def hopper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every correct kernel, compiled for sm_90."""
    names = sorted(path.stem for path in (TRITON / "correct").glob("*.py"))
    return compile_into(tmp_path_factory.mktemp("hopper"), "sm_90", *names)


@pytest.fixture(scope="module")
def everywhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one kernel, compiled for every target."""
    targets = "sm_80,sm_90,sm_100,gfx942"
    return compile_into(tmp_path_factory.mktemp("all"), targets, "matmul_block_pointers")


def printed(path: Path) -> dict[str, tuple[int, ...]]:
    """Registers, stack, shared, local and constant memory by kernel, as cuobjdump has them."""
    argv = [tools.find("cuobjdump") or "", "--dump-resource-usage", str(path)]
    text = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    return {name: tuple(map(int, rest)) for name, *rest in LINE.findall(text)}


def test_static_counters_equal_those_of_cuobjdump(hopper: Path, everywhere: Path):
    compared = 0
    for path in [*sorted(hopper.glob("*.cubin")), *sorted(everywhere.glob("*.cubin"))]:
        ours = {
            k.name: (k.registers, k.stack, k.shared, k.local, k.constant)
            for k in cubin.read(path.read_bytes()).kernels
        }
        assert ours == printed(path), path
        compared += len(ours)
    assert compared >= 10


def test_each_target_is_counted(everywhere: Path):
    counters = compiled.read(everywhere)
    assert counters.missing == {}
    assert [k.device for k in counters.kernels] == ["sm_80", "sm_90", "sm_100", "gfx942"]
    for kernel in counters.kernels:
        assert int(kernel.values["registers_per_thread"].value or 0) > 0
        assert int(kernel.values["tensor_core_instructions"].value or 0) > 0, kernel.device
    ampere = counters.kernels[0].values
    assert 0 < float(ampere["occupancy"].value or 0) <= 1
    assert ampere["spill_stores"].value == 0


@pytest.mark.skipif(nvrtc.library_path() is None, reason="no NVRTC here")
@pytest.mark.parametrize("arch", ["sm_80", "sm_90", "sm_100"])
def test_cuda_kernels_too(arch: str, tmp_path: Path):
    compared = 0
    for path in sorted((CUDA / "correct").glob("*.cu")):
        try:
            data, _ = nvrtc.nvrtc().cubin(path.read_text(), arch)
        except BuildError as error:  # headers that the wheel of NVRTC alone does not bring
            assert "cannot open source file" in str(error), error
            continue
        built = tmp_path / f"{path.stem}.cubin"
        built.write_bytes(data)
        ours = {
            k.name: (k.registers, k.stack, k.shared, k.local, k.constant)
            for k in cubin.read(data).kernels
        }
        assert ours == printed(built), path
        compared += len(ours)
    assert compared >= 10
