"""What a judge needs of a device: memory that two processes share, copies in order, an end of all work.

`Device` is the parent's side, `Runtime` that of a worker, beside the candidate. CUDA's are in `cuda.py` and
`cuda_runtime.py`; `host.py` has both over plain memory, so that all of the judge runs where there is no GPU.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from kernelwright.harness.device import DeviceFacts


class Segment(Protocol):
    """Memory of a device that two processes have mapped."""

    size: int
    fd: int
    address: int
    """Where it begins in this process."""

    def write(self, offset: int, data: torch.Tensor) -> None:
        """Copy flat bytes of the host to `offset`; they are there when this returns."""
        ...

    def read(self, offset: int, nbytes: int) -> torch.Tensor:
        """A copy of these bytes, on the host."""
        ...

    def fill(self, offset: int, nbytes: int, byte: int) -> None:
        """Set every byte."""
        ...

    def close(self) -> None:
        """Unmap and free."""
        ...


class Device(Protocol):
    """One device, as the parent of its workers has it. Not for several threads."""

    kind: str
    """`cuda`, as verdicts have it."""
    name: str

    @property
    def spec(self) -> Mapping[str, Any]:
        """Of which `runtime` makes the worker's side in another process."""
        ...

    @property
    def environment(self) -> Mapping[str, str]:
        """What the pre-warmed process of its workers has in its environment."""
        ...

    @property
    def needs(self) -> Needs:
        """What a cage must let through."""
        ...

    def allocate(self, size: int) -> Segment:
        """Memory of at least so many bytes to share. Raises DeviceError."""
        ...

    def forget(self) -> None:
        """Leave nothing of what lies in memory in a cache of the device, lines that persist included."""
        ...

    def facts(self, threads: int, *, again: bool = False) -> DeviceFacts:
        """What it is and was measured to do; measured anew with `again`."""
        ...


@dataclass(frozen=True)
class Needs:
    """Paths beyond those of any worker, and what its limits would forbid."""

    devices: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    reserves_addresses: bool = False
    """Whether it reserves far more addresses than it uses, so that these cannot be limited."""


@dataclass(frozen=True)
class Interval:
    """One kernel or copy on the device, as the worker's profiler claims: seconds from any zero."""

    name: str
    begin: float
    end: float


class Runtime(Protocol):
    """The device in a worker. What the timed loop calls is bound before foreign code is there."""

    torch_device: str

    def attach(self, fd: int, size: int) -> None:
        """Map the memory that the parent made."""
        ...

    @property
    def address(self) -> int:
        """Where that memory lies here."""
        ...

    def tensor(self, offset: int, nbytes: int) -> torch.Tensor:
        """Flat bytes of that memory, as a tensor on the device with a storage of its own."""
        ...

    def copy(self, target: int, source: int, nbytes: int) -> None:
        """Queue a copy between addresses, behind what the current stream was given."""
        ...

    def synchronise(self) -> None:
        """Wait for all that was queued, on whatever stream."""
        ...

    def delay(self) -> None:
        """Queue some time in which nothing happens, on the current stream."""
        ...

    def mark(self) -> int:
        """Queue a look at the clock of the device."""
        ...

    def seconds(self, begin: int, end: int) -> float:
        """Between two marks that have passed."""
        ...

    def profiled(self, call: Callable[[], object]) -> Sequence[Interval]:
        """Run `call` until all is done; what ran on the device meanwhile. Raises RuntimeError."""
        ...

    def captured(self, call: Callable[[], Any]) -> tuple[Callable[[], None], Any]:
        """`call` as a graph: what replays it, and the outputs it then has. Raises RuntimeError."""
        ...


def runtime(spec: Mapping[str, Any]) -> Runtime:
    """The worker's side of a device: `Runtime` of the module that the parent names. Raises DeviceError."""
    made: Runtime = importlib.import_module(spec["module"]).Runtime(spec)
    return made


CUDA_RUNTIME = "kernelwright.harness.gpu.cuda_runtime"
HOST_RUNTIME = "kernelwright.harness.gpu.host"
RUNTIMES = (CUDA_RUNTIME, HOST_RUNTIME)
"""Modules that are loaded before a cage hides them."""
