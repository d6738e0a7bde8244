"""Judging a GPU kernel on the CPU: what runs it instead of a GPU, and what stays unknown.

For machines without a GPU that can judge (`gpu/cuda.py` says why there is none). Values, memory errors and
races can be known; speed cannot. The kernel is run far more slowly than by a GPU, so a task with large inputs
is judged at the first of the shapes that it declares.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch

from kernelwright.harness.errors import HarnessError
from kernelwright.harness.gpu.cuda import found
from kernelwright.harness.parse import LANGUAGE_NAMES, language_of
from kernelwright.harness.verdict import Finding, Verdict
from kernelwright.tasks.reference import Reference
from kernelwright.tasks.resize import resized
from kernelwright.tasks.task import Task

LARGEST_INPUTS = 1 << 20
"""Bytes of inputs; with more, another shape is taken where the task declares one."""
_PACKAGES = {"triton": "triton"}
_PREPARED_BY = {"triton": "kernelwright.harness.triton.interpret"}
SPEED_UNKNOWN = "judged without a GPU: the kernel was emulated on the CPU, whose time says nothing"


@dataclass(frozen=True)
class Emulation:
    """How kernels of one language run without a GPU."""

    language: str
    before: str | None
    """A module whose `prepare` is called in the worker before the candidate is there."""

    @property
    def name(self) -> str:
        """The language as people write it."""
        return LANGUAGE_NAMES[self.language]


@dataclass(frozen=True)
class Emulated:
    """What an evaluator that emulates says in its verdicts."""

    sizes: Mapping[str, int]
    """Constants of the task that were changed, so that it is small enough; none: it is as it stands."""

    def unknown(self, verdict: Verdict, precision: str) -> Verdict:
        """The verdict with all that a GPU alone could tell unknown, and why."""
        sizes = ", ".join(f"{name}={value}" for name, value in self.sizes.items())
        at = (
            f"judged at {sizes}, not at the task's own sizes"
            if sizes
            else "judged at the task's sizes"
        )
        unused = found() if torch.cuda.is_available() else None  # there is one, and it is of no use
        without = f"the GPU cannot judge ({unused})" if unused else "without a GPU"
        note = Finding(
            "emulated", f"{without}: the kernels were emulated on the CPU and {at}", "note"
        )
        unknown = dict.fromkeys(("candidate", "eager", "compile"))
        gains = dict.fromkeys(("eager", "compile"))
        names = ["time_ms", "speedup", "roofline", *(f"speedup.{name}" for name in gains)]
        reasons = {**verdict.reasons, **dict.fromkeys(names, SPEED_UNKNOWN)}
        if verdict.track is None:
            reasons.setdefault("track", "it did not get so far that its work was looked at")
        return replace(
            verdict,
            findings=(*verdict.findings, note),
            precision=precision,
            time_ms=unknown,
            speedup=gains,
            reasons=reasons,
        )


def emulation(source: str) -> Emulation | None:
    """What a candidate needs to run here; None where it runs as it is.

    Raises HarnessError where that is not installed.
    """
    language = language_of(source)
    if language not in ("cuda", "triton"):
        return None
    package = _PACKAGES.get(language)
    if package and importlib.util.find_spec(package) is None:
        raise HarnessError(
            f"a {LANGUAGE_NAMES[language]} kernel needs {package}: pip install 'kernelwright[dev]'"
            f" or pip install {package}"
        )
    return Emulation(language, _PREPARED_BY.get(language))


def smaller(task: Task) -> tuple[Task, Mapping[str, int]]:
    """The task at sizes that can be emulated, and the constants that were changed for it."""
    inputs = Reference(task).inputs(0)
    size = sum(v.numel() * v.element_size() for v in inputs if isinstance(v, torch.Tensor))
    if size <= LARGEST_INPUTS or not task.meta.shapes:
        return task, {}
    shape = task.meta.shapes[0]
    return resized(task, shape, task.name), shape
