"""Coder and Judge played by a Model, with the prompts of `agents/prompts/`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from kernelwright.agents import answers, briefing
from kernelwright.agents.models.base import Message, Model, ModelError, Reply
from kernelwright.agents.roles import Advice, Attempt, Brief, Proposal
from kernelwright.harness.candidate import Candidate


@dataclass(frozen=True)
class ModelCoder:
    """Writes candidates with a language model."""

    model: Model
    candidates: int = 1
    """Most files that are taken from one answer, the last ones."""

    def propose(self, brief: Brief) -> Proposal:
        """One turn, one call. Raises ModelError."""
        talk = (
            Message("system", briefing.prompt("coder")),
            Message("user", briefing.coder_turn(brief)),
        )
        reply = self.model.ask(talk, label=f"propose:{brief.round}")
        found = tuple(
            Candidate(source, brief.language)
            for source in answers.files(reply.text, self.candidates)
        )
        note = answers.note(reply.text) if found else _unusable(reply)
        return Proposal(found, note, reply.spend)


@dataclass(frozen=True)
class ModelJudge:
    """Gives advice with a language model. An answer that is no advice is sent back once."""

    model: Model

    def advise(self, brief: Brief, attempt: Attempt) -> Advice:
        """One advice. Raises ModelError, with what was spent up to it."""
        talk = [
            Message("system", briefing.prompt("judge")),
            Message("user", briefing.judge_turn(brief, attempt)),
        ]
        label = f"judge:{brief.round}"
        kind = "optimize" if attempt.verdict.accepted else "correct"
        reply = self.model.ask(talk, label=label)
        spend = reply.spend
        advice, fault = read_advice(reply.text)
        if fault:
            said = reply.text or "(nothing)"
            talk.append(Message("assistant", said))
            talk.append(Message("user", briefing.prompt("judge_repair", fault=fault)))
            try:
                reply = self.model.ask(talk, label=f"{label}:repair")
            except ModelError as error:
                error.spend += spend
                raise
            spend += reply.spend
            advice, fault = read_advice(reply.text)
        return Advice(
            "optimize" if kind == "optimize" else "correct",
            cause=f"no usable advice: {fault}" if fault else advice["cause"],
            change="" if fault else advice["change"],
            predicted_gain=None if fault else advice["predicted_gain"],
            spend=spend,
        )


def read_advice(answer: str) -> tuple[dict[str, Any], str]:
    """The first valid advice in an answer, and what is wrong with the last object if there is none."""
    fault = "there is no JSON object in the answer"
    for data in answers.objects(answer):
        fault = _fault(data)
        if not fault:
            gain = data.get("predicted_gain")
            return {**data, "predicted_gain": None if gain is None else float(gain)}, ""
    return {}, fault


def _fault(data: dict[str, Any]) -> str:
    """What keeps an object from being an advice; empty for a valid one."""
    for name in ("cause", "change"):
        value = data.get(name)
        if not isinstance(value, str) or not value.strip():
            return f'"{name}" must be a text that says something'
    gain = data.get("predicted_gain")
    if gain is not None and not _positive(gain):
        return '"predicted_gain" must be a number above 0, or null'
    return ""


def _positive(value: object) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and value > 0
        and value < 1e6
        and math.isfinite(value)
    )


def _unusable(reply: Reply) -> str:
    """Why an answer gave no candidate."""
    match reply.stop:
        case "length":
            return "the answer was cut off at the token limit before a whole file"
        case "refused":
            return f"the model declined: {' '.join(reply.text.split())[:200]}"
        case _:
            return "no file that defines ModelNew in the answer"
