"""Keys: where they come from, and how they are kept out of everything that is written or shown.

A key comes from the environment, else from the system's keyring (`keyring set kernelwright openai`).
It is a `Secret`, which shows itself nowhere; only what opens a connection reveals it. Whatever is
written down or shown passes `redact`, because others may repeat a key: a provider in an error, a
program in its answer, a candidate in what it prints.
"""

from __future__ import annotations

import hmac
import importlib
import os
import re
import sys
import threading
import traceback
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Literal, NoReturn

from kernelwright.tasks.errors import UsageError

Provider = Literal["openai", "anthropic", "server"]
SERVICE = "kernelwright"
"""The keyring's name for us; the provider's name is the user name there."""
VARIABLES: dict[Provider, str] = {
    "openai": "OPENAI_API_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
    "server": "KERNELWRIGHT_API_KEY",
}
"""`server` is any server by its address: OPENAI_API_KEY is never sent to one of the user's own."""
MASK = "[redacted]"
SHORTEST = 8
"""Characters. Anything shorter is no secret, and taking it out of texts would garble them."""

_SECRET_NAMES = re.compile(
    r"(?:API_?KEY|ACCESS_KEY|SECRET(?:_KEY)?|TOKEN|PASSWORD|PASSWD|CREDENTIALS?)$", re.I
)
_LOOKS_LIKE = re.compile(
    r"""(?<![A-Za-z0-9])(?:
        sk-(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{16,}       # OpenAI, Anthropic, OpenRouter
        | (?:gsk|hf|ghp|gho|ghs|ghu|github_pat|xai|pplx|nvapi)[_-][A-Za-z0-9_-]{16,}
        | AIza[A-Za-z0-9_-]{30,} | AKIA[A-Z0-9]{16}
    )""",
    re.VERBOSE,
)
_HEADER = re.compile(
    r"(?i)\b(bearer[ \t]+|(?:x-)?api[-_]?key['\"]?[ \t]*[:=][ \t]*b?['\"]?)([A-Za-z0-9._~+/=-]{12,})"
)
_PASSWORD = re.compile(r"(\w://[^\s/:@]*:)[^\s/@]+@")
"""In an address: `https://name:password@host`."""
_known: set[str] = set()


class Secret:
    """A text that shows itself only when asked to."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value
        if len(value) >= SHORTEST:
            _known.add(value)

    def reveal(self) -> str:
        """The text: for the client that sends it, and nobody else."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written down")


def key(provider: Provider) -> Secret | None:
    """The user's key for a provider; None where there is none.

    Raises UsageError for one that cannot be a key: it would be repeated in errors of the client.
    """
    variable = VARIABLES[provider]
    found = os.environ.get(variable, "").strip()
    where = variable
    if not found:
        found, where = _from_keyring(provider), f"the keyring's {SERVICE} {provider}"
    if not found:
        return None
    if not re.fullmatch(r"[\x21-\x7e]+", found):
        raise UsageError(f"{where} is no key: it holds blanks or characters that no key has")
    return Secret(found)


def needed(provider: Provider, spec: str) -> Secret:
    """The user's key. Raises UsageError where there is none."""
    found = key(provider)
    if found is None:
        raise UsageError(
            f"{spec} needs a key: set {VARIABLES[provider]}, or `keyring set {SERVICE} {provider}`"
        )
    return found


def _from_keyring(provider: Provider) -> str:
    """What the system's keyring holds; empty without one, or where it stays locked."""
    try:
        keyring = importlib.import_module("keyring")
        errors = importlib.import_module("keyring.errors")
    except ImportError:
        return ""
    try:
        return (keyring.get_password(SERVICE, provider) or "").strip()
    except errors.KeyringError:
        return ""


def redact(text: str) -> str:
    """The text without keys: those that are known, and what looks like one."""
    return _redact(text, _values())


def redacted(data: Any) -> Any:
    """JSON with every text in it redacted."""
    return _redacted(data, _values())


def _values() -> list[str]:
    """All that is known to be secret; what holds another before that other."""
    return sorted(_known | _in_environment(), key=len, reverse=True)


def _redact(text: str, values: list[str]) -> str:
    for value in values:
        if value in text:
            text = text.replace(value, MASK)
    text = _LOOKS_LIKE.sub(MASK, text)
    text = _PASSWORD.sub(rf"\1{MASK}@", text)
    return _HEADER.sub(rf"\1{MASK}", text)


def _redacted(data: Any, values: list[str]) -> Any:
    if isinstance(data, str):
        return _redact(data, values)
    if isinstance(data, Mapping):
        return {_redact(name, values): _redacted(value, values) for name, value in data.items()}
    if isinstance(data, list | tuple):
        return [_redacted(value, values) for value in data]
    return data


def no_secret(text: str, what: str) -> str:
    """The text, if it holds no key: what cannot be redacted must not hold one. Raises UsageError."""
    if redact(text) != text:
        raise UsageError(
            f"{what} holds a key, which would be written down with the run: "
            f"give it by the environment ({', '.join(VARIABLES.values())})"
        )
    return text


def guard_traces() -> None:
    """Have uncaught exceptions shown without keys, in every thread."""

    def shown(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        trace_text = "".join(traceback.format_exception(kind, error, trace))
        print(redact(trace_text), end="", file=sys.stderr)

    def in_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None and args.exc_type is not SystemExit:
            shown(args.exc_type, args.exc_value, args.exc_traceback)

    sys.excepthook = shown
    threading.excepthook = in_thread


def _in_environment() -> set[str]:
    """Values of variables that are secrets by their name, ours or not."""
    return {
        value.strip()
        for name, value in os.environ.items()
        if _SECRET_NAMES.search(name) and len(value.strip()) >= SHORTEST
    }
