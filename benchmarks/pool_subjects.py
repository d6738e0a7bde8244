"""What the pool is recorded of: tasks, with structural edits of a kernel and the numbers that go with them.

Most of the subjects are hand-written kernels (`benchmarks/pool/`), plain at first, with an edit behind
each name of `EDITS`; some edits are wrong, as models' ideas are. The others are kernels of the built-in
model, with its structural choices as edits. Each edit follows one strategy of the catalogue.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

from kernelwright.agents.builtin.compile import compile_traced
from kernelwright.agents.builtin.plan import Choices
from kernelwright.agents.builtin.trace import Traced, trace
from kernelwright.agents.roles import NoIdea
from kernelwright.harness.candidate import Candidate
from kernelwright.tasks.load import load_task

KERNELS = Path(__file__).parent / "pool"
Edits = frozenset[str]


class Subject(Protocol):
    """A task with a family of kernels."""

    @property
    def task(self) -> str:
        """Name of the task."""
        ...

    @property
    def edits(self) -> Mapping[str, str]:
        """Names of the structural edits, and the strategy that each follows."""
        ...

    def candidate(self, edits: Edits) -> Candidate:
        """The kernel with these edits; its declared space holds the numbers to try."""
        ...


def structures(subject: Subject) -> Iterator[Edits]:
    """Every set of edits, the plain kernel first."""
    names = list(subject.edits)
    for count in range(len(names) + 1):
        yield from map(frozenset, itertools.combinations(names, count))


@dataclass(frozen=True)
class Written:
    """A kernel of `benchmarks/pool/`."""

    name: str
    edits: Mapping[str, str]
    numbers: Mapping[str, tuple[int, ...]]
    needs: Mapping[str, str] = field(default_factory=dict)
    """Which edit an edit or a number has no effect without."""

    @property
    def task(self) -> str:
        """Name of the task."""
        return f"core/{self.name}"

    def candidate(self, edits: Edits) -> Candidate:
        """The file with the edits on that have an effect, and the numbers that have one."""
        active = {e for e in edits if self.needs.get(e, e) in edits}
        text = (KERNELS / f"{self.name}.py").read_text()
        for edit in active:
            text = text.replace(f'"{edit}": 0', f'"{edit}": 1', 1)
        used = {n: v for n, v in self.numbers.items() if self.needs.get(n) in {None, *active}}
        space = ", ".join(f"{name}={list(values)}" for name, values in used.items())
        return Candidate(re.sub(r"tuned\(.*\)", f"tuned({space})", text, count=1))


@dataclass(frozen=True)
class Builtin:
    """The built-in model's kernels for a task."""

    name: str
    edits: Mapping[str, str]
    """Names of fields of `Choices`, or of numbers that are structure: `stash`, `threads`."""
    numbers: Mapping[str, tuple[int, ...]]

    @property
    def task(self) -> str:
        """Name of the task."""
        return f"core/{self.name}"

    @cached_property
    def _traced(self) -> tuple[Traced, list[Traced]]:
        task = load_task(self.task)
        others = []
        for shape in task.meta.shapes:
            try:
                others.append(trace(task, dict(shape)))
            except NoIdea:
                continue
        return trace(task, {}), others

    def candidate(self, edits: Edits) -> Candidate:
        """The kernel with these choices."""
        own, others = self._traced
        flags = {e: e in edits for e in self.edits if e not in ("stash", "threads")}
        fixed = {"share_rows": True, "one_pass_variance": True, "products": True, "attention": True}
        space: dict[str, tuple[int, ...]] = {
            "VEC": (8,),
            "UNROLL": (2,),
            "THREADS": (2 if "threads" in edits or "threads" not in self.edits else 1,),
            "EXP_DEGREE": (6,),
            "STASH": (int("stash" in edits or "stash" not in self.edits),),
            "KC": (256,),
            "NC": (256,),
            "KEYS": (128,),
            "QUERIES": (64,),
        } | dict(self.numbers)
        choices = Choices(**{**fixed, **flags})
        return Candidate(compile_traced(own, choices, space, "A kernel of the pool.", others).text)


ROWS = {
    "share_rows": "fuse",
    "one_pass_variance": "online",
    "stash": "data_reuse",
    "threads": "thread_grain",
}
SUBJECTS: tuple[Subject, ...] = (
    Written(
        "softmax",
        {
            "PARALLEL": "thread_grain",
            "POLY_EXP": "fast_math",
            "LANED": "vectorise",
            "KEEP": "data_reuse",
            "NO_MAX": "algebra",
        },
        {"LANES": (8, 16, 32), "CHUNK": (1, 16, 128)},
        {"LANES": "LANED", "CHUNK": "PARALLEL"},
    ),
    Written(
        "matmul_bias_gelu",
        {
            "PARALLEL": "thread_grain",
            "TILED": "register_block",
            "FUSED": "fuse",
            "POLY_EXP": "fast_math",
            "BF16": "precision",
        },
        {"MR": (2, 4, 6), "NR": (16, 32, 64)},
        {"MR": "TILED", "NR": "TILED"},
    ),
    Written(
        "column_sum",
        {
            "BLOCKED": "cache_block",
            "PARALLEL": "thread_grain",
            "SPLIT": "split_k",
            "PREFETCH": "software_pipeline",
            "SHARED": "load_balance",
        },
        {"ROWS": (1, 4, 16), "WIDTH": (64, 512, 2048)},
        {"ROWS": "BLOCKED", "WIDTH": "BLOCKED", "SPLIT": "PARALLEL", "SHARED": "PARALLEL"},
    ),
    Written(
        "cross_entropy",
        {
            "PARALLEL": "thread_grain",
            "POLY_EXP": "fast_math",
            "LANED": "lane_reduce",
            "ONLINE": "online",
            "NO_MAX": "algebra",
        },
        {"LANES": (8, 16, 32), "CHUNK": (1, 16, 128)},
        {"LANES": "LANED", "CHUNK": "PARALLEL"},
    ),
    Written(
        "layer_norm",
        {
            "PARALLEL": "thread_grain",
            "ONE_PASS": "online",
            "LANED": "lane_reduce",
            "FUSED": "fuse",
            "STREAM": "streaming",
        },
        {"LANES": (8, 16, 32), "CHUNK": (1, 64)},
        {"LANES": "LANED", "CHUNK": "PARALLEL"},
    ),
    Written(
        "conv_relu_pool",
        {
            "PARALLEL": "thread_grain",
            "FINE": "load_balance",
            "FUSED": "fuse",
            "PADDED": "branch_free",
            "BLOCKED": "register_block",
        },
        {"CHANNELS": (2, 4, 8), "COLUMNS": (4, 8, 20)},
        {"CHANNELS": "BLOCKED", "COLUMNS": "BLOCKED", "FINE": "PARALLEL"},
    ),
    Builtin(
        "attention",
        {
            "products": "register_block",
            "attention": "online",
            "share_rows": "fuse",
            "threads": "thread_grain",
        },
        {"KEYS": (64, 128, 256), "QUERIES": (32, 64, 128)},
    ),
    Builtin("group_norm_silu", ROWS, {"VEC": (8, 16), "UNROLL": (1, 2, 4)}),
    Builtin("embedding_layer_norm", ROWS, {"VEC": (8, 16), "UNROLL": (1, 2, 4)}),
)
