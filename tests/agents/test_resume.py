"""Kill the search anywhere, take it up again: nothing finished is lost, nothing is done twice."""

import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from search_fakes import TASK, EchoJudge, FakeEvaluator, ScriptedCoder, kernel

from kernelwright.agents import events as event_log
from kernelwright.agents.optimize import Settings, load, optimize
from kernelwright.tasks.errors import UsageError
from kernelwright.tasks.task import Task

SCRIPT = [
    [kernel(0.8), kernel(1.2, fails="build")],
    [kernel(1.5, V=[40, 1, 20, 60, 80], T=[1, 20])],
    [kernel(2.0, fails="correctness")],
    [kernel(2.1, fails="build")],
    [kernel(2.5, final=0.9), kernel(2.5, final=0.9)],
]
EVENTS = 61
"""In the whole run, the sessions of it that are killed end before each."""
SETTINGS = Settings(seed=3, tune_trials=4, islands=1)


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
    assert count == EVENTS
    assert state["champion"][0] != state["attempts"][-1][0], "the last one falls at confirmation"
    assert len(coder.calls) == 6
    assert len(judge.calls) == 5
    assert len(state["attempts"]) == 10
    assert [e for _, e, _ in evaluator.calls].count("final") == 2


@pytest.mark.parametrize(
    ("survives", "wipe"),
    [(n, False) for n in range(EVENTS)] + [(n, True) for n in range(1, EVENTS, 3)],
)
def test_a_kill_after_any_event(tmp_path, monkeypatch, whole, survives, wipe):
    expected, planned, _ = whole
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
    repeated = Counter(calls(taken)) - Counter(calls(planned))
    assert sum(repeated.values()) <= len(under_way) <= 1
    assert Counter(calls(planned)) - Counter(calls(taken)) == Counter()


def calls(taken):
    coder, judge, evaluator = taken
    return [*coder.calls, *judge.calls, *evaluator.calls]


WORKER = """
import sys, time
from pathlib import Path
sys.path.insert(0, {here!r})
import test_resume
roles = test_resume.roles()
roles[2].before = lambda: time.sleep(0.05)
test_resume.search(Path({folder!r}), roles, resume=False)
"""


def test_kill_9(tmp_path, whole):
    """A process of its own, killed by the kernel in the middle of the search."""
    expected, planned, _ = whole
    code = WORKER.format(here=str(Path(__file__).parent), folder=str(tmp_path))
    process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path)
    database = tmp_path / "run.db"
    deadline = time.monotonic() + 60
    while finished(database) < 7:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.005)
    with pytest.raises(UsageError, match=f"process {process.pid} is working on"):
        search(tmp_path, roles(), resume=True)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = [e.key for e in event_log.read(database)[0] if e.kind == "finished"]
    assert 7 <= len(before) < 16

    taken = roles()
    assert end_state(search(tmp_path, taken, resume=True)) == expected

    events = event_log.read(database)[0]
    assert len(calls(taken)) == len(calls(planned)) - len(before)
    assert max(Counter(e.key for e in events if e.kind == "finished").values()) == 1
    assert [e.key for e in events if e.kind == "session"] == ["1", "2"]


def finished(database):
    try:
        return sum(e.kind == "finished" for e in event_log.read(database)[0])
    except UsageError:
        return 0


def test_resuming_a_finished_run_does_nothing_again(tmp_path, whole):
    expected, _, _ = whole
    search(tmp_path, roles(), resume=False)
    taken = roles()
    assert end_state(search(tmp_path, taken, resume=True)) == expected
    assert calls(taken) == []


def test_a_broken_checkpoint_is_no_loss(tmp_path, whole):
    expected, _, _ = whole
    search(tmp_path, roles(), resume=False)
    (tmp_path / "checkpoints.db").write_bytes(b"not a database at all" * 100)
    taken = roles()
    assert end_state(search(tmp_path, taken, resume=True)) == expected
    assert calls(taken) == []


def test_a_larger_budget_goes_on_where_the_smaller_one_ended(tmp_path, whole):
    expected, planned, _ = whole
    taken = roles()
    for budget in (1, 2, 4, 7, 9, 40):
        coder, judge, evaluator = taken
        settings = replace(SETTINGS, budget_evals=budget)
        outcome = optimize(TASK, evaluator, coder, judge, settings, tmp_path, resume=budget > 1)
        assert outcome.spent.evaluations == min(budget, 10)
        assert outcome.stop.reason == ("evaluations" if budget < 10 else "no_idea")
    assert end_state(outcome)["attempts"] == expected["attempts"]
    assert Counter(taken[0].calls) == Counter(planned[0].calls), "no answer was paid for twice"
    loop = [call for call in taken[2].calls if call[1] == "loop"]
    assert len(loop) == len(set(loop)) == 10


def test_a_resumed_run_keeps_its_seed_and_language(tmp_path):
    search(tmp_path, roles(), resume=False)
    coder, judge, evaluator = roles()
    other = replace(SETTINGS, seed=99, language="cuda")
    optimize(TASK, evaluator, coder, judge, other, tmp_path, resume=True)
    sessions = [e for e in event_log.read(tmp_path / "run.db")[0] if e.kind == "session"]
    assert [s.data["settings"]["seed"] for s in sessions] == [3, 3]
    assert [s.data["settings"]["language"] for s in sessions] == ["cpp", "cpp"]


def test_what_cannot_be_resumed(tmp_path):
    with pytest.raises(UsageError, match="nothing to resume"):
        search(tmp_path, roles(), resume=True)
    search(tmp_path, roles(), resume=False)
    with pytest.raises(UsageError, match="holds a run already"):
        search(tmp_path, roles(), resume=False)
    coder, judge, evaluator = roles()
    changed = Task("scale", TASK.source + "# changed\n")
    with pytest.raises(UsageError, match="another version of task scale"):
        optimize(changed, evaluator, coder, judge, SETTINGS, tmp_path, resume=True)


def test_wall_time_of_earlier_sessions_counts(tmp_path):
    coder, judge, evaluator = roles()
    evaluator.before = lambda: time.sleep(0.03)
    first = optimize(
        TASK, evaluator, coder, judge, replace(SETTINGS, budget_evals=5), tmp_path
    ).spent.wall_s
    assert first > 0.15
    budget = replace(SETTINGS, budget_minutes=first / 60)
    outcome = optimize(TASK, *(evaluator, coder, judge), budget, tmp_path, resume=True)
    assert outcome.stop.reason == "wall_time"
    assert outcome.spent.evaluations == 5
    assert outcome.spent.wall_s >= first
    assert load(tmp_path).wall_s() >= first
