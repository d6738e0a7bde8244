"""Suites of others from the command line: lists, one task, broken files among good ones."""

import json
from pathlib import Path

import pytest

from kernelwright.cli import main

TASK = """
import os
import torch

class Model(torch.nn.Module):
    def forward(self, x):
        return torch.tanh(x * {factor})

rows = 40

def get_inputs():
    return [torch.randn(rows, 16)]

def get_init_inputs():
    return []
"""
GOOD = TASK.replace("{factor}", "2.0")
KERNEL = GOOD.replace("class Model(", "class ModelNew(")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two tasks that run, one of them weak, two that do not, and two that are none."""
    monkeypatch.setenv("KERNELWRIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("KERNELWRIGHT_TRUST_TASKS", raising=False)
    root = tmp_path / "bench"
    (root / "level1").mkdir(parents=True)
    for name, text in {
        "1_good": GOOD,
        "2_weak": TASK.replace("{factor}", "1.0000001"),
        "3_crash": GOOD.replace("torch.tanh(x * 2.0)", "os.abort()"),
        "4_type": GOOD.replace("[torch.randn(rows, 16)]", "['text']"),
        "5_syntax": GOOD + "def (",
        "6_empty": "",
    }.items():
        (root / "level1" / f"{name}.py").write_text(text)
    return root


def test_lists_name_what_was_refused(checkout: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks", "list", str(checkout), "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert [task["task"] for task in found["tasks"]] == [
        f"kernelbench/level1/{name}" for name in ("1_good", "2_weak", "3_crash", "4_type")
    ]
    assert {task["suite"] for task in found["tasks"]} == {"kernelbench"}
    (suite,) = found["suites"]
    assert [refusal["name"] for refusal in suite["refused"]] == [
        "level1/5_syntax",
        "level1/6_empty",
    ]


def test_a_check_goes_on_behind_broken_files(
    checkout: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["tasks", "check", f"kernelbench-cpu:{checkout}"]) == 1
    shown = capfd.readouterr().out.splitlines()

    def lines(name: str) -> list[str]:
        (at,) = [
            i for i, line in enumerate(shown) if line.startswith(f"kernelbench-cpu/level1/{name}")
        ]
        end = next((i for i in range(at + 1, len(shown)) if not shown[i].startswith(" ")), at + 1)
        return shown[at:end]

    assert "fit" in lines("1_good")[0] and len(lines("1_good")) == 1
    assert "weak" in lines("2_weak")[0]
    assert len(lines("3_crash")) == 2 and "died of SIGABRT" in lines("3_crash")[1]
    assert len(lines("4_type")) == 2 and "is a str" in lines("4_type")[1]
    assert "kernelbench-cpu/level1/5_syntax refused: " in lines("5_syntax")[0]
    assert shown[-1] == "4 loaded, 2 refused; 2 run here, 1 weak; 1 fit, 3 unfit"


def test_one_task_is_shown_and_broken_ones_end_in_one_line(
    checkout: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    name = f"kernelbench-cpu:{checkout}/level1/1_good"
    assert main(["tasks", "show", name, "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert (found["suite"], found["level"]) == ("kernelbench-cpu", 1)
    assert found["version"]
    kernel = tmp_path / "kernel.py"
    kernel.write_text(KERNEL)
    assert main(["verify", f"kernelbench:{checkout}/level1/3_crash", str(kernel)]) == 2
    said = capfd.readouterr().err.strip().splitlines()
    assert "3_crash.py" in said[-1] and "SIGABRT" in said[-1]
    assert not any("Traceback" in line for line in said)
    for wrong in ("5_syntax", "7_nothing"):
        assert main(["tasks", "show", f"kernelbench:{checkout}/level1/{wrong}"]) == 2
        assert len(capfd.readouterr().err.strip().splitlines()) == 1


@pytest.mark.parametrize("command", [["tasks", "audit"], ["bench"]])
def test_a_folder_without_any_task_that_can_be_read_is_one_line(
    command: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "syntax.py").write_text(GOOD + "def (")
    assert main([*command, str(tmp_path)]) == 2
    (said,) = capfd.readouterr().err.strip().splitlines()
    assert "holds no task that can be read: syntax: syntax.py:" in said


@pytest.mark.slow
def test_an_audit_of_a_plain_folder_has_a_line_for_each_file(
    checkout: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["tasks", "audit", str(checkout / "level1")]) == 2
    shown = capfd.readouterr()
    said = {
        line.split()[0].partition("/")[2]: line
        for line in shown.out.splitlines()
        if line.startswith("level1/")
    }
    assert list(said) == ["1_good", "2_weak", "3_crash", "4_type", "5_syntax", "6_empty"]
    assert said["1_good"].endswith("sound") and said["2_weak"].endswith("weak")
    assert "SIGABRT" in said["3_crash"] and "is a str" in said["4_type"]
    assert "refused" in said["5_syntax"] and "refused" in said["6_empty"]
    assert "Traceback" not in shown.out + shown.err
    assert "2 of 4 tasks cannot be judged" in shown.err
