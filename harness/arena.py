"""Shared memory through which the harness hands inputs to one worker.

The parent keeps what it wrote, so it can tell afterwards whether the other side changed it.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import torch

from kernelwright.harness.wire import DTYPES, Region, contiguous_stride, dtype_name

ALIGN = 64
"""Bytes; torch's own allocator aligns to this."""


_F_SEAL_FUTURE_WRITE = 0x10  # Python 3.11 has no name for it


class Arena:
    """A memory file of `size` bytes, mapped here for writing.

    `ours`: nobody else may map it for writing, by no means, as the kernel sees to.
    """

    def __init__(self, size: int, *, ours: bool = False) -> None:
        self.size = max(mmap.PAGESIZE, -(-size // mmap.PAGESIZE) * mmap.PAGESIZE)
        self.fd = os.memfd_create("arena", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self.fd, self.size)
        self._map = mmap.mmap(self.fd, self.size)
        # A worker that shrank the file would have the kernel kill us at our next access.
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, seals | (_F_SEAL_FUTURE_WRITE if ours else 0))
        self._bytes = torch.frombuffer(self._map, dtype=torch.uint8)

    def write(self, region: Region, value: torch.Tensor) -> None:
        """Copy `value` to its region. Raises ValueError when it does not fit."""
        once = tuple(slice(0, 1) if step == 0 else slice(None) for step in region.stride)
        view(self._bytes, region)[once].copy_(value[once])

    def read(self, region: Region) -> torch.Tensor:
        """The tensor as it lies there now (a view)."""
        return view(self._bytes, region)

    def close(self) -> None:
        """Unmap and free."""
        del self._bytes
        self._map.close()
        os.close(self.fd)


class Board:
    """What a worker writes while it is timed: how many outputs it has returned, and where they lie."""

    SLOTS = 1 << 16
    """Outputs of one leg at the most."""

    def __init__(self) -> None:
        self._arena = Arena(8 * (self.SLOTS + 1))
        self.fd = self._arena.fd
        region = Region(0, "int64", (self.SLOTS + 1,), (1,))
        self._slots = self._arena.read(region)

    def clear(self) -> None:
        """Forget the leg before."""
        self._slots[0] = 0

    def returned(self) -> int:
        """How many outputs have been returned so far, as the worker says."""
        return int(self._slots[0])

    def addresses(self, most: int) -> list[int]:
        """Addresses of the outputs returned so far, at most `most`; negative ones are wild."""
        return [
            int(a) for a in self._slots[1 : 1 + max(0, min(int(self._slots[0]), most))].tolist()
        ]

    def close(self) -> None:
        """Unmap and free."""
        del self._slots
        self._arena.close()


def view(flat: torch.Tensor, region: Region) -> torch.Tensor:
    """The tensor that `region` describes within `flat`, a 1-D uint8 tensor. Raises ValueError.

    What `skew` left free before it (`place`) belongs to its storage: so a slice lies in a larger tensor.
    """
    end = region.address + region.nbytes
    if end > flat.numel():
        raise ValueError(f"a region ends at {end}, beyond {flat.numel()} bytes")
    dtype = DTYPES[region.dtype]
    if region.nbytes == 0:
        return torch.empty(region.shape, dtype=dtype)
    skew = region.address % ALIGN // dtype.itemsize
    start = region.address - skew * dtype.itemsize
    typed = torch.frombuffer(flat.numpy().data, dtype=dtype, count=skew + region.span, offset=start)
    return typed.as_strided(region.shape, region.stride, skew)


def place(
    tensors: Sequence[torch.Tensor],
    start: int = 0,
    *,
    skew: int = 0,
    guard: Literal["before", "after"] | None = None,
) -> tuple[list[Region], int]:
    """Regions for `tensors` one after the other from `start`, and the offset behind them.

    Strides are kept. `skew` elements are left free before each tensor: 0 aligns it to 64 bytes. With
    `guard` each has pages of its own instead, and begins or ends with them.
    """
    regions: list[Region] = []
    for tensor in tensors:
        page = mmap.PAGESIZE if guard else ALIGN
        start = -(-start // page) * page + (0 if guard else skew * tensor.element_size())
        region = Region(start, dtype_name(tensor.dtype), tuple(tensor.shape), _stride(tensor))
        if guard == "after":
            region = replace(region, address=start + -region.nbytes % page)
            start = region.address
        regions.append(region)
        start += region.nbytes
    return regions, start


def _stride(tensor: torch.Tensor) -> tuple[int, ...]:
    """Its strides; row-major ones where windows overlap, as shared elements cannot be written.

    Expanded dimensions (stride 0) stay: their one element is written once.
    """
    pairs = zip(tensor.stride(), tensor.shape, strict=True)
    reach = 0
    for stride, size in sorted((s, n) for s, n in pairs if s and n > 1):
        if stride <= reach:
            return contiguous_stride(tensor.shape)
        reach += (size - 1) * stride
    return tensor.stride()


def footprint(tensors: Sequence[torch.Tensor]) -> int:
    """Bytes that `place` needs at the most."""
    return sum(
        t.element_size() * (1 + sum((n - 1) * s for n, s in zip(t.shape, _stride(t), strict=True)))
        + 2 * ALIGN
        for t in tensors
        if t.numel()
    )
