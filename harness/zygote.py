"""The pre-warmed process: it has torch imported and starts a worker in milliseconds.

It never runs an operator (a fork with OpenMP threads behind it would hang), holds no answer and no secret.
Each worker lies in the hands of a keeper (`keeper.py`), which is a child of this process.
Requests on its control socket (SOCK_SEQPACKET), JSON, one at a time:
  {"fork": {...}} with descriptors                   -> {"keeper": n}   a worker
  {"run": {...}, "argv": [...], "log": path}        -> {"keeper": n}   a caged program, the compiler
  {"lock": n}                                       -> {"locked": bool}   no new processes in that tree
  {"end": n, "timeout": s}                          -> {"status": n or null, "strays": n, "reason": text}
From inside namespaces an answer with a keeper carries its process id also as credentials, which the kernel
translates into the receiver's numbers; the number in the text is the one to give back.
"""

from __future__ import annotations

import array
import gc
import importlib
import json
import os
import signal
import socket
import struct
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy  # noqa: F401 - imported once, here, for every worker
import torch

from kernelwright.harness import child
from kernelwright.harness.gpu.device import RUNTIMES
from kernelwright.harness.keeper import Limits, children, keep
from kernelwright.harness.sandbox import Cage, enter, files, isolate, namespaces
from kernelwright.harness.sandbox.cage import offer_to_the_killer
from kernelwright.harness.sandbox.system import PR_SET_CHILD_SUBREAPER, die_with_parent, prctl

PREPARING = (
    "kernelwright.harness.triton.interpret",
    "kernelwright.harness.triton.ahead",
    "kernelwright.harness.triton.ahead_once",
    "kernelwright.harness.idle_launches",
    "kernelwright.harness.triton.idle",
    "kernelwright.harness.counters.recording",
    "kernelwright.harness.counters.cuda_ahead",
)
"""Modules that a worker may be prepared by (`Setup.before`)."""

PRELOAD = "KERNELWRIGHT_PRELOAD"
"""Environment variable with modules that all workers of a nursery find loaded; a candidate's has none."""
_MOST_DESCRIPTORS = 16


class Zygote:
    """Serves one parent. `alone`: in namespaces of its own (`house.py`)."""

    def __init__(self, control: socket.socket, *, alone: bool) -> None:
        self._control = control
        self._alone = alone
        self._links: dict[int, socket.socket] = {}

    def main(self) -> None:
        """Serve requests until the other side closes."""
        if not self._alone:
            prctl(PR_SET_CHILD_SUBREAPER, 1)
        # The name that candidates import; loaded here because the cage hides this package's files.
        importlib.import_module("kernelwright.inline")
        for module in (
            *PREPARING,
            child.ON_DEVICE,
            *RUNTIMES,
        ):  # none imports more than torch and numpy
            importlib.import_module(module)
        for module in os.environ.pop(PRELOAD, "").split():
            importlib.import_module(module)
        gc.collect()
        gc.freeze()  # workers collect only what is theirs: torch's heap costs 60 ms a round
        self._send({"torch": torch.__version__})
        while True:
            data, ancillary, _, _ = self._control.recvmsg(
                1 << 16, socket.CMSG_SPACE(4 * _MOST_DESCRIPTORS)
            )
            if not data:
                break
            descriptors = array.array("i")
            for _, _, payload in ancillary:
                descriptors.frombytes(payload[: len(payload) // 4 * 4])
            try:
                answer = self._serve(json.loads(data), list(descriptors))
            except (OSError, KeyError, ValueError) as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            for descriptor in descriptors:
                os.close(descriptor)
            self._send(answer)
        for keeper in list(self._links):
            self._end(keeper, 0.0)

    def _serve(self, request: dict[str, Any], descriptors: list[int]) -> dict[str, Any]:
        if "end" in request:
            return self._end(request["end"], request["timeout"])
        if "lock" in request:
            return self._lock(request["lock"])
        if "run" in request:
            cage = Cage(**request["run"])
            job = partial(run_program, cage, request["argv"], isolated=self._alone)
            return self._start(job, cage, request["log"], [], shared=0)
        config = request["fork"]
        cage = Cage(**config["cage"])
        config["isolated"] = self._alone
        job = partial(child.main, config, descriptors)
        caged = cage if config["caged"] else None
        shared = 0 if config["device"] else config["arena_size"]
        return self._start(job, caged, config["log"], descriptors, shared=shared)

    def _start(
        self,
        job: Callable[[socket.socket], None],
        cage: Cage | None,
        log: str,
        descriptors: list[int],
        *,
        shared: int,
    ) -> dict[str, Any]:
        """Fork a keeper with `job` in its hands; `shared`: bytes that it shares with our parent."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = namespaces.fork_first() if self._alone else os.fork()
        if pid == 0:
            try:
                die_with_parent(os.getppid())
                child.redirect(log)
                close_all_but([theirs.fileno(), *descriptors])
                limits = self._prepare(cage, shared)
                keep(
                    theirs,
                    partial(guarded, job),
                    limits,
                    descriptors=descriptors,
                    first=self._alone,
                )
            except BaseException as error:
                os.write(2, f"keeper: {type(error).__name__}: {error}\n".encode())
                os._exit(97)
            os._exit(0)
        theirs.close()
        self._links[pid] = ours
        ours.recv(1 << 12)  # it has started, or is gone: its end will tell
        return {"keeper": pid}

    def _prepare(self, cage: Cage | None, shared: int) -> Limits:
        """What a keeper does before there is a worker; None for the user's own code."""
        if self._alone:
            namespaces.new_mounts()
            files.own_proc()
        if cage is None:
            return Limits(None, "", None)
        offer_to_the_killer()
        if self._alone:
            isolate(cage, f"{os.path.dirname(cage.scratch)}/root")  # noqa: PTH120
        disk = None if self._alone else cage.disk
        # Half of what the kernel refuses: a bomb that dies away by itself is seen all the same.
        return Limits(cage.memory + shared, cage.scratch, disk, cage.processes // 2)

    def _lock(self, keeper: int) -> dict[str, Any]:
        """Have a keeper give no more leave for new processes."""
        link = self._links[keeper]
        link.send(json.dumps({"lock": True}).encode())
        answer: dict[str, Any] = json.loads(link.recv(1 << 12) or '{"locked": false}')
        return answer

    def _end(self, keeper: int, timeout: float) -> dict[str, Any]:
        """Wait at most `timeout` seconds for a worker, then end it and all that it started."""
        link = self._links.pop(keeper)
        with link:
            try:
                link.send(json.dumps({"end": timeout}).encode())
                data = link.recv(1 << 12)
            except OSError:
                data = b""
        answer: dict[str, Any] = {"status": 97, "strays": 0, "reason": None}
        if data:
            answer = json.loads(data)
        os.waitpid(keeper, 0)
        if not self._alone:
            answer["strays"] += self._sweep()
        return answer

    def _sweep(self) -> int:
        """Kill what a keeper that was killed itself has left to us."""
        found = 0
        while strays := [pid for pid in children(os.getpid()) if pid not in self._links]:
            for pid in strays:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                found += 1
        return found

    def _send(self, answer: dict[str, Any]) -> None:
        data = json.dumps(answer).encode()
        if not (self._alone and "keeper" in answer):
            self._control.send(data)
            return
        credentials = struct.pack("iII", answer["keeper"], os.getuid(), os.getgid())
        kind = (socket.SOL_SOCKET, socket.SCM_CREDENTIALS, credentials)
        self._control.sendmsg([data], [kind])


def guarded(job: Callable[[socket.socket], None], link: socket.socket) -> None:
    """Run `job` so that it cannot return to what called it, whatever it raises."""
    try:
        job(link)
    except BaseException as error:
        os.write(2, f"worker: {type(error).__name__}: {error}\n".encode())
        os._exit(97)
    os._exit(0)


def close_all_but(descriptors: list[int]) -> None:
    """Close every descriptor but the standard ones and these."""
    low = 3
    for descriptor in sorted(descriptors):
        os.closerange(low, descriptor)
        low = descriptor + 1
    os.closerange(low, 4096)


def run_program(cage: Cage, argv: list[str], link: socket.socket, *, isolated: bool) -> None:
    """Become a caged program, which needs nobody's leave."""
    link.close()
    os.chdir(cage.scratch)
    environment = {
        "PATH": os.environ["PATH"],
        "TMPDIR": cage.scratch,
        "HOME": cage.scratch,
        "LC_ALL": "C",
    }
    parent = os.getppid()
    enter(cage, isolated=isolated)
    die_with_parent(parent)  # again: changing the user took it back
    os.execve(argv[0], argv, environment)
