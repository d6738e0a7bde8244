"""A CUDA device in a worker, beside the candidate: the parent's memory as tensors, copies, graphs, a profile.

What the timed loop calls goes to the driver by pointers that were looked up before foreign code was there:
who replaces `torch.cuda.synchronize`, events or streams changes nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from kernelwright.harness.gpu.device import Interval
from kernelwright.harness.gpu.driver import Driver

_DELAY_CYCLES = 4_000_000
"""Two milliseconds or so: longer than the host takes to queue a call."""
_WARM_UPS = 3
"""Calls on a side stream before a graph is captured, as torch.cuda.graph asks for."""


class _Bytes:
    """Memory at an address, as `__cuda_array_interface__` tells of it (version 3)."""

    def __init__(self, address: int, nbytes: int) -> None:
        self.__cuda_array_interface__ = {
            "shape": (nbytes,),
            "typestr": "|u1",
            "data": (address, False),
            "strides": None,
            "version": 3,
        }


class Runtime:
    """The first device that this process sees. Raises DeviceError."""

    torch_device = "cuda:0"

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self._driver = Driver(0)
        self.address = 0
        self.copy = self._driver.copy_later
        self.synchronise = self._driver.synchronise
        self.seconds = self._driver.seconds
        self._sleep: Any = torch.cuda._sleep
        cuda: Any = torch.cuda
        cuda.init()
        # Terms that are the same for the baseline and every candidate: no TF32 where float32 is asked for.
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False

    def attach(self, fd: int, size: int) -> None:
        """Map the memory that the parent made."""
        self.address = self._driver.map(self._driver.adopt(fd), size)

    def tensor(self, offset: int, nbytes: int) -> torch.Tensor:
        """Flat bytes of it."""
        return torch.as_tensor(_Bytes(self.address + offset, nbytes), device=self.torch_device)

    def delay(self) -> None:
        """Have the current stream spin."""
        self._sleep(_DELAY_CYCLES)

    def mark(self) -> int:
        """Record a new event."""
        event = self._driver.event()
        self._driver.record(event)
        return event

    def profiled(self, call: Callable[[], object]) -> Sequence[Interval]:
        """Kernels, copies and fills that CUPTI saw on all streams."""
        activities = [torch.profiler.ProfilerActivity.CUDA]
        with torch.profiler.profile(activities=activities):  # the first one starts CUPTI
            self.synchronise()
        with torch.profiler.profile(activities=activities) as seen:
            call()
            self.synchronise()
        return [
            Interval(
                str(e.name), e.time_range.start * 1e-6, (e.time_range.start + _length(e)) * 1e-6
            )
            for e in seen.events() or ()
            if str(e.device_type).endswith("CUDA")
        ]

    def captured(self, call: Callable[[], Any]) -> tuple[Callable[[], None], Any]:
        """`call` as a CUDA graph."""
        cuda: Any = torch.cuda
        side = cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(_WARM_UPS):
                call()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            out = call()
        return graph.replay, out


def _length(event: Any) -> float:
    """Microseconds of an event on the device."""
    return float(event.time_range.end - event.time_range.start)
