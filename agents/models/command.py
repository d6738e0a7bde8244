"""`command:CMD`: any program that reads a prompt on stdin and writes an answer on stdout."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Sequence

from kernelwright.agents.models.base import (
    UNMETERED,
    Message,
    Meter,
    ModelError,
    Reply,
    Schema,
    size_of,
)
from kernelwright.agents.roles import Spend
from kernelwright.tasks.errors import UsageError

TIMEOUT_S = 1800.0


class CommandModel:
    """Runs the command once a call, without a shell. What it costs is unknown."""

    def __init__(self, command: str, *, timeout_s: float = TIMEOUT_S) -> None:
        """Raises UsageError for a command that cannot be run."""
        self.spec = f"command:{command}"
        try:
            self._argv = shlex.split(command)
        except ValueError as error:
            raise UsageError(f"{self.spec}: {error}") from None
        if not self._argv or not shutil.which(self._argv[0]):
            raise UsageError(f"{self.spec}: no such program; give one that is on PATH")
        self._timeout_s = timeout_s

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
        process = subprocess.Popen(
            self._argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            out, err = process.communicate(prompt(messages).encode(), self._timeout_s)
        except subprocess.TimeoutExpired:
            raise ModelError(f"{self.spec}: no answer in {self._timeout_s:.0f} s") from None
        finally:
            _end(process)
        answer = out.decode(errors="replace")
        if process.returncode:
            said = err.decode(errors="replace").strip().splitlines() or ["nothing on stderr"]
            raise ModelError(f"{self.spec}: exit status {process.returncode}: {said[-1][:500]}")
        return Reply(answer, spend=Spend(None, None, None), model=self.spec)


def prompt(messages: Sequence[Message]) -> str:
    """A conversation as one text. A single turn stands bare; later ones under headings."""
    if [m.role for m in messages] in (["user"], ["system", "user"]):
        return "\n\n".join(m.text for m in messages)
    return "\n\n".join(f"# {m.role}\n\n{m.text}" for m in messages)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the program and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
