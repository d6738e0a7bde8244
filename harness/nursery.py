"""The parent's handle on the pre-warmed process, and the folders that its workers live in."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from kernelwright.harness.errors import HarnessError
from kernelwright.harness.sandbox import Cage, level
from kernelwright.harness.sandbox.cage import FIRST_USER

ALLOCATOR = (
    "glibc.malloc.mmap_threshold=4294967296"
    ":glibc.malloc.trim_threshold=8589934592"
    ":glibc.malloc.top_pad=268435456"
)
"""Keeps large blocks in the heap: a fresh mmap per output costs more than many kernels do."""
_START_SECONDS = 120


class Nursery:
    """Starts the pre-warmed process once; forks workers and runs caged programs from it."""

    def __init__(self, *, threads: int) -> None:
        self.threads = threads
        self.cpus = sorted(os.sched_getaffinity(0))[:threads]
        self.root = Path(tempfile.mkdtemp(prefix="kernelwright-", dir=_base()))
        self.root.chmod(0o711)
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._users = itertools.count(FIRST_USER + random.SystemRandom().randrange(1 << 20) * 64)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._log = (self.root / "zygote.log").open("wb")
            self._process = subprocess.Popen(
                [sys.executable, "-m", "kernelwright.harness.zygote", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env=scrubbed_environment(threads),
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                cwd=self.root,
            )
        self._control = ours
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
        (folder / "tmp").mkdir(parents=True)
        (folder / "builds").mkdir()
        if not (caged and level().own_user):
            return folder, None
        user = next(self._users)
        os.chown(folder / "tmp", user, user)
        return folder, user

    def fork(self, config: Mapping[str, Any], descriptors: Sequence[int]) -> int:
        """Fork a worker with a socket and an arena; returns its process id."""
        return self._pid({"fork": dict(config)}, descriptors)

    def run(self, cage: Cage, argv: Sequence[str], log: Path) -> int:
        """Start a caged program whose output goes to `log`; returns its process id."""
        return self._pid({"run": asdict(cage), "argv": list(argv), "log": str(log)}, [])

    def sweep(self) -> int:
        """Kill daemons that workers left behind; returns how many there were."""
        return int(self._ask({"sweep": True}, [])["strays"])

    def reap(self, pid: int, timeout: float) -> tuple[int | None, int]:
        """Wait, then kill what is left of a worker.

        Returns its exit status (None: it had to be killed) and how many strays it left behind.
        """
        answer = self._ask({"reap": pid, "timeout": timeout}, [])
        return answer["status"], answer["strays"]

    def close(self) -> None:
        """End the process, everything that it forked, and all scratch folders."""
        self._control.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        remove(self.root)

    def _pid(self, request: Mapping[str, Any], descriptors: Sequence[int]) -> int:
        return int(self._ask(request, descriptors)["pid"])

    def _ask(self, request: Mapping[str, Any], descriptors: Sequence[int]) -> dict[str, Any]:
        with self._lock:
            try:
                socket.send_fds(self._control, [json.dumps(request).encode()], list(descriptors))
            except OSError as error:
                raise HarnessError(f"the pre-warmed process is gone: {error}") from error
            return self._answer("answer")

    def _answer(self, what: str) -> dict[str, Any]:
        try:
            data = self._control.recv(1 << 16)
        except OSError as error:
            raise HarnessError(f"the pre-warmed process did not {what}: {error}") from error
        if not data:
            tail = (self.root / "zygote.log").read_text(errors="replace")[-2000:]
            raise HarnessError(f"the pre-warmed process did not {what}: {tail.strip()}")
        answer: dict[str, Any] = json.loads(data)
        if "error" in answer:
            raise HarnessError(f"the pre-warmed process failed: {answer['error']}")
        return answer


def remove(folder: Path) -> None:
    """Delete a folder that foreign code has written to, however deep."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except RecursionError:
        subprocess.run(["rm", "-rf", "--", str(folder)], check=False)


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


def scrubbed_environment(threads: int) -> dict[str, str]:
    """The whole environment of workers: no key, no name of the user's, equal terms for all."""
    kept = {k: os.environ[k] for k in ("PATH", "LD_LIBRARY_PATH", "LANG") if k in os.environ}
    return {
        "PATH": os.defpath,
        **kept,
        "HOME": "/nonexistent",
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "OMP_PROC_BIND": "true",
        "OMP_PLACES": "threads",
        "OMP_WAIT_POLICY": "passive",
        "GLIBC_TUNABLES": ALLOCATOR,
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "TORCHINDUCTOR_COMPILE_THREADS": "1",
    }
