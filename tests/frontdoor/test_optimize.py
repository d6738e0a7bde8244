"""`kernelwright optimize` with a stand-in for the harness: files, JSON, exit status, resume."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from frontdoor_fakes import KERNEL, FakeCoder, FakeEvaluator, accepted, rejected

from kernelwright.cli import main

Cast = Callable[[FakeCoder], None]
WRONG = "class ModelNew: wrong = True"
PLAIN = "class ModelNew: plain = True"


def only_run(out: Path) -> Path:
    """The folder of the one run below `out`."""
    (run,) = out.glob("*/*")
    return run


def test_a_champion_is_published(
    task_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str],
    evaluator: type[FakeEvaluator], cast: Cast,
) -> None:  # fmt: skip
    evaluator.verdicts = {WRONG: rejected(), KERNEL: accepted(3.0)}
    cast(FakeCoder(WRONG, KERNEL))
    out = tmp_path / "out"
    assert main(["optimize", str(task_file), "--out", str(out), "--json"]) == 0
    result = json.loads(capfd.readouterr().out)
    run = only_run(out)
    assert result["task"] == "own_op"
    assert result["run"] == run.name
    assert (result["candidates"], result["accepted"]) == (2, 1)
    assert result["champion"]["path"] == str(run / "champion" / "kernel.py")
    assert result["champion"]["speedup"]["eager"]["median"] == 3.0
    assert result["champion"]["speedup"]["compile"] is None
    assert "torch.compile failed" in result["champion"]["reasons"]["speedup.compile"]
    assert (result["champion"]["track"], result["champion"]["language"]) == ("custom", "cpp")
    assert result["spent"]["evaluations"] == 2
    assert result["spent"]["usd"] == 0.0
    assert result["stop"]["reason"] == "no_idea"

    card = json.loads((run / "card.json").read_text())
    assert card["verdict"]["speedup"]["eager"]["median"] == 3.0
    assert card["task"]["spec"] == str(task_file)
    assert card["kernel"]["standalone"] is True
    assert card["environment"]["device_name"] == "Some Processor"
    report = (run / "report.md").read_text()
    assert "3.00x [2.85, 3.15]" in report
    assert "correctness: wrong_value" in report
    assert (run / "task.py").read_text() == task_file.read_text()
    assert "3.00x" in (run / "champion" / "kernel.py").read_text()


def test_nothing_better(
    task_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str],
    evaluator: type[FakeEvaluator], cast: Cast,
) -> None:  # fmt: skip
    evaluator.verdicts = {WRONG: rejected(), PLAIN: accepted(0.9)}
    cast(FakeCoder(WRONG, PLAIN))
    out = tmp_path / "out"
    assert main(["optimize", str(task_file), "--out", str(out), "--json"]) == 1
    assert json.loads(capfd.readouterr().out)["champion"] is None
    run = only_run(out)
    assert "Nothing better found" in (run / "report.md").read_text()
    assert not (run / "card.json").exists()
    assert not (run / "champion").exists()


def test_an_interrupted_run_names_how_to_go_on_and_goes_on(
    task_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str],
    evaluator: type[FakeEvaluator], cast: Cast,
) -> None:  # fmt: skip
    out = str(tmp_path / "out")
    cast(FakeCoder(KERNEL, then=lambda: os.kill(os.getpid(), signal.SIGINT)))
    assert main(["optimize", str(task_file), "--out", out, "--budget-evals", "7"]) == 130
    run = only_run(tmp_path / "out")
    last = capfd.readouterr().err.splitlines()[-1]
    assert f"kernelwright optimize {task_file} --resume {run.name} --out {out}" in last
    assert (run / "champion" / "kernel.py").exists()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

    cast(FakeCoder(KERNEL))
    assert main(["optimize", "--resume", str(run), "--out", out, "--json"]) == 0
    result = json.loads(capfd.readouterr().out)
    assert result["run"] == run.name
    assert result["candidates"] == 1
    assert evaluator.opened == 2


def test_the_latest_run_is_resumed_by_the_task_alone(
    task_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str],
    evaluator: type[FakeEvaluator], cast: Cast, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    cast(FakeCoder(KERNEL))
    names = []
    for _ in range(2):
        assert main(["optimize", str(task_file), "--json"]) == 0
        names.append(json.loads(capfd.readouterr().out)["run"])
    assert main(["optimize", "--resume", "own_op.py", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["run"] == max(names)


def test_a_file_that_is_not_accepted_is_not_published(
    task_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str],
    evaluator: type[FakeEvaluator], cast: Cast, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    cast(FakeCoder(KERNEL))
    original = evaluator.evaluate

    def judge(self: FakeEvaluator, candidate: object, **kwargs: object) -> object:
        carried = "_carried_inline" in candidate.source  # type: ignore[attr-defined]
        return rejected() if carried else original(self, candidate, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(evaluator, "evaluate", judge)
    out = tmp_path / "out"
    assert main(["optimize", str(task_file), "--out", str(out)]) == 3
    assert "not accepted" in capfd.readouterr().err
    assert not (only_run(out) / "champion").exists()


def test_people_get_lines_on_stderr_and_the_result_on_stdout(
    task_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str],
    evaluator: type[FakeEvaluator], cast: Cast,
) -> None:  # fmt: skip
    cast(FakeCoder(KERNEL))
    assert main(["optimize", str(task_file), "--out", str(tmp_path / "out")]) == 0
    out, err = capfd.readouterr()
    assert "2.00x [1.90, 2.10] against PyTorch eager" in out
    assert "kernel.py" in out
    assert "new best: 2.00x" in err
    assert "stopped: nothing left to try" in err
