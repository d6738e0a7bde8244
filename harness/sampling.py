"""Where a worker's time goes, seen from outside: instruction pointers of a stopped process.

The profiler of a process that holds a candidate belongs to the candidate. So the parent stops the worker
at random moments of ordinary timed calls, when nothing in it can know, and reads of each thread the place
at which it stands (/proc/PID/task/TID/syscall) and its processor time since the last look (schedstat).
"""

from __future__ import annotations

import bisect
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from kernelwright.harness import memory
from kernelwright.harness.provenance import Kind, Profile, kind_of

_STACK: dict[Kind, int] = {"helper": 256, "threads": 768, "generated": 4096}
"""Bytes of a stack that are searched for the caller: further up lie leftovers of earlier calls. The
OpenMP runtime has some frames of its own; what a library generates keeps whole vectors on its stack."""

_WORTH_A_LOOK_S = 10e-6


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


class Sampler:
    """Adds up the processor time of one worker by whose code it was spent in.

    `own` are the folders of libraries that were built from the candidate's source.
    """

    def __init__(self, pid: int, own: tuple[str, ...]) -> None:
        self._pid = pid
        self._own = own
        self._maps: list[_Mapping] = []
        self._spent: dict[int, int] = {}
        self._seconds: dict[Kind, float] = {}
        self._young: dict[Kind, float] = {}
        self._total, self._ended = 0.0, 0.0
        self._scheduled = 0
        self.looks = 0
        """Looks before which the worker had got to run."""

    def begin(self) -> None:
        """Before calls, the worker stopped: what was spent until now does not count."""
        self._maps = self._read_maps()
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
        known, self._spent = self._spent, {}
        for thread in self._threads():
            self._spent[thread.number] = thread.spent_ns
            seconds = (thread.spent_ns - known.get(thread.number, 0)) * 1e-9
            if seconds > 0:
                kind = self._kind(thread)
                ended -= seconds
                _add(self._seconds, kind, seconds)
                if thread.number not in known:
                    _add(self._young, kind, seconds)
        self._ended += max(0.0, ended)

    def profile(self) -> Profile:
        """All that was seen so far.

        What threads spent that ended between two looks is shared out as the time of such as were seen
        in their youth.
        """
        found, young = dict(self._seconds), sum(self._young.values())
        for kind, seconds in self._young.items():
            _add(found, kind, self._ended * seconds / young)
        return Profile(found)

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
        found = []
        for line in Path(f"/proc/{self._pid}/maps").read_text(errors="replace").splitlines():
            span, rights, _, _, _, *path = line.split(None, 5)
            if "x" in rights:
                start, end = (int(word, 16) for word in span.split("-"))
                found.append(
                    _Mapping(start, end, kind_of(path[0] if path else "", end - start, self._own))
                )
        return sorted(found)

    def _threads(self) -> Iterator[_Thread]:
        for task in Path(f"/proc/{self._pid}/task").iterdir():
            try:
                spent = int((task / "schedstat").read_bytes().split()[0])
                words = (task / "syscall").read_bytes().split()
            except (FileNotFoundError, ProcessLookupError):  # a thread that has just ended
                continue
            if len(words) >= 3:
                yield _Thread(int(task.name), spent, int(words[-2], 16), int(words[-1], 16))


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
