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


class ProviderServer:
    """Takes `answers` one a request; when they run out, all further ones say `text`."""

    def __init__(self, *answers: Answer, text: str | Callable[[Any], str] = "hello") -> None:
        self.answers = list(answers)
        self.text = text
        self.requests: list[tuple[str, dict[str, Any], dict[str, str]]] = []
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
                length = int(self.headers["content-length"])
                body = json.loads(self.rfile.read(length))
                server.requests.append((self.path, body, dict(self.headers)))
                answer = server.answers.pop(0) if server.answers else Answer()
                time.sleep(answer.delay_s)
                kind, data = server._render(self.path, body, answer)
                try:
                    self.send_response(answer.status)
                    self.send_header("content-type", kind)
                    self.send_header("content-length", str(len(data) + 1000 * answer.cut))
                    for name, value in answer.headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(data[: len(data) // 2] if answer.cut else data)
                except BrokenPipeError:
                    pass  # the client had a timeout, as the test wants
                self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler

    def _render(self, path: str, body: dict[str, Any], answer: Answer) -> tuple[str, bytes]:
        if isinstance(answer.body, bytes):
            return "application/json", answer.body
        good: dict[str, Callable[[str, str], Any]] = {
            "/responses": responses,
            "/chat/completions": chat,
            "/v1/messages": messages,
        }
        known = next((make for end, make in good.items() if path.endswith(end)), None)
        if answer.body is None and answer.status == 200 and known:
            said = self.text if isinstance(self.text, str) else self.text(body)
            data = known(body["model"], said)
        else:
            data = answer.body
        if path.endswith("/v1/messages") and answer.status == 200:
            return "text/event-stream", stream(data)
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


def stream(data: Any) -> bytes:
    """A message as server-sent events; a list is sent event by event; an error as it is."""
    return b"".join(
        f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
        for event in (data if isinstance(data, list) else events(data))
    )


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
