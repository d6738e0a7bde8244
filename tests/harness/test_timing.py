"""Timing: intervals that mean what they say, rounds that are fair. Nothing here looks at a clock."""

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kernelwright.harness.errors import HarnessError
from kernelwright.harness.fault import Fault
from kernelwright.harness.running import Running
from kernelwright.harness.sampling import Sampler
from kernelwright.harness.timing import Plan, Probe, Rounds, Timings
from kernelwright.harness.worker import Ambush, Batch, Value

TIMES = st.lists(st.floats(1e-6, 1.0), min_size=5, max_size=40)


def drawn(ratio: float, spread: float, rounds: int, seed: int) -> Timings:
    """Pairs that share their noise, as interleaved legs do, plus a little of their own."""
    random = np.random.default_rng(seed)
    shared = np.exp(random.normal(0, 0.5, rounds))
    noise = np.exp(random.normal(0, spread, (2, rounds)))
    candidate = 1e-3 * shared * noise[0]
    return Timings({"candidate": [*candidate], "eager": [*(ratio * 1e-3 * shared * noise[1])]})


@given(TIMES, st.data())
def test_interval_holds_the_median(times, data):
    eager = data.draw(st.lists(st.floats(1e-6, 1.0), min_size=len(times), max_size=len(times)))
    found = Timings({"candidate": times, "eager": eager}).speedup("eager")
    ratios = [e / c for e, c in zip(eager, times, strict=True)]
    assert min(ratios) <= found.low <= found.median <= found.high <= max(ratios)
    assert found.pairs == len(times)


@given(TIMES, st.floats(0.1, 10.0))
def test_a_constant_ratio_has_no_width(times, factor):
    found = Timings({"candidate": times, "eager": [factor * t for t in times]}).speedup("eager")
    assert found.low == pytest.approx(factor) and found.high == pytest.approx(factor)


@given(TIMES, st.floats(0.1, 10.0))
def test_scale_of_the_clock_does_not_matter(times, factor):
    other = [t * (1 + 0.3 * (i % 3)) for i, t in enumerate(times)]
    one = Timings({"candidate": times, "eager": other}).speedup("eager")
    scaled = Timings(
        {"candidate": [factor * t for t in times], "eager": [factor * t for t in other]}
    ).speedup("eager")
    assert scaled.low == pytest.approx(one.low) and scaled.high == pytest.approx(one.high)


def test_interval_covers_the_truth_about_as_often_as_it_says():
    hits = sum(
        found.low <= 1.5 <= found.high
        for found in (drawn(1.5, 0.1, 40, seed).speedup("eager") for seed in range(200))
    )
    assert hits >= 180  # 95% of 200 is 190; the percentile bootstrap is a little short


def test_interval_narrows_with_pairs():
    few, many = (
        np.mean([(s := drawn(1.5, 0.1, n, k).speedup("eager")).high - s.low for k in range(20)])
        for n in (8, 128)
    )
    assert many < few / 2


def test_pairing_cancels_what_both_sides_share():
    """The machine slows by a factor of four half-way: the ratio stays."""
    slow = [1.0, 1.1, 0.9, 1.0, 4.0, 4.1, 3.9, 4.0]
    found = Timings({"candidate": slow, "eager": [2 * t for t in slow]}).speedup("eager")
    assert found.low == pytest.approx(2.0) == found.high


def test_one_outlier_moves_nothing_much():
    times = [1.0] * 15
    eager = [2.0] * 14 + [500.0]
    found = Timings({"candidate": times, "eager": eager}).speedup("eager")
    assert found.median == 2.0 and found.high == 2.0


def test_equal_timings_give_the_same_interval_twice():
    timings = drawn(1.2, 0.3, 16, 1)
    assert timings.speedup("eager") == timings.speedup("eager")


def test_other_pairs_and_milliseconds():
    timings = Timings({"candidate": [0.002, 0.004, 0.003], "champion": [0.001, 0.002, 0.0015]})
    assert timings.speedup("champion").median == pytest.approx(0.5)
    assert timings.speedup("candidate", "champion").median == pytest.approx(2.0)
    assert timings.median_ms("candidate") == pytest.approx(3.0)


# -- rounds, with contestants that only pretend ----------------------------------------------------


class Blind(Sampler):
    """Looks at nothing."""

    def __init__(self) -> None:
        super().__init__(0, ())

    def wants(self, call_s: float) -> None:
        return None


class Pretender:
    """Stands in for a worker: notes what it is given, and answers with x + error."""

    def __init__(self, name: str, log: list[str], seconds: float = 1e-3, error: float = 0.0):
        self.name, self.log, self.seconds, self.error = name, log, seconds, error
        self.seen: list[list[float]] = []
        self.faults_at: int | None = None
        self.ambushes, self.late = 0, 0.0
        self.total, self.keeps, self.changed = 0.0, 1.0, False

    def batch(
        self,
        calls: Sequence[Sequence[torch.Tensor]],
        upstream: int | None = None,
        ambush: Ambush | None = None,
    ) -> Batch:
        self.log.append(self.name)
        self.seen.append([float(inputs[0]) for inputs in calls])
        if self.faults_at == len(self.seen):
            raise Fault("crash", "it died")
        early = []
        if ambush is not None:
            self.ambushes += 1
            calls = [*calls[:2], *ambush.spare[2:]]
            early = [[calls[0][0] + self.error + self.late]]
        outputs = [[inputs[0] + self.error] for inputs in calls]
        self.total += self.keeps * sum(float(inputs[0]) for inputs in calls)
        left = [torch.tensor(self.total)]
        return Batch(self.seconds * len(calls), calls, outputs, early, left)

    def settle(self) -> None:
        """As workers do when their outputs are asked for."""
        if self.changed:
            raise Fault("layout_changed", "another layout")


def run(
    contestants: dict[str, Pretender],
    plan: Plan,
    overhead: float = 0.0,
    sampler: Sampler | None = None,
    probes: Sequence[Probe] = (),
    touched: Callable[[Sequence[Value]], Sequence[Value]] | None = None,
    running: Running | None = None,
) -> Timings:
    counter = itertools.count()

    def check(ours: Sequence[torch.Tensor], theirs: Sequence[torch.Tensor]) -> None:
        assert torch.equal(ours[0], theirs[0]), "wrong output of a timed call"

    return Rounds(
        contestants,  # type: ignore[arg-type]
        lambda: (torch.tensor(float(next(counter))),),
        check,
        plan,
        overhead=overhead,
        sampler=sampler,
        probes=probes,
        touched=touched,
        running=running,
    ).run()


def trio() -> tuple[dict[str, Pretender], list[str]]:
    log: list[str] = []
    names = {"candidate": 1e-3, "eager": 2e-3, "champion": 1.5e-3}
    return {name: Pretender(name, log, seconds) for name, seconds in names.items()}, log


def test_all_see_the_same_fresh_inputs_in_each_round():
    contestants, _ = trio()
    timings = run(contestants, Plan(rounds=12, seconds=60.0, calls=3))
    timed = {name: c.seen[2:] for name, c in contestants.items()}
    assert timed["candidate"] == timed["eager"] == timed["champion"]
    values = [v for leg in timed["candidate"] for v in leg]
    assert len(values) == len(set(values)) == 36
    assert all(len(seconds) == 12 for seconds in timings.seconds.values())
    assert timings.speedup("eager").median == pytest.approx(2.0)
    assert timings.speedup("champion").median == pytest.approx(1.5)


def test_order_within_a_round_is_drawn_anew():
    contestants, log = trio()
    run(contestants, Plan(rounds=40, seconds=60.0))
    rounds = [tuple(log[i : i + 3]) for i in range(6, len(log), 3)]
    assert all(sorted(r) == sorted(contestants) for r in rounds)
    assert len(set(rounds)) > 2


def test_every_leg_of_server_timing_comes_after_a_pause_of_its_own(monkeypatch):
    pauses: list[float] = []
    monkeypatch.setattr("kernelwright.harness.timing.time.sleep", pauses.append)
    contestants, log = trio()
    run(contestants, Plan(rounds=20, seconds=60.0, pause_s=0.01))
    assert len(pauses) == len(log)
    assert len(set(pauses)) > len(pauses) // 2
    assert min(pauses) > 0 and max(pauses) <= 0.04
    pauses.clear()
    run(trio()[0], Plan(rounds=20, seconds=60.0))
    assert not pauses


def test_at_least_so_many_rounds_however_slow():
    contestants, _ = trio()
    assert run(contestants, Plan(rounds=50, seconds=0.0, least=7)).speedup("eager").pairs == 7


def test_the_wake_up_is_taken_off():
    contestants, _ = trio()
    timings = run(contestants, Plan(rounds=5, seconds=60.0), overhead=5e-4)
    assert timings.median_ms("candidate") == pytest.approx(0.5)
    assert timings.speedup("eager").median == pytest.approx(3.0)


def test_a_leg_shorter_than_the_wake_up_is_never_zero_or_negative():
    contestants, _ = trio()
    timings = run(contestants, Plan(rounds=5, seconds=60.0), overhead=1.0)
    assert all(t > 0 for seconds in timings.seconds.values() for t in seconds)


def test_a_leg_within_the_noise_of_the_wake_up_is_no_evidence():
    """Candidate 1.0 ms and eager 1.2 ms, 0.99 ms of it wake-up: the ratio is not 21."""
    log: list[str] = []
    contestants = {
        "candidate": Pretender("candidate", log, 1.0e-3),
        "eager": Pretender("eager", log, 1.2e-3),
    }
    timings = run(contestants, Plan(rounds=5, seconds=60.0), overhead=1.0e-3)
    assert timings.speedup("eager").median < 10


@pytest.mark.parametrize("name", ["candidate", "champion"])
def test_outputs_of_timed_calls_are_compared(name: str):
    contestants, _ = trio()
    contestants[name].error = 1.0
    with pytest.raises(AssertionError, match="wrong output"):
        run(contestants, Plan(rounds=5, seconds=60.0))


def test_a_fault_is_charged_to_whom_it_belongs():
    contestants, _ = trio()
    contestants["candidate"].faults_at = 4
    with pytest.raises(Fault):
        run(contestants, Plan(rounds=5, seconds=60.0))
    for name in ("eager", "champion"):
        contestants, _ = trio()
        contestants[name].faults_at = 4
        with pytest.raises(HarnessError, match=name):
            run(contestants, Plan(rounds=5, seconds=60.0))


def test_an_ambush_finds_answers_that_come_late():
    contestants, _ = trio()
    contestants["candidate"].late = 1.0
    with pytest.raises(AssertionError, match="wrong output of a timed call"):
        run(contestants, Plan(30, 0.0, least=30, calls=4), sampler=Blind())


def test_eager_gets_the_inputs_that_an_ambush_left_in_force():
    contestants, _ = trio()
    timings = run(contestants, Plan(30, 0.0, least=30, calls=4), sampler=Blind())
    assert contestants["candidate"].ambushes > 3
    assert contestants["champion"].ambushes == contestants["eager"].ambushes == 0
    assert len(timings.seconds["candidate"]) == 30  # legs with an ambush do not count


@pytest.mark.parametrize("calls", [1, 4, 32])
def test_each_probe_reaches_the_candidate_once_and_nobody_else(calls):
    contestants, _ = trio()
    checked: list[float] = []

    def check(outputs: Sequence[torch.Tensor]) -> None:
        checked.append(float(outputs[0]))

    values = [-1.0 - i for i in range(11)]
    probes = [Probe((torch.tensor(value),), check) for value in values]
    timings = run(contestants, Plan(rounds=6, seconds=60.0, calls=calls), probes=probes)
    assert sorted(checked) == sorted(values)
    seen = {name: [v for leg in c.seen for v in leg if v < 0] for name, c in contestants.items()}
    assert sorted(seen["candidate"]) == sorted(values)
    assert not seen["eager"] and not seen["champion"]
    assert timings.speedup("eager").pairs == 6


def test_a_probe_that_is_answered_wrongly_ends_it():
    contestants, _ = trio()

    def check(outputs: Sequence[torch.Tensor]) -> None:
        raise Fault("wrong_value", f"a probe gave {float(outputs[0])}")

    probe = Probe((torch.tensor(-1.0),), check)
    with pytest.raises(Fault, match="a probe gave -1"):
        run(contestants, Plan(rounds=5, seconds=60.0), probes=[probe])


def test_some_ambushes_exchange_inputs_for_nearly_equal_ones_and_some_for_others():
    contestants, _ = trio()

    def touched(inputs: Sequence[Value]) -> Sequence[Value]:
        return (inputs[0] + 0.5,)

    run(
        contestants,
        Plan(rounds=60, seconds=60.0, calls=4),
        sampler=Blind(),
        touched=touched,
    )
    ambushed = [
        leg for leg in contestants["eager"].seen if leg not in contestants["candidate"].seen
    ]
    near = [leg for leg in ambushed if leg[2] % 1 == 0.5]
    assert near and len(near) < len(ambushed)
    assert all(leg[2] - 0.5 == leg[1] + 1 for leg in near)


class Totals(Running):
    """The sum of all inputs is what calls leave behind."""

    def __init__(self) -> None:
        self.checked = 0

    def load(self, eager: Pretender, buffers: Sequence[torch.Tensor]) -> None:  # type: ignore[override]
        (eager.total,) = map(float, buffers)

    def check(
        self, found: Sequence[torch.Tensor], eager: Sequence[torch.Tensor], calls: int
    ) -> None:
        assert torch.equal(found[0], eager[0]), "wrong buffers after timed calls"
        self.checked += 1


def test_what_timed_calls_leave_behind_is_compared_with_what_eager_leaves():
    contestants, _ = trio()
    totals = Totals()
    run(contestants, Plan(rounds=20, seconds=60.0, calls=3), sampler=Blind(), running=totals)
    assert 5 < totals.checked <= 20
    contestants["candidate"].keeps = 0.5
    with pytest.raises(AssertionError, match="wrong buffers"):
        run(contestants, Plan(rounds=20, seconds=60.0, calls=3), running=totals)


def test_outputs_in_another_layout_are_told_as_such() -> None:
    contestants, _ = trio()
    contestants["candidate"].faults_at, contestants["candidate"].changed = 4, True
    with pytest.raises(Fault, match="another layout"):
        run(contestants, Plan(rounds=3, seconds=60.0, calls=3))
