"""`bench`: which tasks and which files it takes, where it works, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kernelwright.bench.kernels import kernels_below
from kernelwright.bench.units import Judgements, Searches
from kernelwright.cli import build_parser, main
from kernelwright.evals import record as records
from kernelwright.evals.pool import Ended
from kernelwright.harness.verdict import Finding, Speedup, Verdict
from kernelwright.tasks.load import list_suite


def planned(tmp_path: Path, *words: str):
    from kernelwright.bench.plan import plan

    args = build_parser().parse_args(["bench", "core", "--out", str(tmp_path), *words])
    return plan(args)


def test_the_same_command_means_the_same_folder(tmp_path: Path) -> None:
    first = planned(tmp_path, "--tasks", "softmax,rope*")
    assert first.record.tasks == ("core/rope", "core/rope_interleaved", "core/softmax")
    assert first.folder == planned(tmp_path, "--tasks", "core/softmax,rope*").folder
    others = [
        planned(tmp_path, "--tasks", "softmax"),
        planned(tmp_path, "--tasks", "softmax,rope*", "--seed", "1"),
        planned(tmp_path, "--tasks", "softmax,rope*", "--budget-evals", "3"),
        planned(tmp_path, "--tasks", "softmax,rope*", "--memory", "all"),
    ]
    assert len({first.folder, *(other.folder for other in others)}) == 5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nosuite"], "no suite 'nosuite'"),
        (["core", "--tasks", "nothing"], "--tasks nothing"),
        (["core", "--kernels", "/nowhere"], "no such folder"),
        (["core", "--resume", "--tasks", "softmax"], "nothing to resume"),
        (["core", "--parallel", "0"], "at least 1"),
        (["core", "--model", "nobody:x"], "nobody"),
        (["core", "--ablate", "everything"], "ablation 'everything'"),
    ],
)
def test_bad_input_is_one_line(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", *words, "--out", str(tmp_path / "out")]) == 2
    shown = capsys.readouterr()
    assert said in shown.err and shown.err.count("\n") == 1 and not shown.out
    assert not (tmp_path / "out").exists()


def test_a_search_is_called_with_the_options_and_goes_on_where_it_was(tmp_path: Path) -> None:
    asked = planned(tmp_path, "--tasks", "softmax", "--budget-evals", "3", "--price", "m=1,2")
    work = Searches(asked)
    words = work.unit("core/softmax").arguments
    assert words[:2] == ("optimize", "core/softmax")
    assert words[words.index("--budget-evals") :][:2] == ("--budget-evals", "3")
    assert words[words.index("--price") :][:2] == ("--price", "m=1,2")
    assert "--resume" not in words
    run = asked.folder / "runs" / "core-softmax" / "20260101-000000-abcd"
    run.mkdir(parents=True)
    (run / "run.db").touch()
    (run / "run.json").touch()
    words = work.unit("core/softmax").arguments
    assert words[-2:] == ("--resume", run.name)


def test_kernels_are_found_by_the_name_of_their_task(tmp_path: Path) -> None:
    files = {
        "softmax.py": "core/softmax",
        "core-softmax__2.py": "core/softmax",
        "core/softmax/third.py": "core/softmax",
        "core-rope/20260101/champion/kernel.py": "core/rope",
        "core-rope/20260101/task.py": None,
        "helpers/common.py": "a stranger",
    }
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"# {name}\n")
    found = kernels_below(tmp_path, list_suite("core"))
    assert {task: len(paths) for task, paths in found.of.items()} == {
        "core/softmax": 3,
        "core/rope": 1,
    }
    assert [file.name for file in found.strangers] == ["common.py"]


def test_the_best_kernel_of_a_task_stands_for_it(tmp_path: Path) -> None:
    kernels = tmp_path / "kernels"
    kernels.mkdir()
    verdicts = [
        Verdict("accepted", "done", speedup={"eager": Speedup(2.0, 1.5, 2.5, 9)}),
        Verdict("accepted", "done", speedup={"eager": Speedup(9.0, 1.1, 20.0, 9)}),
        Verdict("rejected", "correctness", (Finding("wrong_value", "no"),)),
    ]
    for number in range(3):
        (kernels / f"softmax__{number}.py").write_text(f"# {number}\n")
    work = Judgements(planned(tmp_path, "--tasks", "softmax,rope", "--kernels", str(kernels)))
    unit = work.unit("core/softmax")
    unit.log.parent.mkdir(parents=True, exist_ok=True)
    unit.log.write_text("it fell over\n")
    assert work.result("core/softmax", Ended(unit, 3, "")).state == "harness_error"
    folder = Path(unit.arguments[1])
    folder.mkdir(parents=True)
    from kernelwright.evals.judge import candidate_in

    for number, verdict in enumerate(verdicts):
        candidate = candidate_in(kernels / f"softmax__{number}.py")
        (folder / f"{candidate.id}.json").write_text(json.dumps(verdict.to_json()))
    result = work.result("core/softmax", Ended(unit, 0, ""))
    assert result.best is not None and result.best.source == "# 0\n"  # by its low end
    assert result.samples is not None
    assert (result.samples.n, result.samples.correct) == (3, 2)
    nothing = work.result("core/rope", Ended(work.unit("core/rope"), 0, ""))
    assert nothing.state == "done" and nothing.reason == "there is no kernel"
    assert records.missing("core/rope", result.device).state == "not_started"


@pytest.mark.slow
def test_a_batch_of_kernels_from_end_to_end(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """With the real harness, each task in a process of its own."""
    kernels = tmp_path / "kernels"
    kernels.mkdir()
    (kernels / "softmax.py").write_text(
        "import torch\nclass ModelNew(torch.nn.Module):\n"
        "    def forward(self, x):\n        return torch.softmax(x, -1)\n"
    )
    (kernels / "rope.py").write_text("class ModelNew: pass\n")
    words = ["bench", "core", "--tasks", "softmax,rope", "--kernels", str(kernels)]
    status = main([*words, "--out", str(tmp_path / "out"), "--json"])
    data = json.loads(capfd.readouterr().out)
    found = {r["task"]: r for r in data["results"]}
    assert found["core/rope"]["best"] is None
    assert found["core/rope"]["attempts"]["rows"][0]["verdict"] == "rejected"
    best = found["core/softmax"]["best"]
    assert best is not None and best["verdict"]["track"] == "library" and status == 0
    folder = next((tmp_path / "out").iterdir())
    assert (
        "1 of 2" in (folder / "summary.md").read_text()
        or "2 of 2" in (folder / "summary.md").read_text()
    )
    assert main([*words, "--out", str(tmp_path / "out"), "--resume", "--json"]) == 0
