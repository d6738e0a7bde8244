"""`kernelwright tasks new`: what it writes is a task, and nothing is overwritten."""

import json
from pathlib import Path

import pytest
import torch

from kernelwright.cli import main
from kernelwright.harness.parse import language_of, parse_problem
from kernelwright.tasks.load import load_task
from kernelwright.tasks.reference import Reference

Out = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def said(capfd: Out, *words: str) -> str:
    """The one line of a refusal."""
    assert main(["tasks", "new", *words]) == 2
    out = capfd.readouterr()
    assert out.out == ""
    assert out.err.count("\n") == 1
    return out.err


def test_the_template_is_a_task_that_runs(capfd: Out) -> None:
    assert main(["tasks", "new", "row_swish"]) == 0
    shown = capfd.readouterr().out
    assert "kernelwright tasks check row_swish.py" in shown
    task = load_task("row_swish.py")
    assert task.meta.title == "Row swish"
    assert task.meta.shapes
    assert task.meta.hidden
    reference = Reference(task)
    (out,) = reference.run(reference.build(0), reference.inputs(0))
    assert out.isfinite().all()


def test_what_is_there_stays(capfd: Out) -> None:
    Path("mine.py").write_text("kept")
    assert "mine.py is there already" in said(capfd, "mine")
    assert Path("mine.py").read_text() == "kept"
    (Path("start")).mkdir()
    Path("start/other.py").write_text("kept")
    assert "other.py is there already" in said(capfd, "other", "--start")
    assert not Path("other.py").exists()
    assert Path("start/other.py").read_text() == "kept"


def test_a_start_kernel_comes_with_it_and_computes_the_same(capfd: Out) -> None:
    words = ["tasks", "new", "op", "--suite", "deep/mine", "--start", "--translate-to", "cuda"]
    assert main([*words, "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    task = load_task(told["task"])
    assert told["start"] == "deep/mine/start/op.py"
    assert task.meta.translate_to == ("cuda",)
    assert task.start is not None
    assert parse_problem(task.start) is None
    assert language_of(task.start) == "cpp"
    reference = Reference(task)
    model, inputs = reference.build(0), reference.inputs(1)
    space: dict[str, type[torch.nn.Module]] = {}
    exec(task.start, space)
    torch.testing.assert_close(
        space["ModelNew"](*reference.init_args()[0])(*inputs), reference.run(model, inputs)[0]
    )


def test_a_kernel_of_ones_own_is_copied(capfd: Out) -> None:
    Path("mine.py").write_text("class ModelNew: ...")
    assert main(["tasks", "new", "op", "--start", "mine.py"]) == 0
    assert "until it is what the kernel computes" in capfd.readouterr().out
    assert load_task("op.py").start == "class ModelNew: ..."


def test_backward_is_declared() -> None:
    assert main(["tasks", "new", "op", "--backward"]) == 0
    assert load_task("op.py").meta.backward


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["two words"], "is no name for a task"),
        (["../op"], "is no name for a task"),
        (["op", "--translate-to", "cuda"], "add --start KERNEL"),
        (["op", "--start", "gone.py"], "cannot read gone.py"),
        (["op", "--start", "--backward"], "has no backward pass"),
        (["op", "--suite", "file"], "cannot write"),
    ],
)
def test_what_cannot_be_written_is_one_line(words: list[str], why: str, capfd: Out) -> None:
    Path("file").write_text("no folder")
    assert why in said(capfd, *words)
    assert not Path("op.py").exists()


@pytest.mark.slow
def test_the_templates_pass_the_check() -> None:
    for words in (["plain"], ["started", "--start"], ["back", "--backward"]):
        assert main(["tasks", "new", *words]) == 0
        assert main(["tasks", "check", f"{words[0]}.py"]) == 0
