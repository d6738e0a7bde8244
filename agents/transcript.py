"""The transcript of a run: what its models were sent and what they answered, as `transcript.jsonl`.

The event log says what was done and what it cost; this says how, for those who read along or train models.
One line a call, in the order of the answers, without keys. A run does not need it to go on: a line that a
kill cut off is passed over.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kernelwright.agents.models.base import Message, Reply
from kernelwright.agents.models.keys import redacted

FILE_NAME = "transcript.jsonl"


@dataclass(frozen=True)
class Call:
    """One call of a model that was answered."""

    label: str
    """Names it within the run: `propose:3`, `judge:3:repair`."""
    role: str
    model: str
    """Spec of the model."""
    messages: tuple[tuple[str, str], ...]
    """Role and text of each, as sent."""
    answer: str
    reasoning: str
    """As far as the provider shows it; else empty."""
    stop: str


class Transcript:
    """Appends to the file of a run. Any thread may."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._lock = threading.Lock()

    def add(
        self, label: str, role: str, model: str, messages: Sequence[Message], reply: Reply
    ) -> None:
        """Write one call down."""
        line: dict[str, Any] = {
            "label": label,
            "role": role,
            "model": model,
            "messages": [{"role": m.role, "text": m.text} for m in messages],
            "answer": reply.text,
            "reasoning": reply.reasoning,
            "stop": reply.stop,
        }
        text = json.dumps(redacted(line), ensure_ascii=False)
        with self._lock, self._path.open("a", encoding="utf-8", errors="replace") as file:
            file.write(text + "\n")


def read(folder: Path) -> Iterator[Call]:
    """The calls of a run, in order; none where it has no transcript."""
    path = folder / FILE_NAME
    if not path.is_file():
        return
    with path.open(encoding="utf-8") as file:
        for line in file:
            try:
                found = json.loads(line)
                said = tuple((m["role"], m["text"]) for m in found["messages"])
                texts = (found[name] for name in ("answer", "reasoning", "stop"))
                yield Call(found["label"], found["role"], found["model"], said, *texts)
            except (ValueError, KeyError, TypeError):  # cut off by a kill
                continue
