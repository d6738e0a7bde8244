"""`./kw gpu-check`: what it says without a GPU, and that it tells right from wrong."""

import json
import sys
from pathlib import Path

import gpu_check
import pytest
import torch

from kernelwright.agents.roles import Brief, NoIdea, Proposal
from kernelwright.harness.candidate import Candidate
from kernelwright.tasks.task import Task

TASK = """
import torch

class Model(torch.nn.Module):
    def forward(self, x):
        return torch.relu(x) * 2

def get_inputs():
    return [torch.randn(8, 32)]
"""
RIGHT = (
    "import torch\nclass ModelNew(torch.nn.Module):\n  def forward(self, x): return x.relu() * 2\n"
)


def proposes(monkeypatch: pytest.MonkeyPatch, source: str | None) -> None:
    def propose(self: object, brief: Brief) -> Proposal:
        if source is None:
            raise NoIdea("nothing")
        return Proposal((Candidate(source),), "")

    monkeypatch.setattr(gpu_check.BuiltinCoder, "propose", propose)


@pytest.mark.skipif(torch.cuda.is_available(), reason="for machines with no GPU")
def test_without_a_gpu_it_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu_check.py"])
    assert gpu_check.main() == gpu_check.MISSING
    said = capsys.readouterr().err
    assert "no GPU" in said or "built without CUDA" in said


@pytest.mark.parametrize(
    ("source", "result"),
    [
        (RIGHT, "right"),
        (RIGHT.replace("* 2", "* 2.01"), "wrong"),
        (RIGHT.replace("x.relu()", "x.no_such()"), "wrong"),
        (None, "none"),
    ],
)
def test_right_and_wrong_are_told_apart(
    monkeypatch: pytest.MonkeyPatch, source: str | None, result: str
) -> None:
    proposes(monkeypatch, source)
    row = gpu_check.checked(Task("own", TASK), "triton", "cpu")
    assert row["result"] == result
    assert row["times_ms"] is None
    assert bool(row["says"]) == (result != "right")


def test_evidence_says_that_its_times_are_not_judged(tmp_path: Path) -> None:
    rows = [{"task": "own", "language": "cuda", "result": "right", "says": "", "times_ms": None}]
    data = json.loads(gpu_check.write(tmp_path, "core", 0, rows).read_text())
    assert data["kernels"] == rows
    assert "not judged" in data["times"]
