"""Shadow memory of one launch: who wrote and read what, so that programs that disturb each other show.

Programs of a Triton grid run in any order and at the same time; the interpreter runs them one after the
other. So an access conflicts with another program's unless an atomic orders them: one that releases
publishes what its program has done so far, and one that acquires at the same address may build on it
(PTX ISA, memory consistency model; `tl.atomic_*` are acquire and release by default).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Addresses = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]
_NOBODY = -1


@dataclass(frozen=True)
class Span:
    """The memory of one tensor argument, from its first element to its last. Addresses in bytes."""

    name: str
    begin: int
    end: int
    item: int
    """Bytes of an element."""


@dataclass(frozen=True)
class Conflict:
    """Two programs, at least one of which writes, at the same place and with no order between them."""

    kind: str
    """`write after write`, `read after write`, `write after read`, `plain and atomic`."""
    address: int
    programs: tuple[int, int]


@dataclass
class _Region:
    """Overlapping spans, as one; arrays hold segments by `item` bytes."""

    begin: int
    end: int
    item: int
    written: npt.NDArray[np.int32] = field(init=False)
    read: npt.NDArray[np.int32] = field(init=False)
    read_also: npt.NDArray[np.int32] = field(init=False)
    """A second reader: the last one that is not the first."""
    atomic: npt.NDArray[np.int32] = field(init=False)

    def __post_init__(self) -> None:
        size = -(-(self.end - self.begin) // self.item)
        self.written, self.read, self.read_also, self.atomic = (
            np.full(size, _NOBODY, np.int32) for _ in range(4)
        )


class Shadow:
    """Segments are the stretches of a program between its releases, numbered in the order they run."""

    def __init__(self, spans: list[Span]) -> None:
        self._regions = _merged(spans)
        self._segment = _NOBODY
        self._program_of: list[int] = []
        self._published: dict[int, set[int]] = {}
        """What an atomic at an address has released, by address."""
        self._known: set[int] = set()
        """Segments that the running program may build on."""
        self._own: set[int] = set()

    def begin(self, program: int) -> None:
        """Another program runs."""
        self._known, self._own = set(), set()
        self._next(program)

    def _next(self, program: int) -> None:
        self._segment += 1
        self._program_of.append(program)
        self._own.add(self._segment)

    def load(self, addresses: Addresses) -> Conflict | None:
        """The running program reads here."""
        for region, _, at in self._places(addresses):
            found = self._against(region, at, region.written, "read after write")
            found = found or self._against(region, at, region.atomic, "plain and atomic")
            first = region.read[at]
            region.read[at[first == _NOBODY]] = self._segment
            region.read_also[at[(first != _NOBODY) & (first != self._segment)]] = self._segment
            if found:
                return found
        return None

    def store(self, addresses: Addresses, changed: Mask) -> Conflict | None:
        """It writes here. Where it does not change what is there, two writers do no harm."""
        found = None
        for region, inside, at in self._places(addresses):
            telling = at[changed[inside]]
            found = found or self._against(region, telling, region.written, "write after write")
            for readers in (region.read, region.read_also):
                found = found or self._against(region, telling, readers, "write after read")
            found = found or self._against(region, telling, region.atomic, "plain and atomic")
            region.written[at] = self._segment
        return found

    def atomic(self, addresses: Addresses, *, acquires: bool, releases: bool) -> Conflict | None:
        """It updates atomically here, and synchronises at each of the addresses."""
        places = {int(a) for a in np.unique(addresses)[:64]}  # locks and counters are few
        if acquires:
            for place in places:
                self._known |= self._published.get(place, set())
        found = None
        for region, _, at in self._places(addresses):
            found = found or self._against(region, at, region.written, "plain and atomic")
            for readers in (region.read, region.read_also):
                found = found or self._against(region, at, readers, "plain and atomic")
            region.atomic[at] = self._segment
        if releases:
            for place in places:
                self._published.setdefault(place, set()).update(self._own | self._known)
            self._next(self._program_of[self._segment])
        return found

    def _against(
        self, region: _Region, at: Places, other: npt.NDArray[np.int32], kind: str
    ) -> Conflict | None:
        segments = other[at]
        foreign = segments >= 0
        if not foreign.any():
            return None
        for segment in np.unique(segments[foreign]):
            if int(segment) in self._own or int(segment) in self._known:
                continue
            where = int(at[np.argmax(segments == segment)])
            pair = (self._program_of[int(segment)], self._program_of[self._segment])
            return Conflict(kind, region.begin + where * region.item, pair)
        return None

    def _places(self, addresses: Addresses) -> Iterator[tuple[_Region, Mask, Places]]:
        """Regions that are touched, which of the addresses lie in each, and where there."""
        for region in self._regions:
            inside = (addresses >= region.begin) & (addresses < region.end)
            if inside.any():
                yield region, inside, (addresses[inside] - region.begin) // region.item


def _merged(spans: list[Span]) -> list[_Region]:
    regions: list[_Region] = []
    begin = end = item = 0
    for span in sorted(spans, key=lambda s: s.begin):
        if span.begin < end:
            end, item = max(end, span.end), min(item, span.item)
            continue
        if end:
            regions.append(_Region(begin, end, item))
        begin, end, item = span.begin, span.end, span.item
    return [*regions, *([_Region(begin, end, item)] if end else [])]
