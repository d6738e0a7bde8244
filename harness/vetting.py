"""Vetting: a task of others runs once in the cage before it runs in our own process.

Imports, `get_init_inputs`, `Model`, `get_inputs` and one `forward`, in a worker like that of a candidate: no
network, no files but Python's own, a scratch folder, limits on memory, processes and time. What goes wrong
there is the task's fault, in one line. What passes is remembered by content, for this version of PyTorch.

This finds what is broken, endless or too large, and what misbehaves without knowing that it is watched. It is
no wall: a file that was written to deceive can behave in the cage and attack afterwards, when the reference
runs in the process that judges; the wall is the fence around that process (`sandbox/fence.py`). Tasks that
ship with kernelwright are not vetted, and none is where the user says by KERNELWRIGHT_TRUST_TASKS=1 that all
are his own.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import torch

from kernelwright.harness import wire
from kernelwright.harness.builds import Builder, cache_folder
from kernelwright.harness.fault import Fault
from kernelwright.harness.inline_cpp import BuildError
from kernelwright.harness.nursery import Nursery
from kernelwright.harness.worker import Setup, Worker
from kernelwright.harness.zygote import PRELOAD
from kernelwright.tasks.errors import TaskError, UsageError
from kernelwright.tasks.load import is_bundled
from kernelwright.tasks.task import Task

STEP_SECONDS = 60.0
"""Each of the steps may take so long, on a machine that may be busy."""
_LEAST_MEMORY = 1 << 30
_OFFLINE = re.compile(
    r"name resolution|Name or service|Network is (unreachable|down)|URLError|socket\.gaierror"
    r"|Connection(Refused)?Error|Max retries exceeded"
)
"""What the standard library, and clients built on it, say where there is no network."""
_STEPS = ("the file", "get_init_inputs or Model", "get_inputs", "Model.forward")
_DRIVER = """
import torch
from pathlib import Path
from kernelwright.tasks.reference import Reference
from kernelwright.tasks.task import Task

class Vetted(torch.nn.Module):
    def __init__(self, name, source, path, train):
        super().__init__()
        self.known = Task(name, source, Path(path) if path else None), train

    def forward(self, step):
        task, train = self.known
        if step == 0:
            self.reference = Reference(task)
        elif step == 1:
            self.made = [self.reference.build(0, train=train)]
        elif step == 2:
            self.given = self.reference.inputs(0)
        else:
            self.reference.run(self.made[0], self.given)
        return torch.zeros(1)
"""


class Vetting:
    """Vets tasks, one after the other, with one pre-warmed process. A context manager."""

    def __init__(self, *, memory: int | None = None, step_seconds: float = STEP_SECONDS) -> None:
        """`memory` in bytes: what a task may take; by default most of what the machine has free."""
        self._memory = memory or max(_LEAST_MEMORY, _free_bytes() * 3 // 4)
        self._seconds = step_seconds
        self._stack = contextlib.ExitStack()
        self._tools: tuple[Nursery, Builder] | None = None

    def __enter__(self) -> Vetting:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def vet(self, task: Task) -> None:
        """Run it in the cage, unless it is ours or has passed before. Raises TaskError, in one line."""
        if not foreign(task) or mark(task).exists():
            return
        path = str(task.path) if task.path else None
        given = wire.encode_value([task.name, task.source, path, task.meta.modes[0] == "train"])
        setup = Setup(_DRIVER, "Vetted", init=(given, {"dict": []}), memory=self._memory)
        begun = 0
        try:
            with self._worker(setup) as worker:
                for begun in range(len(_STEPS)):
                    worker.call([begun], timeout=self._seconds)
        except Fault as fault:
            raise TaskError(self._said(task, _STEPS[begun], fault)) from fault
        _remember(task)

    @contextlib.contextmanager
    def _worker(self, setup: Setup) -> Iterator[Worker]:
        nursery, builder = self._tools or self._start()
        worker = Worker(nursery, builder, setup, inputs_bytes=0, timeout=self._seconds)
        try:
            yield worker
        finally:
            worker.close()

    def _start(self) -> tuple[Nursery, Builder]:
        """Raises UsageError without a compiler."""
        try:
            threads = len(os.sched_getaffinity(0))
            needed = {PRELOAD: "kernelwright.tasks.reference"}
            nursery = self._stack.enter_context(Nursery(threads=threads, environment=needed))
            self._tools = nursery, Builder(nursery)
        except BuildError as error:
            raise UsageError(str(error)) from error
        return self._tools

    def _said(self, task: Task, step: str, fault: Fault) -> str:
        """The fault as one line that begins with the file."""
        where = str(task.path or task.name)
        first = fault.message.strip().partition("\n")[0]
        hint = "; tasks are tried without network" if _OFFLINE.search(first) else ""
        if fault.code == "timeout":
            return f"{where}: {step} does not end within {self._seconds:.0f} s"
        kind, _, text = first.partition(": ")
        if fault.code == "exception" and kind == "TaskError":  # it names the file itself
            return re.sub(r" \(line \d+\)$", "", text) + hint
        return f"{where}: {step}, tried in the sandbox: {first}{hint}"


def vet(task: Task) -> None:
    """Vet one task. Raises TaskError."""
    with Vetting() as vetting:
        vetting.vet(task)


def foreign(task: Task) -> bool:
    """Whether a task is neither ours nor vouched for."""
    return not (trusted() or is_bundled(task))


def trusted() -> bool:
    """Whether the user vouches for all tasks."""
    return os.environ.get("KERNELWRIGHT_TRUST_TASKS", "") not in ("", "0")


def mark(task: Task) -> Path:
    """The file that is there once the task has passed."""
    words = f"{task.hash} {task.meta.modes[0]} torch {torch.__version__}"
    return cache_folder() / "vetted" / hashlib.sha256(words.encode()).hexdigest()


def _remember(task: Task) -> None:
    file = mark(task)
    with contextlib.suppress(OSError):  # a cache that cannot be written costs time only
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def _free_bytes() -> int:
    """Memory that is free, or can be made so; 0 where the machine does not say."""
    with contextlib.suppress(OSError):
        text = Path("/proc/meminfo").read_text()
        found = re.search(r"MemAvailable:\s+(\d+) kB", text)
        return int(found[1]) << 10 if found else 0
    return 0
