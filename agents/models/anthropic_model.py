"""Anthropic's models by the official client, streamed: long answers outlive idle connections."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from kernelwright.agents.models import prices
from kernelwright.agents.models import provider_http as http
from kernelwright.agents.models.base import (
    UNMETERED,
    Message,
    Meter,
    ModelError,
    Reply,
    Schema,
    StopReason,
    Usage,
    size_of,
)
from kernelwright.agents.models.retry import Retry
from kernelwright.tasks.errors import UsageError

if TYPE_CHECKING:
    from anthropic import Anthropic

MAX_TOKENS = 32_000
"""Thinking and answer together; every current model allows it."""
TIMEOUT_S = 600.0
_STOPS: dict[Any, StopReason] = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refused",
}


class AnthropicModel:
    """`anthropic:NAME`. ANTHROPIC_BASE_URL overrides the address."""

    def __init__(self, name: str, *, timeout_s: float = TIMEOUT_S, retry: Retry) -> None:
        """Raises UsageError without a key."""
        self.name = name
        self.spec = f"anthropic:{name}"
        self._key = os.environ.get("ANTHROPIC_API_KEY", "")
        if not self._key:
            raise UsageError(f"{self.spec} needs a key: set ANTHROPIC_API_KEY")
        self._timeout_s = timeout_s
        self._retry = retry

    @cached_property
    def _client(self) -> Anthropic:
        from anthropic import Anthropic

        return Anthropic(api_key=self._key, timeout=self._timeout_s, max_retries=0)

    def ask(
        self,
        messages: Sequence[Message],
        *,
        label: str,
        schema: Schema | None = None,
        meter: Meter = UNMETERED,
    ) -> Reply:
        """One answer. Raises ModelError."""
        size = size_of(messages)
        return self._retry.run(
            lambda: meter.charged(
                self.spec, size, MAX_TOKENS, lambda limit: self._ask(messages, limit)
            )
        )

    def _ask(self, messages: Sequence[Message], limit: int | None) -> Reply:
        import anthropic

        system = "\n\n".join(m.text for m in messages if m.role == "system")
        turns: list[Any] = [
            {"role": m.role, "content": m.text} for m in messages if m.role != "system"
        ]
        answer = _Streamed()
        with (
            http.errors_of(anthropic, self.spec, self._key),
            self._client.messages.create(
                model=self.name,
                max_tokens=limit or MAX_TOKENS,
                system=system or anthropic.omit,
                messages=turns,
                stream=True,
            ) as stream,
        ):
            for event in stream:
                answer.take(event.model_dump(warnings=False))
        if not answer.complete:
            raise ModelError(f"{self.spec}: the stream was cut", retryable=True, spend=http.UNKNOWN)
        usage = answer.usage()
        return Reply(
            text="".join(answer.text),
            stop=_STOPS.get(answer.stop, "end"),
            reasoning="".join(answer.thinking),
            usage=usage,
            spend=prices.spend(self.name, usage),
            model=answer.model or self.name,
        )


class _Streamed:
    """An answer as its events come in."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.thinking: list[str] = []
        self.model = ""
        self.stop: Any = None
        self.complete = False
        self._counts: dict[str, int] = {}

    def take(self, event: Any) -> None:
        """Add one event; what is not understood adds nothing."""
        match http.at(event, "type"):
            case "message_start":
                self.model = http.text(event, "message", "model")
                self._count(http.at(event, "message", "usage"))
            case "content_block_start":
                self.text.append(http.text(event, "content_block", "text"))
            case "content_block_delta":
                self.text.append(http.text(event, "delta", "text"))
                self.thinking.append(http.text(event, "delta", "thinking"))
            case "message_delta":
                self.stop = http.at(event, "delta", "stop_reason")
                self._count(http.at(event, "usage"))
            case "message_stop":
                self.complete = True

    def usage(self) -> Usage:
        """Anthropic counts what comes from the cache apart; `Usage.input` is all of it."""
        fresh = self._counts.get("input_tokens")
        cached = self._counts.get("cache_read_input_tokens")
        written = self._counts.get("cache_creation_input_tokens")
        return Usage(
            input=None if fresh is None else fresh + (cached or 0) + (written or 0),
            cached=cached,
            cache_written=written,
            output=self._counts.get("output_tokens"),
        )

    def _count(self, usage: Any) -> None:
        """The last count of each kind holds."""
        for name in usage if isinstance(usage, dict) else ():
            tokens = http.count(usage, name)
            if tokens is not None:
                self._counts[name] = tokens
