"""`kernelwright tasks audit`: its table, its object, its status; what list, show and verify say after it."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kernelwright.cli import main
from kernelwright.commands import tasks as command
from kernelwright.tasks.loaders.loader import Loaded
from kernelwright.work_bar import bar

WEAK = """
import torch
class Model(torch.nn.Module):
    def forward(self, x):
        return torch.tanh(x * 1.0000001)
def get_inputs():
    return [torch.randn(4, 64)]
"""
SOUND = WEAK.replace("1.0000001", "2.0")
CONSTANT = WEAK.replace("torch.tanh(x * 1.0000001)", "torch.softmax(x.mean(1, keepdim=True), 1)")
KERNEL = SOUND.replace("Model", "ModelNew")

Write = Callable[[str, str], Path]


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KERNELWRIGHT_CACHE", str(tmp_path / "cache"))


def test_a_sound_task(write: Write, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path, out = write("sound.py", SOUND), tmp_path / "found.json"
    assert main(["tasks", "audit", str(path), "--json", "--out", str(out)]) == 0
    shown = capfd.readouterr()
    found = json.loads(shown.out)
    assert (found["sound"], found["weak"]) == (1, 0)
    (task,) = found["tasks"]
    assert (task["task"], task["verdict"], task["survivors"]) == ("sound", "sound", [])
    assert task["mutants"] == task["killed"] + len(task["equivalent"]) > 10
    assert json.loads(out.read_text()) == found
    assert "\x1b" not in shown.err, "no bar where there is no terminal"


def test_a_weak_task(write: Write, capfd: pytest.CaptureFixture[str]) -> None:
    path = write("weak.py", WEAK)
    assert main(["tasks", "show", str(path), "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["audit"] == "unaudited"
    assert main(["tasks", "audit", str(path)]) == 1
    shown = capfd.readouterr().out
    assert shown.splitlines()[0].split() == [
        "task", "mutants", "killed", "equivalent", "survivors", "verdict",
    ]  # fmt: skip
    assert "weak" in shown.splitlines()[1]
    assert "survives (source): line 5: x * 1.0000001 -> x" in shown
    assert main(["tasks", "show", str(path), "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["audit"] == "weak"


def test_the_bound_on_mutants_is_told(write: Write, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks", "audit", str(write("sound.py", SOUND)), "--most", "3"]) == 0
    assert "mutants were left out" in capfd.readouterr().out


def test_a_suite_goes_on_after_a_task_that_cannot_be_judged(
    write: Write, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = write("broken.py", SOUND.replace("torch.tanh(", "torch.no_such("))
    suite = [command.load_task(p) for p in (broken, write("sound.py", SOUND))]
    monkeypatch.setattr(command, "is_suite", lambda name: name == "mine")
    monkeypatch.setattr(command, "load_suite", lambda name: Loaded(name, tuple(suite)))
    assert main(["tasks", "audit", "mine"]) == 2
    shown = capfd.readouterr()
    assert "sound" in shown.out
    assert "1 of 2 tasks cannot be judged" in shown.err and "no_such" in shown.err


@pytest.mark.parametrize(
    ("argument", "said"), [("nonesuch", "no task 'nonesuch'"), ("missing.py", "no such file")]
)
def test_bad_arguments(argument: str, said: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks", "audit", argument]) == 2
    shown = capfd.readouterr()
    assert said in shown.err and not shown.out
    assert len(shown.err.splitlines()) == 1


def test_lists_say_which_tasks_are_sound(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks", "list", "core"]) == 0
    shown = capfd.readouterr().out
    line = next(line for line in shown.splitlines() if line.startswith("core/softmax"))
    assert line.split()[1] == "sound"
    assert main(["tasks", "list", "core", "--json"]) == 0
    assert {t["audit"] for t in json.loads(capfd.readouterr().out)["tasks"]} == {"sound"}


def test_verify_refuses_a_task_that_a_constant_passes(
    write: Write, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(write("constant.py", CONSTANT)), str(write("kernel.py", KERNEL))]
    assert main(["verify", *arguments, "--json"]) == 2
    shown = capfd.readouterr()
    verdict = json.loads(shown.out)
    assert verdict["verdict"] == "task_error"
    assert "constant is weak: one constant passes every check" in verdict["findings"][0]["message"]
    assert len(shown.err.splitlines()) == 1
    assert main(["optimize", arguments[0], "--json"]) == 2
    assert "is weak" in capfd.readouterr().err


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_the_bar_is_drawn_on_a_terminal_only() -> None:
    for stream, drawn in ((Terminal(), True), (io.StringIO(), False)):
        with bar(stream, 2) as progress:
            progress.step("one")(3, 3)
            progress.step("two")(1, 4)
        assert ("two: mutant 1 of 4" in stream.getvalue()) is drawn
        assert ("1/2" in stream.getvalue()) is drawn
