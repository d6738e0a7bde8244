"""Coder and Judge played by a Model, with the prompts of `agents/prompts/`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from kernelwright.agents import answers, briefing, patches, structured
from kernelwright.agents.models.base import Message, Model, ModelError, Reply
from kernelwright.agents.roles import Advice, Attempt, Brief, Proposal
from kernelwright.agents.wording import clip
from kernelwright.harness.candidate import Candidate

MOST_METRICS = 4


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
            _message(briefing.coder_turn(brief)),
        ]
        label = f"propose:{brief.round}"
        reply = self.model.ask(talk, label=label)
        spend = reply.spend
        sources = self._files(reply, brief)
        if not sources and reply.stop != "refused":
            talk.append(Message("assistant", structured.echo(reply.text)))
            fault = _unusable(reply, _base(brief))
            talk.append(Message("user", briefing.prompt("coder_repair", fault=fault)))
            try:
                reply = self.model.ask(talk, label=f"{label}:repair")
            except ModelError as error:
                error.spend += spend
                raise
            spend += reply.spend
            sources = self._files(reply, brief)
        note = answers.note(reply.text) if sources else _unusable(reply, _base(brief))
        found = tuple(Candidate(source, brief.language) for source in sources)
        return Proposal(found, note, spend)

    def _files(self, reply: Reply, brief: Brief) -> list[str]:
        if reply.stop == "refused":
            return []
        return answers.files(
            reply.text,
            self.candidates,
            base=_base(brief),
            whole_only=reply.stop == "length",
        )


Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class JudgeAnswer(BaseModel):
    """What the Judge is asked for."""

    model_config = ConfigDict(strict=True)
    metrics: list[str] | None = None
    bottleneck: Literal["memory", "compute", "latency", "overhead"] | None = None
    cause: Words
    change: Words
    strategy: str | None = None
    predicted_gain: float | None = Field(default=None, gt=0, lt=1e6, allow_inf_nan=False)


class Correction(BaseModel):
    """What the Judge is asked for where a kernel was rejected."""

    model_config = ConfigDict(strict=True)
    cause: Words
    change: Words


@dataclass(frozen=True)
class ModelJudge:
    """Gives advice with a language model. An answer that is no advice is sent back once."""

    model: Model

    def advise(self, brief: Brief, attempt: Attempt) -> Advice:
        """One advice. Raises ModelError, with what was spent up to it."""
        turn = _message(briefing.judge_turn(brief, attempt))
        label = f"judge:{brief.round}"
        if attempt.verdict.accepted:
            return self._optimize(turn, label, brief)
        return self._correct(turn, label)

    def _optimize(self, turn: Message, label: str, brief: Brief) -> Advice:
        talk = (Message("system", briefing.prompt("judge_optimize")), turn)
        said = structured.ask(self.model, talk, JudgeAnswer, label=label)
        told = said.value
        if told is None:
            return Advice("optimize", f"no usable advice: {said.fault}", "", spend=said.spend)
        return Advice(
            "optimize",
            told.cause,
            told.change,
            told.predicted_gain,
            directive={"bottleneck": told.bottleneck} if told.bottleneck else {},
            spend=said.spend,
            strategy=_offered(told.strategy, brief),
            metrics=tuple(m.strip() for m in told.metrics or () if m.strip())[:MOST_METRICS],
        )

    def _correct(self, turn: Message, label: str) -> Advice:
        talk = (Message("system", briefing.prompt("judge_correct")), turn)
        said = structured.ask(self.model, talk, Correction, label=label)
        if said.value is None:
            return Advice("correct", f"no usable advice: {said.fault}", "", spend=said.spend)
        return Advice("correct", said.value.cause, said.value.change, spend=said.spend)


def _offered(name: str | None, brief: Brief) -> str | None:
    """The strategy that was named, if it was on offer."""
    names = {s.name.lower(): s.name for s in brief.strategies}
    return names.get((name or "").strip(" `'\"").lower())


def _base(brief: Brief) -> str:
    """The source that a patch changes."""
    return brief.parent.candidate.source if brief.parent else ""


def _message(said: briefing.Said) -> Message:
    """A turn, with the part marked that is the same in every turn of the run."""
    return Message("user", said.front + said.rest, len(said.front))


def _unusable(reply: Reply, base: str) -> str:
    """Why an answer gave no candidate."""
    match reply.stop:
        case "length":
            return "the answer was cut off at the token limit before a whole file"
        case "refused":
            return f"the model declined: {clip(reply.text, 200)}"
        case _:
            why = patches.misfit(base, reply.text)
            return why or "no file that defines ModelNew in the answer"
