"""Chat completions: OpenAI's older protocol, which every other server speaks, each its own way."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from kernelwright.agents.models import provider_http as http
from kernelwright.agents.models.base import Message, Schema, StopReason, Usage
from kernelwright.agents.models.options import Options
from kernelwright.agents.models.streamed import Streamed, add

_STOPS: dict[Any, StopReason] = {"length": "length", "content_filter": "refused"}
_PASSING = {"server_error", "rate_limit_exceeded", "overloaded_error", "overloaded"}
_BROKEN = ("error", "abort", "cancelled")
"""Ends of an answer that compatible servers give when they fail in the middle of it."""
_OPEN = re.compile(r"\s*<think(?:ing)?>")
_CLOSE = re.compile(r"</think(?:ing)?>")


class ChatApi:
    """`POST /chat/completions`. `limit_name`: what the server calls the most output tokens.

    `tier`: the provider's service tier to ask for; None: the server knows of none.
    """

    path = "/chat/completions"

    def __init__(self, limit_name: str = "max_tokens", tier: str | None = None) -> None:
        self._limit_name = limit_name
        self._tier = tier

    def body(
        self,
        name: str,
        messages: Sequence[Message],
        options: Options,
        limit: int | None,
        schema: Schema | None,
    ) -> dict[str, Any]:
        """The request; the counts are asked for, because a stream leaves them out otherwise."""
        body: dict[str, Any] = {
            "model": name,
            "messages": [{"role": m.role, "content": m.text} for m in messages],
            "stream": True,
            "stream_options": {"include_usage": True},
            "service_tier": self._tier,
            self._limit_name: limit,
            "temperature": options.temperature,
            "top_p": options.top_p,
            "reasoning_effort": options.effort,
        }
        if schema:
            form = {"name": schema.name, "schema": dict(schema.body), "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": form}
        return {key: value for key, value in body.items() if value is not None}

    def take(self, answer: Streamed, event: Any) -> None:
        """Add one chunk. The counts may come with any of them; the last holds."""
        if event == http.DONE:
            answer.complete = True
            return
        self._part(answer, event, "delta")
        if http.at(event, "choices", 0, "finish_reason"):
            answer.complete = True

    def whole(self, answer: Streamed, data: Any) -> None:
        """Take the finished completion."""
        self._part(answer, data, "message")
        answer.complete = True

    def finish(self, answer: Streamed) -> None:
        """Take reasoning out of the text, where the server left it there."""
        said, thought = split_thinking("".join(answer.said))
        answer.said = [said]
        if not any(answer.thought):
            answer.thought = [thought]

    def _part(self, answer: Streamed, data: Any, where: str) -> None:
        if http.at(data, "error"):
            answer.failure = http.said(data) or "the answer failed"
            answer.passing = _passing(data)
        choice = http.at(data, "choices", 0)
        answer.model = answer.model or http.text(data, "model")
        add(answer.said, _content(http.at(choice, where, "content")))
        add(
            answer.thought,
            http.text(choice, where, "reasoning_content") or http.text(choice, where, "reasoning"),
        )
        add(answer.refusal, http.text(choice, where, "refusal"))
        if any(answer.refusal):
            answer.stop = "refused"
        reason = http.at(choice, "finish_reason")
        if reason in _BROKEN:
            answer.failure = answer.failure or f"the server ended the answer: {reason}"
            answer.passing = answer.passing or not http.at(data, "error")
        if isinstance(reason, str):
            answer.stop = _STOPS.get(reason, answer.stop)
        if isinstance(http.at(data, "usage"), dict):
            answer.usage = Usage(
                input=http.count(data, "usage", "prompt_tokens"),
                cached=http.count(data, "usage", "prompt_tokens_details", "cached_tokens"),
                output=http.count(data, "usage", "completion_tokens"),
                reasoning=http.count(
                    data, "usage", "completion_tokens_details", "reasoning_tokens"
                ),
            )


def _passing(data: Any) -> bool:
    """Whether an error in a stream passes: by its name, or by the HTTP status that it tells."""
    status = http.count(data, "error", "code") or 0
    names = {http.text(data, "error", "type"), http.text(data, "error", "code")}
    return bool(names & _PASSING) or status in (408, 409, 429) or 500 <= status < 600


def _content(content: Any) -> str:
    """Text of a message, which a few servers send as a list of parts."""
    if isinstance(content, list):
        return "".join(http.text(part, "text") for part in content)
    return http.text([content], 0)


def split_thinking(text: str) -> tuple[str, str]:
    """Answer and reasoning of a model that writes its reasoning in `<think>` tags before it.

    Without an end of the reasoning (the answer was cut off) all of it is reasoning.
    """
    opened, closed = _OPEN.match(text), _CLOSE.search(text)
    start = opened.end() if opened else 0
    if closed:
        return text[closed.end() :].strip(), text[start : closed.start()].strip()
    return ("", text[start:].strip()) if opened else (text, "")
