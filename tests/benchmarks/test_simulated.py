"""The laws of the simulation: it returns what was recorded, and its models are as good as they say."""

import itertools
import random
from dataclasses import replace

import pytest
from landscape import Failure, Landscape, Point
from simulated import (
    QUALITIES,
    Quality,
    SimulatedCoder,
    SimulatedEvaluator,
    SimulatedJudge,
    State,
    read,
    reading,
    write,
)

from kernelwright.agents.roles import Advice, Attempt, Brief, Turn
from kernelwright.agents.strategies import catalogue
from kernelwright.harness.device import DeviceFacts
from kernelwright.tasks.task import Task

PERFECT = Quality("perfect", 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0)
TASK = Task("core/one", "class Model: ...")


def states(land: Landscape):
    for count in range(len(land.edits) + 1):
        for edits in map(frozenset, itertools.combinations(land.edits, count)):
            space = land.space(edits)
            for values in itertools.product(*space.values()):
                yield State(edits, dict(zip(space, values, strict=True)))


def judged(land, state, seed=0, noise=0.0):
    evaluator = SimulatedEvaluator(land, seed, noise)
    candidate = write(land, state)
    return Attempt(candidate, evaluator.evaluate(candidate), 1)


def brief(parent=None, seed=0, round=2, **more):
    device = DeviceFacts("cpu", "none", 2)
    return Brief(TASK, device, "cpp", round, seed, parent, **more)


def test_without_noise_an_evaluation_is_what_was_recorded(land):
    for state in states(land):
        known = land.outcome(state.edits, state.numbers)
        verdict = judged(land, state).verdict
        if isinstance(known, Failure):
            assert (verdict.verdict, verdict.stage) == ("rejected", known.stage)
            continue
        eager = verdict.speedup["eager"]
        assert eager.median == eager.low == eager.high == known.speedup


def test_noise_has_the_recorded_width(land):
    state = State(frozenset({"THREADS"}))
    known = land.outcome(state.edits, state.numbers)
    assert isinstance(known, Point)
    found = [judged(land, state, seed, 1.0).verdict.speedup["eager"] for seed in range(400)]
    inside = sum(s.low <= known.speedup <= s.high for s in found)
    assert 0.91 * 400 <= inside <= 0.99 * 400


def test_a_champion_is_compared_by_recorded_speeds(land):
    slow, fast = (write(land, State(frozenset(e))) for e in ((), ("THREADS",)))
    evaluator = SimulatedEvaluator(land, 0, noise=0.0)
    ratio = evaluator.evaluate(fast, champion=slow).speedup["champion"]
    assert ratio.median == pytest.approx(
        evaluator.true_speedup(fast) / evaluator.true_speedup(slow)
    )


def test_what_is_written_can_be_read_baked_or_not(land):
    state = State(frozenset({"WIDE", "BLOCK"}), {"LANES": 16}, "build")
    candidate = write(land, state)
    assert read(candidate) == state
    assert candidate.space == {"LANES": (16, 4, 8)}
    assert read(candidate.baked({"LANES": 8})).numbers == {"LANES": 8}


def test_equal_code_has_equal_fingerprints(land):
    evaluator = SimulatedEvaluator(land, 0)
    state = State(frozenset({"WIDE"}), {"LANES": 8})
    print_of = evaluator.fingerprint
    assert print_of(write(land, state, 1)) == print_of(write(land, state, 2))
    assert print_of(write(land, state)) != print_of(write(land, state).baked({"LANES": 8}))
    buggy = replace(state, slip="correctness")
    assert print_of(write(land, buggy, 1)) != print_of(write(land, buggy, 2))
    assert print_of(write(land, replace(state, slip="build"))) is None


def test_slips_come_as_often_as_they_say(land):
    quality = QUALITIES[1]
    coder = SimulatedCoder(land, quality)
    written = [coder.propose(brief(seed=s)).candidates[0] for s in range(1000)]
    slips = sum(bool(read(c).slip) for c in written)
    assert abs(slips / 1000 - quality.slip) < 0.05


def test_a_perfect_coder_climbs_to_the_best_structure(land):
    state = State()
    coder = SimulatedCoder(land, PERFECT)
    for round in range(2, 6):
        if land.reach(state.edits) == land.best:
            break
        parent = judged(land, state)
        (candidate,) = coder.propose(brief(parent, round=round, judged=False)).candidates
        after = read(candidate)
        assert len(after.edits ^ state.edits) <= 1
        state = after
    assert land.reach(state.edits) == land.best


def test_the_coder_follows_the_strategy_advised(land):
    parent = judged(land, State())
    advice = Advice(
        "optimize", "", "wider", directive={"bottleneck": "overhead"}, strategy="vectorise"
    )
    (candidate,) = SimulatedCoder(land, PERFECT).propose(brief(parent, advice=advice)).candidates
    assert read(candidate).edits == {"WIDE"}


def test_a_perfect_coder_mends_what_a_recorded_edit_breaks(land):
    parent = judged(land, State(frozenset({"WRONG", "THREADS"})))
    advice = Advice("correct", "wrong", "mend")
    (candidate,) = SimulatedCoder(land, PERFECT).propose(brief(parent, advice=advice)).candidates
    assert read(candidate).edits == {"THREADS"}


def test_an_idle_rewrite_is_other_code_at_the_same_speed(land):
    idle = replace(PERFECT, skill=0.0, idle=1.0)
    parent = judged(land, State(frozenset({"WIDE"}), {"LANES": 4}))
    evaluator = SimulatedEvaluator(land, 0)
    (candidate,) = SimulatedCoder(land, idle).propose(brief(parent)).candidates
    assert evaluator.true_speedup(candidate) == evaluator.true_speedup(parent.candidate)
    assert evaluator.fingerprint(candidate) != evaluator.fingerprint(parent.candidate)


def test_a_crossing_holds_what_both_have(land):
    a = judged(land, State(frozenset({"WIDE", "THREADS"}), {"LANES": 8}))
    b = judged(land, State(frozenset({"BLOCK", "THREADS"})))
    turn = Turn("cross", a.candidate.id, b.candidate.id)
    for seed in range(20):
        asked = brief(a, seed=seed, other=b, turn=turn)
        (candidate,) = SimulatedCoder(land, PERFECT).propose(asked).candidates
        assert {"THREADS"} <= read(candidate).edits <= {"WIDE", "BLOCK", "THREADS"}


def test_bottlenecks_are_read_right_as_often_as_said(land):
    right = set(land.bottlenecks("WIDE"))  # the edit that helps a plain kernel most
    found = [reading(land, frozenset(), True, random.Random(s)) in right for s in range(50)]
    assert all(found)


def test_the_judge_names_only_what_is_offered_and_not_done(land):
    judge = SimulatedJudge(land, PERFECT)
    done = judged(land, State(frozenset({"WIDE"}), {"LANES": 8}))
    offered = tuple(s for s in catalogue("cpp") if s.name in ("vectorise", "fuse"))
    for seed in range(20):
        advice = judge.advise(brief(done, seed=seed, strategies=offered), done)
        assert advice.strategy is None and advice.change


def test_the_same_brief_gets_the_same_answer(land):
    parent = judged(land, State())
    coder = SimulatedCoder(land, QUALITIES[0])
    first, again = (coder.propose(brief(parent, seed=3)) for _ in range(2))
    assert first == again
    others = {coder.propose(brief(parent, seed=s)).candidates for s in range(20)}
    assert len(others) > 1
