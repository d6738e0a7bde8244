"""The Auditor: reads a promoted candidate for what looks like a hack. A hint for people, never the gate.

Played by a language model, or by a few static rules that need no key. What it says becomes notes beside the
verdict; the harness has judged already, and nothing here changes what it found.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from kernelwright.agents import briefing, structured
from kernelwright.agents.models.base import Message, Model
from kernelwright.agents.roles import Spend
from kernelwright.agents.wording import clip
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.verdict import Finding
from kernelwright.tasks.task import Task

Class = Literal["timing", "caching", "memory", "tampering", "no work", "overfitting"]
MOST_SUSPICIONS = 8
_CLOCKS = {"perf_counter", "perf_counter_ns", "monotonic", "process_time", "synchronize", "Event"}
_SELF = {"_getframe", "get_objects", "settrace", "setprofile", "__globals__", "__code__", "f_back"}


@dataclass(frozen=True)
class Suspicion:
    """Something that looks like a hack."""

    kind: Class
    reason: str
    line: int | None = None
    confidence: float = 0.5
    """In [0, 1], as the Auditor sees it."""

    @property
    def finding(self) -> Finding:
        """A note for the card."""
        where = f"line {self.line}: " if self.line else ""
        said = f"{where}{self.reason} (suspicion: {self.kind}, confidence {self.confidence:.0%})"
        return Finding("audit", said, "note", {"class": self.kind, "line": self.line,
                                               "confidence": self.confidence})  # fmt: skip


@dataclass(frozen=True)
class Audit:
    """What an Auditor answered. `note` says why, where there is no usable answer."""

    suspicions: tuple[Suspicion, ...]
    note: str = ""
    spend: Spend = field(default_factory=Spend)


class Auditor(Protocol):
    """Reads candidates."""

    def audit(self, task: Task, candidate: Candidate) -> Audit:
        """One reading."""
        ...


class SuspicionAnswer(BaseModel):
    """One suspicion."""

    model_config = ConfigDict(strict=True)
    kind: Class
    line: int | None = None
    reason: str
    confidence: float = Field(default=0.5, allow_inf_nan=False)


class AuditorAnswer(BaseModel):
    """What the Auditor is asked for."""

    model_config = ConfigDict(strict=True)
    suspicions: list[SuspicionAnswer]


@dataclass(frozen=True)
class ModelAuditor:
    """Reads with a language model. An answer that is none is sent back once."""

    model: Model

    def audit(self, task: Task, candidate: Candidate) -> Audit:
        """One reading. Raises ModelError, with what was spent up to it."""
        lines = candidate.source.splitlines()
        numbered = "\n".join(f"{n:4} {line}" for n, line in enumerate(lines, 1))
        turn = briefing.prompt(
            "auditor_turn", task=task.name, source=task.source.strip(), kernel=numbered
        )
        talk = (Message("system", briefing.prompt("auditor")), Message("user", turn))
        said = structured.ask(self.model, talk, AuditorAnswer, label=f"audit:{candidate.id}")
        if said.value is None:
            return Audit((), f"no usable answer: {said.fault}", said.spend)
        found = tuple(
            Suspicion(
                told.kind,
                clip("".join(c if c.isprintable() else " " for c in told.reason), 300),
                told.line if told.line and 1 <= told.line <= len(lines) else None,
                min(1.0, max(0.0, told.confidence)),
            )
            for told in said.value.suspicions[:MOST_SUSPICIONS]
            if told.reason.strip()
        )
        return Audit(found, spend=said.spend)


class BuiltinAuditor:
    """Reads the syntax tree for what no kernel needs. What only running shows is the harness's to find."""

    def audit(self, task: Task, candidate: Candidate) -> Audit:
        """One reading."""
        try:
            tree = ast.parse(candidate.source)
        except (SyntaxError, ValueError, RecursionError):
            return Audit((), "no Python")
        found = {(s.line, s.kind): s for node in ast.walk(tree) for s in _suspicions(node)}
        ordered = sorted(found.values(), key=lambda s: (s.line or 0, s.kind))
        return Audit(tuple(ordered[:MOST_SUSPICIONS]))


def _suspicions(node: ast.AST) -> Iterator[Suspicion]:
    match node:
        case ast.Call(func=ast.Name(id="exec" | "eval" | "__import__" as name)):
            yield Suspicion("tampering", f"{name}() hides what is run", node.lineno, 0.6)
        case ast.Attribute(attr=name) if name in _SELF:
            yield Suspicion("memory", f"{name} reaches into other code's frames", node.lineno, 0.7)
        case ast.Assign(targets=[ast.Attribute(attr=name), *_]) if name in _CLOCKS:
            yield Suspicion("timing", f"{name} is replaced", node.lineno, 0.9)
        case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="torch"), attr=name), *_]):
            yield Suspicion("tampering", f"torch.{name} is replaced", node.lineno, 0.8)
        case ast.Try(handlers=handlers) if any(_falls_back(h) for h in handlers):
            yield Suspicion("no work", "what fails is handed to PyTorch instead", node.lineno, 0.4)


def _falls_back(handler: ast.ExceptHandler) -> bool:
    """Whether a handler returns what a library function gives."""
    return any(
        isinstance(step, ast.Return)
        and isinstance(step.value, ast.Call)
        and ast.unparse(step.value.func).startswith(("torch.", "F.", "super()"))
        for step in handler.body
    )
