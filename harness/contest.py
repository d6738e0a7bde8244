"""The contest: a candidate against eager, and where asked torch.compile and the champion.

A final judgement starts candidate and eager several times: where their memory happens to lie makes one
pair of processes some percent faster than the next, and that belongs into the interval.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from operator import truediv
from statistics import median
from typing import Literal, Protocol

import torch

from kernelwright.harness import tenants
from kernelwright.harness.allowance import allowance
from kernelwright.harness.arena import Board
from kernelwright.harness.comparison import TimedCheck, compare
from kernelwright.harness.crew import Crew
from kernelwright.harness.fault import Fault
from kernelwright.harness.oracle import Case, Oracle
from kernelwright.harness.provenance import Profile
from kernelwright.harness.running import Running
from kernelwright.harness.sampling import Sampler, can_sample
from kernelwright.harness.timing import Plan, Probe, Rounds, Timings, wake_up_seconds
from kernelwright.harness.verdict import Track
from kernelwright.harness.worker import Value, Worker

Effort = Literal["loop", "final"]
_PLANS = {"loop": Plan(rounds=16, seconds=0.35), "final": Plan(rounds=8, seconds=1.6, least=3)}
_STARTS = {"loop": 1, "final": 5}
_MOST_STARTS = 11
_SCATTER = 1.1
"""Where the starts of a final judgement differ by more than this factor, there are more of them: a process
may be a third slower than the next for all its life, and five show too little of such a lottery."""
_LEG_SECONDS = 4e-3
_SHORTEST_LEG_S = 1.5e-3
"""Of a candidate: into a shorter one nobody can look on a machine that has other work, as a sleep of
a fraction of a millisecond may last for some of them."""
_LONGEST_LEG_S = 32e-3
"""Of eager, where its legs grow with those of a candidate that is far faster."""
_SERVER_PAUSE_S = 0.01
"""Requests that arrive at random, a hundred a second: CUDA-L2's server mode (arXiv:2512.02551)."""
_POOL = 1 << 30


class Account(Protocol):
    """Whose code did the work of a call."""

    def track(self, call_s: float) -> Track | None:
        """The track of a candidate whose calls take so many seconds; None: nothing was seen."""
        ...

    def own_share(self, call_s: float) -> float | None:
        """Share of the work that libraries did not do; None: nothing was seen."""
        ...


@dataclass(frozen=True)
class Outcome:
    """What was measured. `profile` is None, with the reason in `blind`, where nothing can be seen."""

    timings: Timings
    profile: Account | None
    blind: str | None
    others: float | None
    """Cores that other processes kept busy meanwhile; None: unknown."""


class Contest:
    """Times candidates for one task; what is the same for all of them is found out here, once."""

    def __init__(self, crew: Crew, oracle: Oracle) -> None:
        self._crew = crew
        self._oracle = oracle
        self._pool: list[tuple[Value, ...]] = []
        self._free: dict[int, float] = {}
        own = oracle.own
        eager = crew.eager()
        with aside():
            self._overhead = wake_up_seconds(eager)
            seconds = min(eager.batch([own.arguments], own.upstream).seconds for _ in range(5))
        most = min(crew.most_calls, Board.SLOTS // max(len(own.expected), 1) - 1)
        self.calls = max(1, min(most, round(_LEG_SECONDS / max(seconds, 1e-6))))
        """Calls a leg, unless the candidate is so fast that there are more."""
        self._most_calls = max(self.calls, min(most, round(_LONGEST_LEG_S / max(seconds, 1e-6))))
        self._pause_s = 0.0
        if oracle.reference.task.meta.timing == "server":
            self.calls = self._most_calls = 1
            self._pause_s = _SERVER_PAUSE_S
        oracle.unseen()  # made here, so that no candidate waits for them

    def hold(
        self,
        running: Worker,
        again: Callable[[], Worker],
        rivals: dict[str, Worker],
        effort: Effort,
    ) -> Outcome:
        """Time the candidate in `running`; `again` starts it anew, checked and locked.

        Raises Fault from the candidate, HarnessError where another contestant fails.
        """
        timings: list[Timings] = []
        profile, blind, others = Profile({}), can_sample(running.pid), None
        calls = self._calls_for(running)
        for start in range(_MOST_STARTS):
            if start >= _STARTS[effort] and (effort == "loop" or not scattered(timings)):
                break
            with contextlib.ExitStack() as stack:
                worker = running
                if start:
                    worker = stack.enter_context(contextlib.closing(again()))
                    self._crew.restart_eager()
                names = {"candidate": worker, "eager": self._crew.eager(), **rivals}
                worker.pause()  # the others stand already
                pids = [contestant.pid for contestant in names.values()]
                before = tenants.snapshot(pids)
                sampler = Sampler(worker.pid, worker.own_folders, self.free_s(calls))
                seen = None if blind else sampler
                timings.append(self._measure(names, effort, seen, settle=start == 0, calls=calls))
                busy = tenants.cores_of_others(before, tenants.snapshot(pids))
                others = busy if others is None or busy is None else max(others, busy)
                profile += sampler.profile()
                worker.check_alone()
        return Outcome(Timings.joined(timings), None if blind else profile, blind, others)

    def _calls_for(self, worker: Worker) -> int:
        """Calls a leg for this candidate, the same in all of its legs: doubled until one is long enough.
        Raises Fault."""
        calls = self.calls
        if 2 * calls > self._most_calls:
            return calls
        own = self._oracle.own
        with aside():
            legs = [worker.batch([own.arguments] * calls, own.upstream).seconds for _ in range(3)]
        seconds = max(min(legs) - self._overhead, min(legs) / 2)
        while seconds < _SHORTEST_LEG_S and 2 * calls <= self._most_calls:
            calls, seconds = 2 * calls, 2 * seconds
        return calls

    def free_s(self, calls: int | None = None) -> float:
        """Seconds that allocating the outputs costs in legs like ours, or of so many calls."""
        calls = calls or self.calls
        if calls not in self._free:
            with aside():
                self._free[calls] = allowance(self._oracle.own.layout, calls)
        return self._free[calls]

    def _measure(
        self,
        names: dict[str, Worker],
        effort: Effort,
        sampler: Sampler | None,
        *,
        settle: bool,
        calls: int | None = None,
    ) -> Timings:
        timed = TimedCheck(self._oracle.own)

        def check(ours: Sequence[torch.Tensor], theirs: Sequence[torch.Tensor]) -> None:
            if not timed.right(ours, theirs):
                raise Fault(
                    "stale_output",
                    "the output of a timed call is wrong for that call's inputs, though checked"
                    " calls were right",
                )

        supply = self._pooled() if effort == "loop" else iter(self._oracle.fresh_arguments, None)
        with aside():
            return Rounds(
                names,
                lambda: next(supply),
                check,
                replace(_PLANS[effort], calls=calls or self.calls, pause_s=self._pause_s),
                overhead=self._overhead,
                upstream=self._oracle.own.upstream,
                sampler=sampler,
                settle=settle,
                probes=[_probe(case) for case in self._oracle.unseen()],
                touched=self._oracle.touched,
                running=Running(self._oracle) if self._oracle.buffers else None,
            ).run()

    def _pooled(self) -> Iterator[tuple[Value, ...]]:
        """Arguments of timed calls, drawn once and shown to every candidate (a new process) once."""
        most = max(1, _POOL // max(self._crew.call_bytes, 1))
        index = 0
        while True:
            if index >= len(self._pool):
                if len(self._pool) >= most:
                    yield self._oracle.fresh_arguments()
                    continue
                self._pool.append(self._oracle.fresh_arguments())
            yield self._pool[index]
            index += 1


def scattered(starts: Sequence[Timings]) -> bool:
    """Whether it matters which of the starts one looks at."""
    ratios: list[float] = [
        median(map(truediv, start.seconds["eager"], start.seconds["candidate"])) for start in starts
    ]
    return max(ratios) > _SCATTER * min(ratios)


def _probe(case: Case) -> Probe:
    asked = case.without_buffers

    def check(outputs: Sequence[torch.Tensor]) -> None:
        wrong = compare(asked, outputs)
        if wrong is not None:
            raise Fault(
                "stale_output", f"in a timed call, though checked ones were right: {wrong.message}"
            )

    return Probe(case.arguments, check)


@contextlib.contextmanager
def aside() -> Iterator[None]:
    """Keep out of the contestants' way: no threads of ours, and not on the core of their first one.

    There we would get to run again when a leg is over, and never be able to stop one in the middle.
    """
    threads, cores = torch.get_num_threads(), os.sched_getaffinity(0)
    torch.set_num_threads(1)
    os.sched_setaffinity(0, cores - {min(cores)} or cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
        torch.set_num_threads(threads)
