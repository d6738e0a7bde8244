"""Where a worker's time goes, seen from outside: instruction pointers of a stopped process.

The profiler of a process that holds a candidate belongs to the candidate. So the parent stops the worker
at random moments of ordinary timed calls, when nothing in it can know, and reads of each thread the place
at which it stands (/proc/PID/task/TID/syscall) and its processor time since the last look (schedstat).
"""

from __future__ import annotations

import bisect
import contextlib
import math
import struct
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from kernelwright.harness import exports, memory
from kernelwright.harness.exports import LARGEST_IMAGE
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
    waited_ns: int
    """For a core, ready to run."""
    stack: int
    instruction: int


@dataclass
class _Book:
    """Processor time by kind over some looks."""

    seconds: dict[Kind, float] = field(default_factory=dict)
    young: dict[Kind, float] = field(default_factory=dict)
    ended: float = 0.0
    longest: float = 0.0
    """Of the threads at each look the one that had worked longest, whoever for."""
    longest_library: float = 0.0
    """Likewise of those that stood in a library."""
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

    def book_longest(self, threads: Mapping[Kind, float], ended: float, wall: float) -> None:
        """The longest thread of each kind at one look, what it waited for a core amid code of that kind
        included: those that spin on the same core would else be the longer. Of those that have ended,
        which nobody saw one by one, all together count as a thread, for no longer than the time that
        has passed."""
        together = min(ended, wall)
        library = self.young.get("library", 0.0) / (sum(self.young.values()) or 1.0)
        longest = max((s for kind, s in threads.items() if kind != "threads"), default=0.0)
        self.longest += max(longest, together)
        self.longest_library += max(threads.get("library", 0.0), library * together)

    def profile(self) -> Profile:
        """All of it."""
        found, young = dict(self.seconds), sum(self.young.values())
        for kind, seconds in self.young.items():
            _add(found, kind, self.ended * seconds / young)
        return Profile(found, longest=self.longest, longest_library=self.longest_library)


class Sampler:
    """Adds up the processor time of one worker by whose code it was spent in.

    `own` are the folders of libraries that were built from the candidate's source.
    """

    def __init__(self, pid: int, own: tuple[str, ...]) -> None:
        self._pid = pid
        self._own = own
        self._maps: list[_Mapping] = []
        self._asked: dict[tuple[str, int], bool] = {}
        self._known: dict[int, _Thread] = {}
        self._first, self._later = _Book(), _Book()
        self._watched = False
        self._total = 0.0
        self._scheduled = 0
        self._since = 0.0
        self.looks = 0
        """Looks before which the worker had got to run."""

    def begin(self) -> None:
        """Before calls, the worker stopped: what was spent until now does not count."""
        self._maps = self._read_maps()
        self._watched = False
        self._known = {thread.number: thread for thread in self._threads()}
        self._total = _process_seconds(self._pid)
        self._scheduled = _times_scheduled(self._pid)
        self._since = time.perf_counter()

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
        known, self._known = self._known, {}
        young: dict[Kind, float] = {}
        longest: dict[Kind, float] = {}
        working = False
        for thread in self._threads():
            self._known[thread.number] = thread
            before = known.get(thread.number)
            seconds = (thread.spent_ns - (before.spent_ns if before else 0)) * 1e-9
            waited = (thread.waited_ns - (before.waited_ns if before else 0)) * 1e-9
            if seconds + waited <= 0:
                continue
            kind = self._kind(thread)
            if self._at(thread.instruction) != kind:  # by a caller: it may be one of long ago
                waited = 0.0
            longest[kind] = max(seconds + waited, longest.get(kind, 0.0))
            if seconds > 0:
                ended -= seconds
                working |= kind in ("own", "library")
                _add(book.seconds, kind, seconds)
                if before is None:
                    _add(young, kind, seconds)
        book.telling += working
        book.book_ended(max(0.0, ended), young)
        now = time.perf_counter()
        book.book_longest(longest, max(0.0, ended), now - self._since)
        self._since = now

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
        return replace(found, native=native)

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
        rows, images = [], defaultdict(list)
        for line in Path(f"/proc/{self._pid}/maps").read_text(errors="replace").splitlines():
            span, rights, _, _, _, *path = line.split(None, 5)
            start, end = (int(word, 16) for word in span.split("-"))
            name = path[0] if path else ""
            if "x" in rights:
                rows.append((start, end, name))
            if "r" in rights and kind_of(name, 0, self._own) == "own":
                images[name].append((start, end))
        foreign = {name for name, spans in images.items() if self._is_foreign(name, spans)}
        return mappings(rows, self._own, foreign)

    def _is_foreign(self, name: str, spans: Sequence[tuple[int, int]]) -> bool:
        """Whether a library among the candidate's own is another's; asked once for each."""
        base = min(start for start, _ in spans)
        if (name, base) not in self._asked:
            image = bytearray(min(max(end for _, end in spans) - base, LARGEST_IMAGE))
            for start, end in spans:
                with contextlib.suppress(memory.Unreadable):
                    found = memory.read_bytes(self._pid, start, min(end - start, LARGEST_IMAGE))
                    image[start - base : start - base + len(found)] = found
            self._asked[name, base] = exports.foreign(bytes(image), base)
        return self._asked[name, base]

    def _threads(self) -> Iterator[_Thread]:
        for task in Path(f"/proc/{self._pid}/task").iterdir():
            try:
                spent, waited = map(int, (task / "schedstat").read_bytes().split()[:2])
                words = (task / "syscall").read_bytes().split()
            except (FileNotFoundError, ProcessLookupError):  # a thread that has just ended
                continue
            if len(words) >= 3:
                places = (int(word, 16) for word in words[-2:])
                yield _Thread(int(task.name), spent, waited, *places)


def mappings(
    rows: Iterable[tuple[int, int, str]],
    own: tuple[str, ...],
    foreign: Collection[str] = (),
) -> list[_Mapping]:
    """Whose code lies where, from begin, end and path of all executable mappings.

    `foreign` are paths among the own ones whose content is a library's.

    What is own or generated counts by its size altogether: a copied library can be cut into pieces.
    """
    known = sorted(rows)
    sizes: Counter[Kind] = Counter()
    for start, end, path in known:
        sizes[kind_of(path, 0, own)] += end - start
    return [
        _Mapping(
            start,
            end,
            "library" if path in foreign else kind_of(path, sizes[kind_of(path, 0, own)], own),
        )
        for start, end, path in known
    ]


def _library_part(profile: Profile) -> float:
    """Of all that was done, plain Python included: else a few looks at a kernel in Python say too much."""
    done = sum(seconds for kind, seconds in profile.seconds.items() if kind != "threads")
    return profile.seconds.get("library", 0.0) / done if done else 0.0


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
