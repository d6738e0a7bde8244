"""Kill the search anywhere, take it up again: nothing finished is lost, nothing is done twice."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from search_fakes import TASK, EchoJudge, FakeEvaluator, ScriptedCoder, kernel

from kernelwright.agents import events as event_log
from kernelwright.agents.optimize import Settings, load, optimize
from kernelwright.tasks.errors import UsageError
from kernelwright.tasks.task import Task

SCRIPT = [
    [kernel(0.8), kernel(1.2, fails="build")],
    [kernel(1.5, V=[1, 2, 4], T=[1, 2])],
    [kernel(2.0, fails="correctness")],
    [kernel(2.5, final=0.9), kernel(2.5, final=0.9)],
]
SETTINGS = Settings(seed=3, tune_trials=4)


class Killed(BaseException):
    """Not an Exception, so that nothing can mistake it for a fault that it may handle."""


def search(folder, roles, *, resume):
    coder, judge, evaluator = roles
    return optimize(TASK, evaluator, coder, judge, SETTINGS, folder, resume=resume)


def roles():
    return ScriptedCoder(SCRIPT), EchoJudge(), FakeEvaluator()


def end_state(outcome):
    champion = outcome.champion
    return {
        "attempts": [(a.candidate.id, a.round, a.parent, a.note) for a in outcome.attempts],
        "verdicts": [a.verdict for a in outcome.attempts],
        "champion": champion and (champion.attempt.candidate.id, champion.verdict),
        "stop": outcome.stop,
        "spent": (outcome.spent.usd, outcome.spent.tokens, outcome.spent.evaluations),
    }


def uninterrupted(tmp_path):
    taken = roles()
    outcome = search(tmp_path / "whole", taken, resume=False)
    return end_state(outcome), taken, len(event_log.read(tmp_path / "whole" / "run.db")[0])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return uninterrupted(tmp_path_factory.mktemp("whole"))


def test_the_run_that_is_killed_below_is_worth_killing(whole):
    state, (coder, judge, evaluator), count = whole
    assert 40 <= count <= 60
    assert state["champion"][0] != state["attempts"][-1][0], "the last one falls at confirmation"
    assert len(coder.calls) == 5
    assert len(judge.calls) == 4
    assert len(state["attempts"]) == 9
    assert [e for _, e, _ in evaluator.calls].count("final") == 2


@pytest.mark.parametrize("wipe", [False, True], ids=["checkpoint", "no-checkpoint"])
@pytest.mark.parametrize("survives", range(0, 52))
def test_a_kill_after_any_event(tmp_path, monkeypatch, whole, survives, wipe):
    expected, (coder, judge, evaluator), count = whole
    if survives >= count:
        pytest.skip("the run has fewer events")
    append = event_log.EventLog.append
    written = []

    def killed_after(log, *args, **kwargs):
        if len(written) == survives:
            raise Killed
        written.append(append(log, *args, **kwargs))
        return written[-1]

    taken = roles()
    with monkeypatch.context() as patch:
        patch.setattr(event_log.EventLog, "append", killed_after)
        with pytest.raises(Killed):
            search(tmp_path, taken, resume=False)
    finished = [e.key for e in written if e.kind == "finished"]
    if wipe:
        (tmp_path / "checkpoints.db").unlink(missing_ok=True)

    outcome = search(tmp_path, taken, resume=True)

    assert end_state(outcome) == expected
    everything = event_log.read(tmp_path / "run.db")[0]
    assert max(Counter(e.key for e in everything if e.kind == "finished").values()) == 1
    assert set(finished) <= {e.key for e in everything if e.kind == "finished"}
    # At most the one call that was under way at the kill is made once more.
    under_way = [e.key for e in written if e.kind == "started" and e.key not in finished]
    repeated = Counter(calls(taken)) - Counter(calls(whole[1]))
    assert sum(repeated.values()) <= len(under_way) <= 1
    assert Counter(calls(whole[1])) - Counter(calls(taken)) == Counter()


def calls(taken):
    coder, judge, evaluator = taken
    return [*coder.calls, *judge.calls, *evaluator.calls]
