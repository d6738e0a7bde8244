"""Several turns in flight: the same search whatever the speed of the models, killed anywhere or not."""

import random
import threading
import time
from collections import Counter
from dataclasses import replace

import pytest
from search_fakes import PENNY, TASK, EchoJudge, FakeEvaluator, Watcher, kernel

from kernelwright.agents import events as event_log
from kernelwright.agents.models.base import Cancelled, ModelError, OverBudget, RecordingEnded
from kernelwright.agents.models.halt import Halt
from kernelwright.agents.optimize import Settings, load, optimize
from kernelwright.agents.roles import NoIdea, Proposal
from kernelwright.harness.candidate import Candidate

SETTINGS = Settings(seed=5, parallel=3, islands=2, budget_evals=200, rounds=9, tune_trials=3)


class SlowCoder:
    """What it writes depends on what it was told, and on nothing else; how long it takes, on a seed."""

    def __init__(self, speed=0, longest_s=0.0):
        self.random, self.longest_s = random.Random(speed), longest_s
        self.briefs, self.writing, self.most = {}, 0, 0
        self.lock = threading.Lock()

    def propose(self, brief):
        with self.lock:
            self.briefs[brief.round] = brief
            self.writing += 1
            self.most = max(self.most, self.writing)
            wait = self.random.uniform(0, self.longest_s)
        time.sleep(wait)
        with self.lock:
            self.writing -= 1
        return Proposal(
            tuple(Candidate(s) for s in self.sources(brief)), f"turn {brief.round}", PENNY
        )

    def sources(self, brief):
        told = [
            a.candidate.id for a in (*brief.history, brief.parent, brief.best, brief.other) if a
        ]
        told += [brief.advice.change if brief.advice else "", brief.turn.kind]
        told += [f"{p.outcome} {p.measured_gain}" for p in brief.predictions]
        dice = random.Random(repr((brief.round, told, brief.evaluations_left)))
        fails = dice.choice(["", "", "build", "correctness"])
        same = kernel(1.25)  # several turns come up with it
        return [kernel(round(dice.uniform(0.5, 3), 3), fails=fails, V=[1, 2, 3]), same]


class Exclusive(FakeEvaluator):
    """Notices when it is asked for two things at once."""

    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()

    def evaluate(self, candidate, **how):
        assert self.lock.acquire(blocking=False), "two candidates on the device at once"
        try:
            return super().evaluate(candidate, **how)
        finally:
            self.lock.release()


def search(folder, coder, evaluator=None, settings=SETTINGS, **how):
    evaluator = evaluator or Exclusive()
    return optimize(TASK, evaluator, coder, EchoJudge(), settings, folder, **how)


def end_state(outcome):
    champion = outcome.champion
    return {
        "attempts": [
            (a.candidate.id, a.round, a.parent, a.other, a.note) for a in outcome.attempts
        ],
        "verdicts": [a.verdict for a in outcome.attempts],
        "champion": champion and champion.attempt.candidate.id,
        "stop": outcome.stop,
        "spent": (outcome.spent.usd, outcome.spent.tokens, outcome.spent.evaluations),
    }


def turns_of(folder):
    return load(folder).turns.decided


@pytest.fixture(scope="module")
def fast(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fast")
    coder = SlowCoder()
    outcome = search(folder, coder)
    return end_state(outcome), turns_of(folder), coder, event_log.read(folder / "run.db")[0]


def test_the_run_that_is_compared_below_is_worth_it(fast):
    state, turns, coder, _ = fast
    assert len(turns) == 9
    assert {"fresh", "improve", "repair"} <= {turn.kind for turn in turns.values()}
    assert len(state["attempts"]) > 10
    sources = Counter(source for b in coder.briefs.values() for source in coder.sources(b))
    assert sources[kernel(1.25)] == 9
    assert sum(a[0] == Candidate(kernel(1.25)).id for a in state["attempts"]) == 1


@pytest.mark.parametrize("speed", range(4))
def test_slow_models_make_the_same_search(tmp_path, fast, speed):
    coder = SlowCoder(speed, 0.05)
    assert end_state(search(tmp_path, coder)) == fast[0]
    assert turns_of(tmp_path) == fast[1]
    assert 1 < coder.most <= 3, "models were asked side by side, no more than asked for"


def test_a_turn_knows_what_was_closed_when_it_was_decided(fast):
    _, _, coder, _ = fast
    for number, brief in coder.briefs.items():
        known = {attempt.round for attempt in brief.history}
        assert known == set(range(1, number - 2)), "three in flight: those up to three before it"


def test_one_at_a_time_is_the_sequential_loop(tmp_path):
    coder = SlowCoder(0, 0.01)
    search(tmp_path, coder, settings=replace(SETTINGS, parallel=1))
    assert coder.most == 1
    for number, brief in coder.briefs.items():
        assert {a.round for a in brief.history} == set(range(1, number))


class Killed(BaseException):
    """Not an Exception, so that nothing can mistake it for a fault that it may handle."""


@pytest.mark.parametrize("wipe", [False, True])
@pytest.mark.parametrize("part", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2, 3))])
def test_a_kill_after_every_fourth_event(tmp_path, monkeypatch, fast, part, wipe):
    expected, turns, _, everything = fast
    append = event_log.EventLog.append
    for survives in range(1 + part, len(everything), 4 if wipe is False else 12):
        folder = tmp_path / f"{survives}"
        written = []

        def killed_after(log, *args, written=written, survives=survives, **kwargs):
            if len(written) >= survives:
                raise Killed
            written.append(append(log, *args, **kwargs))
            return written[-1]

        with monkeypatch.context() as patch:
            patch.setattr(event_log.EventLog, "append", killed_after)
            with pytest.raises(Killed):
                search(folder, SlowCoder(survives, 0.002))
        if wipe:
            (folder / "checkpoints.db").unlink(missing_ok=True)
        again = SlowCoder()
        outcome = search(folder, again, resume=True)
        assert end_state(outcome) == expected, survives
        assert turns_of(folder) == turns
        done = [e.key for e in written if e.kind == "finished"]
        asked = {f"propose:{number}" for number in again.briefs}
        assert not asked & set(done), "no answer was asked for twice"


class Failing(SlowCoder):
    """One turn meets an error."""

    def __init__(self, turn, error):
        super().__init__()
        self.turn, self.error = turn, error

    def propose(self, brief):
        if brief.round == self.turn:
            raise self.error
        return super().propose(brief)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ModelError("HTTP 503: down", retryable=True), "model_failed"),
        (OverBudget("used up", "usd"), "budget_usd"),
        (OverBudget("used up", "tokens"), "budget_tokens"),
        (RecordingEnded("no more"), "recording_ended"),
        (Cancelled("interrupted"), "interrupted"),
    ],
)
def test_an_error_in_a_thread_ends_the_search_when_its_turn_comes(tmp_path, fast, error, reason):
    outcome = search(tmp_path, Failing(4, error))
    assert outcome.stop.reason == reason
    assert {a.round for a in outcome.attempts} == {1, 2, 3}, "what was asked before is judged first"
    before = end_state(outcome)["attempts"]
    assert before == fast[0]["attempts"][: len(before)]
    coder = SlowCoder()
    assert end_state(search(tmp_path, coder, resume=True)) == fast[0]
    assert 4 in coder.briefs
    assert 5 not in coder.briefs, "what the others had answered was kept"


def test_an_interrupt_keeps_what_is_coming_in(tmp_path, fast):
    flag, halt = threading.Event(), Halt()
    evaluator = Exclusive()
    evaluator.before = lambda: len(evaluator.calls) == 3 and flag.set()
    outcome = search(tmp_path, SlowCoder(1, 0.05), evaluator, stop=flag, halt=halt)
    assert outcome.stop.reason == "interrupted"
    assert halt.asked, "nobody waits for a model any more"
    keys = [e.key for e in event_log.read(tmp_path / "run.db")[0] if e.kind == "finished"]
    open_turns = load(tmp_path).turns.open
    assert len(open_turns) == 3
    assert all(f"propose:{number}" in keys for number in open_turns)
    coder = SlowCoder()
    assert end_state(search(tmp_path, coder, resume=True)) == fast[0]
    assert not set(open_turns) & set(coder.briefs)


def test_the_evaluation_budget_ends_it_with_turns_in_flight(tmp_path):
    outcome = search(tmp_path, SlowCoder(), settings=replace(SETTINGS, budget_evals=5))
    assert (outcome.stop.reason, outcome.spent.evaluations) == ("evaluations", 5)
    outcome = search(tmp_path, SlowCoder(), resume=True)
    # The budget is in what models are told, so kernels differ from those of a run without this limit.
    assert outcome.stop.reason in ("no_progress", "rounds")
    assert load(tmp_path).turns.open == []


class Silent(SlowCoder):
    """Has no ideas from some turn on."""

    def propose(self, brief):
        if brief.round >= 2:
            raise NoIdea("that was all")
        return super().propose(brief)


def test_no_idea_ends_it_once_the_turns_in_flight_are_over(tmp_path):
    outcome = search(tmp_path, Silent())
    assert outcome.stop.reason == "no_idea"
    assert "that was all" in outcome.stop.message
    assert load(tmp_path).turns.open == []


def test_paid_answers_are_judged_when_no_new_turn_is_begun(tmp_path):
    outcome = search(tmp_path, SlowCoder(), settings=replace(SETTINGS, rounds=4))
    assert outcome.stop.reason == "rounds"
    assert {a.round for a in outcome.attempts} == {1, 2, 3, 4}


def test_the_observer_hears_the_end_of_all_that_began(tmp_path):
    watcher = Watcher()
    search(tmp_path, SlowCoder(3, 0.01), observer=watcher)
    began = [w for k, w in watcher.seen if k in ("judge", "propose", "evaluate", "confirm")]
    assert sorted(began) == sorted(watcher.over)
    assert [number for number, _ in watcher.of("round")] == list(range(1, 10))


def test_several_coders_share_the_turns(tmp_path):
    class Good(SlowCoder):
        def sources(self, brief):
            return [kernel(2.0 + brief.round / 3)]

    class Poor(SlowCoder):
        def sources(self, brief):
            return [kernel(0.5 + brief.round / 100)]

    good, poor = Good(), Poor()
    settings = replace(SETTINGS, rounds=16)
    outcome = search(tmp_path, {"good": good, "poor": poor}, settings=settings)
    assert len(good.briefs) + len(poor.briefs) == 16
    assert len(good.briefs) > len(poor.briefs) > 0
    assert outcome.champion.attempt.candidate.source in {kernel(2.0 + n / 3) for n in range(17)}
    assert {turn.coder for turn in turns_of(tmp_path).values()} == {"good", "poor"}
