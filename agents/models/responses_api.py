"""OpenAI's Responses API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kernelwright.agents.models import provider_http as http
from kernelwright.agents.models.base import Message, Schema, Usage
from kernelwright.agents.models.options import Options
from kernelwright.agents.models.streamed import Streamed, add

_PASSING = {"server_error", "rate_limit_exceeded"}


STANDARD = "default"
"""The tier whose prices are kept. What a project may have set instead costs up to twice as much."""


class ResponsesApi:
    """`POST /responses`."""

    path = "/responses"

    def body(
        self,
        name: str,
        messages: Sequence[Message],
        options: Options,
        limit: int | None,
        schema: Schema | None,
    ) -> dict[str, Any]:
        """The request. Nothing is stored at the provider."""
        body: dict[str, Any] = {
            "model": name,
            "instructions": "\n\n".join(m.text for m in messages if m.role == "system"),
            "input": [{"role": m.role, "content": m.text} for m in messages if m.role != "system"],
            "store": False,
            "service_tier": STANDARD,
            "stream": True,
            "max_output_tokens": limit,
            "temperature": options.temperature,
            "top_p": options.top_p,
        }
        if options.effort:
            body["reasoning"] = {"effort": options.effort}
        if schema:
            form = {"type": "json_schema", "name": schema.name, "schema": dict(schema.body)}
            body["text"] = {"format": {**form, "strict": True}}
        return {key: value for key, value in body.items() if value is not None}

    def take(self, answer: Streamed, event: Any) -> None:
        """Add one event. The last one holds the whole answer once more, and the counts."""
        match http.at(event, "type"):
            case "response.output_text.delta":
                add(answer.said, http.text(event, "delta"))
            case "response.refusal.delta":
                add(answer.refusal, http.text(event, "delta"))
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                add(answer.thought, http.text(event, "delta"))
            case "response.completed" | "response.incomplete" | "response.failed":
                self.whole(answer, http.at(event, "response"))
            case "error":
                answer.failure = http.said(event) or "the answer failed"
                answer.passing = (
                    http.at(event, "code") in _PASSING
                    or http.at(event, "error", "code") in _PASSING
                )

    def whole(self, answer: Streamed, data: Any) -> None:
        """Take the finished response."""
        answer.complete = True
        answer.model = http.text(data, "model")
        answer.usage = Usage(
            input=http.count(data, "usage", "input_tokens"),
            cached=http.count(data, "usage", "input_tokens_details", "cached_tokens"),
            output=http.count(data, "usage", "output_tokens"),
            reasoning=http.count(data, "usage", "output_tokens_details", "reasoning_tokens"),
        )
        if http.at(data, "status") == "failed":
            answer.failure = http.said(data) or "the answer failed"
            answer.passing = http.at(data, "error", "code") in _PASSING
        if http.at(data, "status") == "cancelled":
            answer.failure, answer.passing = "the provider cancelled the answer", True
        said: list[str] = []
        thought: list[str] = []
        refusal: list[str] = []
        for item in http.items(data, "output"):
            for part in http.items(item, "content"):
                of = thought if http.at(item, "type") == "reasoning" else said
                of.append(http.text(part, "text"))
                refusal.append(http.text(part, "refusal"))
            thought += [http.text(part, "text") for part in http.items(item, "summary")]
        # Compatible servers may leave the output out of the last event.
        answer.said = said if any(said) else answer.said
        answer.thought = ["\n\n".join(filter(None, thought))] if any(thought) else answer.thought
        answer.refusal = refusal if any(refusal) else answer.refusal
        if any(answer.refusal):
            answer.stop = "refused"
        if http.at(data, "status") == "incomplete":
            filtered = http.at(data, "incomplete_details", "reason") == "content_filter"
            answer.stop = "refused" if filtered else "length"

    def finish(self, answer: Streamed) -> None:
        """Nothing."""
