"""The budget of a whole batch: what each search is told, what counts, how it is refused and shown."""

from __future__ import annotations

import io
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from frontdoor_fakes import accepted

from kernelwright.agents.events import EventLog
from kernelwright.bench.display import Lines, render
from kernelwright.bench.plan import Plan, plan
from kernelwright.bench.units import Searches
from kernelwright.cli import build_parser, main
from kernelwright.evals.batch import Batch, broken_off
from kernelwright.evals.pool import Ended, NotNow, Unit
from kernelwright.evals.record import Cost, TaskResult
from kernelwright.harness.candidate import Candidate
from kernelwright.tasks.load import load_task


def planned(tmp_path: Path, *words: str) -> Plan:
    args = build_parser().parse_args(
        ["bench", "core", "--tasks", "softmax,rope", "--out", str(tmp_path), *words]
    )
    return plan(args)


def late(work: Searches, name: str) -> list[str]:
    words = work.unit(name).late
    assert words is not None
    return list(words())


def test_each_search_is_told_its_part_beside_its_own_limits(tmp_path: Path) -> None:
    work = Searches(planned(tmp_path, "--total-evals", "60", "--total-minutes", "2"))
    assert late(work, "core/rope") == ["--budget-evals", "30", "--budget-minutes", "1.000000"]
    assert work.purse is not None
    work.purse.settle("core/rope", Cost(evaluations=5, wall_s=30))
    assert late(work, "core/softmax") == [
        *("--budget-evals", "40", "--budget-minutes", "1.500000")  # what a search has by default
    ]
    assert Searches(planned(tmp_path)).unit("core/rope").late is None


def test_a_total_in_dollars_takes_the_place_of_no_cap(tmp_path: Path) -> None:
    words = ["--model", "openai:gpt-5-mini", "--total-usd", "40"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", "planted/secret/0123456789")
        asked = planned(tmp_path, *words, "--no-dollar-cap")
        assert "--no-dollar-cap" not in asked.words and asked.most.get("usd") is None
        assert late(Searches(asked), "core/rope") == ["--budget-usd", "20.000000"]
        capped = planned(tmp_path, *words)
        assert late(Searches(capped), "core/rope") == ["--budget-usd", "5.000000"]
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("OPENAI_API_KEY", raising=False)
        args = [
            "bench",
            "core",
            "--model",
            "command:true",
            "--total-usd",
            "1",
            "--out",
            str(tmp_path),
        ]
        assert main(args) == 2  # nobody knows its price


def test_the_folder_does_not_depend_on_the_total(tmp_path: Path) -> None:
    folders = {planned(tmp_path, *words).folder for words in ([], ["--total-evals", "9"])}
    assert len(folders) == 1


def test_killed_runs_count_after_a_resume(tmp_path: Path) -> None:
    asked = planned(tmp_path, "--total-evals", "10")
    run = asked.folder / "runs" / "core-rope" / "20260101-000000-abcd"
    run.mkdir(parents=True)
    task = load_task("core/rope")
    (run / "task.py").write_text(task.source)
    (run / "run.json").write_text('{"task_name": "core/rope", "model": ["builtin"]}')
    with EventLog(run) as log:
        log.append("run", "run", {"task": task.name, "task_hash": task.hash, "language": "cpp"})
        log.append("session", "1", {"settings": {}})
        for number in range(4):
            candidate = Candidate(f"class ModelNew: number = {number}\n")
            told = {"verdict": accepted(2.0).to_json(), "round": 1, "parent": None, "against": None}
            told |= {"note": "", "choice": {}, "took": None}
            log.append("finished", f"evaluate:{candidate.id}", told, [candidate])
    work = Searches(asked)
    assert work.purse is not None and work.purse.balances()[0].spent == 4
    assert late(work, "core/rope") == ["--budget-evals", "7"]
    assert late(work, "core/softmax") == ["--budget-evals", "3"]


def test_a_task_without_money_is_left_for_a_larger_budget(tmp_path: Path) -> None:
    asked = planned(tmp_path, "--total-evals", "1")
    work = Searches(asked)
    late(work, "core/rope")
    with pytest.raises(NotNow) as refused:
        late(work, "core/softmax")
    ended = Ended(work.unit("core/softmax"), 0, "", skipped=str(refused.value))
    result = work.result("core/softmax", ended)
    assert result.state == "not_started" and "--total-evals goes on" in str(result.reason)


def test_the_display_says_spent_and_left(tmp_path: Path) -> None:
    work = Searches(planned(tmp_path, "--total-evals", "20"))
    stream = io.StringIO()
    board = Lines(work._plan.record, 1, purse=work.purse, stream=stream)

    def result(name: str, ended: Ended) -> TaskResult:
        found = broken_off(name, work._plan.device, ended)
        return found.model_copy(update={"spent": Cost(evaluations=3)})

    batch = Batch(tmp_path, work._plan.record, work.unit, result, board, purse=work.purse)
    log = tmp_path / "log"
    log.write_text("")
    batch._told("core/rope", {"evaluations": 2})
    batch._ended(Ended(Unit("core/rope", (), log), 3, ""))
    assert (
        "budget of the batch: 3 of 20 evaluations spent, 17 evaluations left" in stream.getvalue()
    )
    assert render(board, 40) is not None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--total-usd", "0"], "not a number above 0"),
        (["--total-evals", "none"], "not a whole number"),
        (["--device", "x"], "--device x: give auto, cpu or cuda"),
        (["--kernels", "{kernels}", "--total-evals", "3"], "leave out --total-evals"),
        pytest.param(
            ["--ray", "127.0.0.1:1"],
            "no ",
            marks=pytest.mark.skipif(find_spec("ray") is None, reason="the extra ray is not here"),
        ),
    ],
)
def test_bad_input_is_one_line(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kernels = tmp_path / "kernels"
    kernels.mkdir()
    (kernels / "softmax.py").write_text("class ModelNew: pass\n")
    words = [word.format(kernels=kernels) for word in words]
    assert main(["bench", "core", *words, "--out", str(tmp_path / "out")]) == 2
    complaint = [
        ln for ln in capsys.readouterr().err.splitlines() if ln.startswith("kernelwright:")
    ]
    assert len(complaint) == 1 and said in complaint[0]
    assert not (tmp_path / "out").exists()


def test_without_ray_one_line_says_how_to_get_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    words = ["bench", "core", "--ray", "local", "--out", str(tmp_path / "out")]
    assert main(words) == 2
    assert 'pip install "kernelwright[ray]"' in capsys.readouterr().err
