"""Anthropic's Messages API, with prompt caching and thinking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from kernelwright.agents.models import provider_http as http
from kernelwright.agents.models.base import Message, Schema, StopReason
from kernelwright.agents.models.options import LEAST_THINKING, Options
from kernelwright.agents.models.streamed import Streamed, add

MAX_TOKENS = 32_000
"""Thinking and answer together; every current model allows it."""
_STOPS: dict[Any, StopReason] = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refused",
}
_PASSING = {"overloaded_error", "api_error", "rate_limit_error", "timeout_error"}
_CACHED = {"cache_control": {"type": "ephemeral"}}


class MessagesApi:
    """`POST /v1/messages`."""

    path = "/v1/messages"

    def body(
        self,
        name: str,
        messages: Sequence[Message],
        options: Options,
        limit: int | None,
        schema: Schema | None,
    ) -> dict[str, Any]:
        """The request. What stays the same from call to call is put into the provider's cache."""
        system = "\n\n".join(m.text for m in messages if m.role == "system")
        most = limit or options.max_tokens or MAX_TOKENS
        body: dict[str, Any] = {
            "model": name,
            "max_tokens": most,
            "system": [{"type": "text", "text": system, **_CACHED}] if system else None,
            "messages": [_turn(m) for m in messages if m.role != "system"],
            "stream": True,
            "temperature": options.temperature,
            "top_p": options.top_p,
            "thinking": _thinking(options, most),
        }
        config: dict[str, Any] = {}
        if options.effort:
            config["effort"] = options.effort
        if schema:
            config["format"] = {"type": "json_schema", "schema": dict(schema.body)}
        if config:
            body["output_config"] = config
        return {key: value for key, value in body.items() if value is not None}

    def take(self, answer: Streamed, event: Any) -> None:
        """Add one event."""
        match http.at(event, "type"):
            case "message_start":
                answer.model = http.text(event, "message", "model")
                _count(answer, http.at(event, "message", "usage"))
            case "content_block_start":
                self._block(answer, http.at(event, "content_block"))
            case "content_block_delta":
                self._block(answer, http.at(event, "delta"))
            case "message_delta":
                _stop(answer, http.at(event, "delta", "stop_reason"))
                _count(answer, http.at(event, "usage"))
            case "message_stop":
                answer.complete = True
            case "error":
                answer.failure = http.said(event) or "the answer failed"
                answer.passing = http.text(event, "error", "type") in _PASSING

    def whole(self, answer: Streamed, data: Any) -> None:
        """Take the finished message."""
        if http.at(data, "type") == "error":
            self.take(answer, data)
            return
        answer.complete = True
        answer.model = http.text(data, "model")
        for block in http.items(data, "content"):
            self._block(answer, block)
        _stop(answer, http.at(data, "stop_reason"))
        _count(answer, http.at(data, "usage"))

    def finish(self, answer: Streamed) -> None:
        """Nothing."""

    def _block(self, answer: Streamed, block: Any) -> None:
        add(answer.said, http.text(block, "text"))
        add(answer.thought, http.text(block, "thinking"))


def _turn(message: Message) -> dict[str, Any]:
    head, tail = message.text[: message.stable], message.text[message.stable :]
    if not head.strip() or not tail.strip():
        return {"role": message.role, "content": message.text}
    parts = [{"type": "text", "text": head, **_CACHED}, {"type": "text", "text": tail}]
    return {"role": message.role, "content": parts}


def _thinking(options: Options, most: int) -> dict[str, Any] | None:
    """The tokens for thinking stay below the limit, which a budget may have lowered."""
    match options.thinking:
        case None:
            return None
        case "off":
            return {"type": "disabled"}
        case "adaptive":
            return {"type": "adaptive", "display": "summarized"}
    tokens = options.thinking if options.thinking < most else max(LEAST_THINKING, most // 2)
    return {"type": "enabled", "budget_tokens": tokens} if tokens < most else None


def _stop(answer: Streamed, reason: Any) -> None:
    if isinstance(reason, str):
        answer.stop = _STOPS.get(reason, "end")


def _count(answer: Streamed, usage: Any) -> None:
    """The last count of each kind holds.

    Anthropic counts what comes from the cache apart; `Usage.input` is all of it.
    """
    fresh = http.count(usage, "input_tokens")
    cached = http.count(usage, "cache_read_input_tokens")
    written = http.count(usage, "cache_creation_input_tokens")
    output = http.count(usage, "output_tokens")
    held = answer.usage
    if fresh is None and held.input is not None:
        fresh = held.input - (held.cached or 0) - (held.cache_written or 0)
    cached = held.cached if cached is None else cached
    written = held.cache_written if written is None else written
    answer.usage = replace(
        held,
        input=None if fresh is None else fresh + (cached or 0) + (written or 0),
        cached=cached,
        cache_written=written,
        output=held.output if output is None else output,
    )
