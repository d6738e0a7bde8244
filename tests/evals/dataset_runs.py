"""Runs on disk with candidates, verdicts and a transcript, written event by event."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kernelwright.agents.events import EventLog
from kernelwright.agents.models.base import Message, Reply
from kernelwright.agents.transcript import Transcript
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.verdict import Finding, Speedup, Verdict

TASK = '''
"""A task."""
import torch

ROWS = {rows}
TASK = {{"hidden": [{{"ROWS": 7717}}]}}

class Model(torch.nn.Module):
    def forward(self, x):
        return {op}

def get_inputs():
    return [torch.randn(ROWS, 32)]
'''


def kernel(body: str) -> Candidate:
    return Candidate(f"class ModelNew:\n    kind = {body!r}\n", "cpp")


def accepted(median: float) -> Verdict:
    gain = Speedup(median, median * 0.95, median * 1.05, 24)
    return Verdict("accepted", "done", track="custom", speedup={"eager": gain})


def rejected(message: str = "off by 3") -> Verdict:
    return Verdict("rejected", "correctness", (Finding("wrong_value", message),))


class Run:
    """Writes a run of a task."""

    def __init__(
        self, out: Path, name: str, *, op: str = "torch.relu(x)", rows: int = 64, model: str = "m"
    ) -> None:
        self.folder = out / f"own-{name}" / "20260101-000000-abcd"
        self.folder.mkdir(parents=True)
        (self.folder / "task.py").write_text(TASK.format(op=op, rows=rows))
        asked = {"task": name, "task_name": name, "task_hash": name, "model": [model]}
        (self.folder / "run.json").write_text(json.dumps(asked))
        self.log = EventLog(self.folder)
        self.transcript = Transcript(self.folder)
        self.event("run", "run", task=name, task_hash="ab", seed=7, language="cpp")
        device = {"kind": "cpu", "name": "Some Processor", "threads": 2}
        self.event("session", "1", settings={}, device=device)

    def event(self, kind: str, key: str, /, *named: Candidate, **data: Any) -> None:
        self.log.append(kind, key, data, named)

    def turn(
        self,
        number: int,
        candidate: Candidate,
        verdict: Verdict,
        *,
        asked: str | None = None,
        answer: str = "",
        reasoning: str = "",
        choice: dict[str, int] | None = None,
        parent: str | None = None,
    ) -> None:
        """One candidate; with `asked`, what its model was sent."""
        if asked is not None:
            messages = [Message("system", "be fast"), Message("user", asked)]
            reply = Reply(answer or candidate.source, reasoning=reasoning)
            self.transcript.add(f"propose:{number}", "coder", "m", messages, reply)
        self.event(
            "finished",
            f"evaluate:{candidate.id}",
            candidate,
            verdict=verdict.to_json(),
            round=number,
            parent=parent,
            note="",
            choice=choice or {},
            against=None,
            took=None,
        )

    def close(self) -> Path:
        self.log.close()
        return self.folder
