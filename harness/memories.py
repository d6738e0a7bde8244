"""Memory through which a worker is given tensors: the host's (`arena.py`), or that of a device (`gpu/`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from kernelwright.harness.sandbox import Cage
from kernelwright.harness.wire import Region


class Memory(Protocol):
    """Memory that is shared with one process, through which it is given tensors."""

    fd: int
    size: int
    """Bytes for what it is given."""

    def write(self, region: Region, value: torch.Tensor) -> None:
        """Copy `value` to its region. Raises ValueError when it does not fit."""
        ...

    def read(self, region: Region) -> torch.Tensor:
        """The tensor as it lies there now."""
        ...

    def close(self) -> None:
        """Unmap and free."""
        ...


@dataclass(frozen=True)
class Shared:
    """Memory of a device in place of the host's, and what a worker needs to use it."""

    memory: Memory
    spec: Mapping[str, Any]
    """Of which the worker makes its side of the device (`gpu/device.py`)."""
    whole: int
    """Bytes to map."""
    rooms: tuple[int, int]
    """Bytes for inputs, and behind them for outputs."""
    cage: Callable[[Cage], Cage]
    """The cage, with what the device needs let through."""
