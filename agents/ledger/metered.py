"""Models whose every request goes through a ledger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from kernelwright.agents.auditor import ModelAuditor
from kernelwright.agents.ledger.ledger import Ledger
from kernelwright.agents.llm_roles import ModelCoder, ModelJudge
from kernelwright.agents.models.base import (
    UNMETERED,
    Message,
    Meter,
    Model,
    ModelError,
    Reply,
    Schema,
)
from kernelwright.agents.models.keys import redact
from kernelwright.agents.roles import Spend
from kernelwright.agents.tester import ModelTester
from kernelwright.agents.transcript import Transcript

Player = TypeVar("Player")


class MeteredModel:
    """Another model. What its replies cost stands in the ledger, so they carry no spend.

    No key gets past it, in either direction: of what a model writes candidates are made.
    """

    def __init__(
        self, inner: Model, ledger: Ledger, role: str, transcript: Transcript | None = None
    ) -> None:
        self.spec = inner.spec
        self._inner = inner
        self._ledger = ledger
        self._role = role
        self._transcript = transcript

    def ask(
        self,
        messages: Sequence[Message],
        *,
        label: str,
        schema: Schema | None = None,
        meter: Meter = UNMETERED,
    ) -> Reply:
        """The other model's answer. Raises ModelError as that one does, and OverBudget."""
        own = _LedgerMeter(self._ledger, self._role, label)
        sent = [_clean(m) for m in messages]
        try:
            reply = self._inner.ask(sent, label=label, schema=schema, meter=own)
        except ModelError as error:
            if own.used:
                error.spend = Spend()
            raise
        spend = Spend() if own.used else reply.spend
        said, thought = redact(reply.text), redact(reply.reasoning)
        found = replace(reply, text=said, reasoning=thought, spend=spend)
        if self._transcript is not None:
            self._transcript.add(label, self._role, self.spec, sent, found)
        return found


def _clean(message: Message) -> Message:
    """The message without keys. Where there was one, it is nothing for a provider's cache."""
    said = redact(message.text)
    return message if said == message.text else replace(message, text=said, stable=0)


class _LedgerMeter:
    """The Meter of one call of a role; its retries are requests of their own."""

    def __init__(self, ledger: Ledger, role: str, label: str) -> None:
        self._ledger = ledger
        self._role = role
        self._label = label
        self.used = False

    def charged(
        self, spec: str, size: int, most: int | None, call: Callable[[int | None], Reply]
    ) -> Reply:
        """One request."""
        self.used = True
        return self._ledger.call(self._role, self._label, spec, size, most, call)


def metered(
    player: Player, ledger: Ledger, role: str, transcript: Transcript | None = None
) -> Player:
    """The same player of a role, its model metered; one that asks no model is as it was.

    What its model is asked and answers goes to the `transcript`.
    """
    if isinstance(player, ModelCoder | ModelJudge | ModelTester | ModelAuditor):
        return replace(player, model=MeteredModel(player.model, ledger, role, transcript))
    return player
