"""The pre-warmed process: it has torch imported and forks a worker in milliseconds.

Run as `python -m kernelwright.harness.zygote FD`. It never runs an operator (a fork with OpenMP threads
behind it would hang), holds no answer and no secret, and reaps what it forked, strays included.
Requests on FD (a SOCK_SEQPACKET pair), JSON, one at a time:
  {"fork": {...WorkerConfig}} with two descriptors (socket, arena) -> {"pid": n}
  {"run": {...}, "argv": [...], "log": path} -> {"pid": n}     a caged program, the compiler
  {"sweep": true}               -> {"strays": n}  daemons that workers left, killed
  {"reap": pid, "timeout": s}   -> {"status": n or null, "strays": n}
"""

from __future__ import annotations

import array
import gc
import importlib
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

import numpy  # noqa: F401 - imported once, here, for every worker
import torch

from kernelwright.harness import child
from kernelwright.harness.sandbox import Cage, enter
from kernelwright.harness.sandbox.system import PR_SET_CHILD_SUBREAPER, die_with_parent, prctl


def main() -> None:
    """Serve requests until the other side closes."""
    die_with_parent(os.getppid())  # one that died before has closed the socket
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    control = socket.socket(fileno=int(sys.argv[1]))
    # The name that candidates import; loaded here because the cage hides this package's files.
    importlib.import_module("kernelwright.inline")
    gc.collect()
    gc.freeze()  # workers collect only what is theirs: torch's heap costs 60 ms a round
    known: set[int] = set()
    control.send(json.dumps({"torch": torch.__version__}).encode())
    while True:
        data, ancillary, _, _ = control.recvmsg(1 << 16, socket.CMSG_SPACE(8 * 4))
        if not data:
            break
        descriptors = array.array("i")
        for _, _, payload in ancillary:
            descriptors.frombytes(payload[: len(payload) // 4 * 4])
        request = json.loads(data)
        try:
            answer = serve(request, list(descriptors), control, known)
        except (OSError, KeyError, ValueError) as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        for descriptor in descriptors:
            os.close(descriptor)
        control.send(json.dumps(answer).encode())
    for pid in known:
        kill_tree(pid)
        os.waitpid(pid, 0)
    sweep(set())


def serve(
    request: dict[str, Any], descriptors: list[int], control: socket.socket, known: set[int]
) -> dict[str, Any]:
    """Carry out one request."""
    if "reap" in request:
        return reap(request["reap"], request["timeout"], known)
    if "sweep" in request:
        return {"strays": sweep(known)}
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            control.close()
            os.setsid()
            die_with_parent(parent)
            if "run" in request:
                run_program(request["run"], request["argv"], request["log"])
            else:
                child.main(request["fork"], *descriptors)
        except BaseException as error:
            os.write(2, f"worker: {type(error).__name__}: {error}\n".encode())
            os._exit(97)
        os._exit(0)
    known.add(pid)
    return {"pid": pid}


def run_program(config: dict[str, Any], argv: list[str], log: str) -> None:
    """Become a caged program whose output goes to the file `log`."""
    scratch = config["scratch"]
    child.redirect(log)
    os.closerange(3, 1024)
    os.chdir(scratch)
    environment = {"PATH": os.environ["PATH"], "TMPDIR": scratch, "HOME": scratch, "LC_ALL": "C"}
    parent = os.getppid()
    enter(Cage(**config))
    die_with_parent(parent)  # again: changing the user took it back
    os.execve(argv[0], argv, environment)


def reap(pid: int, timeout: float, known: set[int]) -> dict[str, Any]:
    """Wait at most `timeout` seconds for a worker, then kill it and all that it left behind."""
    status = None
    deadline = time.monotonic() + timeout
    while pid in known:
        done, code = os.waitpid(pid, os.WNOHANG)
        if done:
            status = os.waitstatus_to_exitcode(code)
            break
        if time.monotonic() >= deadline:
            break
        time.sleep(0.001)
    if pid in known:  # else its number may be somebody else's by now
        kill_tree(pid)
        if status is None:
            os.waitpid(pid, 0)
        known.discard(pid)
    return {"status": status, "strays": sweep(known)}


def kill_tree(pid: int) -> None:
    """Kill a worker's process group and session."""
    for kill in (os.killpg, os.kill):
        try:
            kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def sweep(known: set[int]) -> int:
    """Kill daemons: processes that were orphaned to this subreaper. Returns how many there were."""
    found = 0
    for _ in range(100):
        strays = [pid for pid in children(os.getpid()) if pid not in known]
        if not strays:
            break
        for pid in strays:
            found += not is_zombie(pid)
            os.kill(pid, signal.SIGKILL)
        for pid in strays:
            os.waitpid(pid, 0)
    return found


def is_zombie(pid: int) -> bool:
    """Whether a process has ended and only waits to be reaped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def children(pid: int) -> list[int]:
    """Direct children of a process."""
    out: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            out += [int(word) for word in (task / "children").read_text().split()]
        except OSError:
            continue
    return out


if __name__ == "__main__":
    main()
