"""An evaluator in a process of its own on this machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import BinaryIO

from kernelwright.evals.serving.messages import Lost, Reply, Request

_LEAVE_S = 10.0
_MODULE = "kernelwright.evals.serving.server"
_QUIET_OPENMP = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0"}
"""An OpenMP pool that spins after its work would steal the cores that candidates are timed on."""
_NOT_HANDED_ON = ("OMP_NUM_THREADS",)
"""What a scheduler such as Ray sets for its own workers, and would cut baselines to one thread."""


class PipeChannel:
    """The way to whoever serves the other end of a socket."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def call(self, request: Request) -> Reply:
        """What it answers. Raises Lost."""
        try:
            self._connection.send(request)
            reply: Reply = self._connection.recv()
        except (EOFError, OSError) as error:
            raise Lost("the evaluator is gone") from error
        return reply

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


class ServerProcess:
    """An evaluator that is started here, and dies with this process."""

    def __init__(self, environment: Mapping[str, str], log: Path | None = None) -> None:
        """`environment` is added to ours; stderr goes to `log`, or where ours goes."""
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-m", "kernelwright.evals.child", str(os.getpid())]
        with theirs, _sink(log) as stderr:
            self._child = subprocess.Popen(
                [*command, _MODULE, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                env={**machine_environment(), **environment},
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        self._channel = PipeChannel(Connection(ours.detach()))

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._child.pid

    def call(self, request: Request) -> Reply:
        """What it answers. Raises Lost, which says how the process ended."""
        try:
            return self._channel.call(request)
        except Lost as error:
            self.close()
            raise Lost(f"the evaluator {_end(self._child.returncode)}") from error

    def close(self) -> None:
        """Have it leave, and see to it that it does."""
        self._channel.close()
        try:
            self._child.wait(_LEAVE_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()


def machine_environment() -> dict[str, str]:
    """Our environment, as a process that measures should have it."""
    kept = {k: v for k, v in os.environ.items() if k not in _NOT_HANDED_ON}
    return {**kept, **_QUIET_OPENMP}


def _sink(log: Path | None) -> BinaryIO:
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
        return log.open("ab")
    return os.fdopen(os.dup(2), "ab")


def _end(status: int | None) -> str:
    if status is None:
        return "does not answer"
    return f"was ended by {signal.Signals(-status).name}" if status < 0 else f"left with {status}"
