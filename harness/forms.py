"""The other forms in which a candidate must be right: declared and hidden shapes, and the other mode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

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
    hidden: bool = False
    """Whoever wrote the candidate was not told of it."""


def own_form(task: Task, seed: int | None) -> Form:
    """The task as it stands, in the mode that is listed first: the one that is timed."""
    return _form(task, "its own shape", {}, task.meta.modes[0], seed)


def further_forms(task: Task, seed: int | None) -> list[Form]:
    """A form for each declared shape, one for the mode that is listed second, then hidden shapes."""
    first, *others = task.meta.modes
    return [
        *(
            _form(
                task, f"shape {', '.join(f'{k}={v}' for k, v in shape.items())}", shape, first, seed
            )
            for shape in task.meta.shapes
        ),
        *(_form(task, f"{mode} mode", {}, mode, seed) for mode in others),
        *(
            replace(_form(task, "a shape that is not shown", shape, first, seed), hidden=True)
            for shape in task.meta.hidden
        ),
    ]


def other_form(own: Form, constants: Mapping[str, int]) -> Form:
    """The task with other constants, which it declares nowhere: none above the task's own.

    Raises TaskError where the file has no such constants, or its code does not take them.
    """
    reference = own.oracle.reference
    for name, value in constants.items():
        most = reference.constants.get(name)
        if not isinstance(most, int) or not 1 <= value <= most:
            raise TaskError(f"{name}={value}: give a constant of the task, from 1 to its own value")
    name = f"shape {', '.join(f'{k}={v}' for k, v in constants.items())}"
    return _form(reference.task, name, constants, reference.task.meta.modes[0], None)


def _form(task: Task, name: str, shape: Mapping[str, int], mode: str, seed: int | None) -> Form:
    reference = Reference(task, shape)
    args, kwargs = reference.init_args()
    try:
        init = (wire.encode_value(list(args)), wire.encode_value(dict(kwargs)))
    except TypeError as error:
        raise TaskError(f"task {task.name}: get_init_inputs: {error}") from error
    return Form(name, Oracle(reference, seed, train=mode == "train"), init)
