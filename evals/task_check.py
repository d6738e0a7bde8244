"""Is a task fit to be scored: does it run, can it tell a kernel from nothing, is its floor known?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from kernelwright.harness import roofline
from kernelwright.harness.audit import MOST_SECONDS, audit
from kernelwright.harness.device import DeviceFacts
from kernelwright.harness.starting import examined
from kernelwright.tasks.audits import AuditRecord
from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.reference import Reference
from kernelwright.tasks.task import Task

LEAST_SHAPES = 2
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Checked:
    """What became of one task. `faults` is empty where it is fit; else a line for each reason."""

    task: Task
    shapes: int
    """That the reference runs in, its own among them."""
    audit: str
    """`sound`, `weak`, or empty where there is none."""
    floor_us: float | None
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What could not be looked at here."""
    record: AuditRecord | None = None
    """The audit that it says this by."""

    def to_json(self) -> dict[str, Any]:
        """One task of the object of `tasks check --json`."""
        return {
            "task": self.task.name,
            "hash": self.task.hash,
            "fit": not self.faults,
            "shapes": self.shapes,
            "audit": self.audit or None,
            "floor_us": self.floor_us,
            "faults": list(self.faults),
            "notes": list(self.notes),
        }


def unrunnable(task: Task, fault: str) -> Checked:
    """What became of a task that cannot be run at all."""
    return Checked(task, 0, "", None, (fault,))


def check(
    task: Task,
    facts: DeviceFacts,
    *,
    record: AuditRecord | None = None,
    audit_seconds: float = MOST_SECONDS,
    progress: Progress | None = None,
) -> Checked:
    """Run the reference in every shape, and audit it where no `record` of an audit is given.

    Nothing that the task's own file does wrong is raised: it is a fault.
    """
    faults: list[str] = []
    floor: float | None = None
    runs = 0
    runnable = False
    for name, variant in _variants(task):
        try:
            least = _floor(task, variant, facts)
        except TaskError as error:
            faults.append(f"{name}: {error}")
            continue
        runs += 1
        if not variant:
            floor, runnable = least, True
            if least is None:
                faults.append("no floor: neither bytes nor operations are known")
    shapes = 1 + len(task.meta.shapes) + len(task.meta.hidden)
    if (
        shapes < LEAST_SHAPES and task.spec is None
    ):  # whoever wrote a suite of others chose its shapes
        faults.append("one shape only: declare others in TASK['shapes'] or TASK['hidden']")
    if record is None and runnable:
        try:
            record = audit(task, seconds=audit_seconds, progress=progress)
        except TaskError as error:
            faults.append(f"audit: {error}")
    if record and record.verdict != "sound":
        faults.append(f"weak: {len(record.survivors)} mutants pass, see `kernelwright tasks audit`")
    notes: list[str] = []
    if runnable:
        try:
            start = examined(task, facts)
            notes += [start.untimed] if start and start.untimed else []
        except TaskError as error:
            faults.append(str(error))
    said = record.verdict if record else ""
    return Checked(task, runs, said, floor, tuple(faults), tuple(notes), record)


def _variants(task: Task) -> Iterator[tuple[str, dict[str, int]]]:
    yield "its own shape", {}
    for shape in (*task.meta.shapes, *task.meta.hidden):
        yield f"shape {', '.join(f'{k}={v}' for k, v in shape.items())}", dict(shape)


def _floor(task: Task, variant: dict[str, int], facts: DeviceFacts) -> float | None:
    """Runs the reference once; its floor in microseconds. Raises TaskError."""
    reference = Reference(task, variant)
    model = reference.build(0, train=task.meta.modes[0] == "train")
    inputs = reference.inputs(0)
    outputs = reference.run(model, inputs)
    if not any(t.numel() for t in outputs):
        raise TaskError("the outputs have no elements")
    if any(t.is_floating_point() and not bool(torch.isfinite(t).all()) for t in outputs):
        raise TaskError("an output is not finite on the task's own inputs")
    work = reference.operations(inputs), reference.bytes_moved(inputs, outputs, model)
    least = roofline.floor(facts, *work).seconds
    return None if least is None else least * 1e6
