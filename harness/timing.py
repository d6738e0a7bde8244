"""Timing in interleaved pairs, by the parent's clock alone.

One round gives every contestant the same fresh inputs, one contestant after the other in random order;
all others stand still meanwhile: each from the moment that its calls are done until its next turn. A leg
is a few calls in a row, from our go to the moment that the worker's done has arrived and it is stopped;
the wake-up of an empty leg is measured on trusted code and taken off. The outputs of the timed calls
themselves are compared with eager's.

Now and then, nobody but us knows when, the candidate's leg is an ambush and its time does not count: the
worker is stopped amid its calls, the outputs of those that have returned must be right at that moment, and
the inputs of those that have not begun are exchanged, in other legs without any stop. So work that is put
off, and work on inputs ahead of their call, shows. At the same moments a sampler sees whose code is running.

Other legs that do not count hold probes: unseen inputs of all distributions at random places, whose outputs
must be as right as those of checked calls. So what is only right for the task's own inputs, or only about
right, shows although a candidate can tell that it is timed.
"""

from __future__ import annotations

import contextlib
import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from kernelwright.harness import interval
from kernelwright.harness.errors import HarnessError
from kernelwright.harness.fault import Fault
from kernelwright.harness.running import Running
from kernelwright.harness.sampling import Sampler
from kernelwright.harness.verdict import Speedup
from kernelwright.harness.worker import Ambush, Batch, Value, Worker

_AMBUSHES = 0.5
"""Share of the rounds before which there is an ambush; before the others inputs are exchanged in silence."""
_EXCHANGES = 4
"""Moments of a leg at which that happens."""
_FOLLOWED = 0.7
"""Share of the rounds after which buffers are looked at, where calls change any."""
_PROBE_LEGS = 3
"""Legs on which the probes are spread at the least."""
_LONGEST_PAUSE = 4.0
"""Times the mean: exponential arrivals have no longest one, and somebody waits."""
_MOST_EXTRA = 60
"""Where the rounds gave a sampler too few looks, so many more ambushes follow at the most."""

Check = Callable[[Sequence[torch.Tensor], Sequence[torch.Tensor]], None]
"""Raises when the outputs of a contestant (first) differ from eager's on the same inputs."""


@dataclass(frozen=True)
class Probe:
    """A call whose exact answers are known; `check` raises when the outputs are wrong."""

    arguments: Sequence[Value]
    check: Callable[[Sequence[torch.Tensor]], None]


@dataclass(frozen=True)
class Plan:
    """How long to measure: at most `rounds`, at most about `seconds`, at least `least` rounds."""

    rounds: int
    seconds: float
    least: int = 5
    calls: int = 1
    """Calls a leg."""
    stops: int = 12
    """Looks at the candidate in one ambush."""
    pause_s: float = 0.0
    """Before each leg all contestants rest for a time that is drawn at random, so long on average."""


@dataclass(frozen=True)
class Timings:
    """Seconds a call by contestant; entry i of every list belongs to round i.

    `starts` are the rounds of each start of the processes; by default there was one.
    """

    seconds: Mapping[str, list[float]]
    starts: tuple[int, ...] = ()

    @staticmethod
    def joined(parts: Sequence[Timings]) -> Timings:
        """The rounds of several starts of the same contestants, one after the other."""
        names = parts[0].seconds
        rounds = tuple(len(next(iter(part.seconds.values()))) for part in parts)
        return Timings({n: [s for part in parts for s in part.seconds[n]] for n in names}, rounds)

    def median_ms(self, name: str) -> float:
        """Median time of one call in milliseconds."""
        return statistics.median(self.seconds[name]) * 1e3

    def speedup(self, baseline: str, subject: str = "candidate") -> Speedup:
        """Median of paired ratios baseline/subject with its 95% interval (`interval.py`)."""
        ratios = np.array(self.seconds[baseline]) / np.array(self.seconds[subject])
        groups = np.split(ratios, np.cumsum(self.starts)[:-1]) if self.starts else [ratios]
        low, high = interval.of_median(groups)
        return Speedup(float(np.median(ratios)), low, high, len(ratios))


def wake_up_seconds(worker: Worker, samples: int = 30) -> float:
    """Median length of a leg without calls: the cost of our go and done."""
    worker.batch([])
    return statistics.median(worker.batch([]).seconds for _ in range(samples))


class Rounds:
    """Times all contestants against each other; one is `eager`, and `sampler` looks at `candidate`,
    with `settle` until it has seen enough.

    `fresh` gives the arguments of a call, the last `upstream` of them gradients for its outputs (None:
    there is no backward pass). `probes` are for the candidate, and for it alone. `touched` gives arguments
    that nearly are the given ones: with such an ambush may exchange others. `running` looks at what calls
    in training mode leave behind. `overhead` is `wake_up_seconds`.
    """

    def __init__(
        self,
        contestants: Mapping[str, Worker],
        fresh: Callable[[], Sequence[Value]],
        check: Check,
        plan: Plan,
        *,
        overhead: float,
        upstream: int | None = None,
        sampler: Sampler | None = None,
        settle: bool = True,
        probes: Sequence[Probe] = (),
        touched: Callable[[Sequence[Value]], Sequence[Value]] | None = None,
        running: Running | None = None,
    ) -> None:
        self._contestants = contestants
        self._fresh = fresh
        self._check = check
        self._plan = plan
        self._overhead = overhead
        self._upstream = upstream
        self._sampler = sampler
        self._settle = settle
        self._touched = touched
        self._running = running
        self._left: Sequence[torch.Tensor] = ()
        """Buffers that the candidate's latest leg left behind."""
        self._draw = random.SystemRandom()
        self._order = list(contestants)
        self._probes = self._draw.sample(probes, len(probes))
        self._width = max(1, min(-(-len(probes) // _PROBE_LEGS), plan.calls // 2))
        self._leg_s = 0.0
        """About how long a leg of the candidate lasts."""
        self._seconds: dict[str, list[float]] = {name: [] for name in contestants}

    def run(self) -> Timings:
        """All rounds. Raises Fault from the candidate, HarnessError where another contestant fails, and
        whatever `check` raises."""
        try:
            self._run()
        except Fault as fault:
            raise self._explained(fault) from None
        for name, worker in self._contestants.items():
            with _charged(name):
                worker.settle()
        return Timings(self._seconds)

    def _explained(self, fault: Fault) -> Fault:
        """Why the outputs of a leg are wrong, where the candidate gives others than it did at first."""
        try:
            self._contestants["candidate"].settle()
        except Fault as other:
            return other if other.code == "layout_changed" else fault
        return fault

    def _run(self) -> None:
        plan = self._plan
        # Soon, so that they come before the time is up, or at any time, so that no round is without danger.
        probed = [
            self._draw.randrange(self._draw.choice((plan.least, plan.rounds)))
            for _ in range(0, len(self._probes), self._width)
        ]
        self._warm_up()
        end = time.perf_counter() + plan.seconds
        done = 0
        while done < plan.rounds and (done < plan.least or time.perf_counter() < end):
            for _ in range(probed.count(done)):
                self._probe()
            if self._sampler is not None:
                if self._draw.random() < _AMBUSHES:
                    self._ambush(self._sampler)
                elif self._plan.calls > 2:
                    self._exchange(self._sampler)
            self._round()
            done += 1
        while self._probes:
            self._probe()
        if self._sampler is not None and self._settle:
            self._look_enough(self._sampler)

    def _warm_up(self) -> None:
        for name in self._contestants:
            for _ in range(2):
                seconds = self._leg(name, self._inputs()).seconds
                self._leg_s = seconds if name == "candidate" else self._leg_s

    def _round(self) -> None:
        """One leg of each contestant on the same inputs; these times count."""
        inputs, calls, before = self._inputs(), self._plan.calls, self._left
        self._draw.shuffle(self._order)
        outputs = {}
        for name in self._order:
            leg = self._leg(name, inputs)
            # Never more than half: a leg as short as the wake-up says little, and must not say much.
            self._seconds[name].append(max(leg.seconds - self._overhead, leg.seconds / 2) / calls)
            outputs[name] = leg.outputs
        self._leg_s = min(self._seconds.get("candidate", ()), default=0.0) * calls or self._leg_s
        for name in self._order:
            if name not in ("eager", "compile"):
                _compare(name, outputs, self._check)
        if self._running is not None and self._draw.random() < _FOLLOWED:
            left = self._left
            try:
                self._running.load(self._contestants["eager"], before)
            except Fault as error:
                raise HarnessError(f"eager failed between timed calls: {error.message}") from error
            self._running.check(left, self._leg("eager", inputs).buffers, calls)

    def _probe(self) -> None:
        """A leg of the candidate's with probes at random places."""
        slipped, calls = self._probes[-self._width :], self._inputs()
        del self._probes[-self._width :]
        places = self._draw.sample(range(self._plan.calls), len(slipped))
        for place, one in zip(places, slipped, strict=True):
            calls[place] = one.arguments
        leg = self._leg("candidate", calls)
        for place, one in zip(places, slipped, strict=True):
            one.check(leg.outputs[place])

    def _ambush(self, sampler: Sampler, share: float = 1.0, further: int | None = None) -> None:
        """A leg of the candidate's with stops: the first within `share` of its length, then `further`."""
        stops = self._plan.stops
        length = share * self._leg_s
        gaps = [length * self._draw.random()]
        gaps += [
            length * 2 * self._draw.random() / stops
            for _ in range(stops if further is None else further)
        ]
        calls = self._inputs()
        spare = self._spare(calls)
        leg = self._leg("candidate", calls, ambush=Ambush(gaps, spare, sampler))
        eager = self._leg("eager", leg.calls).outputs
        for found in (leg.early, leg.outputs):
            for ours, theirs in zip(found, eager, strict=False):
                self._check(ours, theirs)

    def _exchange(self, sampler: Sampler) -> None:
        """A leg of the candidate's beside which inputs of calls to come are exchanged. Who is stopped can
        know it when it goes on, and only then look whether what it has done ahead still holds."""
        moments = sorted(self._leg_s * self._draw.random() for _ in range(_EXCHANGES))
        gaps = [b - a for a, b in zip([0.0, *moments], moments, strict=False)]
        calls = self._inputs()
        ambush = Ambush(gaps, self._spare(calls), sampler, silent=True)
        leg = self._leg("candidate", calls, ambush=ambush)
        eager = self._leg("eager", leg.calls).outputs
        for call, (ours, theirs) in enumerate(zip(leg.outputs, eager, strict=True)):
            if call not in leg.unsure:
                self._check(ours, theirs)

    def _spare(self, calls: Sequence[Sequence[Value]]) -> Sequence[Sequence[Value]]:
        """What the inputs of these calls are exchanged for."""
        # Who has done work ahead may look at a few numbers to see whether it was in vain.
        if self._touched is not None and self._draw.random() < 0.5:
            return [self._touched(call) for call in calls]
        return self._inputs()

    def _look_enough(self, sampler: Sampler) -> None:
        """Further ambushes, where the rounds gave the sampler too few looks to be sure."""
        share = 1.0  # of the length of a leg, which is a guess and may have been too long
        for _ in range(_MOST_EXTRA):
            wanted = sampler.wants(self._leg_s / self._plan.calls)
            if wanted is None:
                return
            before = sampler.looks
            self._ambush(sampler, share, further=0 if wanted == "first" else None)
            share = share if sampler.looks > before else 0.9 * share

    def _inputs(self) -> list[Sequence[Value]]:
        """Fresh ones for each call of a leg."""
        return [self._fresh() for _ in range(self._plan.calls)]

    def _leg(
        self,
        name: str,
        calls: Sequence[Sequence[Value]],
        ambush: Ambush | None = None,
    ) -> Batch:
        """A batch; what fails beside the candidate is never charged to it."""
        if self._plan.pause_s:
            mean = self._plan.pause_s
            time.sleep(min(self._draw.expovariate(1 / mean), _LONGEST_PAUSE * mean))
        with _charged(name):
            leg = self._contestants[name].batch(calls, self._upstream, ambush)
        if name == "candidate":
            self._left = leg.buffers
        return leg


def _compare(
    name: str, outputs: Mapping[str, Sequence[Sequence[torch.Tensor]]], check: Check
) -> None:
    """Check a contestant's outputs."""
    for ours, theirs in zip(outputs[name], outputs["eager"], strict=True):
        with _charged(name):
            check(ours, theirs)


@contextlib.contextmanager
def _charged(name: str) -> Iterator[None]:
    """What is wrong beside the candidate is never charged to it. Raises HarnessError for that."""
    try:
        yield
    except Fault as error:
        if name == "candidate":
            raise
        raise HarnessError(f"{name} failed while it was timed: {error.message}") from error
