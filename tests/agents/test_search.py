"""The loop on a fake machine: its order, what it drops, when it stops, what it publishes."""

import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest
from search_fakes import (
    PENNY,
    TASK,
    EchoJudge,
    FakeEvaluator,
    ScriptedCoder,
    Watcher,
    ids,
    kernel,
    speed_of,
)

from kernelwright.agents import events as event_log
from kernelwright.agents import journal
from kernelwright.agents.models.base import ModelError
from kernelwright.agents.optimize import Settings, load, optimize
from kernelwright.agents.roles import Spend
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.verdict import Speedup, Verdict
from kernelwright.tasks.errors import TaskError, UsageError


@pytest.fixture
def run(tmp_path):
    def run(script, evaluator=None, *, folder=tmp_path, resume=False, stop=None, **settings):
        run.coder = script if isinstance(script, ScriptedCoder) else ScriptedCoder(script)
        run.judge, run.watcher = EchoJudge(), Watcher()
        run.evaluator = evaluator or FakeEvaluator()
        chosen = Settings(**{"tune_trials": 0, "islands": 1, "crossover": 0.0} | settings)
        return optimize(
            TASK, run.evaluator, run.coder, run.judge, chosen, folder, run.watcher, resume, stop
        )

    return run


def test_the_order_of_a_run(run):
    first, second, third = kernel(1.5), kernel(2.0, fails="correctness"), kernel(2.5)
    outcome = run([[first], [second], [third]])
    a, b, c = ids([first, second, third])
    assert outcome.champion.attempt.candidate.id == c
    assert outcome.champion.verdict.speedup["compile"] is not None
    assert outcome.stop.reason == "no_idea"
    seen = [(k, w) for k, w in run.watcher.seen if k not in ("spent", "evaluated")]
    assert seen == [
        ("round", (1, None)),
        ("propose", "propose:1"),
        ("evaluate", f"evaluate:{a}"),
        ("best", a),
        ("round", (2, a)),
        ("judge", "judge:2"),
        ("propose", "propose:2"),
        ("evaluate", f"evaluate:{b}"),
        ("round", (3, b)),
        ("judge", "judge:3"),
        ("propose", "propose:3"),
        ("evaluate", f"evaluate:{c}"),
        ("best", c),
        ("round", (4, c)),
        ("judge", "judge:4"),
        ("propose", "propose:4"),
        ("stopped", "no_idea"),
        ("confirm", f"confirm:{c}"),
    ]
    assert run.evaluator.calls == [
        (a, "loop", None),
        (b, "loop", a),
        (c, "loop", a),
        (c, "final", None),
    ]


def test_the_coder_is_told_parent_advice_and_history(run):
    first, second = kernel(1.5), kernel(2.0, fails="build")
    run([[first], [second], [kernel(3.0)]])
    one, two, three, _ = run.coder.briefs
    assert (one.parent, one.advice, one.history) == (None, None, ())
    assert two.parent.candidate.source == first
    assert (two.advice.kind, two.advice.directive) == ("optimize", {"n": 1})
    assert three.parent.candidate.source == second
    assert three.advice.kind == "correct"
    assert three.advice.change == f"change {three.parent.candidate.id}"
    assert [a.candidate.source for a in three.history] == [first, second]
    assert [a.note for a in three.history] == ["round 1", "round 2"]
    assert [b.round for b in run.coder.briefs] == [1, 2, 3, 4]


def test_events_stand_before_and_after_what_costs(run, tmp_path):
    run([[kernel(1.5)], [kernel(2.0)]])
    events = event_log.read(tmp_path / "run.db")[0]
    assert [e.seq for e in events] == list(range(1, len(events) + 1))
    for kind in ("judge", "propose", "evaluate", "confirm"):
        keys = [(e.kind, e.key) for e in events if e.key.startswith(kind)]
        assert keys[::2] == [("started", key) for _, key in keys[1::2]]
        assert all(state == "finished" for state, _ in keys[1::2])
        assert keys
    assert [e.kind for e in events if e.kind in ("run", "session", "stopped")] == [
        "run",
        "session",
        "stopped",
    ]


def test_copies_cost_nothing(run):
    first = kernel(1.5)
    again = first + "\n# a comment\n"
    outcome = run([[first, first, again], [again, kernel(2.0)], [first]])
    assert outcome.spent.evaluations == 2
    assert [a.candidate.source for a in outcome.attempts] == [first, kernel(2.0)]


def test_what_a_coder_wrote_is_not_tried_again(run):
    space = kernel(1.5, V=[1, 20])
    baked = Candidate(space).baked({"V": 20})
    outcome = run([[space], [baked.source]], tune_trials=4)
    assert outcome.spent.evaluations == 2
    assert outcome.champion.attempt.candidate == baked


def test_a_coder_that_only_repeats_itself_is_stopped(run):
    outcome = run([[kernel(1.5)]] * 20)
    assert outcome.stop.reason == "no_idea"
    assert "no new candidate" in outcome.stop.message
    assert run.coder.calls == [1, 2, 3, 4]


def test_empty_answers_are_charged(run):
    outcome = run([[], [], [], []])
    assert (outcome.stop.reason, outcome.champion) == ("no_idea", None)
    assert outcome.spent.usd == pytest.approx(3 * PENNY.usd)


def test_the_evaluation_budget(run):
    outcome = run([[kernel(1.0 + i + j / 10) for j in range(3)] for i in range(9)], budget_evals=5)
    assert outcome.stop.reason == "evaluations"
    assert outcome.spent.evaluations == 5
    assert outcome.champion is not None, "the confirmation is not part of the budget"
    assert run.watcher.of("spent")[-1][1].evaluations == 0


def test_the_wall_budget_leaves_room_for_the_confirmation(run, monkeypatch):
    clock = iter(range(10_000))
    now = [0.0]
    evaluator = FakeEvaluator(before=lambda: now.__setitem__(0, float(next(clock) + 1)))
    monkeypatch.setattr(journal, "time", SimpleNamespace(monotonic=lambda: now[0]))
    script = [[kernel(1.0 + i)] for i in range(100)]
    outcome = run(script, evaluator, budget_minutes=10 / 60)
    assert outcome.stop.reason == "wall_time"
    assert outcome.spent.evaluations == 8, "a second each, a quarter of the time kept back"
    assert outcome.spent.wall_s == 9.0
    assert outcome.champion is not None
    assert run.watcher.of("spent")[-1][1].wall_s == pytest.approx(1.0)
    assert Settings(budget_minutes=2.0).search_s == 95.0
    assert Settings(budget_minutes=0.1).search_s == 4.5
    assert Settings().search_s is None


def test_near_the_roofline(run):
    script = [[kernel(1.5)], [kernel(2.0)]]
    outcome = run(script, FakeEvaluator(roofline=0.96))
    assert (outcome.stop.reason, outcome.spent.evaluations) == ("near_roofline", 1)
    outcome = run(script, FakeEvaluator(roofline=0.94), folder=outcome.folder / "other")
    assert (outcome.stop.reason, outcome.spent.evaluations) == ("no_idea", 2)


def test_no_progress(run):
    script = [[kernel(2.0)]] + [[kernel(1.0 + i / 100)] for i in range(20)]
    outcome = run(script, patience=4)
    assert outcome.stop.reason == "no_progress"
    assert run.coder.calls == [1, 2, 3, 4, 5]


def test_interrupted_at_the_next_step_and_resumed(run):
    flag = threading.Event()
    evaluator = FakeEvaluator()
    evaluator.before = lambda: len(evaluator.calls) == 1 and flag.set()
    script = [[kernel(1.5)], [kernel(2.0), kernel(2.2)], [kernel(2.5)]]
    outcome = run(script, evaluator, stop=flag)
    assert outcome.stop.reason == "interrupted"
    assert outcome.spent.evaluations == 2
    assert speed_of(outcome.champion.attempt.candidate) == 2.0
    outcome = run(script, FakeEvaluator(), resume=True)
    assert outcome.stop.reason == "no_idea"
    assert outcome.spent.evaluations == 4
    assert run.coder.calls == [3, 4]
    assert speed_of(outcome.champion.attempt.candidate) == 2.5


def test_the_champion_changes_only_with_confidence(run):
    class Noisy(FakeEvaluator):
        def evaluate(self, candidate, *, effort="loop", champion=None):
            verdict = super().evaluate(candidate, effort=effort, champion=champion)
            wide = {k: Speedup(s.median, s.median * 0.8, s.median * 1.2, 9)
                    for k, s in verdict.speedup.items()}  # fmt: skip
            return replace(verdict, speedup=wide)

    speeds = [1.1, 1.5, 1.7, 2.0, 2.2]
    outcome = run([[kernel(s)] for s in speeds], Noisy())
    best = [speeds[ids([kernel(s) for s in speeds]).index(b)] for b in run.watcher.of("best")]
    assert best == [1.5, 2.0], "1.1 is not surely faster than eager, 1.7 and 2.2 than the champion"
    assert speed_of(outcome.champion.attempt.candidate) == 2.0


def test_a_champion_is_surely_faster_than_eager_too(run):
    class Odd(FakeEvaluator):
        """Against the champion all are fast; the machine was busy when that one was timed."""

        def evaluate(self, candidate, *, effort="loop", champion=None):
            verdict = super().evaluate(candidate, effort=effort, champion=champion)
            fast = {"champion": Speedup(5.0, 4.0, 6.0, 9)} if champion else {}
            return replace(verdict, speedup={**verdict.speedup, **fast})

    run([[kernel(1.5)], [kernel(0.7)], [kernel(1.3)]], Odd())
    assert run.watcher.of("best") == ids([kernel(1.5), kernel(1.3)])


def test_no_champion_among_slow_and_wrong_ones(run):
    outcome = run([[kernel(0.9)], [kernel(1.005)], [kernel(3.0, fails="integrity")]])
    assert outcome.champion is None
    assert outcome.accepted == 2
    assert [e for _, e, _ in run.evaluator.calls].count("final") == 1, "1.005 is given its chance"


def test_confirmation_falls_back_to_the_next_best(run):
    script = [[kernel(1.5)], [kernel(1.8, final=1.0)], [kernel(2.0, final=0.7)]]
    outcome = run(script)
    assert speed_of(outcome.champion.attempt.candidate) == 1.5
    finals = [key for key, effort, _ in run.evaluator.calls if effort == "final"]
    assert finals == ids([s for (s,) in reversed(script)])


def test_nothing_is_published_that_was_not_confirmed(run):
    script = [[kernel(1.5 + i / 10, final=0.9)] for i in range(6)]
    outcome = run(script, confirmations=3)
    assert outcome.champion is None
    assert [e for _, e, _ in run.evaluator.calls].count("final") == 3


def test_a_fallen_champion_does_not_hold_the_next_session_back(run):
    first, fallen, third = kernel(1.5), kernel(3.0, final=0.9), kernel(2.0)
    outcome = run([[first], [fallen]])
    assert speed_of(outcome.champion.attempt.candidate) == 1.5
    script = [[first], [fallen], [third]]
    outcome = run(script, resume=True, budget_evals=3)
    assert outcome.stop.reason == "no_idea", "what the Coder said stays said"
    state = load(outcome.folder)
    assert state.champion.candidate.source == first


def test_tuning_finds_the_numbers(run):
    source = kernel(1.5, V=[1, 90, 50], T=[100, 1])
    outcome = run([[source]], tune_trials=12)
    assert outcome.champion.attempt.choice == {"V": 90, "T": 100}
    assert outcome.champion.attempt.parent == ids([source])[0]
    assert outcome.spent.evaluations <= 6, "the first choice was known already"
    assert "tuned V=90 T=100" in [a.note for a in outcome.attempts]


def test_tuning_stops_where_nothing_is_to_be_gained_and_at_the_budget(run, tmp_path):
    source = kernel(1.5, V=[1.0 + i / 1e6 for i in range(30)])
    assert run([[source]], tune_trials=12).spent.evaluations <= 5
    whole = run([[source]], tune_gain=0.0, tune_trials=40, folder=tmp_path / "whole")
    assert whole.spent.evaluations == 30
    few = run([[source]], tune_gain=0.0, tune_trials=7, folder=tmp_path / "few")
    assert few.spent.evaluations == 8
    more = run([[source]], tune_trials=12, budget_evals=2, folder=tmp_path / "other")
    assert (more.spent.evaluations, more.stop.reason) == (2, "evaluations")


def test_only_promising_candidates_are_tuned(run):
    slow, fast = kernel(1.0, V=[1, 20]), kernel(3.0, V=[1, 20])
    broken = kernel(9.0, fails="build", V=[1, 20])
    outcome = run([[slow, fast, broken]], tune_trials=12)
    assert [a.parent for a in outcome.attempts if a.choice] == ids([fast])


def test_numbers_wait_while_structure_gains(run):
    """Each turn is twice as fast as the one before: numbers come when no turn comes any more."""
    script = [[kernel(float(2**i), V=[1, 20])] for i in range(4)]
    outcome = run(script, tune_trials=12)
    assert [bool(a.choice) for a in outcome.attempts][:4] == [False] * 4
    assert any(a.choice for a in outcome.attempts)


def test_a_failure_is_repaired_a_few_times_and_then_left(run):
    script = [[kernel(1.5)]] + [[kernel(2.0 + i, fails="build")] for i in range(6)]
    run(script, repairs=3)
    parents = [brief.parent and brief.parent.candidate.source for brief in run.coder.briefs]
    failures = [s for (s,) in script[1:]]
    assert parents[2:5] == failures[:3]
    assert parents[5] == kernel(1.5)


def test_repair_takes_up_what_came_furthest(run):
    early, late = kernel(1.0, fails="build"), kernel(1.0, fails="correctness")
    run([[late, early], [kernel(1.5)]])
    assert run.coder.briefs[1].parent.candidate.source == late


def test_a_fault_of_the_task_ends_the_run(run, tmp_path):
    with pytest.raises(TaskError, match="the reference raises"):
        run([[kernel(1.5, fails="task_error")], [kernel(2.0)]])
    assert len(run.evaluator.calls) == 1
    assert load(tmp_path).stopped == "task_error"


def test_a_broken_machine_is_noticed_and_not_charged_to_candidates(run):
    broken = FakeEvaluator(broken=lambda key, effort: True)
    outcome = run([[kernel(1.0 + i)] for i in range(9)], broken)
    assert outcome.stop.reason == "harness_error"
    assert "the machine is full" in outcome.stop.message
    assert len(broken.calls) == 3
    outcome = run([[kernel(1.0 + i)] for i in range(4)], resume=True)
    assert outcome.stop.reason == "no_idea", "a new session gives the machine a new chance"
    assert speed_of(outcome.champion.attempt.candidate) == 4.0


def test_a_machine_that_fails_in_the_confirmation(run):
    broken = FakeEvaluator(broken=lambda key, effort: effort == "final")
    outcome = run([[kernel(1.5)]], broken)
    assert (outcome.champion, outcome.stop.reason) == (None, "harness_error")
    outcome = run([[kernel(1.5)]], resume=True)
    assert outcome.champion is not None
    assert run.evaluator.calls == [(*ids([kernel(1.5)]), "final", None)]


def test_a_model_that_refuses_the_first_call_is_the_users_to_mend(run):
    error = ModelError("openai:x: HTTP 401: wrong key", status=401)
    with pytest.raises(UsageError, match="wrong key"):
        run([error])


def test_a_model_that_fails_later_ends_the_search_and_keeps_all(run):
    lost = ModelError("HTTP 503: down", retryable=True, status=503, spend=Spend(0.5, 1, 1))
    outcome = run([[kernel(1.5)], lost])
    assert (outcome.stop.reason, outcome.stop.message) == ("model_failed", "HTTP 503: down")
    assert speed_of(outcome.champion.attempt.candidate) == 1.5
    assert outcome.spent.usd == pytest.approx(0.5 + 2 * PENNY.usd), "Coder, Judge, what was lost"
    outcome = run([[kernel(1.5)], [kernel(2.0)]], resume=True)
    assert run.coder.calls == [2, 3]
    assert speed_of(outcome.champion.attempt.candidate) == 2.0


def test_unknown_costs_stay_unknown(run):
    class Free(ScriptedCoder):
        def propose(self, brief):
            return replace(super().propose(brief), spend=Spend(None, 7, None))

    spent = run(Free([[kernel(1.5)]])).spent
    assert (spent.usd, spent.tokens) == (None, None)


def test_equal_seeds_give_equal_runs(run, tmp_path):
    script = [[kernel(1.0 + i / 10, V=[1, 2, 3], T=[1, 2])] for i in range(6)]
    outcomes = [run(script, folder=tmp_path / str(i), tune_trials=3, seed=5) for i in range(2)]
    first, second = ([(a.candidate.id, a.parent) for a in o.attempts] for o in outcomes)
    assert first == second


@pytest.mark.parametrize(
    "settings",
    [{"budget_evals": 0}, {"budget_minutes": 0}, {"budget_minutes": float("nan")},
     {"target_roofline": 0}, {"patience": 0}],
)  # fmt: skip
def test_settings_that_cannot_work(settings):
    with pytest.raises(UsageError):
        Settings(**settings)


def test_a_folder_that_cannot_be_used(run, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write to"):
        run([], folder=tmp_path / "file" / "run")
    (tmp_path / "run.db").write_text("this is no database" * 100)
    with pytest.raises(UsageError, match="cannot be used as an event log"):
        run([])


def test_a_verdict_without_a_measurement_is_no_champion(run):
    class Untimed(FakeEvaluator):
        def evaluate(self, candidate, *, effort="loop", champion=None):
            return Verdict("accepted", "done", speedup={"eager": None})

    outcome = run([[kernel(1.5)]], Untimed())
    assert (outcome.accepted, outcome.champion) == (1, None)
