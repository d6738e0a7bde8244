"""Where a worker's time goes, seen from outside: instruction pointers of a stopped process.

The profiler of a process that holds a candidate belongs to the candidate. So the parent stops the worker
at random moments of ordinary timed calls, when nothing in it can know, and reads of each thread the place
at which it stands (/proc/PID/task/TID/syscall) and its processor time since the last look (schedstat).
"""

from __future__ import annotations

import bisect
import math
import struct
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from kernelwright.harness import memory
from kernelwright.harness.provenance import Kind, Profile, kind_of

_STACK: dict[Kind, int] = {"helper": 256, "threads": 768, "generated": 4096}
"""Bytes of a stack that are searched for the caller: further up lie leftovers of earlier calls. The
OpenMP runtime has some frames of its own; what a library generates keeps whole vectors on its stack."""

_WORTH_A_LOOK_S = 10e-6
_LEAST_FIRST = 3


class _Mapping(NamedTuple):
    start: int
    end: int
    kind: Kind


@dataclass(frozen=True)
class _Thread:
    """A stopped thread: its processor time so far in nanoseconds, stack and instruction pointers."""

    number: int
    spent_ns: int
    stack: int
    instruction: int


@dataclass
class _Book:
    """Processor time by kind over some looks."""

    seconds: dict[Kind, float] = field(default_factory=dict)
    young: dict[Kind, float] = field(default_factory=dict)
    ended: float = 0.0
    looks: int = 0
    """Those before which the process had got to run."""
    telling: int = 0
    """Those that found work, by whomever."""

    def book_ended(self, ended: float, young: Mapping[Kind, float]) -> None:
        """Time of threads that ended since the look before: it was spent as by those that this look saw
        in their youth; where it saw none, as by those that others did."""
        seen = sum(young.values())
        for kind, seconds in young.items():
            _add(self.young, kind, seconds)
            _add(self.seconds, kind, ended * seconds / seen)
        if not seen:
            self.ended += ended

    def profile(self) -> Profile:
        """All of it."""
        found, young = dict(self.seconds), sum(self.young.values())
        for kind, seconds in self.young.items():
            _add(found, kind, self.ended * seconds / young)
        return Profile(found)


class Sampler:
    """Adds up the processor time of one worker by whose code it was spent in.

    `own` are the folders of libraries that were built from the candidate's source.
    """

    def __init__(self, pid: int, own: tuple[str, ...]) -> None:
        self._pid = pid
        self._own = own
        self._maps: list[_Mapping] = []
        self._spent: dict[int, int] = {}
        self._first, self._later = _Book(), _Book()
        self._watched = False
        self._total = 0.0
        self._scheduled = 0
        self.looks = 0
        """Looks before which the worker had got to run."""

    def begin(self) -> None:
        """Before calls, the worker stopped: what was spent until now does not count."""
        self._maps = self._read_maps()
        self._watched = False
        self._spent = {thread.number: thread.spent_ns for thread in self._threads()}
        self._total = _process_seconds(self._pid)
        self._scheduled = _times_scheduled(self._pid)

    def idle(self) -> bool:
        """Whether the worker has not got to run since the last look, on a machine that has much to do."""
        return _times_scheduled(self._pid) == self._scheduled

    def look(self) -> None:
        """Amid calls, the worker stopped: book each thread's time on the place where it stands."""
        total = _process_seconds(self._pid)
        ended, self._total = total - self._total, total
        self._scheduled = _times_scheduled(self._pid)
        self.looks += ended > _WORTH_A_LOOK_S
        book, self._watched = self._later if self._watched else self._first, True
        book.looks += ended > _WORTH_A_LOOK_S
        known, self._spent = self._spent, {}
        young: dict[Kind, float] = {}
        working = False
        for thread in self._threads():
            self._spent[thread.number] = thread.spent_ns
            seconds = (thread.spent_ns - known.get(thread.number, 0)) * 1e-9
            if seconds > 0:
                kind = self._kind(thread)
                ended -= seconds
                working |= kind in ("own", "library")
                _add(book.seconds, kind, seconds)
                if thread.number not in known:
                    _add(young, kind, seconds)
        book.telling += working
        book.book_ended(max(0.0, ended), young)

    @property
    def doubtful(self) -> bool:
        """Whether libraries had so much more of the time at the first look of a leg than at later ones
        that it is no chance. A process can notice a stop, and act innocent from then on."""
        looks = self._first.telling
        if looks < _LEAST_FIRST:
            return False
        first, later = (_library_part(book.profile()) for book in (self._first, self._later))
        return first > later + 0.1 + 3 * math.sqrt(later * (1 - later) / looks)

    @property
    def first_looks(self) -> int:
        """Looks that nothing in the process could foresee."""
        return self._first.looks

    def profile(self) -> Profile:
        """All that was seen so far; only the first look of each leg, where the others are doubtful."""
        found = self._first.profile()
        if not self.doubtful:
            found += self._later.profile()
        native = any(mapping.kind == "own" for mapping in self._maps)
        return Profile(found.seconds, native)

    def _kind(self, thread: _Thread) -> Kind:
        """Whose code a thread is in; a helper's time is booked on the nearest caller on its stack."""
        found = self._at(thread.instruction)
        if found not in _STACK:
            return found
        try:
            words = memory.read_bytes(self._pid, thread.stack, _STACK[found])
        except memory.Unreadable:
            return found
        for (word,) in struct.iter_unpack("<Q", words):
            caller = self._at(word)
            if caller in ("own", "library"):
                return caller
            if caller == "interpreter":
                return "own" if found == "generated" else "interpreter"
        return found

    def _at(self, address: int) -> Kind:
        index = bisect.bisect_right(self._maps, address, key=lambda m: m.start) - 1
        if index < 0 or address >= self._maps[index].end:
            return "nowhere"
        return self._maps[index].kind

    def _read_maps(self) -> list[_Mapping]:
        """The executable parts of its memory, by address."""
        rows = []
        for line in Path(f"/proc/{self._pid}/maps").read_text(errors="replace").splitlines():
            span, rights, _, _, _, *path = line.split(None, 5)
            if "x" in rights:
                start, end = (int(word, 16) for word in span.split("-"))
                rows.append((start, end, path[0] if path else ""))
        return mappings(rows, self._own)

    def _threads(self) -> Iterator[_Thread]:
        for task in Path(f"/proc/{self._pid}/task").iterdir():
            try:
                spent = int((task / "schedstat").read_bytes().split()[0])
                words = (task / "syscall").read_bytes().split()
            except (FileNotFoundError, ProcessLookupError):  # a thread that has just ended
                continue
            if len(words) >= 3:
                yield _Thread(int(task.name), spent, int(words[-2], 16), int(words[-1], 16))


def mappings(rows: Iterable[tuple[int, int, str]], own: tuple[str, ...]) -> list[_Mapping]:
    """Whose code lies where, from begin, end and path of all executable mappings.

    What is own or generated counts by its size altogether: a copied library can be cut into pieces.
    """
    known = sorted(rows)
    sizes: Counter[Kind] = Counter()
    for start, end, path in known:
        sizes[kind_of(path, 0, own)] += end - start
    return [
        _Mapping(start, end, kind_of(path, sizes[kind_of(path, 0, own)], own))
        for start, end, path in known
    ]


def _library_part(profile: Profile) -> float:
    own, library = (profile.seconds.get(kind, 0.0) for kind in ("own", "library"))
    return library / (own + library) if own + library else 0.0


def _add(seconds: dict[Kind, float], kind: Kind, more: float) -> None:
    seconds[kind] = seconds.get(kind, 0.0) + more


def _process_seconds(pid: int) -> float:
    """Processor time of a process, threads that have ended included (CPUCLOCK_SCHED of clock_gettime)."""
    return time.clock_gettime((~pid << 3) | 2)


def _times_scheduled(pid: int) -> int:
    """How often the first thread has been given a core. (Its time is only known when it stands.)"""
    return int(Path(f"/proc/{pid}/schedstat").read_bytes().split()[2])


def can_sample(pid: int) -> str | None:
    """Why instruction pointers of this process cannot be read here; None when they can."""
    for name in ("schedstat", "syscall"):
        try:
            text = Path(f"/proc/{pid}/task/{pid}/{name}").read_text()
        except OSError as error:
            return f"the kernel does not show /proc/PID/{name}: {error.strerror}"
        if name == "schedstat" and not int(text.split()[0]):
            return "the kernel does not count processor time by thread"
    return None
