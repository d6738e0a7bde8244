"""A CUDA device as the parent of workers has it: memory to share by descriptors, a cache that forgets.

Not by CUDA's older way of sharing (cudaIpc handles), which knows processes by numbers that mean nothing
across namespaces: a descriptor travels over the socket like any other.
"""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from kernelwright.harness.device import DeviceFacts
from kernelwright.harness.gpu import facts
from kernelwright.harness.gpu.device import CUDA_RUNTIME, Needs
from kernelwright.harness.gpu.driver import (
    EXPORTS_DESCRIPTORS,
    HAS_VIRTUAL_MEMORY,
    L2_BYTES,
    DeviceError,
    Driver,
)

SWITCH = "KERNELWRIGHT_GPU"
"""Environment variable: `off` has kernels emulated where there is a GPU."""
_VISIBLE = "CUDA_VISIBLE_DEVICES"
_READ = (
    "/proc/driver/nvidia", "/proc/devices", "/proc/modules", "/sys/module/nvidia",
    "/sys/module/nvidia_uvm", "/sys/bus/pci/devices", "/usr/local/nvidia", "/usr/local/cuda",
    "/run/opengl-driver",
)  # fmt: skip
_MORE_THAN_L2, _LEAST_FLUSH = 2, 64 << 20
"""What is written so that nothing of before is left in L2: so many times its size, and so many bytes
at least."""


class CudaSegment:
    """Memory of the device that is exported as a file descriptor."""

    def __init__(self, driver: Driver, size: int) -> None:
        self._driver = driver
        self._handle, self.fd, self.size = driver.create(size)
        self.address = driver.map(self._handle, self.size)

    def write(self, offset: int, data: torch.Tensor) -> None:
        """Copy flat bytes of the host to `offset`."""
        flat = data.contiguous()
        self._driver.write(self._within(offset, flat.numel()), flat.data_ptr(), flat.numel())

    def read(self, offset: int, nbytes: int) -> torch.Tensor:
        """A copy of these bytes, on the host."""
        out = torch.empty(nbytes, dtype=torch.uint8)
        self._driver.read(out.data_ptr(), self._within(offset, nbytes), nbytes)
        return out

    def fill(self, offset: int, nbytes: int, byte: int) -> None:
        """Set every byte."""
        self._driver.fill(self._within(offset, nbytes), nbytes, byte)

    def close(self) -> None:
        """Unmap and free."""
        self._driver.release(self._handle, self.address, self.size)
        os.close(self.fd)

    def _within(self, offset: int, nbytes: int) -> int:
        if offset < 0 or offset + nbytes > self.size:
            raise ValueError(f"bytes {offset} to {offset + nbytes} of {self.size}")
        return self.address + offset


class CudaDevice:
    """One GPU. Raises DeviceError where the driver or the device lacks what the judge needs."""

    kind = "cuda"

    def __init__(self, index: int = 0) -> None:
        self._index = index
        self._driver = Driver(index)
        self.name = self._driver.name
        for attribute, what in (
            (HAS_VIRTUAL_MEMORY, "virtual memory (cuMemMap)"),
            (EXPORTS_DESCRIPTORS, "memory that is shared by file descriptors"),
        ):
            if not self._driver.attribute(attribute):
                raise DeviceError(f"{self.name} with this driver has no {what}")
        self._flush_bytes = max(_MORE_THAN_L2 * self._driver.attribute(L2_BYTES), _LEAST_FLUSH)
        self._flush = self._driver.allocate(self._flush_bytes)

    @property
    def spec(self) -> Mapping[str, Any]:
        """A worker sees this device alone, as its first."""
        return {"module": CUDA_RUNTIME}

    @property
    def environment(self) -> Mapping[str, str]:
        """That workers see this device and no other."""
        visible = os.environ.get(_VISIBLE)
        names = [name.strip() for name in visible.split(",")] if visible else []
        chosen = names[self._index] if self._index < len(names) else str(self._index)
        order = os.environ.get("CUDA_DEVICE_ORDER")
        return {_VISIBLE: chosen, **({"CUDA_DEVICE_ORDER": order} if order else {})}

    @property
    def needs(self) -> Needs:
        """The driver's device files, and what it reads."""
        files = [p for p in Path("/dev").glob("nvidia*") if p.is_char_device()]
        files += [p for p in Path("/dev/nvidia-caps").glob("*") if p.is_char_device()]
        folder = Path(os.environ.get("KERNELWRIGHT_LIBCUDA") or "").parent
        read = (*_READ, *([str(folder)] if folder.is_absolute() else []))
        return Needs(tuple(map(str, sorted(files))), read, reserves_addresses=True)

    def allocate(self, size: int) -> CudaSegment:
        """Memory to share."""
        return CudaSegment(self._driver, size)

    def forget(self) -> None:
        """Write more than L2 holds, and let no line persist."""
        self._driver.forget_persisting()
        self._driver.fill(self._flush, self._flush_bytes, 0)

    def facts(self, threads: int, *, again: bool = False) -> DeviceFacts:
        """What it is, and its peaks: measured once a device, in a process of their own."""
        return facts.device_facts(threads, again=again, environment=self.environment)


def found() -> CudaDevice | str:
    """The GPU to judge on, or in one line why there is none."""
    if os.environ.get(SWITCH, "").lower() in ("off", "0", "no"):
        return f"{SWITCH}=off: kernels for a GPU are emulated"
    return _asked()


@functools.cache
def _asked() -> CudaDevice | str:
    if not torch.cuda.is_available():
        built = torch.version.cuda
        return (
            f"PyTorch {torch.__version__} sees no GPU"
            if built
            else f"PyTorch {torch.__version__} is built without CUDA"
        )
    try:
        importlib.import_module("cupy")
    except ImportError:
        return "no CuPy to launch CUDA kernels with: pip install 'kernelwright[gpu]'"
    try:
        return CudaDevice()
    except DeviceError as error:
        return str(error)
