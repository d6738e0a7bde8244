"""Tries the layers that may be refused. `python -m kernelwright.harness.sandbox.trial` prints, as JSON, the
reason why each does not work, null where it does. A process of its own, because it ends up inside.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable

from kernelwright.harness.sandbox import cage, files, namespaces, seccomp


def main() -> None:
    """Try all."""
    found = {
        "seccomp": attempt(try_seccomp),
        "leave": attempt(try_leave),
        "namespaces": attempt(try_namespaces),
    }
    sys.stdout.write(json.dumps(found))


def attempt(trial: Callable[[], None]) -> str | None:
    """Run `trial` in a child; what it raised, in words."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            trial()
        except BaseException as error:
            os.write(writer, f"{error}"[:300].encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        said = stream.read().decode(errors="replace")
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return said or (f"status {status}" if status else None)


def try_seccomp() -> None:
    """Install the filter, and see that it holds."""
    if not seccomp.available():
        raise OSError("no system call numbers for this architecture")
    seccomp.install(seccomp.fence(metadata=True))
    try:
        os.sched_setaffinity(os.getppid(), os.sched_getaffinity(0))
        os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0))
    except PermissionError:
        return
    raise OSError("the filter does not hold")


def try_leave() -> None:
    """Whether the kernel asks somebody outside before each new process."""
    if not seccomp.available():
        raise OSError("no system call numbers for this architecture")
    os.close(seccomp.install(seccomp.asking(neighbours=False), listen=True))


def try_namespaces() -> None:
    """All the steps of a caged worker, in their order."""
    folder = tempfile.mkdtemp(prefix="kernelwright-")
    try:
        pid = os.fork()
        if pid == 0:
            os._exit(_status(folder))
        if os.waitpid(pid, 0)[1]:
            with open(f"{folder}/why") as stream:  # noqa: PTH123
                raise OSError(stream.read())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _status(folder: str) -> int:
    log = os.open(f"{folder}/why", os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        _inside(folder)
    except BaseException as error:
        os.write(log, f"{error}".encode())
        return 1
    return 0


def _inside(folder: str) -> None:
    for name in ("tmp", "root"):
        os.mkdir(f"{folder}/{name}")  # noqa: PTH102
    said = os.open(f"{folder}/why", os.O_WRONLY)
    namespaces.settle(keep=said)
    pid = namespaces.fork_first()
    if pid == 0:
        try:
            namespaces.new_mounts()
            files.own_proc()
            cage.offer_to_the_killer()
            cage.isolate(cage.Cage(f"{folder}/tmp", cage.python_folders()), f"{folder}/root")
            if os.geteuid() != 0:
                _count()
        except BaseException as error:
            os.write(said, f"{error}".encode())
            os._exit(1)
        os._exit(0)
    os._exit(1 if os.waitpid(pid, 0)[1] else 0)


def _count() -> None:
    """The limit on processes counts this tree only: two fit into a limit of two."""
    resource.setrlimit(resource.RLIMIT_NPROC, (2, 2))
    try:
        pid = os.fork()
    except BlockingIOError as error:
        raise OSError("processes of a tree cannot be counted alone (Linux before 5.14)") from error
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
