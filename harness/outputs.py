"""Where outputs lie: none may overlap itself, another one or an input, but where eager's do so too.

A caller may write to what it is given. An output whose elements share memory, or two outputs in one
place, would then change in more places than it wrote to; and a kernel that fills less memory than the
reference has less work. Gradients are free of this: autograd itself hands on expanded and shared ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from kernelwright.harness.wire import DTYPES, Region

Pair = tuple[int, int]


def overlap_problem(
    found: Sequence[Region],
    eager: Sequence[Region],
    answers: int,
    pages: frozenset[Pair] = frozenset(),
) -> str | None:
    """What is wrong with the places of a candidate's outputs, in words.

    `eager` are those of the reference as eager PyTorch runs it: where it shares memory, a candidate
    may. Only the first `answers` of `found` count: the rest are gradients. `pages` are pairs that are
    the same memory at different addresses (`pages.py`).
    """
    known = overlaps(eager[:answers])
    same = {pair for pair in pages if max(pair) < answers}
    new = sorted((overlaps(found[:answers]) | same) - known)
    if not new:
        return None
    first, second = new[0]
    if first == second:
        return (
            f"elements of output {first} share memory (shape {found[first].shape}, strides"
            f" {found[first].stride}), those of the reference do not: write every element"
        )
    return f"outputs {first} and {second} share memory, those of the reference do not"


def overlaps(regions: Sequence[Region]) -> frozenset[Pair]:
    """Index pairs of tensors that share an element's memory; (i, i) where one does with itself."""
    found = {(i, i) for i, region in enumerate(regions) if overlaps_itself(region)}
    placed = [i for i, region in enumerate(regions) if region.nbytes]
    open_: list[int] = []
    for i in sorted(placed, key=lambda i: regions[i].address):
        open_ = [j for j in open_ if _end(regions[j]) > regions[i].address]
        found |= {(min(i, j), max(i, j)) for j in open_ if _meet(regions[i], regions[j])}
        open_.append(i)
    return frozenset(found)


def overlaps_itself(region: Region) -> bool:
    """Whether two elements of a tensor lie at one address."""
    if 0 in region.shape:
        return False
    pairs = zip(region.stride, region.shape, strict=True)
    dims = sorted((s, n) for s, n in pairs if n > 1)
    if any(stride == 0 for stride, _ in dims):
        return True
    reach = 0
    for stride, size in dims:
        if stride <= reach:  # not nested: the elements may still lie in the gaps of one another
            offsets = _offsets(region).sort().values
            return bool((offsets[1:] == offsets[:-1]).any())
        reach += (size - 1) * stride
    return False


def _meet(a: Region, b: Region) -> bool:
    """Whether two tensors whose spans overlap have an element's memory in common."""
    if _dense(a) or _dense(b):
        if _dense(a) and _dense(b):
            return True
        inner, outer = (a, b) if _dense(b) else (b, a)
        places = _addresses(inner)
        size = DTYPES[inner.dtype].itemsize
        return bool(((places + size > outer.address) & (places < _end(outer))).any())
    width = min(DTYPES[a.dtype].itemsize, DTYPES[b.dtype].itemsize)
    ours, theirs = (
        torch.cat([_addresses(r) + i for i in range(0, DTYPES[r.dtype].itemsize, width)])
        for r in (a, b)
    )
    return bool(torch.isin(ours // width, theirs // width).any())


def _dense(region: Region) -> bool:
    """Whether it fills its span."""
    count = 1
    for size in region.shape:
        count *= size
    return count == region.span


def _addresses(region: Region) -> torch.Tensor:
    return _offsets(region) * DTYPES[region.dtype].itemsize + region.address


def _offsets(region: Region) -> torch.Tensor:
    """Offset of every element, in elements, flat."""
    total = torch.zeros((), dtype=torch.int64)
    for size, stride in zip(region.shape, region.stride, strict=True):
        total = total.unsqueeze(-1) + torch.arange(size) * stride
    return total.flatten()


def _end(region: Region) -> int:
    return region.address + region.nbytes
