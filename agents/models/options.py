"""What a user may set after a model's name: `openai:NAME?effort=high&max_tokens=32000`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from kernelwright.tasks.errors import UsageError

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
LEAST_THINKING = 1024
"""Tokens; Anthropic takes no smaller budget."""


@dataclass(frozen=True)
class Options:
    """Settings of every call. None: the provider's own default, and nothing is sent."""

    max_tokens: int | None = None
    """Most output tokens, reasoning included."""
    temperature: float | None = None
    top_p: float | None = None
    effort: str | None = None
    """How much a model reasons, in the provider's words."""
    thinking: int | Literal["adaptive", "off"] | None = None
    """Anthropic: tokens for thinking, or that the model decides."""
    timeout: float | None = None
    """Seconds for one answer, or for a person to give one."""


def split(text: str, spec: str, known: tuple[str, ...]) -> tuple[str, Options]:
    """`NAME?a=1&b=2` as name and options. Raises UsageError, naming what `known` holds."""
    name, _, query = text.partition("?")
    values: dict[str, Any] = {}
    for part in query.split("&") if query else ():
        key, equals, value = part.partition("=")
        if key not in known or not equals:
            raise UsageError(
                f"model {spec!r}: {part!r} is no option of it; known: "
                + ", ".join(f"{k}={_READERS[k][1]}" for k in known)
            )
        if key in values:
            raise UsageError(f"model {spec!r}: {key} is given twice")
        read, form = _READERS[key]
        try:
            values[key] = read(value)
        except ValueError:
            raise UsageError(f"model {spec!r}: {key}={value!r}: give {form}") from None
    return name, Options(**values)


def _tokens(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _between(low: float, high: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        number = float(text)
        if not (math.isfinite(number) and low <= number <= high):
            raise ValueError
        return number

    return read


def _effort(text: str) -> str:
    if text not in EFFORTS:
        raise ValueError
    return text


def _thinking(text: str) -> int | str:
    if text in ("adaptive", "off"):
        return text
    number = int(text)
    if number < LEAST_THINKING:
        raise ValueError
    return number


_READERS: dict[str, tuple[Callable[[str], Any], str]] = {
    "max_tokens": (_tokens, "TOKENS"),
    "temperature": (_between(0, 2), "0..2"),
    "top_p": (_between(0, 1), "0..1"),
    "effort": (_effort, "|".join(EFFORTS)),
    "thinking": (_thinking, f"TOKENS (at least {LEAST_THINKING})|adaptive|off"),
    "timeout": (_between(0.001, 30 * 86400), "SECONDS"),
}
