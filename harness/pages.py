"""Outputs at different addresses that are the same pages of memory.

A process can have a file, or memory that it shares, at several addresses: what is written at one is there
at the others. The memory map says of every address which file lies there and from where on; private memory
that belongs to no file lies at one address only.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from kernelwright.harness.outputs import Pair, overlaps
from kernelwright.harness.wire import Region

_FAR = 1 << 48
"""Bytes from one file to the next, where all of them are laid out one after the other."""


class Mapped(NamedTuple):
    """A part of a file that lies from `start` to `end`, and in a space of all files from `place` on."""

    start: int
    end: int
    place: int


def mapped(lines: Iterable[str]) -> list[Mapped]:
    """Where files lie in a process's memory, by address; `lines` are those of its map."""
    numbers: dict[tuple[str, str], int] = {}
    found = []
    for line in lines:
        span, rights, offset, device, inode, *path = line.split(None, 5)
        if inode == "0" or "r" not in rights:
            continue
        if (
            "s" not in rights and path and path[0] == "/dev/zero"
        ):  # a file that gives new pages to everyone
            continue
        number = numbers.setdefault((device, inode), len(numbers) + 1)
        start, end = (int(word, 16) for word in span.split("-"))
        found.append(Mapped(start, end, number * _FAR + int(offset, 16)))
    return sorted(found)


def shared(files: Sequence[Mapped], regions: Sequence[Region]) -> frozenset[Pair]:
    """Index pairs of tensors of which an element is the same memory; (i, i) where parts of one are.

    Of tensors that lie in files; all others have memory of their own at every address.
    """
    parts = {i: found for i, r in enumerate(regions) if (found := _parts(files, r))}
    whole = [i for i, found in parts.items() if _joined(found, regions[i])]
    moved = [replace(regions[i], address=parts[i][0][0]) for i in whole]
    pairs = {(whole[a], whole[b]) for a, b in overlaps(moved)}
    for i in parts:
        for j in parts:
            if i <= j and not (i in whole and j in whole):
                pairs |= {(i, j)} if _meet(parts[i], parts[j], i == j) else set()
    return frozenset(pairs)


def _parts(files: Sequence[Mapped], region: Region) -> list[tuple[int, int]]:
    """Begin and end of all that a tensor's bytes span in the space of files, in the order of addresses."""
    begin, end = region.address, region.address + region.nbytes
    found = []
    i = max(0, bisect.bisect_right(files, begin, key=lambda m: m.start) - 1)
    while i < len(files) and files[i].start < end:
        first, last = max(begin, files[i].start), min(end, files[i].end)
        if first < last:
            shift = files[i].place - files[i].start
            found.append((first + shift, last + shift))
        i += 1
    return found


def _joined(parts: Sequence[tuple[int, int]], region: Region) -> bool:
    """Whether a tensor lies in one file, at one go."""
    steps = itertools.pairwise(parts)
    whole = sum(end - begin for begin, end in parts) == region.nbytes
    return whole and all(one[1] == next_[0] for one, next_ in steps)


def _meet(ones: Sequence[tuple[int, int]], others: Sequence[tuple[int, int]], same: bool) -> bool:
    return any(
        a[0] < b[1] and b[0] < a[1]
        for i, a in enumerate(ones)
        for j, b in enumerate(others)
        if not (same and i == j)
    )
