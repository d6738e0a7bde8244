"""A provider's model: one protocol, with retries, a limit on calls at once, and the meter."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from kernelwright.agents.models import provider_http as http
from kernelwright.agents.models.base import (
    UNKNOWN,
    UNMETERED,
    Message,
    Meter,
    ModelError,
    Reply,
    Schema,
    Usage,
    size_of,
)
from kernelwright.agents.models.halt import Halt
from kernelwright.agents.models.limiter import limiter_of
from kernelwright.agents.models.options import Options
from kernelwright.agents.models.retry import Retry
from kernelwright.agents.models.streamed import Api, Streamed
from kernelwright.agents.models.wire import Wire
from kernelwright.agents.roles import Spend

TIMEOUT_S = 3600.0
"""For one answer; the option `timeout` says otherwise."""
_FIELDS = re.compile(
    r"schema|(?<![a-z])format(?![a-z])|structured|output_config|stream_options|unsupported", re.I
)


class ProviderModel:
    """Answers through `api`. `connect` makes the client when the first call needs it."""

    def __init__(
        self,
        spec: str,
        name: str,
        api: Api,
        connect: Callable[[], Wire],
        price: Callable[[Usage], Spend],
        *,
        provider: str,
        options: Options,
        limit: int | None,
        retry: Retry,
        halt: Halt,
        fallback: Api | None = None,
        lenient: bool = False,
    ) -> None:
        """`provider`: what shares a limit on calls at once. `limit`: most output tokens of a call.

        `fallback`: a protocol for servers that have no such address as that of `api`.
        `lenient`: a server of the user's own; a request that it refuses is made once more without
        the fields that not every server knows, whatever the reason it gives.
        """
        self.spec = spec
        self.name = name
        self._api = api
        self._connect = connect
        self._wire: Wire | None = None
        self._connecting = threading.Lock()
        self._price = price
        self._options = options
        self._limit = limit
        self._retry = retry
        self._halt = halt
        self._limiter = limiter_of(provider)
        self._fallback = fallback
        self._lenient = lenient
        self._unknown: frozenset[str] = frozenset()
        """Of `schema` and `stream_options`, what the server has turned out not to take."""

    def ask(
        self,
        messages: Sequence[Message],
        *,
        label: str,
        schema: Schema | None = None,
        meter: Meter = UNMETERED,
    ) -> Reply:
        """One answer. Raises ModelError."""
        with self._limiter.slot(self._halt):
            return self._retry.run(lambda: self._attempt(messages, schema, meter))

    def _attempt(self, messages: Sequence[Message], schema: Schema | None, meter: Meter) -> Reply:
        """One request, and others in a way that the server knows."""
        lost = Spend()
        without = self._unknown
        while True:
            try:
                reply = self._charged(messages, schema, meter, without)
            except ModelError as error:
                error.spend += lost
                if self._fallback and _no_such_address(error):
                    self._api, self._fallback, lost = self._fallback, None, error.spend
                    continue
                more = self._dispensable(error, schema, without)
                if not more:
                    raise
                lost, without = error.spend, without | {more}
            else:
                self._unknown = without
                return replace(reply, spend=reply.spend + lost)

    def _dispensable(
        self, error: ModelError, schema: Schema | None, without: frozenset[str]
    ) -> str:
        """What to leave out of a request that was refused; empty: nothing more."""
        if error.status not in (400, 415, 422, 501):
            return ""
        if not self._lenient and not _FIELDS.search(str(error)):
            return ""
        sent = ["schema"] if schema else []
        sent += ["stream_options"] if self._lenient else []
        return next((field for field in sent if field not in without), "")

    def _charged(
        self,
        messages: Sequence[Message],
        schema: Schema | None,
        meter: Meter,
        without: frozenset[str],
    ) -> Reply:
        form = None if "schema" in without else schema
        size = size_of(messages, *([str(form.body)] if form else []))

        def call(limit: int | None) -> Reply:
            body = self._api.body(self.name, messages, self._options, limit, form)
            for field in without:
                body.pop(field, None)
            reply = self._call(body)
            held = None if schema is None else form is not None
            return replace(reply, exchange=replace(reply.exchange, structured=held))

        return meter.charged(self.spec, size, self._limit, call)

    def _call(self, body: dict[str, Any]) -> Reply:
        with self._connecting:
            wire = self._wire = self._wire or self._connect()
        self._halt.check()
        answer = Streamed()
        with self._limiter.watched():
            exchange = wire.call(self._api, body, answer)
        spend = self._price(answer.usage)
        if answer.failure:
            raise ModelError(
                f"{self.spec}: {http.clean(answer.failure)}",
                retryable=answer.passing,
                spend=spend if spend.tokens is not None else UNKNOWN,
                usage=answer.usage if spend.tokens is not None else None,
            )
        if not answer.complete:
            raise ModelError(f"{self.spec}: the stream was cut", retryable=True, spend=UNKNOWN)
        self._api.finish(answer)
        said = "".join(answer.said) or "".join(answer.refusal)
        return Reply(
            text=said,
            stop=answer.stop,
            reasoning="".join(answer.thought),
            usage=answer.usage,
            spend=spend,
            model=answer.model or self.name,
            exchange=exchange,
        )


def _no_such_address(error: ModelError) -> bool:
    cause: Any = error.__cause__
    return error.status in (404, 405) and getattr(cause, "code", None) != "model_not_found"
