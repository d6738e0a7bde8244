"""Task: a reference `Model` with its inputs, and what is known of it.

A task is a plain PyTorch file in KernelBench's format (`Model`, `get_inputs`, `get_init_inputs`).
Such a file works unchanged. A module-level literal `TASK = {...}` may add what cannot be read off
the code; its keys are the fields of `TaskMeta`. Reading a task never runs it: the metadata is
parsed from the syntax tree, so that listing a suite needs neither torch nor trust.
`tasks/reference.py` runs it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kernelwright.tasks.hidden import without_hidden


@dataclass(frozen=True)
class TaskMeta:
    """What a task file may declare of itself in its literal `TASK` dictionary.

    `shapes` lists variants as overrides of the file's module-level constants, e.g.
    `[{"BATCH": 64, "DIM": 1000}]`: the file's own values are the first variant.
    `operations` and `bytes_moved` are arithmetic expressions over those constants
    (`"2 * M * N * K"`), so that they hold for each variant; None means: count them.
    An operation is one add, multiply, compare, exp, divide ...; the bytes are
    what must be read and written at least.
    """

    title: str = ""
    category: str = "uncategorised"
    level: int | None = None
    tolerance: str | None = None
    """Precision class to judge the outputs in (`fp32`, `bf16`, ...); None: from the dtypes."""
    dtypes: tuple[str, ...] = ()
    backward: bool = False
    modes: tuple[str, ...] = ("eval",)
    """`eval` and `train`: kernels must be right in each; the first is timed. In `train`, buffers after
    the call (running statistics) count as outputs."""
    shapes: tuple[Mapping[str, int], ...] = ()
    hidden: tuple[Mapping[str, int], ...] = ()
    """Further variants, like `shapes`, that models are not shown: a kernel must be right there too,
    or raise an error."""
    full: tuple[Mapping[str, int], ...] = ()
    """The sizes of the task's source, where its own are cut down to a CPU: what `SUITE-full` runs.
    Not tried otherwise."""
    timing: str = "offline"
    """`offline`: calls follow each other. `server`: each comes alone, after a pause of random length, as
    requests do: caches and clocks are what they then are."""
    operations: str | None = None
    bytes_moved: str | None = None
    start: str | None = None
    """A kernel to start from and to beat: a candidate's file, as a path from the task's own folder."""
    translate_to: tuple[str, ...] = ()
    """Where the start kernel is to be translated: the languages (`cpp`, `cuda`, `triton`) of which a
    kernel must be written in one. Empty: it is to be made faster, in whatever language."""


def content_hash(source: str, start: str | None) -> str:
    """SHA-256, hex, of a task's text, and of its start kernel's where it has one."""
    texts = [source] if start is None else [source, start]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


@dataclass(frozen=True)
class Task:
    """One operator to make faster. `source` is the whole text of the reference file."""

    name: str
    source: str
    path: Path | None = None
    meta: TaskMeta = field(default_factory=TaskMeta)
    start: str | None = None
    """Text of the kernel that `meta.start` names."""
    spec: str | None = field(default=None, compare=False)
    """What to say to have it again, where its name is not enough: `kernelbench:PATH/level1/19_ReLU`."""

    @property
    def hash(self) -> str:
        """SHA-256, hex, of the reference source, and of the start kernel where there is one."""
        return content_hash(self.source, self.start)

    @property
    def shown(self) -> str:
        """The source as models are shown it: without its hidden shapes."""
        return without_hidden(self.source)
