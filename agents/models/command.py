"""`command:CMD`: any program that reads a prompt on stdin and writes an answer on stdout."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence

from kernelwright.agents.models.base import (
    UNKNOWN,
    UNMETERED,
    Cancelled,
    Exchange,
    Message,
    Meter,
    ModelError,
    Reply,
    Schema,
    size_of,
)
from kernelwright.agents.models.halt import Halt
from kernelwright.agents.models.keys import redact
from kernelwright.tasks.errors import UsageError

TIMEOUT_S = 1800.0


class CommandModel:
    """Runs the command once a call, without a shell. What it costs is unknown."""

    def __init__(
        self, command: str, *, timeout_s: float = TIMEOUT_S, halt: Halt | None = None
    ) -> None:
        """Raises UsageError for a command that cannot be run."""
        self.spec = f"command:{command}"
        try:
            self._argv = shlex.split(command)
        except ValueError as error:
            raise UsageError(f"{self.spec}: {error}") from None
        if not self._argv or not shutil.which(self._argv[0]):
            raise UsageError(f"{self.spec}: no such program; give one that is on PATH")
        self._timeout_s = timeout_s
        self._halt = halt or Halt()

    def ask(
        self,
        messages: Sequence[Message],
        *,
        label: str,
        schema: Schema | None = None,
        meter: Meter = UNMETERED,
    ) -> Reply:
        """One answer. Raises ModelError when the program fails, hangs or says nothing."""
        return meter.charged(self.spec, size_of(messages), None, lambda limit: self._ask(messages))

    def _ask(self, messages: Sequence[Message]) -> Reply:
        self._halt.check()
        began = time.monotonic()
        process = subprocess.Popen(
            self._argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            with self._halt.cutting(lambda: _kill(process)):
                said = prompt(messages).encode("utf-8", "replace")
                out, err = process.communicate(said, self._timeout_s)
        except subprocess.TimeoutExpired:
            raise ModelError(
                f"{self.spec}: no answer in {self._timeout_s:.0f} s", spend=UNKNOWN
            ) from None
        finally:
            _kill(process)
            process.wait()
        if self._halt.at_once:
            raise Cancelled("interrupted", spend=UNKNOWN)
        answer = out.decode(errors="replace")
        if process.returncode or not answer.strip():
            last = err.decode(errors="replace").strip().splitlines() or ["nothing on stderr"]
            what = f"exit status {process.returncode}" if process.returncode else "no answer"
            raise ModelError(f"{self.spec}: {what}: {redact(last[-1])[:500]}", spend=UNKNOWN)
        taken = Exchange(total_s=time.monotonic() - began, streamed=False)
        return Reply(answer, spend=UNKNOWN, model=self.spec, exchange=taken)


def prompt(messages: Sequence[Message]) -> str:
    """A conversation as one text. A single turn stands bare; later ones under headings."""
    if [m.role for m in messages] in (["user"], ["system", "user"]):
        return "\n\n".join(m.text for m in messages)
    return "\n\n".join(f"# {m.role}\n\n{m.text}" for m in messages)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the program and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
