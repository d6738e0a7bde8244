"""Where a worker's time goes, seen from outside: instruction pointers of a stopped process.

The profiler of a process that holds a candidate belongs to the candidate. So the parent stops the worker
at random moments of ordinary timed calls, when nothing in it can know, and reads of each thread the place
at which it stands (/proc/PID/task/TID/syscall) and its processor time since the last look (schedstat).
"""

from __future__ import annotations

import bisect
import struct
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from kernelwright.harness import images, memory, padding
from kernelwright.harness.allowance import LEAST_S
from kernelwright.harness.provenance import LARGEST_OWN, LEAST_TELLING, Kind, Profile, kind_of
from kernelwright.harness.sandbox.system import MACHINE
from kernelwright.harness.sightings import Sightings

_STACK: dict[Kind, int] = {"helper": 256, "threads": 768, "generated": 4096}
"""Bytes of a stack that are searched for the caller: further up lie leftovers of earlier calls. The
OpenMP runtime has some frames of its own; what a library generates keeps whole vectors on its stack."""

_WORTH_A_LOOK_S = 10e-6
_LEAST_LOOKS, _LEAST_FIRST, _MOST_FIRST = 60, 16, 48
"""Looks of all kinds, and of those that nothing could foresee; so many of these where it is not settled."""
_STEP = 4
"""Whether what was seen is settled is asked every few looks."""


_WORK_OF_THE_KERNEL: set[int] = {
    "x86_64": {9, 10, 11, 12, 14, 25, 28, 56, 435},
    "aarch64": {222, 226, 215, 214, 135, 216, 233, 220, 435},
}.get(MACHINE, set())
"""System calls that are work of the thread's: mmap, mprotect, munmap, brk, rt_sigprocmask, mremap, madvise,
clone, clone3. In others it waits (a yield is waiting too)."""


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
    call: int
    """Number of the system call that it is in; -1: none."""

    @property
    def waits(self) -> bool:
        """Whether it has been waiting, for something that it did not do itself."""
        return self.call >= 0 and self.call not in _WORK_OF_THE_KERNEL


class Sampler:
    """Adds up the processor time of one worker by whose code it was spent in.

    `own` are the folders of libraries that were built from the candidate's source, `free_s` is what a call
    may spend in libraries beside its own work.
    """

    def __init__(self, pid: int, own: tuple[str, ...], free_s: float = LEAST_S) -> None:
        self._pid = pid
        self._own = own
        self._maps: list[_Mapping] = []
        self._asked: dict[tuple[str, int], bool] = {}
        self._known: dict[int, _Thread] = {}
        self._sightings = Sightings(free_s=free_s)
        self._watched = False
        self._total = 0.0
        self._scheduled = 0
        self._since = 0.0

    def begin(self) -> None:
        """Before calls, the worker stopped: what was spent until now does not count."""
        self._maps = self._read_maps()
        self._sightings.begin_leg()
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
        books = self._sightings.later if self._watched else self._sightings.first
        book, self._watched = books[-1], True
        book.looks += ended > _WORTH_A_LOOK_S
        known, self._known = self._known, {}
        spent: dict[Kind, float] = {}
        young: Counter[Kind] = Counter()
        longest: dict[Kind, float] = {}
        asleep: dict[Kind, float] = {}
        at_work: Counter[Kind] = Counter()
        threads = list(self._threads())
        if any(self._at(thread.instruction) == "nowhere" for thread in threads):
            self._maps = self._read_maps()  # there was no code when the leg began
        for thread in threads:
            self._known[thread.number] = thread
            before = known.get(thread.number)
            seconds = (thread.spent_ns - (before.spent_ns if before else 0)) * 1e-9
            waited = (thread.waited_ns - (before.waited_ns if before else 0)) * 1e-9
            if seconds + waited <= 0:
                continue
            kind = self._kind(thread)
            if self._at(thread.instruction) != kind:  # by a caller: it may be one of long ago
                waited = 0.0
            stands = "helper" if thread.waits else kind  # where it waits, it has not worked
            longest[stands] = max(seconds + waited, longest.get(stands, 0.0))
            if seconds > 0:
                ended -= seconds
                if thread.waits:
                    asleep[kind] = asleep.get(kind, 0.0) + seconds
                    continue
                spent[kind] = spent.get(kind, 0.0) + seconds
                if kind != "threads":
                    at_work[kind] += 1
                    young[kind] += before is None
        if at_work:
            book.book_work(_with_the_waiting(spent, sum(asleep.values()), at_work))
        else:
            book.book_asleep(asleep)
        book.book_ended(max(0.0, ended), +young)
        now = time.perf_counter()
        book.book_longest(longest, max(0.0, ended), now - self._since)
        self._since = now

    def wants(self, call_s: float) -> Literal["any", "first"] | None:
        """Which further looks the verdict on calls of so many seconds needs: of any kind, or such as
        nothing can foresee; None: no more."""
        first, later = self._sightings.totals()
        if first.looks + later.looks < _LEAST_LOOKS:
            return "any"
        if first.looks >= _MOST_FIRST:
            return None
        few = first.looks < _LEAST_FIRST or first.telling < LEAST_TELLING
        if few or first.looks % _STEP or self._sightings.doubtful:
            return "first"
        return None if self._sightings.settled(call_s, self._native) else "first"

    def profile(self) -> Profile:
        """All that was seen so far; only the first look of each leg, where the others are doubtful."""
        return self._sightings.profile(self._native)

    @property
    def looks(self) -> int:
        """Looks before which the worker had got to run."""
        return sum(book.looks for book in self._sightings.totals())

    @property
    def _native(self) -> bool:
        return any(mapping.kind == "own" for mapping in self._maps)

    def _kind(self, thread: _Thread) -> Kind:
        """Whose code a thread is in; a helper's time is booked on the nearest caller on its stack."""
        found = self._at(thread.instruction)
        if found == "nowhere":  # code that hides is not counted as one's own
            return "library"
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
        rows, starts_of = [], defaultdict(list)
        for line in memory.map_lines(self._pid):
            span, rights, _, _, _, *path = line.split(None, 5)
            start, end = (int(word, 16) for word in span.split("-"))
            name = path[0] if path else ""
            if "x" in rights:
                rows.append((start, end, name))
            kind = kind_of(name, 0, self._own) if "r" in rights and name.startswith("/") else None
            if kind in ("own", "generated"):  # these may be loaded out of memory files
                starts_of[name].append(start)
        foreign = {
            name for name, starts in starts_of.items() if self._is_foreign(name, min(starts))
        }
        return mappings(rows, self._own, foreign, self._code_bytes)

    def _code_bytes(self, spans: Iterable[tuple[int, int]]) -> int:
        return padding.code_bytes(self._pid, spans, LARGEST_OWN)

    def _is_foreign(self, name: str, base: int) -> bool:
        """Whether a library among the candidate's own is another's; asked once for each."""
        if (name, base) not in self._asked:
            self._asked[name, base] = images.is_foreign(self._pid, name)
        return self._asked[name, base]

    def _threads(self) -> Iterator[_Thread]:
        for task in Path(f"/proc/{self._pid}/task").iterdir():
            try:
                spent, waited = map(int, (task / "schedstat").read_bytes().split()[:2])
                words = (task / "syscall").read_bytes().split()
            except (FileNotFoundError, ProcessLookupError):  # a thread that has just ended
                continue
            if len(words) >= 3:
                stack, place = (int(word, 16) for word in words[-2:])
                yield _Thread(int(task.name), spent, waited, stack, place, int(words[0]))


def _with_the_waiting(
    spent: Mapping[Kind, float], asleep: float, at_work: Mapping[Kind, int]
) -> dict[Kind, float]:
    """Processor time by kind, that of waiting threads included: where they wait says nothing of where they
    worked, so it counts as by those that are at work at the same moment; by their number, as who turns in
    a circle beside a library has spent more than it."""
    found, threads = dict(spent), sum(at_work.values())
    for kind, number in at_work.items():
        found[kind] += asleep * number / threads
    return found


def mappings(
    rows: Iterable[tuple[int, int, str]],
    own: tuple[str, ...],
    foreign: Collection[str] = (),
    code_bytes: Callable[[Iterable[tuple[int, int]]], int] | None = None,
) -> list[_Mapping]:
    """Whose code lies where, from begin, end and path of all executable mappings.

    `foreign` are paths among the own ones whose content is a library's; `code_bytes` tells how much of some
    spans is code, which is asked only where they are large.

    What is own or generated counts by its size altogether: a copied library can be cut into pieces.
    """
    known = sorted(rows)
    spans: defaultdict[Kind, list[tuple[int, int]]] = defaultdict(list)
    for start, end, path in known:
        spans[kind_of(path, 0, own)].append((start, end))
    sizes = Counter({k: sum(end - start for start, end in parts) for k, parts in spans.items()})
    for kind in ("own", "generated"):
        if code_bytes is not None and sizes[kind] > LARGEST_OWN:
            sizes[kind] = code_bytes(spans[kind])
    return [
        _Mapping(
            start,
            end,
            "library" if path in foreign else kind_of(path, sizes[kind_of(path, 0, own)], own),
        )
        for start, end, path in known
    ]


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
