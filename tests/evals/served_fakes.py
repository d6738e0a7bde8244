"""A task, a candidate, and what an evaluator of them says; imported by name, by Ray's workers too."""

from __future__ import annotations

import time
from pathlib import Path

from kernelwright.agents.roles import Target
from kernelwright.evals.serving.messages import Opened, Reply, Request
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.counterexample import Probe
from kernelwright.harness.device import DeviceFacts
from kernelwright.harness.verdict import Speedup, Verdict
from kernelwright.tasks.task import Task

SOURCE = """
import torch

class Model(torch.nn.Module):
    def forward(self, x):
        return torch.relu(x)

def get_inputs():
    return [torch.randn(64, 64)]
"""
TASK = Task("relu", SOURCE)
CANDIDATE = Candidate(
    "import torch\nclass ModelNew(torch.nn.Module):\n"
    "    def forward(self, x):\n        return torch.clamp(x, min=0)\n",
    "python",
)
PROBE = Probe(seed=7)
OPENED = Opened(DeviceFacts("cpu", "Some Processor", 2), Target(), ("own",), (), (), {"torch": "2"})
STEP_S = 0.5


def verdict(factor: float) -> Verdict:
    """Accepted, so many times as fast as eager."""
    gain = Speedup(factor, factor * 0.9, factor * 1.1, 9)
    return Verdict("accepted", "done", speedup={"eager": gain}, language="python")


class SlowHost:
    """In the place of `Host`: takes a while for each verdict, and writes down where it works."""

    def __init__(self, kind: str) -> None:
        import os

        import ray

        self._node = ray.get_runtime_context().get_node_id()
        self._diary = Path(os.environ["DIARY"])

    def call(self, request: Request) -> Reply:
        """Faked."""
        if request.what == "open":
            return Reply(OPENED)
        if request.what == "evaluate":
            with self._diary.open("a") as file:
                file.write(f"{self._node}\n")
            time.sleep(STEP_S)
            return Reply(verdict(2.0))
        return Reply(None)
