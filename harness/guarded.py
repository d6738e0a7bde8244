"""Guarded buffers: inputs and parameters that end, or begin, exactly where no memory is.

A read past the end of a tensor usually finds some other tensor's values, and a kernel that multiplies
them by zero is right until the day that nothing lies there. Here an unmapped page lies on one side, so
the first such byte fells the process. Strides, shapes and types are kept; a tensor of n bytes that ends at
a page's end begins wherever that is, so it is aligned to its own elements and no better.

The worker itself does the mapping: this finds bugs of honest kernels and is no defence against others.
Not found: accesses that jump over the page, those inside the same tensor (a row read as the one before),
and, as candidates allocate them themselves, accesses beyond outputs and temporaries: those are the
sanitizer's (`sanitizer.py`).
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
from collections.abc import Iterator
from typing import Any, Literal

import torch

from kernelwright.harness.arena import ALIGN, view
from kernelwright.harness.fault import Fault
from kernelwright.harness.sandbox.system import LIBC, check
from kernelwright.harness.wire import DTYPES, Region

Side = Literal["before", "after"]
"""Where the unmapped page lies."""
SIDES: tuple[Side, ...] = ("after", "before")
LARGEST_STATE = 32 << 20
"""Bytes of parameters that are copied for one guarded call; more would cost more than they may."""

_PAGE = mmap.PAGESIZE
_PROT_NONE = 0
_MREMAP_MAYMOVE, _MREMAP_FIXED = 1, 2
_NOWHERE = ctypes.c_void_p(-1).value
LIBC.mremap.restype = ctypes.c_void_p


def shared(flat: torch.Tensor, region: Region, side: Side) -> torch.Tensor:
    """The tensor at `region` of the shared memory `flat`, seen through pages that stand alone.

    `region` lies at the begin or the end of a page, as `arena.place` puts it. Nothing is copied.
    """
    if region.nbytes == 0:
        return torch.empty(region.shape, dtype=DTYPES[region.dtype])
    offset = region.address % _PAGE
    inner = -(-(offset + region.nbytes) // _PAGE) * _PAGE
    outer = _guarded(inner, side)
    source = flat.data_ptr() + region.address - offset
    # An old size of 0 maps shared pages a second time, with the rights that they have: mremap(2).
    found = LIBC.mremap(
        ctypes.c_void_p(source),
        ctypes.c_size_t(0),
        ctypes.c_size_t(inner),
        _MREMAP_MAYMOVE | _MREMAP_FIXED,
        ctypes.c_void_p(_address(outer) + _PAGE),
    )
    check(-1 if found in (None, _NOWHERE) else 0, "mremap")
    return _tensor(outer, _PAGE + offset, region)


def on_heap(flat: torch.Tensor, region: Region) -> torch.Tensor:
    """A copy in a block of its own size. What `skew` leaves before it is part of the block."""
    dtype = DTYPES[region.dtype]
    if region.nbytes == 0:
        return torch.empty(region.shape, dtype=dtype)
    skew = region.address % ALIGN // dtype.itemsize
    block = torch.empty(skew + region.span, dtype=dtype)
    block[skew:].copy_(view(flat, Region(region.address, region.dtype, (region.span,), (1,))))
    return block.as_strided(region.shape, region.stride, skew)


def copied(tensor: torch.Tensor, side: Side) -> torch.Tensor:
    """A copy whose first byte follows an unmapped page, or whose last one precedes it."""
    stride = tensor.stride()
    region = Region(0, str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape), stride)
    if region.nbytes == 0:
        return tensor.clone()
    inner = -(-region.nbytes // _PAGE) * _PAGE
    outer = _guarded(inner, side)
    offset = inner - region.nbytes if side == "after" else 0
    return _tensor(outer, _PAGE + offset, region).copy_(tensor)


@contextlib.contextmanager
def state(model: Any, side: Side) -> Iterator[None]:
    """Parameters and buffers of a module lie in guarded copies for a while, unless they are large.

    The memory that they had stays as it is, for a module that has kept its address.
    """
    held = [*model.parameters(), *model.buffers()] if isinstance(model, torch.nn.Module) else []
    ours = [t for t in held if type(t) in (torch.Tensor, torch.nn.Parameter) and _plain(t)]
    if sum(t.numel() * t.element_size() for t in ours) > LARGEST_STATE:
        ours = []
    before = [t.data for t in ours]
    try:
        for tensor, data in zip(ours, before, strict=True):
            tensor.data = copied(data, side)
        yield
    finally:
        for tensor, data in zip(ours, before, strict=True):
            data.copy_(tensor.data)  # running statistics, say
            tensor.data = data


def explained(fault: Fault, side: Side) -> Fault:
    """A crash in a guarded call is an access out of bounds: the same call went well without."""
    if fault.code != "crash" or not any(n in fault.message for n in ("SIGSEGV", "SIGBUS")):
        return fault
    what = "beyond the end" if side == "after" else "before the begin"
    where = "end" if side == "after" else "begin"
    return Fault(
        "out_of_bounds",
        f"memory {what} of an input or a parameter is read or written: the process died when each"
        f" of them was made to {where} exactly at an unmapped page",
    )


def _plain(tensor: torch.Tensor) -> bool:
    """Whether a copy can have its place: on the CPU, strided, each element a place of its own."""
    if tensor.device.type != "cpu" or tensor.layout is not torch.strided:
        return False
    pairs = zip(tensor.shape, tensor.stride(), strict=True)
    return str(tensor.dtype).removeprefix("torch.") in DTYPES and all(
        size <= 1 or stride > 0 for size, stride in pairs
    )


def _guarded(inner: int, side: Side) -> mmap.mmap:
    """A page, `inner` bytes and a page of private memory; the page on `side` without any rights."""
    outer = mmap.mmap(-1, inner + 2 * _PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    place = _address(outer) + (_PAGE + inner if side == "after" else 0)
    result = LIBC.mprotect(ctypes.c_void_p(place), ctypes.c_size_t(_PAGE), _PROT_NONE)
    check(result, "mprotect")
    return outer


def _address(memory: mmap.mmap) -> int:
    return torch.frombuffer(memory, dtype=torch.uint8).data_ptr()


def _tensor(memory: mmap.mmap, offset: int, region: Region) -> torch.Tensor:
    """It keeps the mapping alive, and so does every view of it."""
    typed = torch.frombuffer(memory, dtype=DTYPES[region.dtype], count=region.span, offset=offset)
    return typed.as_strided(region.shape, region.stride)
