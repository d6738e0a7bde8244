"""Fault: what the code in a worker did wrong, from what little can be known of it from outside."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Any

from kernelwright.harness.cuda_emulation import reports, translate

_LONGEST_MESSAGE = 4000
_HINTS = {
    "SIGXCPU": " (processor time limit)",
    "SIGXFSZ": " (output or file size limit)",
    "SIGSYS": " (forbidden system call)",
}


class Fault(Exception):
    """What the code in the worker did wrong: it crashed, hung, raised, or broke the protocol."""

    def __init__(self, code: str, message: str, detail: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.detail: Mapping[str, Any] = detail or {}
        """The same in figures, for `Finding.detail`."""
        self.report = ""
        """All that the process had printed when it died."""
        self.sources: tuple[str, ...] = ()
        """The C++ that it had built."""


def raised(error: Any) -> Fault:
    """The exception that the worker's code raised, as a fault."""
    if not isinstance(error, dict):
        return Fault("protocol", "the worker broke the protocol")
    kind, message = plain(str(error.get("type"))[:100]), plain(str(error.get("message")))
    line = f" (line {error['line']})" if isinstance(error.get("line"), int) else ""
    if kind == "CannotBeEmulated":
        return Fault("cannot_be_emulated", f"{message}{line}")
    if kind == "BuildError":
        refused = message.startswith(translate.CANNOT)
        return Fault("cannot_be_emulated" if refused else "build_failed", message)
    return Fault("exception", f"{kind}: {message}{line}")


def ended(status: int | None, tail: str) -> Fault:
    """How a worker died: its exit status (None: it had to be killed) and the end of its output."""
    if status is None:
        return Fault("killed", f"the process did not behave and had to be killed{tail}")
    found = reports.told(tail) if status == reports.STATUS else None
    if found is not None:
        return Fault(found[0], plain(found[1]))
    if status >= 0:
        return Fault("exit", f"the process ended by itself with status {status}{tail}")
    known = -status in set(signal.Signals)
    name = signal.Signals(-status).name if known else f"signal {-status}"
    return Fault("crash", f"the process died of {name}{_HINTS.get(name, '')}{tail}")


def plain(text: str) -> str:
    """Text from a worker, of bearable length and without terminal control codes."""
    kept = text[:_LONGEST_MESSAGE]
    return "".join(
        c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in kept
    )
