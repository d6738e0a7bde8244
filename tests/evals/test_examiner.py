"""Tasks of strangers are audited and checked behind a fence, whatever they try once they were vetted."""

from __future__ import annotations

from pathlib import Path

import pytest

from kernelwright.agents.roles import Brief
from kernelwright.evals.serving.examiner import Examiner
from kernelwright.evals.serving.fenced import fenced_in, judge_of
from kernelwright.evals.serving.proposer import FencedCoder
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.device import DeviceFacts
from kernelwright.harness.peaks import device_facts
from kernelwright.tasks.audits import recorded
from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.load import load_task

TASK = """
import os
import torch

TASK = {"shapes": [{"N": 30}]}
N = 40

def harm():
    if "KERNELWRIGHT_FENCED" in os.environ:  # the vetting is over
        HARM

class Model(torch.nn.Module):
    def forward(self, x):
        return torch.tanh(x) * 2 + 1

def get_inputs():
    harm()
    return [torch.randn(N, 50)]
"""
KERNEL = """
import torch

class ModelNew(torch.nn.Module):
    def forward(self, x):
        return torch.tanh(x) * 2 + 1
"""


@pytest.fixture(autouse=True)
def _no_task_is_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KERNELWRIGHT_TRUST_TASKS", raising=False)
    monkeypatch.setenv("KERNELWRIGHT_CACHE", str(tmp_path / "cache"))


def written(folder: Path, harm: str) -> str:
    path = folder / "strange.py"
    path.write_text(TASK.replace("HARM", harm))
    return str(path)


@pytest.mark.slow
def test_one_that_attacks_after_its_vetting_reaches_nothing_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    target = tmp_path / "harmed"
    harm = f"""assert "OPENAI_API_KEY" not in os.environ
        try:
            open({str(target)!r}, "w")
        except OSError:
            return
        raise RuntimeError("no fence")"""
    task = load_task(written(tmp_path, harm))
    assert fenced_in(task)
    with Examiner() as examiner:
        found = examiner.check(task, device_facts(2))
    assert not found.faults and found.audit == "sound" and found.shapes == 2
    assert found.record is not None and found.record.hash == task.hash
    assert not target.exists()
    assert recorded(task) is None, "what is kept is for the caller to say"
    with judge_of(task) as judge:
        verdict = judge.evaluate(Candidate(KERNEL, "python"))
    assert verdict.accepted and not target.exists()


@pytest.mark.slow
def test_the_built_in_model_traces_it_behind_the_fence_too(tmp_path: Path) -> None:
    marker = tmp_path / "harmed"
    harm = f"""try:
            open({str(marker)!r}, "w")
        except OSError:
            return
        raise RuntimeError("no fence")"""
    source = TASK.replace("HARM", harm)
    source = source.replace('if "KERNELWRIGHT_FENCED" in os.environ:', "if True:")
    path = tmp_path / "strange.py"
    path.write_text(source)
    brief = Brief(load_task(str(path)), DeviceFacts("cpu", "any", 2), "cpp", 0, 0)
    (candidate,) = FencedCoder().propose(brief).candidates
    assert "class ModelNew" in candidate.source
    assert not marker.exists()


@pytest.mark.slow
def test_one_that_ends_its_process_costs_its_own_result(tmp_path: Path) -> None:
    task = load_task(written(tmp_path, "os._exit(3)"))
    other = tmp_path / "other"
    other.mkdir()
    honest = load_task(written(other, "pass"))
    with Examiner() as examiner:
        with pytest.raises(TaskError, match=r"strange\.py: behind the fence: .* left with 3"):
            examiner.audit(task)
        assert examiner.audit(honest, most_mutants=3, seed=1).hash == honest.hash
