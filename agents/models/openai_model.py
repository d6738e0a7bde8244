"""OpenAI's models, and every server that speaks OpenAI's chat protocol, by the official client."""

from __future__ import annotations

import json
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
from kernelwright.agents.roles import Spend
from kernelwright.tasks.errors import UsageError

if TYPE_CHECKING:
    from openai import OpenAI

SERVER_KEY = "KERNELWRIGHT_API_KEY"
"""Key for a compatible server. OPENAI_API_KEY is never sent to a URL of the user's own."""
TIMEOUT_S = 1200.0


class OpenAIModel:
    """`openai:NAME` (responses, or chat where the server has no responses) or `URL#NAME` (chat)."""

    def __init__(
        self, name: str, url: str | None = None, *, timeout_s: float = TIMEOUT_S, retry: Retry
    ) -> None:
        """Raises UsageError without a key. OPENAI_BASE_URL overrides the address of `openai:`."""
        self.name = name
        self.url = url
        self.spec = f"{url}#{name}" if url else f"openai:{name}"
        self._key = os.environ.get(SERVER_KEY if url else "OPENAI_API_KEY", "")
        if not self._key and not url:
            raise UsageError(f"{self.spec} needs a key: set OPENAI_API_KEY")
        self._timeout_s = timeout_s
        self._retry = retry
        self._chat = url is not None
        self._limit_name = "max_tokens" if url else "max_completion_tokens"

    @cached_property
    def _client(self) -> OpenAI:
        from openai import OpenAI

        return OpenAI(
            api_key=self._key or "none",
            base_url=self.url,
            timeout=self._timeout_s,
            max_retries=0,
        )

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
            lambda: meter.charged(self.spec, size, None, lambda limit: self._ask(messages, limit))
        )

    def _ask(self, messages: Sequence[Message], limit: int | None) -> Reply:
        if self._chat:
            return self._ask_chat(messages, limit)
        try:
            return self._ask_responses(messages, limit)
        except ModelError as error:
            cause: Any = error.__cause__
            if error.status not in (404, 405) or getattr(cause, "code", None) == "model_not_found":
                raise
            self._chat = True
            return self._ask_chat(messages, limit)

    def _ask_responses(self, messages: Sequence[Message], limit: int | None) -> Reply:
        data = self._post(
            "/responses",
            {
                "model": self.name,
                "instructions": "\n\n".join(m.text for m in messages if m.role == "system"),
                "input": [
                    {"role": m.role, "content": m.text} for m in messages if m.role != "system"
                ],
                "store": False,
                **({} if limit is None else {"max_output_tokens": limit}),
            },
        )
        usage = Usage(
            input=http.count(data, "usage", "input_tokens"),
            cached=http.count(data, "usage", "input_tokens_details", "cached_tokens"),
            output=http.count(data, "usage", "output_tokens"),
            reasoning=http.count(data, "usage", "output_tokens_details", "reasoning_tokens"),
        )
        if http.at(data, "status") == "failed":
            raise ModelError(
                f"{self.spec}: {http.text(data, 'error', 'message') or 'the answer failed'}",
                retryable=http.at(data, "error", "code") in {"server_error", "rate_limit_exceeded"},
                spend=self._spend(usage),
            )
        said, thought, refusal = [], [], []
        for item in http.items(data, "output"):
            for part in http.items(item, "content"):
                said.append(http.text(part, "text"))
                refusal.append(http.text(part, "refusal"))
            thought += [http.text(part, "text") for part in http.items(item, "summary")]
        stop: StopReason = "refused" if any(refusal) else "end"
        if http.at(data, "status") == "incomplete":
            filtered = http.at(data, "incomplete_details", "reason") == "content_filter"
            stop = "refused" if filtered else "length"
        answer = "".join(said) or "".join(refusal)
        return self._reply(data, answer, "\n\n".join(thought), stop, usage)

    def _ask_chat(self, messages: Sequence[Message], limit: int | None) -> Reply:
        data = self._post(
            "/chat/completions",
            {
                "model": self.name,
                "messages": [{"role": m.role, "content": m.text} for m in messages],
                **({} if limit is None else {self._limit_name: limit}),
            },
        )
        usage = Usage(
            input=http.count(data, "usage", "prompt_tokens"),
            cached=http.count(data, "usage", "prompt_tokens_details", "cached_tokens"),
            output=http.count(data, "usage", "completion_tokens"),
            reasoning=http.count(data, "usage", "completion_tokens_details", "reasoning_tokens"),
        )
        choice = http.at(data, "choices", 0)
        refusal = http.text(choice, "message", "refusal")
        said, thought = split_thinking(http.text(choice, "message", "content") or refusal)
        shown = http.text(choice, "message", "reasoning_content") or http.text(
            choice, "message", "reasoning"
        )
        ends: dict[Any, StopReason] = {"length": "length", "content_filter": "refused"}
        stop = ends.get(http.at(choice, "finish_reason"), "refused" if refusal else "end")
        return self._reply(data, said, shown or thought, stop, usage)

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        import openai

        with http.errors_of(openai, self.spec, self._key):
            answer = self._client.post(path, body=body, cast_to=str)
            return json.loads(answer)

    def _reply(self, data: Any, said: str, thought: str, stop: StopReason, usage: Usage) -> Reply:
        model = http.text(data, "model") or self.name
        return Reply(said, stop, thought, usage, self._spend(usage), model)

    def _spend(self, usage: Usage) -> Spend:
        """A server of the user's own has no price that we could know."""
        if self.url:
            return Spend(None, usage.input, usage.output)
        return prices.spend(self.name, usage)


def split_thinking(text: str) -> tuple[str, str]:
    """Answer and reasoning of a model that writes its reasoning in `<think>` tags before it."""
    head, tag, tail = text.partition("</think>")
    if not tag:
        return text, ""
    return tail.strip(), head.replace("<think>", "", 1).strip()
