"""The Tester: writes inputs that it believes break a candidate. The harness runs them and judges.

What it writes is data (`harness/counterexample.py`), never code. Played by a language model here, without
a key by `agents/builtin/tester.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kernelwright.agents import briefing, structured
from kernelwright.agents.models.base import Message, Model
from kernelwright.agents.roles import Spend
from kernelwright.agents.wording import clip
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.counterexample import (
    LONGEST,
    MOST_EDITS,
    MOST_INPUTS,
    OWN,
    Kind,
    Layout,
    Probe,
    Special,
)
from kernelwright.harness.realise import InputFacts
from kernelwright.tasks.task import Task

MOST_PROBES = 8
"""Probes that are taken from one answer of a model."""


@dataclass(frozen=True)
class Challenge:
    """What a Tester is told: a candidate that was accepted, and what may be put to it."""

    task: Task
    candidate: Candidate
    inputs: tuple[InputFacts, ...]
    shapes: tuple[str, ...] = (OWN,)
    """Shapes whose failures count."""
    seed: int = 0


@dataclass(frozen=True)
class Attack:
    """What a Tester answered. No probes: it has no idea, or nothing usable was in the answer."""

    probes: tuple[Probe, ...]
    note: str = ""
    spend: Spend = field(default_factory=Spend)


class Tester(Protocol):
    """Writes probes."""

    def attack(self, challenge: Challenge) -> Attack:
        """One turn."""
        ...


class EditAnswer(BaseModel):
    """One element set by itself."""

    model_config = ConfigDict(strict=True, extra="forbid")
    index: int
    value: float | Special
    every_row: bool = False


class PlanAnswer(BaseModel):
    """How one input is made."""

    model_config = ConfigDict(strict=True, extra="forbid")
    input: int
    kind: Kind = "own"
    scale: float = Field(default=1.0, allow_inf_nan=False)
    shift: float = Field(default=0.0, allow_inf_nan=False)
    count: int = 3
    edits: list[EditAnswer] = []
    layout: Layout = "contiguous"


class ProbeAnswer(BaseModel):
    """Inputs of one call."""

    model_config = ConfigDict(strict=True, extra="forbid")
    why: str = ""
    shape: str = OWN
    offset: int = 0
    inputs: list[PlanAnswer] = []


class TesterAnswer(BaseModel):
    """What the Tester is asked for. Single probes are checked one by one: a bad one costs no other."""

    model_config = ConfigDict(strict=True)
    probes: list[Any]


class _Form(BaseModel):
    """The same as a form for providers that hold answers to a schema."""

    probes: list[ProbeAnswer]


_Form.__name__ = "TesterAnswer"


@dataclass(frozen=True)
class ModelTester:
    """Writes probes with a language model. An answer without any is sent back once."""

    model: Model

    def attack(self, challenge: Challenge) -> Attack:
        """One turn. Raises ModelError, with what was spent up to it."""
        talk = (
            Message("system", briefing.prompt("tester")),
            Message("user", _turn(challenge)),
        )
        label = f"tester:{challenge.candidate.id}"
        said = structured.ask(self.model, talk, TesterAnswer, label=label, form=_Form)
        if said.value is None:
            return Attack((), f"no usable answer: {said.fault}", said.spend)
        probes, faults = _probes(said.value.probes, challenge.seed)
        note = f"{len(faults)} unusable: {clip(faults[0], 120)}" if faults else ""
        return Attack(probes, note, said.spend)


def _probes(given: Sequence[Any], seed: int) -> tuple[tuple[Probe, ...], list[str]]:
    """The usable ones, each once, and what is wrong with the others."""
    found: dict[str, Probe] = {}
    faults = []
    for number, item in enumerate(given[:MOST_PROBES]):
        try:
            told = ProbeAnswer.model_validate(item).model_dump()
            told["why"] = clip("".join(c for c in told["why"] if c.isprintable()), LONGEST - 1)
            told["inputs"] = told["inputs"][:MOST_INPUTS]
            probe = Probe.from_json({**told, "seed": (seed + number) % (1 << 31)})
        except (ValidationError, ValueError) as error:
            faults.append(str(error).splitlines()[0])
        else:
            found.setdefault(probe.id, probe)
    return tuple(found.values()), faults


def _turn(challenge: Challenge) -> str:
    return briefing.prompt(
        "tester_turn",
        task=challenge.task.name,
        source=challenge.task.source.strip(),
        kernel=challenge.candidate.source.strip(),
        inputs="\n".join(f"- {i}: {facts.words}" for i, facts in enumerate(challenge.inputs)),
        shapes="\n".join(f"- `{shape}`" for shape in challenge.shapes),
        most=str(MOST_PROBES),
        edits=str(MOST_EDITS),
    )
