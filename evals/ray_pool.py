"""The pool of a batch whose devices are nodes of a Ray cluster.

Units run here, as in the local pool: models, keys, event logs and results stay on this machine, and so a
lost node loses nothing of them. Each unit has a socket at whose other end an evaluator is to be had;
what comes over it goes to a device of the cluster. When a device is lost, the unit is told, opens
another and asks again.
"""

from __future__ import annotations

import contextlib
import functools
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.connection import Connection

from kernelwright.evals.pool import EVALUATOR, Ended, Pool, Told, Unit
from kernelwright.evals.ray_cluster import Cluster, Lease
from kernelwright.evals.serving.messages import FAULTS, Lost, Reply, Request
from kernelwright.evals.serving.rooms import device_room
from kernelwright.harness.turnstile import ROOM

_LEAVE_S = 5.0
"""How long a unit that has ended waits for Ray to break off what it asked."""


class RayPool(Pool):
    """Runs units whose evaluators are elsewhere."""

    def __init__(
        self,
        cluster: Cluster,
        slots: int,
        told: Told,
        ended: Callable[[Ended], None],
        environment: Mapping[str, str],
    ) -> None:
        """What units themselves do here must not disturb a device of the cluster on this machine."""
        super().__init__(slots, told, ended, {**environment, ROOM: str(device_room())})
        self._cluster = cluster

    @contextlib.contextmanager
    def _beside(self, unit: Unit) -> Iterator[Mapping[str, int]]:
        """The unit's end of a socket; at ours a thread asks the cluster."""
        ours, theirs = socket.socketpair()
        desk = _Desk(
            self._cluster,
            Connection(ours.detach()),
            functools.partial(self._say, unit.name),
            lambda: self._stopping,
        )
        desk.start()
        try:
            with theirs:
                yield {EVALUATOR: theirs.fileno()}
        finally:
            desk.leave()


class _Desk(threading.Thread):
    """Hands on to the cluster what one unit asks, until it hangs up or has ended."""

    def __init__(
        self,
        cluster: Cluster,
        connection: Connection,
        say: Callable[..., None],
        stopping: Callable[[], bool],
    ) -> None:
        super().__init__(daemon=True)
        self._cluster = cluster
        self._connection = connection
        self._say = say
        self._stopping = stopping
        self._ended = False
        self._lease: Lease | None = None

    def run(self) -> None:
        """Answer, one request after the other."""
        try:
            with self._connection:
                while not self._ended:
                    self._connection.send(self._reply(self._connection.recv()))
        except (EOFError, ConnectionError):  # it has hung up
            return
        finally:
            self._give_back()

    def leave(self) -> None:
        """The unit has ended: nobody waits for what it asked."""
        self._ended = True
        self._give_back()
        self.join(_LEAVE_S)

    def _reply(self, request: Request) -> Reply:
        try:
            if request.what == "open":
                self._give_back()
                self._say(state="waiting for a device")
                self._lease = self._cluster.take(lambda: self._ended or self._stopping())
                self._say(state=f"preparing the task on {self._lease.node.address}")
            if self._lease is None:
                raise Lost("no evaluator was opened")
            return self._lease.call(request)
        except Lost as lost:
            return Reply.lost(str(lost))
        except FAULTS as error:
            return Reply.of(error)

    def _give_back(self) -> None:
        if self._lease is not None:
            self._lease.close()
