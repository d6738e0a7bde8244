"""An evaluator in a process of its own on this machine."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import BinaryIO

from kernelwright.evals.serving.codec import Garbled, reply_from, request_bytes
from kernelwright.evals.serving.messages import Lost, Reply, Request
from kernelwright.harness.sandbox import fence
from kernelwright.harness.sandbox.fence import Fence

_LEAVE_S = 10.0
_MOST_BYTES = 64 << 20
"""Of a reply. Samples and counters of a verdict take some kilobytes."""
EVALUATOR_SERVER = "kernelwright.evals.serving.server"
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
        self.send(request_bytes(request))
        try:
            return reply_from(request.what, self.receive())
        except Garbled as error:
            raise Lost(f"the evaluator does not keep to the protocol: {error}") from error

    def send(self, message: bytes) -> None:
        """Raises Lost."""
        try:
            self._connection.send_bytes(message)
        except OSError as error:
            raise Lost("the evaluator is gone") from error

    def receive(self) -> bytes:
        """The next message. Raises Lost."""
        try:
            return self._connection.recv_bytes(_MOST_BYTES)
        except (EOFError, OSError) as error:
            raise Lost("the evaluator is gone") from error

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


class ServerProcess(PipeChannel):
    """A server of ours that is started here, and dies with this process."""

    def __init__(
        self,
        environment: Mapping[str, str],
        log: Path | None = None,
        *,
        module: str = EVALUATOR_SERVER,
        inside: Fence | None = None,
    ) -> None:
        """`environment` is added to ours; stderr goes to `log`, or where ours goes.

        `inside`: it is fenced in, and nothing of our environment gets there but settings.
        """
        ours, theirs = socket.socketpair()
        variables = {**machine_environment(), **environment}
        if inside is not None:
            variables = fence.environment(variables)
        with theirs, _sink(log) as stderr:
            self._child = subprocess.Popen(
                _command(module, theirs.fileno(), inside),
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                env=variables,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        super().__init__(Connection(ours.detach()))

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._child.pid

    def send(self, message: bytes) -> None:
        """Raises Lost, which says how the process ended."""
        with self._mourned():
            super().send(message)

    def receive(self) -> bytes:
        """The next message. Raises Lost, which says how the process ended."""
        with self._mourned():
            return super().receive()

    @contextlib.contextmanager
    def _mourned(self) -> Iterator[None]:
        try:
            yield
        except Lost as error:
            self.close()
            raise Lost(f"the evaluator {_end(self._child.returncode)}") from error

    def close(self) -> None:
        """Have it leave, and see to it that it does."""
        super().close()
        try:
            self._child.wait(_LEAVE_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()


def _command(module: str, descriptor: int, inside: Fence | None) -> list[str]:
    if inside is not None:
        return inside.command(module, str(descriptor))
    child = [sys.executable, "-m", "kernelwright.evals.child", str(os.getpid())]
    return [*child, module, str(descriptor)]


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
