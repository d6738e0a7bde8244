"""The pool of a batch whose devices are nodes of a Ray cluster.

Units run here, as in the local pool: models, keys, event logs and results stay on this machine, and so a
lost node loses nothing of them. Each unit has a socket at whose other end an evaluator is to be had;
what comes over it goes to a device of the cluster. When a device is lost, the unit is told, opens
another and asks again.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.connection import Connection

from kernelwright.evals.pool import EVALUATOR, Ended, Pool, Told, Unit
from kernelwright.evals.ray_cluster import Cluster, Lease
from kernelwright.evals.serving.messages import FAULTS, Lost, Reply, Request
from kernelwright.evals.serving.rooms import device_room
from kernelwright.harness.turnstile import ROOM


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
        desk = threading.Thread(target=self._serve, args=(unit.name, ours), daemon=True)
        desk.start()
        with theirs:
            yield {EVALUATOR: theirs.fileno()}
        desk.join()  # the unit has ended, so it hangs up

    def _serve(self, name: str, ours: socket.socket) -> None:
        """Hand on what a unit asks until it hangs up."""
        lease: Lease | None = None
        with Connection(ours.detach()) as connection, contextlib.ExitStack() as stack:
            while True:
                try:
                    request: Request = connection.recv()
                except (EOFError, ConnectionError):
                    return
                try:
                    if request.what == "open":
                        stack.close()  # gives the last one back
                        self._say(name, state="waiting for a device")
                        lease = self._cluster.take(lambda: self._stopping)
                        stack.callback(lease.close)
                        where = f"preparing the task on {lease.node.address}"
                        self._say(name, state=where, device=lease.node.id)
                    assert lease is not None, "the first request opens a task"
                    reply = lease.call(request)
                except Lost as lost:
                    reply = Reply.lost(str(lost))
                except FAULTS as error:
                    reply = Reply.of(error)
                try:
                    connection.send(reply)
                except ConnectionError:
                    return
