"""Candidates with the same compiled code are judged once; what a Tester breaks stands no more."""

import random
import re

import pytest
from search_fakes import TASK, EchoJudge, FakeEvaluator, ScriptedCoder, Watcher, ids, kernel

from kernelwright.agents import events as event_log
from kernelwright.agents.events import Event
from kernelwright.agents.optimize import Settings, load, optimize
from kernelwright.agents.run_state import RunState
from kernelwright.harness.verdict import Finding, Verdict


class Compiling(FakeEvaluator):
    """Kernels of equal speed have equal code, whatever else their text says; fast ones have none."""

    def fingerprint(self, candidate):
        speed = float(re.search("^SPEED = (.*)$", candidate.source, re.M).group(1))
        return f"code {speed}" if speed < 5 else None


def same(speed, name, **how):
    return kernel(speed, **how) + f"NAME = {name!r}\n"


def search(folder, script, evaluator=None, *, resume=False, **settings):
    search.coder, search.evaluator = ScriptedCoder(script), evaluator or Compiling()
    known = {"tune_trials": 0, "islands": 1, "crossover": 0.0} | settings
    return optimize(
        TASK,
        search.evaluator,
        search.coder,
        EchoJudge(),
        Settings(**known),
        folder,
        Watcher(),
        resume,
    )


def test_the_same_code_is_not_timed_again(tmp_path):
    first, twin, third = same(1.5, "a"), same(1.5, "b"), same(2.0, "c")
    outcome = search(tmp_path, [[first], [twin], [third]])
    assert [a.candidate.source for a in outcome.attempts] == [first, twin, third]
    assert [key for key, effort, _ in search.evaluator.calls if effort == "loop"] == ids(
        [first, third]
    )
    assert outcome.spent.evaluations == 2, "it costs no evaluation"
    found = outcome.attempts[1]
    assert found.twin == ids([first])[0]
    assert found.verdict.accepted
    note = next(f for f in found.verdict.findings if f.code == "same_code")
    assert note.severity == "note"
    assert ids([first])[0] in note.message


def test_a_rejection_is_taken_over_too(tmp_path):
    first, twin = same(1.5, "a", fails="correctness"), same(1.5, "b", fails="correctness")
    outcome = search(tmp_path, [[first, twin]])
    assert [a.verdict.stage for a in outcome.attempts] == ["correctness"] * 2
    assert outcome.spent.evaluations == 1


def test_a_fault_of_the_machine_is_nobodys_verdict(tmp_path):
    first, twin = same(1.5, "a"), same(1.5, "b")
    broken = Compiling(broken=lambda key, effort: key == ids([first])[0])
    outcome = search(tmp_path, [[first, twin]], broken)
    assert [a.verdict.verdict for a in outcome.attempts] == ["harness_error", "accepted"]


def test_without_a_fingerprint_all_are_judged(tmp_path):
    sources = [same(6.0, "a"), same(6.0, "b")]
    assert search(tmp_path / "none", [sources]).spent.evaluations == 2
    assert (
        search(tmp_path / "nobody", [[same(1.5, "a"), same(1.5, "b")]], FakeEvaluator()).accepted
        == 2
    )
    assert search.evaluator.calls[1][1] == "loop"


def test_a_twin_is_no_champion_no_parent_and_no_progress(tmp_path):
    first = same(1.5, "a")
    outcome = search(tmp_path, [[first], *([same(1.5, str(i))] for i in range(6))])
    assert outcome.champion.attempt.candidate.source == first
    assert {b.parent.candidate.source for b in search.coder.briefs[1:]} == {first}
    assert outcome.stop.reason == "no_idea", "three rounds that brought nothing new"


def test_a_resumed_run_knows_the_codes(tmp_path):
    first, twin = same(1.5, "a"), same(1.5, "b")
    search(tmp_path, [[first]], rounds=1)
    outcome = search(tmp_path, [[first], [twin]], resume=True, rounds=2)
    assert outcome.attempts[1].twin == ids([first])[0]
    assert [e for _, e, _ in search.evaluator.calls] == [], "confirmed before, and no new code"


def test_logs_of_older_versions_are_read(tmp_path):
    """Without codes, traits, turns, gains and settings of the search of today."""
    script = [[kernel(1.5)], [kernel(2.0, fails="run")], [kernel(2.5)]]
    search(tmp_path, script, FakeEvaluator())
    events, stored = event_log.read(tmp_path / "run.db")
    old = []
    for event in events:
        data = dict(event.data)
        match event.key.partition(":")[0]:
            case "choose":
                data = {"parent": data["parent"]}
            case "round":
                data = {}
            case "evaluate":
                for name in ("code", "twin", "traits", "other"):
                    data.pop(name, None)
            case "1":
                data["settings"] = {"seed": 0, "language": "cpp"}
        old.append(Event(event.seq, event.time, event.kind, event.key, data))
    before, now = RunState.from_events(old, stored), load(tmp_path)
    assert [a.candidate.id for a in before.attempts] == [a.candidate.id for a in now.attempts]
    assert before.champion.candidate == now.champion.candidate
    assert [t.kind for t in before.turns.decided.values()] == [
        "fresh",
        "improve",
        "repair",
        "improve",
    ]
    assert before.attempts[0].traits == now.attempts[0].traits, "read from the source"
    assert before.archive.pool() == now.archive.pool()
    assert before.idle == now.idle


def broken(attempt):
    finding = Finding("wrong_value", "wrong for x = inf")
    return {"candidate": attempt.candidate.id, "probe": {}, "finding": {},
            "verdict": Verdict("rejected", "correctness", (finding,)).to_json()}  # fmt: skip


def test_what_is_broken_falls_and_the_next_best_takes_its_place(tmp_path):
    search(tmp_path, [[kernel(1.5)], [kernel(2.0)]], FakeEvaluator())
    state = load(tmp_path)
    state.confirmed.clear()
    first, best = state.attempts
    assert state.champion is best
    state.apply(Event(0, 0.0, "decided", "counterexample:1", broken(best)))
    assert state.champion is first
    assert [a.verdict.verdict for a in state.attempts] == ["accepted", "rejected"]
    assert state.archive.pool() == [first]
    assert state.repairs.next(3, 1.5, 0.5).candidate == best.candidate, "it is worth mending"
    state.apply(Event(0, 0.0, "decided", "counterexample:2", broken(best)))
    assert state.champion is first, "once is enough"
    state.apply(Event(0, 0.0, "decided", "counterexample:3", broken(first)))
    assert state.champion is None
    assert state.archive.draw(random.Random(0)) is None


@pytest.mark.parametrize("name", ["tester:1", "audit:1", "recall:2"])
def test_events_of_others_are_kept_and_change_nothing(tmp_path, name):
    search(tmp_path, [[kernel(1.5)]], FakeEvaluator())
    state, other = load(tmp_path), load(tmp_path)
    state.apply(Event(0, 0.0, "decided", name, {"lessons": []}))
    assert state.done[name] == {"lessons": []}
    assert state.attempts == other.attempts
