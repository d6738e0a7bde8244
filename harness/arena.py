"""Shared memory through which the harness hands inputs to one worker.

The parent keeps what it wrote, so it can tell afterwards whether the other side changed it.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Sequence

import torch

from kernelwright.harness.wire import DTYPES, Region, contiguous_stride, dtype_name

ALIGN = 64
"""Bytes; torch's own allocator aligns to this."""


class Arena:
    """A memory file of `size` bytes, mapped here for writing."""

    def __init__(self, size: int) -> None:
        self.size = max(mmap.PAGESIZE, -(-size // mmap.PAGESIZE) * mmap.PAGESIZE)
        self.fd = os.memfd_create("arena", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self.fd, self.size)
        # A worker that shrank the file would have the kernel kill us at our next access.
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, seals)
        self._map = mmap.mmap(self.fd, self.size)
        self._bytes = torch.frombuffer(self._map, dtype=torch.uint8)

    def write(self, region: Region, value: torch.Tensor) -> None:
        """Copy `value` to its region. Raises ValueError when it does not fit."""
        view(self._bytes, region).copy_(value)

    def read(self, region: Region) -> torch.Tensor:
        """The tensor as it lies there now (a view)."""
        return view(self._bytes, region)

    def close(self) -> None:
        """Unmap and free."""
        del self._bytes
        self._map.close()
        os.close(self.fd)


def view(flat: torch.Tensor, region: Region) -> torch.Tensor:
    """The tensor that `region` describes within `flat`, a 1-D uint8 tensor. Raises ValueError."""
    end = region.address + region.nbytes
    if end > flat.numel():
        raise ValueError(f"a region ends at {end}, beyond {flat.numel()} bytes")
    dtype = DTYPES[region.dtype]
    if region.nbytes == 0:
        return torch.empty(region.shape, dtype=dtype)
    typed = torch.frombuffer(
        flat.numpy().data, dtype=dtype, count=region.span, offset=region.address
    )
    return typed.as_strided(region.shape, region.stride)


def place(
    tensors: Sequence[torch.Tensor], start: int = 0, *, skew: int = 0
) -> tuple[list[Region], int]:
    """Regions for `tensors` one after the other from `start`, and the offset behind them.

    Strides are kept. `skew` elements are left free before each tensor: 0 aligns it to 64 bytes.
    """
    regions: list[Region] = []
    for tensor in tensors:
        start = -(-start // ALIGN) * ALIGN + skew * tensor.element_size()
        region = Region(start, dtype_name(tensor.dtype), tuple(tensor.shape), _stride(tensor))
        regions.append(region)
        start += region.nbytes
    return regions, start


def _stride(tensor: torch.Tensor) -> tuple[int, ...]:
    """Its strides; row-major ones where it is expanded, as shared elements cannot be written."""
    pairs = zip(tensor.shape, tensor.stride(), strict=True)
    expanded = any(size > 1 and stride == 0 for size, stride in pairs)
    return contiguous_stride(tensor.shape) if expanded else tensor.stride()


def footprint(tensors: Sequence[torch.Tensor]) -> int:
    """Bytes that `place` needs at the most."""
    return sum(
        t.element_size() * (1 + sum((n - 1) * s for n, s in zip(t.shape, _stride(t), strict=True)))
        + 2 * ALIGN
        for t in tensors
        if t.numel()
    )
