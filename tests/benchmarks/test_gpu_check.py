"""`./kw gpu-check`: what it says without a GPU, and what of a verdict it keeps."""

import json
import sys
from pathlib import Path

import gpu_check
import pytest
import torch

from kernelwright.agents.roles import Brief, NoIdea, Proposal
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.device import DeviceFacts
from kernelwright.harness.verdict import Finding, Roofline, Speedup, Verdict
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


class Judge:
    """Gives the verdict that a test wants."""

    facts = DeviceFacts("cuda", "any", 1)

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict

    def evaluate(self, candidate: Candidate, *, effort: str) -> Verdict:
        assert effort == "final"
        return self.verdict


GAIN = Speedup(2.0, 1.9, 2.1, 24)
ACCEPTED = Verdict(
    "accepted",
    "done",
    track="custom",
    speedup={"eager": GAIN, "compile": None},
    roofline=Roofline("memory", 0.71),
)
REJECTED = Verdict("rejected", "run", (Finding("wrong_value", "off by one"),))


@pytest.mark.parametrize(
    ("verdict", "result", "says"),
    [
        (ACCEPTED, "accepted", "eager 2.00x, 71% of the memory floor, track custom"),
        (REJECTED, "rejected", "wrong_value: off by one"),
    ],
)
def test_a_row_is_what_the_judge_says(
    monkeypatch: pytest.MonkeyPatch, verdict: Verdict, result: str, says: str
) -> None:
    proposes(monkeypatch, RIGHT)
    row = gpu_check.checked(Task("own", TASK), "triton", Judge(verdict))  # type: ignore[arg-type]
    assert (row["result"], row["says"]) == (result, says)
    assert row["verdict"]["verdict"] == result


def test_no_idea_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    proposes(monkeypatch, None)
    row = gpu_check.checked(Task("own", TASK), "cuda", Judge(ACCEPTED))  # type: ignore[arg-type]
    assert (row["result"], row["verdict"]) == ("none", None)


def test_evidence_says_how_its_times_were_got(tmp_path: Path) -> None:
    rows = [{"task": "own", "language": "cuda", "result": "none", "says": "", "verdict": None}]
    data = json.loads(gpu_check.write(tmp_path, "core", 0, rows).read_text())
    assert data["kernels"] == rows
    assert data["times"].startswith("judged")
