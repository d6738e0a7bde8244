"""One worker process as its parent sees it: started, asked, stopped, read and ended.

Nothing here knows of models or of calls. What the process says is a claim; what lies in its memory while
it stands is a fact.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from kernelwright.harness import memory, wire
from kernelwright.harness.arena import Arena, Board
from kernelwright.harness.builds import BUILD_SECONDS, Builder, cache_folder
from kernelwright.harness.errors import HarnessError
from kernelwright.harness.fault import Fault, ended, plain, raised
from kernelwright.harness.inline_cpp import BuildError
from kernelwright.harness.memories import Memory, Shared
from kernelwright.harness.nursery import Nursery
from kernelwright.harness.rooms import remove
from kernelwright.harness.sandbox import Cage, level
from kernelwright.harness.sandbox.cage import python_folders
from kernelwright.harness.seals import Seals
from kernelwright.harness.variants import Variant
from kernelwright.harness.wire import Region

LOAD_SECONDS = 120.0
MAX_BUILDS = 16
_LOG_TAIL, _LONGEST_REPORT = 2000, 1 << 18
"""Bytes of what a process has printed: in the message of a fault, and for a sanitizer's report."""
_SEND_SECONDS = 10.0
"""A worker that does not read what we send is gone for us."""


@dataclass(frozen=True)
class Setup:
    """All that a worker is told at the start about what it is to run."""

    source: str
    entry: str
    init: tuple[Any, Any] = ((), {})
    """Positional and keyword arguments, encoded by `wire.encode_value`."""
    state: tuple[tuple[str, torch.Tensor], ...] = ()
    train: bool = False
    trained: tuple[str, ...] = ()
    """Parameters whose gradients are wanted, in order."""
    buffers: tuple[str, ...] = ()
    """Buffers that are wanted after a checked call, in order."""
    compile: bool = False
    caged: bool = True
    variant: Variant = "plain"
    """How C++ is built (`variants.py`). Sanitized, inputs lie on the heap, each in a block of its own."""
    threads: int | None = None
    """Threads of PyTorch and OpenMP; None: the nursery's."""
    writable: bool = False
    """Whether inputs may be written, to find out who does."""
    memory: int | None = None
    """Bytes that it may take in its cage; None: what the cage allows."""
    leaves: bool = False
    """Whether we can read what it writes to its folder."""
    before: str | None = None
    """A module of the harness whose `prepare(scratch)` is called in the worker before foreign code is there;
    what it returns is asked after each call for what was seen."""


class Process:
    """A process in its cage, the socket to it, and the memory that it shares with us."""

    def __init__(
        self,
        nursery: Nursery,
        builder: Builder,
        setup: Setup,
        *,
        room: int,
        shared: Shared | None = None,
    ) -> None:
        """Start it, with `room` bytes for what it is given, or `shared` ones. Raises HarnessError."""
        self._nursery = nursery
        self._builder = builder
        self._variant: Variant = setup.variant
        self.built: list[str] = []
        """C++ sources that the candidate had built, in their order."""
        self.folder, user = nursery.scratch(caged=setup.caged)
        self.arena: Memory = (
            shared.memory if shared else Arena(room, ours=setup.caged and not setup.writable)
        )
        self.board = Board()
        ours, theirs = socket.socketpair()
        patience = struct.pack("ll", int(_SEND_SECONDS), 0)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, patience)
        self.socket = ours
        scratch = str(self.folder / "tmp")
        read = (*python_folders(), str(self.folder / "builds"))
        cage = Cage(scratch, read, user=user)
        if setup.leaves:
            cage = replace(cage, disk=None)
        if setup.memory is not None:
            cage = replace(cage, memory=setup.memory)
        if shared:
            cage = shared.cage(cage)
        config = {
            "arena_size": shared.whole if shared else self.arena.size,
            "device": dict(shared.spec) if shared else None,
            "rooms": list(shared.rooms) if shared else None,
            "cage": asdict(cage),
            "caged": setup.caged,
            "writable": setup.writable or not setup.caged,
            "cpus": nursery.cpus,
            "threads": setup.threads or nursery.threads,
            "before": setup.before,
            "environment": _environment(scratch, setup),
            "log": str(self.folder / "output.log"),
        }
        with theirs:
            self.pid = nursery.fork(config, [theirs.fileno(), self.arena.fd, self.board.fd])
        self.alive = True
        self._locked = False
        try:
            self.arena_there = self._hello()
            self._filters_at_first = self._filters()
        except BaseException:
            self.close()
            raise

    @property
    def own_folders(self) -> tuple[str, ...]:
        """Where libraries lie that were built from the candidate's source, by us or by itself."""
        return str(self.folder / "builds"), str(self.folder / "tmp")

    # -- asking -----------------------------------------------------------------------------------

    def _hello(self) -> int:
        """Where the worker has the arena in its memory, said before any foreign code is there."""
        try:
            said = wire.receive(self.socket, LOAD_SECONDS)
            self._seals = Seals(self.pid, said["seals"])
            return int(said["arena"])
        except (wire.WireError, memory.Unreadable) as error:
            raise HarnessError(f"a worker could not start{self._tail()}") from error

    def command(self, message: dict[str, Any], timeout: float) -> dict[str, Any]:
        """Send one command and serve builds until its answer. Raises Fault.

        The time of builds, up to that of a single slow one, does not count.
        """
        builds = 0
        deadline, spared = time.monotonic() + timeout, BUILD_SECONDS
        with self.mourned():
            wire.send(self.socket, message)
            while "build" in (
                answer := wire.receive(self.socket, max(0.0, deadline - time.monotonic()))
            ):
                builds += 1
                if builds > MAX_BUILDS:
                    raise Fault("build_failed", f"more than {MAX_BUILDS} builds")
                begin = time.monotonic()
                wire.send(self.socket, self._build(answer))
                spent = min(spared, time.monotonic() - begin)
                deadline, spared = deadline + spent, spared - spent
        return _answered(answer)

    def finish(self, timeout: float) -> None:
        """Wait for the answer to a command that was sent before. Raises Fault."""
        with self.mourned():
            answer = wire.receive(self.socket, timeout)
        _answered(answer)

    def go(self) -> None:
        """Let timed calls begin, the process standing ready for them. Raises Fault."""
        with self.mourned():
            memory.thaw(self.pid)
            try:
                self.socket.sendall(b"g")
            except OSError as error:
                raise wire.WireClosed(str(error)) from error

    def _build(self, request: dict[str, Any]) -> dict[str, Any]:
        given = request.get("flags", [])
        if not isinstance(given, list):
            return {"error": "flags must be a list"}
        try:
            flags = [str(flag) for flag in given]
            source = str(request["build"])
            path = self._builder.build(source, flags, self.folder / "builds", self._variant)
            self.built.append(source)
        except BuildError as error:
            return {"error": str(error)}
        return {"path": str(path)}

    # -- stopping and reading ---------------------------------------------------------------------

    def freeze(self) -> None:
        """Stop all its threads. Raises Fault."""
        with self.mourned():
            memory.freeze(self.pid)

    def thaw(self) -> None:
        """Let it go on. Raises Fault."""
        with self.mourned():
            memory.thaw(self.pid)

    def read(self, region: Region) -> torch.Tensor:
        """A copy of what lies at `region` in its memory. Raises Fault."""
        if region.nbytes > (16 << 30):
            raise Fault("output", f"an output of {region.nbytes} bytes")
        try:
            return memory.read(self.pid, region)
        except memory.Unreadable as error:
            raise Fault("output", f"an output could not be read: {error}") from error

    # -- its tree ---------------------------------------------------------------------------------

    def lockdown(self, timeout: float) -> None:
        """Forbid new processes, and make sure that none is there. Raises Fault.

        Where the kernel lets the keeper decide it is so whatever the worker does; elsewhere it is seen
        by the number of its filters.
        """
        self.command({"do": "lockdown"}, timeout)
        exact = self._nursery.lock(self.pid)
        self._locked = True
        self.check_alone()
        if level().seccomp and not exact and 0 < self._filters() <= self._filters_at_first:
            raise Fault("lockdown_evaded", "the candidate kept its right to start processes")

    def _filters(self) -> int:
        """How many filters its least filtered thread has."""
        found = []
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
                status = (task / "status").read_text()
                found += [int(n) for n in status.partition("Seccomp_filters:")[2].split()[:1]]
        return min(found, default=0)

    @property
    def locked(self) -> bool:
        """Whether new processes are forbidden."""
        return self._locked

    def check_solitary(self) -> None:
        """Raises Fault when any process lives in the worker's tree but itself, once that is forbidden."""
        if self._locked and self._nursery.strays(self.pid):
            raise Fault("left_process", "the candidate runs a process of its own while it is timed")

    def check_sealed(self) -> None:
        """Raises Fault when functions of ours were exchanged in the worker, which stands."""
        with self.mourned():
            broken = self._seals.broken()
        if broken:
            raise Fault("protocol", "the candidate replaced the code that calls it")

    def check_alone(self) -> None:
        """Raises Fault when the worker has company in its tree, or threads on cores that are not its own."""
        if self._nursery.strays(self.pid):
            raise Fault("left_process", "the candidate left a process of its own running")
        allowed = set(self._nursery.cpus)
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            with contextlib.suppress(ProcessLookupError):  # a thread that has just ended
                if not os.sched_getaffinity(int(task.name)) <= allowed:
                    raise Fault(
                        "foreign_cores", "the candidate runs on cores that were not given to it"
                    )

    # -- its end ----------------------------------------------------------------------------------

    def close(self) -> int:
        """End the worker and everything it started; returns how many processes it left behind."""
        if not self.alive:
            return 0
        self.alive = False
        self.socket.close()
        with contextlib.suppress(memory.Unreadable):  # it may have ended already
            memory.thaw(self.pid)
        strays = self._nursery.reap(self.pid, 0.05).strays
        self.arena.close()
        self.board.close()
        remove(self.folder)
        return strays

    @contextlib.contextmanager
    def mourned(self) -> Iterator[None]:
        """Where the process falls silent in here, find out how it ended. Raises Fault."""
        try:
            yield
        except (wire.WireError, memory.Unreadable) as error:
            raise self._post_mortem(error) from error

    def _post_mortem(self, error: Exception) -> Fault:
        """How the worker came to be silent."""
        if isinstance(error, wire.WireTimeout):
            self.close()
            return Fault("timeout", "no answer in time: the call hangs or is far too slow")
        end = self._nursery.reap(self.pid, 1.0)
        tail = self._tail()
        fault = Fault("resources", end.reason) if end.reason else ended(end.status, tail)
        fault.report, fault.sources = self._said(_LONGEST_REPORT), tuple(self.built)
        self.close()
        return fault

    def _tail(self) -> str:
        text = self._said(_LOG_TAIL)
        return f": {plain(text)}" if text else ""

    def _said(self, most_bytes: int) -> str:
        """The end of what the process has printed."""
        log = self.folder / "output.log"
        try:
            with log.open("rb") as stream:
                stream.seek(max(0, os.fstat(stream.fileno()).st_size - most_bytes))
                return stream.read(most_bytes).decode(errors="replace").strip()
        except OSError:
            return ""


def _answered(answer: dict[str, Any]) -> dict[str, Any]:
    if "error" in answer:
        raise raised(answer["error"])
    return answer


def _environment(scratch: str, setup: Setup) -> dict[str, str]:
    """What differs between workers: folders."""
    common = {"HOME": scratch, "TMPDIR": scratch, "TORCH_EXTENSIONS_DIR": f"{scratch}/extensions"}
    if setup.caged:
        return {**common, "TRITON_CACHE_DIR": f"{scratch}/triton"}
    return {**common, "TORCHINDUCTOR_CACHE_DIR": str(cache_folder() / "inductor")}
