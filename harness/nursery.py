"""The parent's handle on the pre-warmed process, and the folders that its workers live in."""

from __future__ import annotations

import itertools
import json
import os
import random
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from kernelwright.harness.errors import HarnessError
from kernelwright.harness.keeper import children, descendants, lives
from kernelwright.harness.rooms import Room, sweep
from kernelwright.harness.sandbox import Cage, level
from kernelwright.harness.sandbox.cage import FIRST_USER

ALLOCATOR = (
    "glibc.malloc.mmap_threshold=4294967296"
    ":glibc.malloc.trim_threshold=8589934592"
    ":glibc.malloc.top_pad=268435456"
)
"""Keeps large blocks in the heap: a fresh mmap per output costs more than many kernels do."""
_START_SECONDS = 120
_KEPT = ("PATH", "LD_LIBRARY_PATH", "LANG", "CUDA_HOME", "CUDA_PATH")
"""Of our environment; the last two say where a CUDA toolkit lies."""
_CREDENTIALS = struct.Struct("iII")


@dataclass(frozen=True)
class End:
    """How a worker ended."""

    status: int | None
    """Exit status, negative for a signal. None: it had to be killed."""
    strays: int
    """Processes that it left behind."""
    reason: str | None
    """What it had too much of, in words, when it was ended for that."""


class Nursery:
    """Starts the pre-warmed process once; forks workers and runs caged programs from it.

    `namespaces`: whether workers get their own, by default where the machine allows.
    """

    def __init__(
        self,
        *,
        threads: int,
        environment: Mapping[str, str] | None = None,
        namespaces: bool | None = None,
    ) -> None:
        self.threads = threads
        self._alone = level().namespaces if namespaces is None else namespaces
        self._keepers: dict[int, tuple[int, int]] = {}
        self.cpus = sorted(os.sched_getaffinity(0))[:threads]
        base = _base()
        sweep(base)
        self._room = Room(base)
        self.root = self._room.path
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._users = itertools.count(FIRST_USER + random.SystemRandom().randrange(1 << 20) * 64)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._log = (self.root / "zygote.log").open("wb")
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "kernelwright.harness.house",
                    str(theirs.fileno()),
                    "alone" if self._alone else "shared",
                ],
                pass_fds=[theirs.fileno()],
                env={**scrubbed_environment(threads, self.cpus), **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                cwd=self.root,
            )
        self._control = ours
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        try:
            self._control.settimeout(_START_SECONDS)
            self._answer("start")
            self._control.settimeout(None)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Nursery:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def scratch(self, *, caged: bool) -> tuple[Path, int | None]:
        """A fresh private folder and the user id that owns it (None: ours).

        `tmp` inside it may be written by the worker, `builds` only read.
        """
        folder = self.root / f"w{next(self._numbers)}"
        for name in ("tmp", "builds", "root"):
            (folder / name).mkdir(parents=True)
        if not (caged and level().own_user):
            return folder, None
        user = next(self._users)
        os.chown(folder / "tmp", user, user)
        return folder, user

    def fork(self, config: Mapping[str, Any], descriptors: Sequence[int]) -> int:
        """Fork a worker with descriptors of its own; returns its process id."""
        return self._start({"fork": dict(config)}, descriptors)

    def run(self, cage: Cage, argv: Sequence[str], log: Path) -> int:
        """Start a caged program whose output goes to `log`; returns its process id."""
        return self._start({"run": asdict(cage), "argv": list(argv), "log": str(log)}, [])

    def strays(self, pid: int) -> int:
        """How many processes live beside a worker in its tree."""
        _, keeper = self._keepers[pid]
        return sum(lives(other) for other in descendants(keeper) if other != pid)

    def lock(self, pid: int) -> bool:
        """No new processes in a worker's tree from now on; False where the kernel cannot see to that."""
        answer, _ = self._ask({"lock": self._keepers[pid][0]}, [])
        return bool(answer["locked"])

    def reap(self, pid: int, timeout: float) -> End:
        """Wait for a worker, then kill what is left of it and of all that it started."""
        if pid not in self._keepers:
            return End(None, 0, None)
        keeper, _ = self._keepers.pop(pid)
        answer, _ = self._ask({"end": keeper, "timeout": timeout}, [])
        return End(answer["status"], answer["strays"], answer["reason"])

    def close(self) -> None:
        """End the process, everything that it forked, and all scratch folders."""
        self._control.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        self._room.close()

    def _start(self, request: Mapping[str, Any], descriptors: Sequence[int]) -> int:
        answer, keeper = self._ask(request, descriptors)
        keeper = keeper if self._alone else answer["keeper"]
        below = children(keeper)
        if not below:
            end, _ = self._ask({"end": answer["keeper"], "timeout": 0.0}, [])
            log = str(request["log"] if "log" in request else request["fork"]["log"])
            said = Path(log).read_text(errors="replace")[-2000:].strip()
            raise HarnessError(f"a worker could not start: {said or end}")
        self._keepers[below[0]] = (answer["keeper"], keeper)
        return below[0]

    def _ask(
        self, request: Mapping[str, Any], descriptors: Sequence[int]
    ) -> tuple[dict[str, Any], int]:
        with self._lock:
            try:
                socket.send_fds(self._control, [json.dumps(request).encode()], list(descriptors))
            except OSError as error:
                raise HarnessError(f"the pre-warmed process is gone: {error}") from error
            return self._answer("answer")

    def _answer(self, what: str) -> tuple[dict[str, Any], int]:
        """An answer, and the process id that it is about in our own numbers."""
        try:
            data, ancillary, _, _ = self._control.recvmsg(
                1 << 16, socket.CMSG_SPACE(_CREDENTIALS.size)
            )
        except OSError as error:
            raise HarnessError(f"the pre-warmed process did not {what}: {error}") from error
        if not data:
            tail = (self.root / "zygote.log").read_text(errors="replace")[-2000:]
            raise HarnessError(f"the pre-warmed process did not {what}: {tail.strip()}")
        answer: dict[str, Any] = json.loads(data)
        if "error" in answer:
            raise HarnessError(f"the pre-warmed process failed: {answer['error']}")
        pids = [
            _CREDENTIALS.unpack(payload)[0]
            for _, kind, payload in ancillary
            if kind == socket.SCM_CREDENTIALS
        ]
        return answer, pids[0]


def _base() -> str:
    """A folder for scratch folders that other user ids can reach, where candidates have their own."""
    chosen = tempfile.gettempdir()
    if not level().own_user:
        return chosen
    for base in (chosen, "/tmp", "/var/tmp"):
        parts = [Path(base), *Path(base).parents]
        if all(part.is_dir() and part.stat().st_mode & 0o001 for part in parts):
            return base
    raise HarnessError(f"other users cannot reach {chosen}: set TMPDIR to a folder that they can")


def scrubbed_environment(threads: int, cpus: Sequence[int]) -> dict[str, str]:
    """The whole environment of workers: no key, no name of the user's, equal terms for all.

    `cpus` are the cores that OpenMP may bind threads to, however many a kernel asks for.
    """
    kept = {k: os.environ[k] for k in _KEPT if k in os.environ}
    return {
        "PATH": os.defpath,
        **kept,
        "HOME": "/nonexistent",
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "OMP_PROC_BIND": "true",
        "OMP_PLACES": ",".join(f"{{{cpu}}}" for cpu in cpus),
        "OMP_WAIT_POLICY": "passive",
        "GLIBC_TUNABLES": ALLOCATOR,
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "TORCHINDUCTOR_COMPILE_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }
