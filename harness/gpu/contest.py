"""The contest on a device: rounds, probes and ambushes as on the processor, and what a GPU adds to them.

What the copies of the outputs take is measured on a worker of ours that does nothing else, in legs like those
of the contestants, and taken off all of them alike: a little less than it, and never more than half of a leg.
"""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Callable
from typing import Literal

from kernelwright.harness.contest import Contest, Effort, Outcome, aside, scattered
from kernelwright.harness.errors import HarnessError
from kernelwright.harness.fault import Fault
from kernelwright.harness.gpu import nvml
from kernelwright.harness.gpu.crew import GpuCrew
from kernelwright.harness.gpu.track import GpuProfile
from kernelwright.harness.gpu.worker import GpuWorker
from kernelwright.harness.oracle import Oracle
from kernelwright.harness.sampling import Sampler
from kernelwright.harness.timing import Timings
from kernelwright.harness.worker import Worker

_STARTS = {"loop": 1, "final": 3}
_MOST_STARTS = 5
"""A start costs seconds here: a context, a compilation."""
_LEGS = 9
_AMBUSHES = 12
"""So often a candidate must have been caught amid its calls, where it has several a leg."""
_SPARED_S = 2e-6
"""Of what a copy takes, so much is not taken off: it may go on beside the host's part of a call."""


class Unsampled(Sampler):
    """Nobody looks whose code the processor runs: on a device that is not the question. It counts
    ambushes."""

    def __init__(self) -> None:
        super().__init__(0, ())
        self._sprung = 0

    @property
    def looks(self) -> int:
        """Ambushes in which calls to come were given other inputs."""
        return self._sprung

    def begin(self) -> None:
        """Nothing to note."""

    def look(self) -> None:
        """An ambush has caught the worker amid its calls."""
        self._sprung += 1

    def wants(self, call_s: float) -> Literal["any", "first"] | None:
        """Further ambushes, until there were enough."""
        return "first" if self._sprung < _AMBUSHES else None


class GpuContest(Contest):
    """Times candidates for one task on a device; what is the same for all of them is found out here, once."""

    def __init__(self, crew: GpuCrew, oracle: Oracle, source: Callable[[], GpuProfile]) -> None:
        super().__init__(crew, oracle)
        self._gpu_crew = crew
        self._source = source
        self.watch = nvml.Watch(crew.number)
        self.latest: GpuProfile | None = None
        """Of the candidate that was timed last."""
        self.copies_s = self._copies()
        """Seconds of a call that go to catching its outputs."""
        self._overhead += self.calls * max(0.0, self.copies_s - _SPARED_S)

    def _copies(self) -> float:
        """Median time of a call that does nothing but have outputs caught."""
        worker = self._gpu_crew.nothing()
        if worker is None:
            return 0.0
        own = self._oracle.own
        with contextlib.closing(worker), aside():
            legs = [worker.batch([own.arguments] * self.calls).seconds for _ in range(_LEGS + 2)]
        return max(0.0, statistics.median(legs[2:]) - self._overhead) / self.calls

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
        self.watch.begin()
        for start in range(_MOST_STARTS):
            if start >= _STARTS[effort] and (effort == "loop" or not scattered(timings)):
                break
            with contextlib.ExitStack() as stack:
                worker = running
                if start:
                    worker = stack.enter_context(contextlib.closing(again()))
                    self._crew.restart_eager()
                names = {"candidate": worker, "eager": self._crew.eager(), **rivals}
                worker.pause()
                timings.append(
                    self._measure(names, effort, Unsampled(), settle=not start and self.calls > 1)
                )
                self.watch.look([contestant.pid for contestant in names.values()])
                worker.check_alone()
        joined = Timings.joined(timings)
        profile, blind = self._profiled(running, joined)
        return Outcome(joined, profile, blind, None)

    def warm_ms(self, running: Worker) -> float:
        """Median time of a call whose inputs may still lie in L2."""
        assert isinstance(running, GpuWorker)
        running.cold = False
        try:
            return self._median_ms(running)
        finally:
            running.cold = True

    def eager_ms(self) -> float:
        """Median time of a call of the reference."""
        return self._median_ms(self._crew.eager())

    def _median_ms(self, worker: Worker, rounds: int = 5) -> float:
        with aside():
            legs = []
            for _ in range(rounds):
                calls = [self._oracle.fresh_arguments() for _ in range(self.calls)]
                legs.append(worker.batch(calls, self._oracle.own.upstream).seconds)
        leg = statistics.median(legs)
        return max(leg - self._overhead, leg / 2) / self.calls * 1e3

    def _profiled(self, running: Worker, joined: Timings) -> tuple[GpuProfile | None, str | None]:
        """Whose kernels ran; or why that is not known."""
        assert isinstance(running, GpuWorker)
        own = self._oracle.own
        try:
            seen = running.profile(own.inputs, own.gradients)
        except Fault as fault:
            if fault.code in ("exception", "crash"):
                return None, f"no profile of a call: {fault.message}"[:300]
            raise
        except HarnessError as error:
            return None, str(error)
        self.latest = self._source().of(seen)
        return self.latest, self.latest.doubt(joined.median_ms("candidate") * 1e-3)
