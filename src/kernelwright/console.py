"""What reaches the user's terminal: results on stdout, everything else on stderr.

Under `--json` exactly one object may reach stdout, whatever a task, a library or a child process
prints: so file descriptor 1 itself is pointed at stderr, and only `Console.emit` holds the old one.
Keys are taken out of all that is shown.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any, TextIO

from kernelwright.agents.models.keys import redact, redacted


class Console:
    """Where a command writes. Use it as a context manager."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._kept: int | None = None

    def __enter__(self) -> Console:
        if self.as_json:
            sys.stdout.flush()
            self._kept = os.dup(1)
            os.dup2(2, 1)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        sys.stdout.flush()
        if self._kept is not None:
            os.dup2(self._kept, 1)
            os.close(self._kept)
            self._kept = None

    def emit(self, result: Mapping[str, Any]) -> None:
        """Print the one JSON object of a `--json` call; without `--json` nothing."""
        if self._kept is None:
            return
        text = json.dumps(redacted(result), ensure_ascii=False, allow_nan=False) + "\n"
        with os.fdopen(os.dup(self._kept), "w", encoding="utf-8") as stdout:
            stdout.write(text)

    def show(self, text: str) -> None:
        """A result for people, on stdout; under `--json` nothing."""
        if not self.as_json:
            print(redact(text), flush=True)

    def note(self, text: str) -> None:
        """A line of progress, on stderr."""
        print(redact(text), file=self.stderr, flush=True)

    @property
    def stderr(self) -> TextIO:
        """The stream that progress goes to."""
        return sys.stderr


def complain(message: object) -> None:
    """The one line on stderr that tells a user what is wrong."""
    print(f"kernelwright: {redact(' '.join(str(message).split()))}", file=sys.stderr, flush=True)
