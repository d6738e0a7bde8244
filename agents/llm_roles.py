"""Coder and Judge played by a Model, with the prompts of `agents/prompts/`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from kernelwright.agents import answers, briefing, structured
from kernelwright.agents.models.base import Message, Model, ModelError, Reply
from kernelwright.agents.roles import Advice, Attempt, Brief, Proposal
from kernelwright.harness.candidate import Candidate

_VARIES = re.compile(r"^# (?:Kernel `|Advice$|Tried so far$|Your turn$)", re.M)
"""Where the part of a turn begins that differs from one turn of a run to the next."""


@dataclass(frozen=True)
class ModelCoder:
    """Writes candidates with a language model. An answer without a file is sent back once."""

    model: Model
    candidates: int = 1
    """Most files that are taken from one answer, the last ones."""

    def propose(self, brief: Brief) -> Proposal:
        """One turn. Raises ModelError, with what was spent up to it."""
        talk = [
            Message("system", briefing.prompt("coder")),
            _turn(briefing.coder_turn(brief), brief),
        ]
        label = f"propose:{brief.round}"
        reply = self.model.ask(talk, label=label)
        spend = reply.spend
        sources = self._files(reply, brief)
        if not sources and reply.stop != "refused":
            talk.append(Message("assistant", structured.echo(reply.text)))
            fault = _unusable(reply)
            talk.append(Message("user", briefing.prompt("coder_repair", fault=fault)))
            try:
                reply = self.model.ask(talk, label=f"{label}:repair")
            except ModelError as error:
                error.spend += spend
                raise
            spend += reply.spend
            sources = self._files(reply, brief)
        note = answers.note(reply.text) if sources else _unusable(reply)
        found = tuple(Candidate(source, brief.language) for source in sources)
        return Proposal(found, note, spend)

    def _files(self, reply: Reply, brief: Brief) -> list[str]:
        if reply.stop == "refused":
            return []
        return answers.files(
            reply.text,
            self.candidates,
            base=brief.parent.candidate.source if brief.parent else "",
            whole_only=reply.stop == "length",
        )


Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class JudgeAnswer(BaseModel):
    """What the Judge is asked for."""

    model_config = ConfigDict(strict=True)
    cause: Words
    change: Words
    predicted_gain: float | None = Field(default=None, gt=0, lt=1e6, allow_inf_nan=False)


@dataclass(frozen=True)
class ModelJudge:
    """Gives advice with a language model. An answer that is no advice is sent back once."""

    model: Model

    def advise(self, brief: Brief, attempt: Attempt) -> Advice:
        """One advice. Raises ModelError, with what was spent up to it."""
        talk = (
            Message("system", briefing.prompt("judge")),
            _turn(briefing.judge_turn(brief, attempt), brief),
        )
        said = structured.ask(self.model, talk, JudgeAnswer, label=f"judge:{brief.round}")
        if said.value is None:
            cause, change, gain = f"no usable advice: {said.fault}", "", None
        else:
            cause, change = said.value.cause, said.value.change
            gain = said.value.predicted_gain
        return Advice(
            "optimize" if attempt.verdict.accepted else "correct",
            cause=cause,
            change=change,
            predicted_gain=gain,
            spend=said.spend,
        )


def _turn(text: str, brief: Brief) -> Message:
    """A turn, with the part marked that is the same in every turn of the run: operator, machine,

    format. The operator's source may hold such headings too; only what follows it is looked at.
    """
    source = brief.task.source.strip()
    varies = _VARIES.search(text, text.find(source) + len(source))
    return Message("user", text, varies.start() if varies else 0)


def _unusable(reply: Reply) -> str:
    """Why an answer gave no candidate."""
    match reply.stop:
        case "length":
            return "the answer was cut off at the token limit before a whole file"
        case "refused":
            return f"the model declined: {' '.join(reply.text.split())[:200]}"
        case _:
            return "no file that defines ModelNew in the answer"
