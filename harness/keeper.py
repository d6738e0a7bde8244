"""The keeper: first process of a worker's tree. It starts the worker, watches the tree and ends it.

Where there are namespaces it is process 1 of the tree, and the kernel ends all with it; elsewhere orphans
are handed to it. It is ours, holds no answer, and runs nothing of a candidate's.
On `link` (a SOCK_SEQPACKET pair) it says {"started": true}; answers {"lock": true} with {"locked": bool},
when no new process can be in the tree (`leave.py`); and answers {"end": seconds} with {"status": n or null,
"strays": n, "reason": text or null} when all of the tree is dead.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kernelwright.harness.sandbox.leave import Leave
from kernelwright.harness.sandbox.system import PR_SET_CHILD_SUBREAPER, prctl
from kernelwright.harness.sandbox.usage import folder_bytes, tree_bytes

_ALONE_SECONDS, _CROWD_SECONDS = 0.2, 0.03
"""Between two looks at a tree, with one process and with several: only several can grow unbounded."""


@dataclass(frozen=True)
class Limits:
    """What a tree may use altogether, sizes in bytes. None: not watched."""

    memory: int | None
    scratch: str
    disk: int | None
    processes: int | None = None
    """At once, beside the worker."""


def keep(
    link: socket.socket,
    job: Callable[[socket.socket], None],
    limits: Limits,
    *,
    descriptors: Sequence[int],
    first: bool,
) -> None:
    """Run `job`, which alone keeps `descriptors`, in a child until told to end.

    It is given the socket for `leave.give`. `first`: this is process 1 of its namespace.
    """
    if not first:
        prctl(PR_SET_CHILD_SUBREAPER, 1)
    ours, theirs = socket.socketpair()
    worker = os.fork()
    if worker == 0:
        link.close()
        ours.close()
        os.setsid()
        job(theirs)
        os._exit(0)
    theirs.close()
    for descriptor in descriptors:  # else nobody would see that the worker has closed them
        os.close(descriptor)
    link.send(json.dumps({"started": True}).encode())
    tree = Tree(worker, first=first)
    leave = Leave(ours)
    reason = None
    look = time.monotonic()
    while True:
        wait = max(0.0, look - time.monotonic())
        heard = [link.fileno(), *leave.descriptors()]
        ready = select.select(heard, [], [], wait)[0]
        leave.serve()
        if link.fileno() in ready:
            data = link.recv(1 << 12)
            request = json.loads(data) if data else {}
            if "lock" in request:
                link.send(json.dumps({"locked": leave.lock()}).encode())
                continue
            status = tree.status_within(request["end"]) if data else None
            reason = reason or breach(tree, limits)
            strays = tree.end()
            if data:
                answer = {"status": status, "strays": strays, "reason": reason}
                link.send(json.dumps(answer).encode())
            return
        if time.monotonic() < look:
            continue
        tree.reap_orphans()
        reason = reason or breach(tree, limits)
        if reason:
            tree.kill()
        look = time.monotonic() + (_CROWD_SECONDS if tree.others() else _ALONE_SECONDS)


def breach(tree: Tree, limits: Limits) -> str | None:
    """What the tree has too much of, in words."""
    pids = tree.others()
    if limits.processes is not None and len(pids) > limits.processes:
        return f"it ran {len(pids)} processes at once, {limits.processes} at most"
    if limits.memory is not None and pids:  # one process alone is bound by its address space
        used = tree_bytes([tree.worker, *pids], limits.memory)
        if used > limits.memory:
            return f"its processes took {used >> 20} MiB of memory together, {limits.memory >> 20} at most"
    if limits.disk is not None:
        used = folder_bytes(limits.scratch, [tree.worker, *pids], limits.disk)
        if used > limits.disk:
            return f"its files took more than {limits.disk >> 20} MiB of disk together"
    return None


class Tree:
    """The processes below a keeper."""

    def __init__(self, worker: int, *, first: bool) -> None:
        self.worker = worker
        self._first = first
        self._ended: int | None = None

    def others(self) -> list[int]:
        """Living processes of the tree but the worker."""
        if self._first:
            pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208
        else:
            pids = descendants(os.getpid())
        return [pid for pid in pids if pid not in (os.getpid(), self.worker) and lives(pid)]

    def reap_orphans(self) -> None:
        """The worker itself is left a zombie until the end, so that its number is nobody else's."""
        for pid in children(os.getpid()):
            if pid != self.worker:
                os.waitpid(pid, os.WNOHANG)

    def status_within(self, seconds: float) -> int | None:
        """Exit status of the worker, None when it does not end in time."""
        deadline = time.monotonic() + seconds
        while True:
            done, code = os.waitpid(self.worker, os.WNOHANG)
            if done:
                self._ended = os.waitstatus_to_exitcode(code)
                return self._ended
            if time.monotonic() >= deadline:
                return None
            time.sleep(0.001)

    def kill(self) -> None:
        """SIGKILL to the worker, and to all that there is."""
        if self._first:
            _kill(-1)
        else:
            for pid in descendants(os.getpid()):
                _kill(pid)

    def end(self) -> int:
        """Kill and reap all; returns how many processes lived outside the worker's group."""
        strays = len([pid for pid in self.others() if _group(pid) != self.worker])
        while True:
            self.kill()
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                return strays


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def children(pid: int) -> list[int]:
    """Direct children of a process, the eldest first; none where it is gone."""
    out: list[int] = []
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return out
    for task in tasks:
        try:
            out += [int(word) for word in (task / "children").read_text().split()]
        except OSError:
            continue
    return out


def descendants(pid: int) -> list[int]:
    """All processes below one."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = children(waiting.pop())
        found += below
        waiting += below
    return found


def lives(pid: int) -> bool:
    """Whether a process is there and has not ended. One whose first thread has ended may live on."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return fields[0] not in "ZX" or int(fields[17]) > 1
