"""The other forms in which a candidate must be right: declared shapes, and the other mode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kernelwright.harness import wire
from kernelwright.harness.oracle import Oracle
from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.reference import Reference
from kernelwright.tasks.task import Task

QUICK = ("own", "misaligned")
"""Cases of a form that every candidate must stand; a final judgement takes all."""


@dataclass(frozen=True)
class Form:
    """A form of the task: `name` says in words what differs, `init` are `Model`'s encoded arguments."""

    name: str
    oracle: Oracle
    init: tuple[object, object]


def own_form(task: Task, seed: int | None) -> Form:
    """The task as it stands, in the mode that is listed first: the one that is timed."""
    return _form(task, "its own shape", {}, task.meta.modes[0], seed)


def further_forms(task: Task, seed: int | None) -> list[Form]:
    """A form for each declared shape, and one for the mode that is listed second."""
    first, *others = task.meta.modes
    return [
        *(
            _form(
                task, f"shape {', '.join(f'{k}={v}' for k, v in shape.items())}", shape, first, seed
            )
            for shape in task.meta.shapes
        ),
        *(_form(task, f"{mode} mode", {}, mode, seed) for mode in others),
    ]


def _form(task: Task, name: str, shape: Mapping[str, int], mode: str, seed: int | None) -> Form:
    reference = Reference(task, shape)
    args, kwargs = reference.init_args()
    try:
        init = (wire.encode_value(list(args)), wire.encode_value(dict(kwargs)))
    except TypeError as error:
        raise TaskError(f"task {task.name}: get_init_inputs: {error}") from error
    return Form(name, Oracle(reference, seed, train=mode == "train"), init)
