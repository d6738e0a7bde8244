"""What the tests of the harness share: a cache folder of their own, one nursery, small tasks."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from kernelwright.harness.builds import Builder
from kernelwright.harness.nursery import Nursery
from kernelwright.harness.worker import Setup, Worker

sys.path.insert(0, str(Path(__file__).parent))

from harness_sources import SECRET, open_descriptors

settings.register_profile("harness", deadline=None, derandomize=True, database=None)
settings.load_profile("harness")

StartWorker = Callable[..., Worker]


@pytest.fixture(scope="session")
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module", autouse=True)
def cache(_cache: Path) -> Iterator[Path]:
    """Builds and measured peaks go to a folder of this run's."""
    patch = pytest.MonkeyPatch()
    patch.setenv("KERNELWRIGHT_CACHE", str(_cache))
    yield _cache
    patch.undo()


@pytest.fixture(scope="session")
def nursery(_cache: Path) -> Iterator[Nursery]:
    """One pre-warmed process for the whole run; it starts with a secret in our environment."""
    patch = pytest.MonkeyPatch()
    patch.setenv("OPENAI_API_KEY", SECRET)
    patch.setenv("KERNELWRIGHT_FAKE_SECRET", SECRET)
    with Nursery(threads=1) as started:
        patch.undo()
        yield started


@pytest.fixture
def builder(nursery: Nursery) -> Builder:
    return Builder(nursery)


@pytest.fixture
def start(nursery: Nursery, builder: Builder) -> Iterator[StartWorker]:
    """Starts a worker with a candidate; all are ended after the test."""
    workers: list[Worker] = []

    def start_worker(
        source: str, entry: str = "ModelNew", *, timeout: float = 10.0, **setup: object
    ) -> Worker:
        worker = Worker(
            nursery,
            builder,
            Setup(source, entry, **{"init": ([], {"dict": []}), **setup}),  # type: ignore[arg-type]
            inputs_bytes=1 << 20,
            timeout=timeout,
        )
        workers.append(worker)
        return worker

    yield start_worker
    for worker in workers:
        worker.close()


@pytest.fixture
def descriptors_stay() -> Iterator[None]:
    """The test must not leave a file descriptor open."""
    before = open_descriptors()
    yield
    assert open_descriptors() <= before
