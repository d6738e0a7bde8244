"""What the official clients have in common: their exceptions, and answers that may be anything.

openai and anthropic name their exceptions alike. Answers are read as plain JSON: servers that call
themselves compatible leave fields out, and an answer that was billed must not crash the run.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from types import ModuleType
from typing import Any

from kernelwright.agents.models.base import UNKNOWN, ModelError
from kernelwright.agents.models.keys import redact
from kernelwright.agents.roles import Spend

DONE = "[DONE]"
"""The event that ends a chat stream."""
_TRANSPORT = ("httpx", "httpx2", "httpcore", "httpcore2", "h11")
_PASSING = (408, 409, 429)
_LASTING = {"insufficient_quota", "billing_hard_limit_reached"}
"""Codes of a 429 that no waiting mends."""


@contextmanager
def errors_of(client: ModuleType, spec: str) -> Iterator[None]:
    """Turns what `client` raises into ModelError."""
    try:
        yield
    except ModelError:
        raise
    except client.APITimeoutError as error:
        raise ModelError(f"{spec}: timed out", retryable=True, spend=_lost(error)) from error
    except client.APIStatusError as error:
        status = error.status_code
        passing = status in _PASSING or status >= 500
        raise ModelError(
            f"{spec}: HTTP {status}: {clean(said(error.body) or str(error.message))}",
            retryable=passing and at(error.body, "code") not in _LASTING,
            status=status,
            retry_after_s=retry_after(error.response.headers),
        ) from error
    except client.APIConnectionError as error:
        cause = clean(str(error.__cause__ or error))
        raise ModelError(
            f"{spec}: no connection: {cause}", retryable=True, spend=_lost(error)
        ) from error
    except (client.APIError, ValueError, RecursionError) as error:
        raise ModelError(
            f"{spec}: the answer is malformed: {clean(str(error))}", spend=UNKNOWN
        ) from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in _TRANSPORT:
            raise
        cut = clean(str(error) or type(error).__name__)
        raise ModelError(f"{spec}: cut off: {cut}", retryable=True, spend=UNKNOWN) from error


def _lost(error: Exception) -> Spend:
    """What a request without an answer cost: nothing only if it never got through."""
    reached = not type(error.__cause__).__name__.startswith(("Connect", "Pool"))
    return UNKNOWN if reached else Spend()


def said(body: Any) -> str:
    """The provider's own words in the body of an error; empty where there are none."""
    found = (
        at(body, "error", "message")
        or at(body, "message")
        or at(body, "error")
        or at(body, "detail")
        or body
    )
    return text([found], 0)


def clean(message: str) -> str:
    """One line of bounded length, without keys: they are taken out before it is cut."""
    return " ".join(redact(message).split())[:500]


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the provider asks to wait: `retry-after-ms`, or `retry-after` in seconds or as a

    date (RFC 9110, 10.2.3). None: it does not say, or not in a way that can be read.
    """
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name) or "") * unit
        except ValueError:
            continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    try:
        date = parsedate_to_datetime(headers.get("retry-after") or "")
        return max(0.0, date.timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def at(data: Any, *path: str | int) -> Any:
    """What lies at a path in JSON; None where it does not go that far."""
    for step in path:
        if isinstance(step, str):
            data = data.get(step) if isinstance(data, dict) else None
        else:
            data = data[step] if isinstance(data, list) and step < len(data) else None
    return data


def text(data: Any, *path: str | int) -> str:
    """A string at a path; empty where there is none. Lone surrogates become question marks."""
    found = at(data, *path)
    return found.encode("utf-8", "replace").decode() if isinstance(found, str) else ""


def items(data: Any, *path: str | int) -> list[Any]:
    """A list at a path; empty where there is none."""
    found = at(data, *path)
    return found if isinstance(found, list) else []


def count(data: Any, *path: str | int) -> int | None:
    """A number of tokens at a path; None where there is none."""
    found = at(data, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) and found >= 0 else None
