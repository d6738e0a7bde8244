"""The candidates of a run as samples: what was asked, what was written, what the harness said of it.

Nothing is measured anew. Candidates of the tuner are samples too, but nobody was asked for them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from kernelwright.agents import briefing, transcript
from kernelwright.agents.events import read
from kernelwright.agents.roles import Attempt, Brief
from kernelwright.agents.run_state import START, RunState
from kernelwright.evals.dataset.operator_hash import operator_hash
from kernelwright.evals.from_run import task_facts
from kernelwright.harness.device import DeviceFacts
from kernelwright.harness.verdict import Speedup, Verdict
from kernelwright.tasks.errors import TaskError, UsageError
from kernelwright.tasks.load import read_task
from kernelwright.tasks.task import Task

Messages = tuple[tuple[str, str], ...]
"""Role and text of each message."""
Author = Literal["model", "builtin", "tuner", "task"]
"""`task`: the start kernel that a task came with."""


@dataclass(frozen=True)
class Sample:
    """One candidate. What is None is unknown, with the reason in `reasons` by the field's name."""

    run: str
    task: Task
    operator: str
    """Equal for tasks that differ in nothing but their sizes: what a split must not part."""
    attempt: Attempt
    author: Author
    model: str | None
    device: str
    prompt: Messages | None
    """As it was sent."""
    task_prompt: Messages
    """What a first turn is asked for this task, made now."""
    answer: str | None
    reasoning: str | None
    confirmed: Verdict | None
    reasons: Mapping[str, str] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """The kernel."""
        return self.attempt.candidate.source

    @property
    def verdict(self) -> Verdict:
        """That of the final confirmation where there is one, else the search's."""
        return self.confirmed or self.attempt.verdict

    @property
    def correct(self) -> bool:
        """Whether the harness accepted it, in every judgement."""
        return self.attempt.verdict.accepted and self.verdict.accepted

    @property
    def speedup(self) -> Speedup | None:
        """Against eager; None for what was rejected or not timed."""
        return self.verdict.speedup.get("eager") if self.correct else None

    @property
    def length(self) -> int:
        """Characters that a model would be trained to write: reasoning, and answer or kernel."""
        return len(self.reasoning or "") + len(self.answer or self.source)


def samples(folder: Path) -> Iterator[Sample]:
    """Those of a run, in the order in which they were judged. Raises UsageError for what is no run."""
    events, stored = read(folder / "run.db")
    state = RunState.from_events(events, stored)
    asked = _asked(folder)
    try:
        task = read_task(folder / "task.py", str(asked.get("task_name") or folder.parent.name))
    except TaskError as error:
        raise UsageError(f"{folder} is no run: {error}") from error
    device: Mapping[str, Any] = {}
    for event in events:
        if event.kind == "session":
            device = event.data.get("device", device)
    language = str(state.run.get("language", "cpp"))
    prompt = _task_prompt(task, language, device)
    calls = {call.label: call for call in transcript.read(folder) if call.role == "coder"}
    operator = operator_hash(task)
    for attempt in state.attempts:
        if attempt.twin or attempt.verdict.verdict in ("task_error", "harness_error"):
            continue  # nothing was found out of it
        label = f"propose:{attempt.round}"
        call = calls.get(f"{label}:repair") or calls.get(label)
        author = _author(attempt, asked)
        call = call if author == "model" else None
        yield Sample(
            run=folder.name,
            task=task,
            operator=operator,
            attempt=attempt,
            author=author,
            model=call.model if call else None,
            device=str(device.get("name") or "unknown"),
            prompt=call.messages if call else None,
            task_prompt=prompt,
            answer=call.answer if call else None,
            reasoning=(call.reasoning or None) if call else None,
            confirmed=state.confirmed.get(attempt.candidate.id),
            reasons=_reasons(author, call),
        )


def _author(attempt: Attempt, asked: Mapping[str, Any]) -> Author:
    if attempt.choice:
        return "tuner"
    if attempt.round == START:
        return "task"
    return "model" if _asks(asked) else "builtin"


def _reasons(author: Author, call: transcript.Call | None) -> dict[str, str]:
    """Why nothing is known of prompt, answer and reasoning."""
    if call is not None:
        return {} if call.reasoning else {"reasoning": "the provider gave none"}
    why = {
        "task": "the task came with it",
        "tuner": "the tuner set the parameters of another candidate",
        "builtin": "the built-in model is not asked in words",
        "model": "the run has no transcript of that turn",
    }[author]
    return dict.fromkeys(("prompt", "answer", "reasoning", "model"), why)


def _asked(folder: Path) -> Mapping[str, Any]:
    try:
        found = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{folder} is no run: run.json cannot be read: {error}") from error
    return found if isinstance(found, dict) else {}


def _asks(asked: Mapping[str, Any]) -> bool:
    """Whether a language model wrote the candidates."""
    coders = asked.get("coder") or asked.get("model") or "builtin"
    return coders not in ("builtin", ["builtin"])


def _task_prompt(task: Task, language: str, device: Mapping[str, Any]) -> Messages:
    """Operator, machine, format and request of a first turn, as a model would be sent it."""
    facts = DeviceFacts(
        str(device.get("kind") or "cpu"),
        str(device.get("name") or "unknown"),
        int(device.get("threads") or 1),
    )
    said = briefing.coder_turn(Brief(task, facts, language, round=1, seed=0))
    return (("system", briefing.prompt("coder")), ("user", said.front + said.rest))


def prompt_id(prompt: Messages) -> str:
    """Equal for equal prompts."""
    return hashlib.sha256(json.dumps(prompt).encode()).hexdigest()[:16]


def facts_json(task: Task) -> dict[str, Any]:
    """What a row says of its task."""
    facts = task_facts(task)
    return {
        "task": task.name,
        "task_hash": task.hash,
        "suite": facts.suite,
        "category": facts.category,
        "level": facts.level,
    }
