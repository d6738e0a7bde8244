"""An answer as it comes in, and the protocols that it may come in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from kernelwright.agents.models.base import Message, Schema, StopReason, Usage
from kernelwright.agents.models.options import Options


@dataclass
class Streamed:
    """What has come in so far. Nothing that a server sends makes it raise."""

    said: list[str] = field(default_factory=list)
    thought: list[str] = field(default_factory=list)
    refusal: list[str] = field(default_factory=list)
    stop: StopReason = "end"
    usage: Usage = field(default_factory=Usage)
    model: str = ""
    complete: bool = False
    """The protocol's own end was seen: what is here is the whole answer."""
    failure: str = ""
    """The provider's words for an error that came in place of (the rest of) the answer."""
    passing: bool = False
    """Whether that error is one of those that pass."""

    @property
    def begun(self) -> bool:
        """Whether a first piece of answer or reasoning is there."""
        return bool(self.said or self.thought or self.refusal)


def add(parts: list[str], text: str) -> None:
    """Take in a piece, if there is anything in it."""
    if text:
        parts.append(text)


class Api(Protocol):
    """One provider's protocol: how a request reads, and what its events mean. Stateless."""

    path: str

    def body(
        self,
        name: str,
        messages: Sequence[Message],
        options: Options,
        limit: int | None,
        schema: Schema | None,
    ) -> dict[str, Any]:
        """The request, streamed. `limit`: most output tokens; None: none is sent."""
        ...

    def take(self, answer: Streamed, event: Any) -> None:
        """Add one event of a stream; what is not understood adds nothing."""
        ...

    def whole(self, answer: Streamed, data: Any) -> None:
        """Take an answer that came in one piece, from a server that does not stream."""
        ...

    def finish(self, answer: Streamed) -> None:
        """What remains to be done when all of it is there."""
        ...
