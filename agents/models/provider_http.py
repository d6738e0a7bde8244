"""What the official clients have in common: their exceptions, and answers that may be anything.

openai and anthropic name their exceptions alike. Answers are read as plain JSON: servers that call
themselves compatible leave fields out, and an answer that was billed must not crash the run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from kernelwright.agents.models.base import ModelError
from kernelwright.agents.roles import Spend

UNKNOWN = Spend(None, None, None)
"""Something was billed and nobody said how much."""
_TRANSPORT = ("httpx", "httpx2", "httpcore", "httpcore2")


@contextmanager
def errors_of(client: ModuleType, spec: str, key: str) -> Iterator[None]:
    """Turns what `client` raises into ModelError. `key` is taken out of every message."""
    try:
        yield
    except ModelError:
        raise
    except client.APITimeoutError as error:
        raise ModelError(f"{spec}: timed out", retryable=True, spend=_lost(error)) from error
    except client.APIStatusError as error:
        status = error.status_code
        said = _clean(_said(error), key)
        if status < 400:  # an error event in a stream that had begun well
            raise ModelError(
                f"{spec}: {said}", retryable=_passing(error.body), spend=UNKNOWN
            ) from error
        raise ModelError(
            f"{spec}: HTTP {status}: {said}",
            retryable=status in (408, 429) or status >= 500,
            status=status,
            retry_after_s=_retry_after(error.response.headers.get("retry-after")),
        ) from error
    except client.APIConnectionError as error:
        cause = _clean(str(error.__cause__ or error), key)
        raise ModelError(
            f"{spec}: no connection: {cause}", retryable=True, spend=_lost(error)
        ) from error
    except (client.APIError, ValueError) as error:
        raise ModelError(
            f"{spec}: the answer is malformed: {_clean(str(error), key)}", spend=UNKNOWN
        ) from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in _TRANSPORT:
            raise
        cut = _clean(str(error) or type(error).__name__, key)
        raise ModelError(f"{spec}: cut off: {cut}", retryable=True, spend=UNKNOWN) from error


def _lost(error: Exception) -> Spend:
    """What a request without an answer cost: nothing only if it never got through."""
    reached = not type(error.__cause__).__name__.startswith(("Connect", "Pool"))
    return UNKNOWN if reached else Spend()


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


def _said(error: Any) -> str:
    """The provider's own message."""
    body = error.body
    said = at(body, "error", "message") or at(body, "message") or at(body, "error")
    return said if isinstance(said, str) else str(error.message)


def _clean(message: str, key: str) -> str:
    line = " ".join(message.split())[:500]
    return line.replace(key, "***") if len(key) >= 8 else line


def _retry_after(header: str | None) -> float | None:
    """Seconds; the header's other form, a date, is not used by these services."""
    try:
        return max(0.0, float(header)) if header else None
    except ValueError:
        return None


def _passing(body: Any) -> bool:
    """Whether an error event of a stream is one of those that pass."""
    kind = at(body, "error", "type") or at(body, "type")
    return kind in {"overloaded_error", "api_error", "rate_limit_error", "timeout_error"}
