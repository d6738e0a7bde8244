"""The CUDA driver by ctypes, against one of memory files: layouts, order of calls, what is missing."""

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from kernelwright.harness.candidate import Candidate
from kernelwright.harness.device import DeviceFacts
from kernelwright.harness.gpu.cuda import SWITCH, CudaDevice, found
from kernelwright.harness.gpu.driver import LIBRARY, DeviceError, Driver
from kernelwright.harness.gpu.evaluator import GpuEvaluator
from kernelwright.harness.peaks import device_facts
from kernelwright.tasks.task import Task

HERE = Path(__file__).parent
TASK = """
import torch

class Model(torch.nn.Module):
    def forward(self, x):
        return x * 2 + 1

def get_inputs():
    return [torch.randn(64, 256)]

def get_init_inputs():
    return []
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    # Where workers with an id of their own may read it too.
    folder = tmp_path_factory.mktemp("fake")
    for part in (folder, *list(folder.parents)[:2]):
        part.chmod(0o755)
    made = folder / "libcuda.so.1"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", made, HERE / "fake_cuda.c"], check=True)
    return made


@pytest.fixture
def log(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(LIBRARY, str(library))
    monkeypatch.setenv("FAKE_CUDA_LOG", str(tmp_path / "log"))
    return tmp_path / "log"


def test_memory_is_made_exported_and_mapped_in_order(log: Path):
    device = CudaDevice()
    log.write_text("")
    segment = device.allocate(100_000)
    assert log.read_text().split() == [
        "cuMemCreate",
        "cuMemExportToShareableHandle",
        "cuMemAddressReserve",
        "cuMemMap",
        "cuMemSetAccess",
    ]
    assert segment.size == 131_072  # whole pages of the device
    assert device.name == "Fake GPU 0"
    segment.close()
    assert log.read_text().split()[-3:] == ["cuMemUnmap", "cuMemAddressFree", "cuMemRelease"]


def test_what_one_process_writes_another_has(log: Path):
    segment = CudaDevice().allocate(4096)
    other = Driver(0)
    place = other.map(other.adopt(segment.fd), segment.size)
    assert place != segment.address
    data = torch.arange(256, dtype=torch.uint8)
    segment.write(64, data)
    found = torch.empty(256, dtype=torch.uint8)
    other.read(found.data_ptr(), place + 64, 256)
    assert torch.equal(found, data)
    other.copy_later(place + 1024, place + 64, 256)
    other.synchronise()
    assert torch.equal(segment.read(1024, 256), data)
    segment.fill(1024, 8, 0xFF)
    assert segment.read(1020, 14).tolist() == [0] * 4 + [255] * 8 + [8, 9]
    with pytest.raises(ValueError, match="bytes"):
        segment.write(segment.size - 10, data)
    segment.close()


def test_any_thread_may_ask(log: Path):
    segment = CudaDevice().allocate(4096)
    found: list[torch.Tensor] = []
    thread = threading.Thread(target=lambda: found.append(segment.read(0, 4)))
    thread.start()
    thread.join()
    assert found[0].tolist() == [0, 0, 0, 0]
    segment.close()


def test_the_cache_forgets_by_a_write_and_lines_that_persist(log: Path):
    device = CudaDevice()
    log.write_text("")
    device.forget()
    assert log.read_text().split() == [
        "cuCtxResetPersistingL2Cache",
        "cuMemsetD8_v2",
        "cuCtxSynchronize",
    ]


def test_events_tell_seconds(log: Path):
    driver = Driver(0)
    begin, end = driver.event(), driver.event()
    driver.record(begin)
    driver.record(end)
    assert 0.0 <= driver.seconds(begin, end) < 1.0


def test_what_is_missing_is_one_line(log: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(DeviceError, match=r"cuDeviceGet: unknown \(101\)"):
        Driver(7)
    monkeypatch.setenv("FAKE_CUDA_LACKS", "103")
    with pytest.raises(
        DeviceError, match="Fake GPU 0 with this driver has no memory that is shared"
    ):
        CudaDevice()
    monkeypatch.setenv(LIBRARY, "/nowhere/libcuda.so.1")
    with pytest.raises(DeviceError, match=r"no NVIDIA driver: /nowhere/libcuda\.so\.1 cannot be"):
        Driver()
    monkeypatch.setenv(LIBRARY, "libc.so.6")
    with pytest.raises(DeviceError, match="too old: it has no cuInit"):
        Driver()


def test_only_the_chosen_device_is_seen_by_workers(log: Path, monkeypatch: pytest.MonkeyPatch):
    device = CudaDevice()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert device.environment["CUDA_VISIBLE_DEVICES"] == "0"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-8a1f, 3")
    assert device.environment["CUDA_VISIBLE_DEVICES"] == "GPU-8a1f"
    assert device.needs.reserves_addresses
    assert str(log) and str(Path(os.environ[LIBRARY]).parent) in device.needs.read


class FakeDevice(CudaDevice):
    """The CUDA device over the fake driver, its workers with tensors of the host."""

    @property
    def spec(self) -> Mapping[str, Any]:
        return {"module": "fake_runtime"}

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            **super().environment,
            "KERNELWRIGHT_PRELOAD": "fake_runtime",
            "PYTHONPATH": str(HERE),
            LIBRARY: os.environ[LIBRARY],
        }

    def facts(self, threads: int, *, again: bool = False) -> DeviceFacts:
        return device_facts(threads, again=again)


@pytest.fixture(scope="module")
def evaluator(library: Path, cache: Path) -> Iterator[GpuEvaluator]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(LIBRARY, str(library))
        with GpuEvaluator(Task("affine", TASK), FakeDevice(), threads=1, seed=3) as opened:
            yield opened


HONEST = """
import torch
class ModelNew(torch.nn.Module):
    def forward(self, x):
        return torch.add(x * 2, 1)
"""


def test_a_candidate_is_judged_over_the_driver_in_its_cage(evaluator: GpuEvaluator):
    verdict = evaluator.evaluate(Candidate(HONEST, "python"))
    assert verdict.verdict == "accepted", verdict.findings
    assert verdict.device == "cuda"
    assert verdict.speedup["eager"] is not None


def test_a_wrong_one_is_rejected_over_the_driver(evaluator: GpuEvaluator):
    verdict = evaluator.evaluate(Candidate(HONEST.replace("x * 2", "x * 2.001"), "python"))
    assert verdict.errors[0].code in ("wrong_value", "precision")


def test_a_gpu_can_be_left_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(SWITCH, "off")
    assert found() == "KERNELWRIGHT_GPU=off: kernels for a GPU are emulated"
    monkeypatch.delenv(SWITCH)
    if not torch.cuda.is_available():
        assert "PyTorch" in str(found())
