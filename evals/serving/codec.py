"""Requests and replies as JSON, checked field by field: the other end may hold the code of strangers."""

from __future__ import annotations

import functools
import json
from dataclasses import asdict
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from kernelwright.evals.serving.messages import Opened, Reply, Request, What
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.counterexample import Probe
from kernelwright.harness.probing import Outcome
from kernelwright.harness.verdict import Verdict
from kernelwright.tasks.task import Task

_ASKED: dict[What, Any] = {
    "open": tuple[Task, int | None, int | None],
    "evaluate": tuple[Candidate, Literal["loop", "final"], Candidate | None, bool],
    "counted": tuple[Verdict, Candidate],
    "fingerprint": tuple[Candidate],
    "probe": tuple[Candidate, tuple[Probe, ...], float | None],
    "learn": tuple[tuple[Probe, ...]],
}
_ANSWERED: dict[What, Any] = {
    "open": Opened,
    "evaluate": Verdict,
    "counted": Verdict,
    "fingerprint": str | None,
    "probe": tuple[Outcome, ...],
    "learn": None,
}


class Garbled(ValueError):
    """What came is no message."""


def request_bytes(request: Request) -> bytes:
    """A request as it is sent."""
    arguments = _dumped(_ASKED[request.what], request.arguments)
    return json.dumps({"what": request.what, "arguments": arguments}).encode()


def request_from(data: bytes) -> Request:
    """The inverse. Raises Garbled."""
    try:
        said = json.loads(data)
        return Request(said["what"], _loaded(_ASKED[said["what"]], said["arguments"]))
    except (ValueError, LookupError, TypeError) as error:
        raise Garbled(str(error)) from error


def reply_bytes(what: What, reply: Reply) -> bytes:
    """A reply to such a request as it is sent."""
    value = _dumped(_ANSWERED[what], reply.value) if reply.fault is None else None
    return json.dumps({**asdict(Reply(None, reply.fault, reply.message)), "value": value}).encode()


def reply_from(what: What, data: bytes) -> Reply:
    """The inverse. Raises Garbled."""
    try:
        said = json.loads(data)
        fault, message = (_loaded(str | None, said[name]) for name in ("fault", "message"))
        value = _loaded(_ANSWERED[what], said["value"]) if fault is None else None
        reply = Reply(value, fault, message or "")
        if not reply.known:
            raise Garbled(f"unknown fault {fault!r}")
        return reply
    except (ValueError, LookupError, TypeError) as error:
        raise Garbled(str(error)) from error


@functools.cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    """Of a tuple of one, since what keeps NaN and infinities cannot be said of a dataclass alone."""
    return TypeAdapter(tuple[kind], config=ConfigDict(ser_json_inf_nan="constants"))


def _dumped(kind: Any, value: Any) -> Any:
    return _adapter(kind).dump_python((value,), mode="json")[0]


def _loaded(kind: Any, value: Any) -> Any:
    """As it was. Raises ValueError."""
    try:
        return _adapter(kind).validate_python((value,))[0]
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
