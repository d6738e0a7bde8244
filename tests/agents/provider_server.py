"""A local server that speaks OpenAI's and Anthropic's protocols, and misbehaves on request."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Answer:
    """What the server does with one request."""

    status: int = 200
    body: Any = None
    """JSON; or bytes, sent as they are; or None: the protocol's good answer."""
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    cut: bool = False
    """Promise more bytes than are sent, then close the connection."""
    whole: bool = False
    """Answer in one piece although a stream was asked for."""
    open_ended: bool = False
    """Do not say how long the answer is: its end is that of the connection."""
    drip_s: float = 0.0
    """Seconds between pieces of 200 bytes."""


class ProviderServer:
    """Takes `answers` one a request; when they run out, all further ones say `text`."""

    def __init__(self, *answers: Answer, text: str | Callable[[Any], str] = "hello") -> None:
        self.answers = list(answers)
        self.text = text
        self.requests: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        self.active = self.most_active = self.left = 0
        """Requests under way, the most of them at once, and clients that left before the end."""
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> ProviderServer:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def paths(self) -> list[str]:
        return [path for path, _, _ in self.requests]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                with server._lock:
                    server.active += 1
                    server.most_active = max(server.most_active, server.active)
                try:
                    self._answer()
                finally:
                    with server._lock:
                        server.active -= 1

            def _answer(self) -> None:
                length = int(self.headers["content-length"])
                body = json.loads(self.rfile.read(length))
                server.requests.append((self.path, body, dict(self.headers)))
                with server._lock:
                    answer = server.answers.pop(0) if server.answers else Answer()
                time.sleep(answer.delay_s)
                kind, data = server._render(self.path, body, answer)
                try:
                    self.send_response(answer.status)
                    self.send_header("content-type", kind)
                    if not answer.open_ended:
                        self.send_header("content-length", str(len(data) + 1000 * answer.cut))
                    for name, value in answer.headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                    data = data[: len(data) // 2] if answer.cut else data
                    step = 200 if answer.drip_s else len(data)
                    for start in range(0, len(data), step or 1):
                        self.wfile.write(data[start : start + step])
                        time.sleep(answer.drip_s)
                except (BrokenPipeError, ConnectionResetError):
                    server.left += 1  # the client had a timeout or was stopped, as the test wants
                self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler

    def _render(self, path: str, body: dict[str, Any], answer: Answer) -> tuple[str, bytes]:
        if isinstance(answer.body, bytes):
            kind = "text/event-stream" if body.get("stream") else "application/json"
            return answer.headers.pop("content-type", kind), answer.body
        protocols: dict[str, tuple[Callable[[str, str], Any], Callable[[Any], list[Any]]]] = {
            "/responses": (responses, response_events),
            "/chat/completions": (chat, chat_events),
            "/v1/messages": (messages, events),
        }
        known = next((two for end, two in protocols.items() if path.endswith(end)), None)
        data = answer.body
        if data is None and answer.status == 200 and known:
            said = self.text if isinstance(self.text, str) else self.text(body)
            data = known[0](body["model"], said)
        if known and answer.status == 200 and body.get("stream") and not answer.whole:
            return "text/event-stream", stream(data if isinstance(data, list) else known[1](data))
        return "application/json", json.dumps(data).encode()


def responses(model: str, text: str) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "status": "completed",
        "model": model,
        "output": [
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "thought"}]},
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": text, "annotations": []}],
            },
        ],
        "usage": {
            "input_tokens": 1000,
            "input_tokens_details": {"cached_tokens": 400},
            "output_tokens": 100,
            "output_tokens_details": {"reasoning_tokens": 60},
            "total_tokens": 1100,
        },
    }


def chat(model: str, text: str, **choice: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {
        "id": "chat_1",
        "object": "chat.completion",
        "model": model,
        "choices": [{"index": 0, "finish_reason": "stop", "message": message} | choice],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
    }


def messages(model: str, text: str, stop: str = "end_turn") -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "thinking", "thinking": "thought"}, {"type": "text", "text": text}],
        "stop_reason": stop,
        "usage": {"input_tokens": 600, "cache_read_input_tokens": 400, "output_tokens": 100},
    }


def stream(events: list[Any]) -> bytes:
    """Server-sent events; those of the chat protocol have no names."""
    parts = []
    for event in events:
        data = event if isinstance(event, str) else json.dumps(event)
        name = event.get("type") if isinstance(event, dict) else None
        parts.append((f"event: {name}\n" if name else "") + f"data: {data}\n\n")
    return "".join(parts).encode("utf-8", "surrogatepass")


def halves(text: str) -> tuple[str, str]:
    return text[: len(text) // 2], text[len(text) // 2 :]


def response_events(response: dict[str, Any]) -> list[Any]:
    if response.get("object") != "response":
        return [response]
    parts: list[Any] = [
        {"type": "response.created", "response": {**response, "output": [], "usage": None}}
    ]
    for index, item in enumerate(response["output"]):
        where = {"item_id": f"i{index}", "output_index": index, "content_index": 0}
        for part in item.get("summary", ()):
            kind = "response.reasoning_summary_text.delta"
            parts += [{"type": kind, **where, "delta": half} for half in halves(part["text"])]
        for part in item.get("content", ()):
            word = "text" if "text" in part else "refusal"
            kind = "response.output_text.delta" if word == "text" else "response.refusal.delta"
            parts += [{"type": kind, **where, "delta": half} for half in halves(part[word])]
    ends = {"incomplete": "response.incomplete", "failed": "response.failed"}
    last = ends.get(response.get("status", ""), "response.completed")
    return [*parts, {"type": last, "response": response}]


def chat_events(completion: dict[str, Any], usage: bool = True) -> list[Any]:
    if completion.get("object") != "chat.completion":
        return [completion, "[DONE]"]
    base = {"id": "chat_1", "object": "chat.completion.chunk", "model": completion["model"]}
    choice = completion["choices"][0]
    chunks: list[Any] = [{**base, "choices": [{"index": 0, "delta": {"role": "assistant"}}]}]
    for word, value in choice["message"].items():
        if isinstance(value, str) and word != "role":
            chunks += [
                {**base, "choices": [{"index": 0, "delta": {word: half}}]} for half in halves(value)
            ]
    end = {"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}
    chunks.append({**base, "choices": [end]})
    if usage:
        chunks.append({**base, "choices": [], "usage": completion["usage"]})
    return [*chunks, "[DONE]"]


def events(message: dict[str, Any]) -> list[dict[str, Any]]:
    if message.get("type") != "message":
        return [message]
    blocks, parts = message["content"], []
    usage = message["usage"]
    empty = {**message, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    for index, block in enumerate(blocks):
        kind = block["type"]
        start = {"type": kind, kind: ""} | ({"signature": ""} if kind == "thinking" else {})
        half = len(block[kind]) // 2
        parts.append({"type": "content_block_start", "index": index, "content_block": start})
        for piece in (block[kind][:half], block[kind][half:]):
            delta = {"type": f"{kind}_delta", kind: piece}
            parts.append({"type": "content_block_delta", "index": index, "delta": delta})
        parts.append({"type": "content_block_stop", "index": index})
    return [
        {"type": "message_start", "message": empty},
        *parts,
        {
            "type": "message_delta",
            "delta": {"stop_reason": message["stop_reason"], "stop_sequence": None},
            "usage": {"output_tokens": usage["output_tokens"]},
        },
        {"type": "message_stop"},
    ]
