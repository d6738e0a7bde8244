"""Runs of `optimize` as records, made with the search's own event log and scripted verdicts."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from synthetic import batch, kernel, result, verdict

from kernelwright.agents.events import EventLog
from kernelwright.evals.collect import collect
from kernelwright.evals.from_run import batch_record, task_result
from kernelwright.evals.record import write
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.verdict import Finding, Verdict
from kernelwright.tasks.errors import UsageError

TASK = (
    "import torch\nclass Model(torch.nn.Module):\n    def forward(self, x):\n        return x\n\n"
)
TASK += "def get_inputs():\n    return [torch.rand(3)]\n"
WRONG = Verdict("rejected", "correctness", (Finding("wrong_answer", "it is wrong"),))
DEVICE = {"kind": "cpu", "name": "Synthetic CPU", "threads": 2}


def run(
    folder: Path, judged, confirmed=None, *, name="own", model="builtin", stop="no_idea", usd=()
):
    """A run folder in which these verdicts were given, in turn; `confirmed`: by number of attempt."""
    folder.mkdir(parents=True)
    (folder / "task.py").write_text(TASK)
    asked = {"task": "own.py", "task_name": name, "task_hash": "0", "model": model, "seed": 1}
    (folder / "run.json").write_text(json.dumps(asked))
    ids = []
    with EventLog(folder) as log:
        log.append("run", "run", {"task": name, "task_hash": "0", "seed": 1, "language": "cpp"})
        log.append("session", "1", {"settings": {}, "device": DEVICE})
        for number, found in enumerate(judged):
            candidate = Candidate(f"x = {number}", "cpp")
            about = {
                "round": number + 1,
                "parent": ids[-1] if ids else None,
                "note": f"idea {number}",
                "choice": {},
                "against": None,
            }
            data = {**about, "verdict": found.to_json()}
            log.append("finished", f"evaluate:{candidate.id}", data, (candidate,))
            ids.append(candidate.id)
        for number, found in (confirmed or {}).items():
            log.append("finished", f"confirm:{ids[number]}", {"verdict": found.to_json()})
        if stop:
            log.append("stopped", stop, {"message": f"because of {stop}"})
    return ids


def test_the_champion_is_what_was_confirmed(tmp_path):
    ids = run(
        tmp_path / "r", [verdict(1.5), WRONG, verdict(9.0)], {2: verdict(3.0, 2.0), 0: verdict(1.4)}
    )
    found = task_result(tmp_path / "r")
    assert found.best is not None and found.best.confirmed
    assert found.best.candidate == ids[2]
    assert found.best.verdict.speedup["eager"].median == 3.0  # not the search's 9
    assert (found.best.parent.id, found.best.parent.source) == (ids[1], "x = 1")
    assert (found.attempts.n, found.attempts.accepted) == (3, 2)
    assert [(p.evaluation, p.best) for p in found.attempts.curve] == [(1, 1.5), (3, 9.0)]
    assert [r.code for r in found.attempts.rows] == [None, "wrong_answer", None]
    assert (found.state, found.reason) == ("done", "because of no_idea")
    assert (found.device.name, found.device.threads) == ("Synthetic CPU", 2)
    assert found.seed == 1 and found.models == ("builtin",)


def test_a_lucky_figure_does_not_stand_above_a_confirmed_one(tmp_path):
    ids = run(tmp_path / "r", [verdict(1.2), verdict(9.0)], {0: verdict(0.9)})
    found = task_result(tmp_path / "r").best
    assert found is not None and found.confirmed and found.candidate == ids[0]


def test_what_a_confirmation_turned_down_is_out(tmp_path):
    ids = run(tmp_path / "r", [verdict(0.8), verdict(9.0)], {1: WRONG})
    found = task_result(tmp_path / "r").best
    assert found is not None and found.candidate == ids[0] and not found.confirmed


def test_a_kernel_carries_the_share_of_its_own_code(tmp_path):
    run(tmp_path / "r", [verdict(2.0)], {0: replace(verdict(2.0, 1.5), own_time=0.75)})
    found = task_result(tmp_path / "r")
    assert found.best is not None and found.best.own_time_share == 0.75
    assert "best.own_time_share" not in found.reasons


def test_a_task_whose_only_kernel_was_turned_down_says_so(tmp_path):
    run(tmp_path / "r", [verdict(9.0)], {0: WRONG}, stop="wall_time")
    found = task_result(tmp_path / "r")
    assert found.best is None and found.attempts.accepted == 0
    assert found.reason is not None and found.reason.endswith("down: it is wrong")
    (row,) = found.attempts.rows
    assert (row.verdict, row.stage, row.code) == ("rejected", "correctness", "wrong_answer")
    assert row.note == "idea 0; accepted in the search, turned down by its final confirmation"
    assert row.speedup is None


def test_slow_and_correct_is_correct_and_nothing_is_a_failure(tmp_path):
    run(tmp_path / "slow", [WRONG, verdict(0.5)])
    assert task_result(tmp_path / "slow").correct
    run(tmp_path / "none", [WRONG])
    found = task_result(tmp_path / "none")
    assert not found.correct and found.state == "done"


@pytest.mark.parametrize(
    ("stop", "state"),
    [
        ("model_failed", "failed"),
        ("harness_error", "harness_error"),
        (None, "failed"),
        ("evaluations", "done"),
    ],
)
def test_how_a_run_ended(tmp_path, stop, state):
    run(tmp_path / "r", [WRONG], stop=stop)
    found = task_result(tmp_path / "r")
    assert found.state == state and found.reason


def test_runs_of_the_same_players_are_one_batch(tmp_path):
    run(tmp_path / "a" / "1", [verdict(2.0)], {0: verdict(2.0, 1.5)}, name="one")
    run(tmp_path / "b" / "1", [WRONG], name="two")
    run(tmp_path / "b" / "2", [verdict(0.9)], name="two")
    run(tmp_path / "c" / "1", [verdict(1.1)], name="one", model="other")
    found = collect([str(tmp_path)])
    assert sorted((r.name, r.tasks) for r in found.records) == [
        ("builtin", ("one", "two")),
        ("other", ("one",)),
    ]
    assert found.notes == [f"{tmp_path}: the latest run of each task counts, 3 of 4"]
    both = next(r for r in found.records if r.name == "builtin")
    assert all(r.correct for r in both.results)
    with pytest.raises(UsageError, match="runs of the same task two"):
        batch_record([tmp_path / "b" / "1", tmp_path / "b" / "2"])


def test_runs_within_a_batch_are_not_counted_twice(tmp_path):
    write(batch([result("core/a", kernel(2.0))]), tmp_path / "bench" / "batch.json")
    run(tmp_path / "bench" / "core-a" / "1", [verdict(2.0)])
    assert [r.id for r in collect([str(tmp_path)]).records] == ["synthetic-synthetic"]


def test_what_is_neither_batch_nor_run(tmp_path):
    with pytest.raises(UsageError, match="no such file or folder"):
        collect([str(tmp_path / "nowhere")])
    with pytest.raises(UsageError, match="holds neither"):
        collect([str(tmp_path)])
    one, other = batch([result("core/a")]), batch([result("core/b")])
    write(one, tmp_path / "1.json")
    write(other, tmp_path / "2.json")
    with pytest.raises(UsageError, match="two different batches bear the id"):
        collect([str(tmp_path / "1.json"), str(tmp_path / "2.json")])
