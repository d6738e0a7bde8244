"""Finds out what the operator of a task is: its arguments, outputs, and where its kernel was verified.

Runs the reference, and no kernel. What cannot be a functional operator is refused in one line.
"""

from __future__ import annotations

import ast
import inspect
import keyword
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functional_call

from kernelwright.export.runtime import Form, Spec, TensorSpec
from kernelwright.tasks.errors import TaskError, UsageError
from kernelwright.tasks.reference import Input, Reference, seeded
from kernelwright.tasks.task import Task

_OF_INPUTS = ("get_inputs", "get_init_inputs")
Init = tuple[tuple[Any, ...], Mapping[str, Any]]


class Specified(NamedTuple):
    """The operator, and notes on what of the verification could not be carried over."""

    spec: Spec
    notes: list[str]


def specify(task: Task, name: str, device: str, *, hidden: bool = True) -> Specified:
    """The operator `name` (`namespace::op`) of a task. Raises UsageError, TaskError.

    Without `hidden` the shapes that models are not shown are left out: the kernel may refuse them.
    """
    if task.meta.modes[0] != "eval":
        raise UsageError(
            f"{task.name} is judged in training mode: an operator cannot hold its state"
        )
    own = Reference(task)
    model, inputs = own.build(0), own.inputs(0)
    outputs, count = _outputs(task, model, inputs)
    names = [n for n, _ in (*model.named_parameters(), *model.named_buffers())]
    _check_fake(task, model, inputs, names)
    configs: list[Init] = []
    forms: list[Form] = []
    notes: list[str] = []
    tainted = _constants_of_the_code(task.source)
    for variant in ({}, *task.meta.shapes, *(task.meta.hidden if hidden else ())):
        words = ", ".join(f"{k}={v}" for k, v in variant.items())
        if used := sorted(set(variant) & tainted):
            notes.append(f"not at {words}: the reference's code reads {used[0]}")
            continue
        try:
            form = _form(Reference(task, variant), variant, configs, names)
        except TaskError as error:
            notes.append(f"not at {words}: {error}")
            continue
        if [type(v) for v in form.inputs] == [_kind(v) for v in inputs]:
            forms.append(form)
    spec = Spec(
        name=name,
        arguments=tuple(_arguments(model, len(inputs))),
        state=tuple(names),
        configs=tuple(configs),
        forms=tuple(forms),
        outputs=outputs,
        returns=count,
        backward=task.meta.backward,
        any_mode=_any_mode(own, inputs),
        device=device,
    )
    return Specified(spec, notes)


def _form(
    reference: Reference, variant: Mapping[str, int], configs: list[Init], names: Sequence[str]
) -> Form:
    args, kwargs = reference.init_args()
    init: Init = (tuple(args), kwargs)
    if not _is_literal(init):
        raise UsageError(f"{reference.task.name}: Model is made with more than plain values")
    if init not in configs:
        configs.append(init)
    model = reference.build(0)
    state = dict((*model.named_parameters(), *model.named_buffers()))
    return Form(
        config=configs.index(init),
        inputs=tuple(_described(value) for value in reference.inputs(0)),
        state=tuple(_tensor(state[name]) for name in names),
        constants=dict(variant),
    )


def _described(value: Input) -> Any:
    return _tensor(value) if isinstance(value, torch.Tensor) else value


def _kind(value: Input) -> type:
    return TensorSpec if isinstance(value, torch.Tensor) else type(value)


def _tensor(value: torch.Tensor) -> TensorSpec:
    dtype = str(value.dtype).removeprefix("torch.")
    return TensorSpec(dtype, tuple(value.shape), tuple(value.stride()))


def _outputs(task: Task, model: torch.nn.Module, inputs: Sequence[Input]) -> tuple[Any, int]:
    """The places of the outputs, and how many there are; refuses what changes its arguments."""
    state = {n: t.detach().clone() for n, t in model.state_dict().items()}
    given = _copies(inputs)
    with seeded(0), torch.no_grad():
        returned = model(*given)
    same = all(
        torch.equal(a, b)
        for a, b in zip(_tensors(given), _tensors(inputs), strict=True)
        if not a.is_floating_point() or not a.isnan().any()
    )
    if not same:
        raise UsageError(f"{task.name} changes its inputs: that cannot be a functional operator")
    if any(not torch.equal(t, state[n]) for n, t in model.state_dict().items()):
        raise UsageError(f"{task.name} changes its buffers: that cannot be a functional operator")
    count = 0

    def place(value: object) -> Any:
        nonlocal count
        if isinstance(value, torch.Tensor):
            count += 1
            return count - 1
        if isinstance(value, Mapping):
            return {str(name): place(item) for name, item in value.items()}
        if isinstance(value, list):
            return [place(item) for item in value]
        return tuple(place(item) for item in value) if isinstance(value, tuple) else None

    return place(returned), count


def _check_fake(
    task: Task, model: torch.nn.Module, inputs: Sequence[Input], names: Sequence[str]
) -> None:
    """The shapes of outputs must follow from those of inputs, or torch.compile cannot plan."""
    known = dict((*model.named_parameters(), *model.named_buffers()))
    with FakeTensorMode() as mode, torch.no_grad():
        state: dict[str, torch.Tensor] = {n: mode.from_tensor(known[n]) for n in names}
        given = [mode.from_tensor(v) if isinstance(v, torch.Tensor) else v for v in inputs]
        try:
            functional_call(model, state, tuple(given))
        except Exception as error:
            said = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise UsageError(
                f"{task.name} cannot be an operator: its shapes do not follow from its inputs'"
                f" ({said[:120]})"
            ) from error


def _any_mode(reference: Reference, inputs: Sequence[Input]) -> bool:
    """Whether training mode gives the same, bit by bit, draws nothing and changes nothing."""
    evaluated, trained = reference.build(0), reference.build(0, train=True)
    if reference.draws_random_numbers(trained, inputs):
        return False
    pairs = zip(reference.run(evaluated, inputs), reference.run(trained, inputs), strict=True)
    if not all(torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in pairs):
        return False
    fresh = reference.build(0).state_dict()
    return all(torch.equal(fresh[name], value) for name, value in trained.state_dict().items())


def _arguments(model: torch.nn.Module, count: int) -> Iterator[str]:
    """Names of forward's parameters where they can be those of an operator, else x0, x1 ..."""
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    found = inspect.signature(model.forward).parameters.values()
    names = [p.name for p in found if p.kind in plain][:count]
    good = len(names) == count and all(
        n.isascii() and not keyword.iskeyword(n) and n not in ("self", "config") and n[-1] != "_"
        for n in names
    )
    yield from names if good else (f"x{i}" for i in range(count))


def _constants_of_the_code(source: str) -> set[str]:
    """Module-level names that functions and classes read, and those that such names are made of."""
    tree = ast.parse(source)
    read: set[str] = set()
    made_of: dict[str, set[str]] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name not in _OF_INPUTS:
                read |= set(_names(node))
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for name in (n for target in targets for n in _names(target)):
                made_of.setdefault(name, set()).update(_names(node.value) if node.value else ())
    while more := {n for name in read for n in made_of.get(name, ())} - read:
        read |= more
    return read


def _names(node: ast.AST) -> Iterator[str]:
    yield from (n.id for n in ast.walk(node) if isinstance(n, ast.Name))


def _is_literal(value: object) -> bool:
    try:
        return bool(ast.literal_eval(repr(value)) == value)
    except (ValueError, SyntaxError):
        return False


def _copies(inputs: Iterable[Input]) -> list[Input]:
    return [v.clone() if isinstance(v, torch.Tensor) else v for v in inputs]


def _tensors(inputs: Iterable[Input]) -> list[torch.Tensor]:
    return [v for v in inputs if isinstance(v, torch.Tensor)]
