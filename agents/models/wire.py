"""One streamed request through an official client: cut in time, or by another thread.

The client does the addresses, the headers and the errors. The stream is read here, because servers
that call themselves compatible answer in one piece, leave the last event out, or never stop.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from kernelwright.agents.models import provider_http as http
from kernelwright.agents.models.base import UNKNOWN, Cancelled, Exchange, ModelError
from kernelwright.agents.models.halt import Halt
from kernelwright.agents.models.streamed import Api, Streamed
from kernelwright.agents.roles import Spend

IDLE_S = 600.0
"""Most seconds between two pieces of an answer: models think without a word for minutes."""
CONNECT_S = 15.0
MOST_BYTES = 64 * 2**20
"""More is no answer."""


class _Line:
    """The connection of one call, so that another thread can cut it."""

    def __init__(self) -> None:
        self.reason = ""
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()

    def cut(self, reason: str) -> None:
        """End the call; what waits for the connection sees its end at once."""
        with self._lock:
            self.reason = self.reason or reason
            sockets = list(self._sockets)
        for one in sockets:
            _shut(one)

    def trace(self, name: str, info: Mapping[str, Any]) -> None:
        """Told by the HTTP client what it does (its `trace` extension)."""
        if not name.endswith(("connect_tcp.complete", "start_tls.complete")):
            return
        one = info["return_value"].get_extra_info("socket")
        if one is None:
            return
        with self._lock:
            self._sockets.append(one)
            late = self.reason
        if late:
            _shut(one)


def _shut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it is closed already
        socket.socket.shutdown(one, socket.SHUT_RDWR)


_line: ContextVar[_Line | None] = ContextVar("line", default=None)


def watch(request: Any) -> None:
    """Hook of the HTTP client, for every request that it sends."""
    line = _line.get()
    if line is not None:
        request.extensions["trace"] = line.trace


@dataclass(frozen=True)
class Wire:
    """A client with what its calls have in common."""

    sdk: ModuleType
    client: Any
    spec: str
    timeout_s: float
    """For one whole answer."""
    halt: Halt

    def call(self, api: Api, body: Mapping[str, Any], answer: Streamed) -> Exchange:
        """Send a request and read its answer into `answer`. Raises ModelError."""
        line, began = _Line(), time.monotonic()
        timer = threading.Timer(self.timeout_s, line.cut, ("timed out",))
        timer.daemon = True
        timer.start()
        token = _line.set(line)
        try:
            with self.halt.cutting(lambda: line.cut("interrupted")):
                exchange = self._read(api, body, answer, began)
            if line.reason and not answer.complete:
                raise self._ended(line, answer, UNKNOWN)
            return exchange
        except ModelError as error:
            if not line.reason:
                raise
            raise self._ended(line, answer, error.spend) from error
        finally:
            timer.cancel()
            _line.reset(token)

    def _ended(self, line: _Line, answer: Streamed, spend: Spend) -> ModelError:
        """Why a call that was cut has no answer."""
        if line.reason == "interrupted":
            return Cancelled("interrupted", spend=spend)
        return ModelError(
            f"{self.spec}: no whole answer in {self.timeout_s:.0f} s",
            # What was under way all the time would take as long again.
            retryable=not answer.begun,
            spend=spend,
        )

    def _read(self, api: Api, body: Mapping[str, Any], answer: Streamed, began: float) -> Exchange:
        first: float | None = None
        streamed = False
        with (
            http.errors_of(self.sdk, self.spec),
            self.client.post(
                api.path,
                body=dict(body),
                cast_to=object,
                stream=True,
                stream_cls=self.sdk.Stream[object],
            ) as stream,
        ):
            for event in _events(stream.response):
                if isinstance(event, _Whole):
                    api.whole(answer, event.data)
                else:
                    streamed = True
                    api.take(answer, event)
                if first is None and answer.begun:
                    first = time.monotonic() - began
                if answer.failure:
                    break
        return Exchange(first, time.monotonic() - began, streamed)


@dataclass(frozen=True)
class _Whole:
    """An answer in one piece."""

    data: Any


def _events(response: Any) -> Iterator[Any]:
    """The events of a response, or one _Whole. Raises ValueError for what is no JSON."""
    chunks = _bounded(response.iter_bytes())
    if "event-stream" in response.headers.get("content-type", ""):
        yield from sse(chunks)
        return
    raw = b"".join(chunks)
    if raw.lstrip().startswith((b"data:", b"event:", b":", b"id:")):
        yield from sse([raw])
    else:
        yield _Whole(json.loads(raw))


def _bounded(chunks: Iterable[bytes]) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > MOST_BYTES:
            raise ValueError(f"it is longer than {MOST_BYTES} bytes")
        yield chunk


def sse(chunks: Iterable[bytes]) -> Iterator[Any]:
    """The data of server-sent events, as JSON; `DONE` as it is. Raises ValueError for no JSON.

    An event that the end of the stream cut off is left out.
    """
    unfinished: list[bytes] = []
    data: list[bytes] = []
    for chunk in chunks:
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            whole = b"".join((*unfinished, line)).removesuffix(b"\r")
            unfinished.clear()
            if whole.startswith(b"data:"):
                data.append(whole[5:].strip())
            elif not whole and data:
                yield _event(b"\n".join(data))
                data.clear()
        if rest:
            unfinished.append(rest)
    last = b"".join(unfinished).strip()
    if last.startswith(b"data:"):
        data.append(last[5:].strip())
    if data:
        try:
            yield _event(b"\n".join(data))
        except ValueError:
            return


def _event(data: bytes) -> Any:
    return http.DONE if data == http.DONE.encode() else json.loads(data)
