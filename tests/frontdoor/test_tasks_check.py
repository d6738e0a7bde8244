"""`kernelwright tasks check`: a line for each task, its reasons, its status; versions in lists."""

import json
import time
from pathlib import Path

import pytest

from kernelwright.cli import main
from kernelwright.tasks.audits import recorded
from kernelwright.tasks.load import list_suite, suites
from kernelwright.tasks.versions import suite_version

ONE_SHAPE = """
import torch

class Model(torch.nn.Module):
    def forward(self, x):
        return x * 2 + 1

def get_inputs():
    return [torch.randn(40, 50)]
"""


def test_a_fit_task_has_its_shapes_audit_and_floor(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks", "check", "core/adagrad"]) == 0
    shown = capfd.readouterr().out
    assert "core/adagrad  fit    3 shapes  sound      floor " in shown
    assert main(["tasks", "check", "core/adagrad", "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert (found["fit"], found["unfit"]) == (1, 0)
    (task,) = found["tasks"]
    assert task["shapes"] == 3
    assert task["audit"] == "sound"
    assert task["floor_us"] > 0
    assert task["faults"] == []


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (ONE_SHAPE, "one shape only"),
        (ONE_SHAPE.replace("x * 2 + 1", "x.fooo"), "AttributeError"),
        (ONE_SHAPE.replace("x * 2 + 1", "x / 0"), "not finite"),
        (ONE_SHAPE.replace("x * 2 + 1", "x * 0 + 1"), "weak"),
    ],
)
def test_what_is_wrong_with_a_task_is_said(
    source: str, said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    path = tmp_path / "own.py"
    path.write_text(source)
    assert main(["tasks", "check", str(path), "--json"]) == 1
    (task,) = json.loads(capfd.readouterr().out)["tasks"]
    assert not task["fit"]
    assert any(said in fault for fault in task["faults"])


def test_lists_and_shows_name_suite_and_version(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks", "list", "core-mini", "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    version = suite_version(list_suite("core-mini"))
    assert found["suites"] == [{"suite": "core-mini", "version": version, "tasks": 28}]
    assert {task["suite"] for task in found["tasks"]} == {"core"}
    assert main(["tasks", "show", "core/softmax", "--json"]) == 0
    shown = json.loads(capfd.readouterr().out)
    assert shown["suite"] == "core"
    assert shown["version"] == suite_version(list_suite("core"))


@pytest.mark.parametrize("name", suites())
def test_the_audit_of_each_own_task_ships_with_it(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KERNELWRIGHT_CACHE", str(tmp_path))
    for task in list_suite(name):
        record = recorded(task)
        assert record is not None, f"{task.name} is not the text that was audited"
        assert record.verdict == "sound" and not record.left_out


@pytest.mark.slow
def test_all_own_suites_are_fit(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KERNELWRIGHT_CACHE", str(tmp_path))
    begun = time.process_time()
    status = main(["tasks", "check", "--json"])
    seconds = time.process_time() - begun
    found = json.loads(capfd.readouterr().out)
    unfit = {task["task"]: task["faults"] for task in found["tasks"] if not task["fit"]}
    assert not unfit and status == 0
    assert found["fit"] == sum(len(list_suite(name)) for name in suites()) + 12
    assert all(task["shapes"] >= 2 and task["floor_us"] for task in found["tasks"])
    assert seconds < 600, "ten minutes on two cores"
