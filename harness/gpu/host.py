"""A device that is none: memory of the host, work that is done when it is called.

The judge of GPUs runs on it from end to end where there is no GPU. It proves the judge, not CUDA.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from kernelwright.harness.device import DeviceFacts
from kernelwright.harness.gpu.device import HOST_RUNTIME, Interval, Needs
from kernelwright.harness.peaks import device_facts


class HostSegment:
    """A memory file."""

    def __init__(self, size: int) -> None:
        self.size = max(mmap.PAGESIZE, -(-size // mmap.PAGESIZE) * mmap.PAGESIZE)
        self.fd = os.memfd_create("arena", os.MFD_CLOEXEC)
        os.ftruncate(self.fd, self.size)
        self._map = mmap.mmap(self.fd, self.size)
        self._bytes = torch.frombuffer(self._map, dtype=torch.uint8)
        self.address = self._bytes.data_ptr()

    def write(self, offset: int, data: torch.Tensor) -> None:
        """Copy flat bytes to `offset`."""
        self._bytes[offset : offset + data.numel()].copy_(data)

    def read(self, offset: int, nbytes: int) -> torch.Tensor:
        """A copy of these bytes."""
        return self._bytes[offset : offset + nbytes].clone()

    def fill(self, offset: int, nbytes: int, byte: int) -> None:
        """Set every byte."""
        self._bytes[offset : offset + nbytes].fill_(byte)

    def close(self) -> None:
        """Unmap and free."""
        del self._bytes
        self._map.close()
        os.close(self.fd)


class HostDevice:
    """The host in place of a GPU: for trying the judge."""

    kind = "cuda"
    name = "host memory in place of a GPU"
    spec: Mapping[str, Any] = {"module": HOST_RUNTIME}
    environment: Mapping[str, str] = {}
    needs = Needs()

    def __init__(self) -> None:
        self.forgotten = 0
        """How often the caches were to be emptied."""

    def allocate(self, size: int) -> HostSegment:
        """Memory to share."""
        return HostSegment(size)

    def forget(self) -> None:
        """Nothing to forget: only counted."""
        self.forgotten += 1

    def facts(self, threads: int, *, again: bool = False) -> DeviceFacts:
        """The processor's."""
        return device_facts(threads, again=again)


class Runtime:
    """The worker's side of it."""

    torch_device = "cpu"

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self.address = 0
        self._move = ctypes.memmove
        self._clock = time.perf_counter_ns

    def attach(self, fd: int, size: int) -> None:
        """Map the memory that the parent made."""
        self._map = mmap.mmap(fd, size)
        self.address = torch.frombuffer(self._map, dtype=torch.uint8).data_ptr()

    def tensor(self, offset: int, nbytes: int) -> torch.Tensor:
        """Flat bytes of it."""
        return torch.frombuffer(self._map, dtype=torch.uint8, count=nbytes, offset=offset)

    def copy(self, target: int, source: int, nbytes: int) -> None:
        """Copy at once."""
        self._move(target, source, nbytes)

    def synchronise(self) -> None:
        """All is done already."""

    def delay(self) -> None:
        """Nothing is queued here."""

    def mark(self) -> int:
        """The time."""
        return self._clock()

    def seconds(self, begin: int, end: int) -> float:
        """Between two marks."""
        return (end - begin) * 1e-9

    def profiled(self, call: Callable[[], object]) -> Sequence[Interval]:
        """PyTorch's operators in place of kernels, and what Python did between them as `python`."""
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as seen:
            begin = time.perf_counter()
            call()
            end = time.perf_counter()
        busy = [
            (e.name, e.time_range.elapsed_us() * 1e-6)
            for e in seen.events() or ()
            if e.cpu_parent is None
        ]
        out, at = [], begin
        for name, length in busy:
            out.append(Interval(name.replace("aten::", "at::native::"), at, at + length))
            at += length
        return [*out, Interval("python", at, max(end, at))]

    def captured(self, call: Callable[[], Any]) -> tuple[Callable[[], None], Any]:
        """Refused: there are no graphs."""
        raise RuntimeError("host memory has no graphs")
