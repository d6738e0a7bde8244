"""Planted Triton bugs are caught at their own line, and correct kernels are not complained of."""

import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    find_spec("triton") is None, reason="Triton is not installed: pip install triton"
)
HERE = Path(__file__).parent
BUGS = sorted((HERE / "bugs").glob("*.py"))
CORRECT = sorted((HERE / "correct").glob("*.py"))
MARK = re.compile(r"# BUG (\w+)")


@pytest.fixture(scope="module")
def outcomes() -> dict[str, dict]:
    """What the guard says of every kernel, by folder and name."""
    found = {}
    for folder in ("bugs", "correct"):
        argv = [sys.executable, str(HERE / "run_kernels.py"), str(HERE / folder)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        found[folder] = json.loads(done.stdout.splitlines()[-1])
    return found


def marked(path: Path) -> tuple[str, int]:
    """The kind of bug and the line that a file says it has."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if found := MARK.search(line):
            return found.group(1), number
    raise AssertionError(f"{path.name} marks no bug")


def caught(path: Path, outcome: dict) -> bool:
    """Whether the bug is found: by name, at its line, or by the values where only they tell."""
    kind, line = marked(path)
    if kind == "wrong":
        return outcome["wrong"] is True
    if kind == "exception":
        return outcome["error"] is not None and outcome["error"]["line"] == line
    if kind == "undefined_lanes":
        return outcome["wrong"] is True and any(c["line"] == line for c in outcome["undefined"])
    return any((c["code"], c["line"]) == (kind, line) for c in outcome["complaints"])


def test_there_are_enough_kernels():
    assert len(BUGS) >= 15
    assert len(CORRECT) >= 15


def test_nearly_all_planted_bugs_are_caught(outcomes: dict[str, dict]):
    missed = [p.stem for p in BUGS if not caught(p, outcomes["bugs"][p.stem])]
    assert len(missed) <= 0.05 * len(BUGS), missed


@pytest.mark.parametrize("path", CORRECT, ids=lambda p: p.stem)
def test_a_correct_kernel_is_not_complained_of(path: Path, outcomes: dict[str, dict]):
    outcome = outcomes["correct"][path.stem]
    assert outcome["complaints"] == []
    assert outcome["error"] is None
    assert outcome["wrong"] is False


def test_a_complaint_names_argument_index_and_program(outcomes: dict[str, dict]):
    (complaint,) = outcomes["bugs"]["no_mask_on_load"]["complaints"]
    assert "'x'" in complaint["message"]
    assert complaint["detail"] == {
        "kernel": "double", "argument": "x", "index": 100, "size": 100, "lanes": 28,
    }  # fmt: skip
