"""Memory of the device through which inputs go to one worker, and in which its outputs are caught.

The worker can write to all of it: that inputs stay as they are is seen by reading them again, that outputs
are its call's own work by filling their places before the call. Tensors cross as flat bytes; gaps between the
elements of a strided one cross too.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from kernelwright.harness.arena import view
from kernelwright.harness.gpu.device import Device
from kernelwright.harness.wire import Region

ALIGN = 256
"""Bytes; CUDA's own allocations are aligned to this."""
POISON = 0xFF
"""NaN in every floating type."""


class DeviceArena:
    """`size` bytes for inputs, then `caught` bytes for outputs, on one device."""

    def __init__(self, device: Device, size: int, caught: int) -> None:
        self.size = -(-size // ALIGN) * ALIGN
        self._segment = device.allocate(self.size + caught)
        self.fd, self.whole = self._segment.fd, self._segment.size
        self.room = self.whole - self.size
        """Bytes for outputs."""

    def write(self, region: Region, value: torch.Tensor) -> None:
        """Copy `value` to its region. Raises ValueError when it does not fit."""
        flat = torch.zeros(max(region.nbytes, 1), dtype=torch.uint8)
        once = tuple(slice(0, 1) if step == 0 else slice(None) for step in region.stride)
        view(flat, _at(region, 0))[once].copy_(value[once])
        if region.address + region.nbytes > self.size:
            raise ValueError(f"a region ends beyond {self.size} bytes")
        self._segment.write(region.address, flat[: region.nbytes])

    def read(self, region: Region) -> torch.Tensor:
        """The tensor as it lies there now."""
        return view(self._segment.read(region.address, region.nbytes), _at(region, 0))

    def spoil(self, region: Region) -> None:
        """Fill the place of an input with what it is not."""
        self._segment.fill(region.address, region.nbytes, 0)

    def poison(self, nbytes: int) -> None:
        """Fill the places of the next outputs."""
        self._segment.fill(self.size, min(nbytes, self.room), POISON)

    def caught(self, regions: Sequence[Region], start: int = 0) -> list[torch.Tensor]:
        """The outputs that were copied one after the other behind `start`: type, shape and strides as
        given."""
        found = []
        for region, offset in zip(
            regions, offsets([r.nbytes for r in regions], start), strict=True
        ):
            flat = self._segment.read(self.size + offset, region.nbytes)
            found.append(view(flat, _at(region, 0)))
        return found

    def close(self) -> None:
        """Unmap and free."""
        self._segment.close()


def offsets(sizes: Sequence[int], start: int = 0) -> list[int]:
    """Where outputs of so many bytes are put, one after the other."""
    out = []
    for size in sizes:
        out.append(start)
        start = after(start, size)
    return out


def after(start: int, size: int) -> int:
    """The next place behind `size` bytes at `start`."""
    return start + -(-size // ALIGN) * ALIGN


def _at(region: Region, address: int) -> Region:
    return Region(address, region.dtype, region.shape, region.stride)
