"""A task as a graph of ATen operators: what goes in, what is computed, what comes out.

The reference runs here, in this process; a stranger's is traced behind a fence
(`evals/serving/proposer.py`). Parameters and saved buffers become
inputs under their names in `state_dict`; tensors that are not saved become constants, and must not
depend on the seed, because a candidate could not know them.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import fx

from kernelwright.agents.roles import NoIdea
from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.reference import Reference
from kernelwright.tasks.task import Task

CONSTANT_BYTES = 1 << 20
"""Largest tensor that is written into a candidate as a literal."""
KEPT = (
    torch.ops.aten.scaled_dot_product_attention.default,
    torch.ops.aten.var_mean.correction,
    torch.ops.aten.silu.default,
    torch.ops.aten.softplus.default,
    torch.ops.aten.logsumexp.default,
    torch.ops.aten.mse_loss.default,
    torch.ops.aten.smooth_l1_loss.default,
    torch.ops.aten.huber_loss.default,
    torch.ops.aten.avg_pool1d.default,
    torch.ops.aten.max_pool2d_with_indices.default,
)
"""Operators that are not taken apart: here they cost less whole, or treat NaN as torch does."""
OTHER_MODEL = "a language model may: --model openai:NAME or --model anthropic:NAME"


@dataclass(frozen=True, eq=False)
class Given:
    """One placeholder of the graph. `name` is a position for inputs, else a name in the Model."""

    node: str
    role: Literal["input", "state", "constant"]
    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    value: torch.Tensor | None = None
    """The tensor itself, for constants."""


@dataclass(frozen=True)
class State:
    """A parameter or buffer that the candidate has to own under the same name."""

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    parameter: bool


@dataclass(frozen=True, eq=False)
class Traced:
    """The graph of a task. `returns` is the reference's output with node names in place of tensors."""

    graph: fx.Graph
    given: tuple[Given, ...]
    states: tuple[State, ...]
    inputs: tuple[torch.Tensor | int | float | bool, ...]
    returns: Any
    changes: tuple[tuple[str, str], ...]
    """Buffers that the reference changes: name in the Model, node with the new value."""
    shape: Mapping[str, int]
    """Constants of the file in which this shape differs from the task's own."""
    init: tuple[tuple[Any, ...], dict[str, Any]]
    """What `Model` is made with at this shape."""


def trace(task: Task, shape: Mapping[str, int] | None = None) -> Traced:
    """Trace a task at its own shape or at another.

    Raises NoIdea where torch.export cannot follow it, TaskError where the task is at fault.
    """
    reference = Reference(task, shape)
    model, inputs = reference.build(0), reference.inputs(0)
    with torch.no_grad(), _quiet():
        try:
            exported = torch.export.export(model, tuple(inputs))
            program = exported.run_decompositions(_decompositions())
        except TaskError:
            raise
        except Exception as error:
            reference.run(model, inputs)  # a reference that raises is the task's fault: says so
            first = str(error).strip().splitlines() or [type(error).__name__]
            raise NoIdea(
                f"the built-in model cannot trace {task.name}: {first[0][:200]} ({OTHER_MODEL})"
            ) from error
    signature = program.graph_signature
    saved = model.state_dict()
    other = reference.build(1)
    given: list[Given] = []
    placeholders = [n for n in program.graph.nodes if n.op == "placeholder"]
    position = 0
    for spec, node in zip(signature.input_specs, placeholders, strict=True):
        kind = spec.kind.name
        if kind == "USER_INPUT":
            value = inputs[position]
            if isinstance(value, torch.Tensor):
                given.append(
                    Given(node.name, "input", str(position), tuple(value.shape), value.dtype)
                )
            position += 1
        elif spec.target in saved:
            tensor = saved[spec.target]
            given.append(Given(node.name, "state", spec.target, tuple(tensor.shape), tensor.dtype))
        else:
            tensor = _constant(program, spec.target)
            used = bool(node.users)
            if used:
                _check_constant(task, spec.target, tensor, other)
                given.append(
                    Given(
                        node.name,
                        "constant",
                        spec.target,
                        tuple(tensor.shape),
                        tensor.dtype,
                        tensor,
                    )
                )
    parameters = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    states = tuple(
        State(name, tuple(t.shape), t.dtype, name in parameters) for name, t in saved.items()
    )
    output = next(n for n in program.graph.nodes if n.op == "output")
    returned: list[Any] = []
    changes: list[tuple[str, str]] = []
    for out, result in zip(signature.output_specs, output.args[0], strict=True):
        if out.kind.name == "USER_OUTPUT":
            returned.append(result.name if isinstance(result, fx.Node) else Literally(result))
        elif out.kind.name == "BUFFER_MUTATION" and out.target in saved:
            changes.append((out.target, result.name))
        else:
            raise NoIdea(f"{task.name} changes its input {out.target}: {OTHER_MODEL}")
    returns = torch.utils._pytree.tree_unflatten(returned, program.call_spec.out_spec)
    args, kwargs = reference.init_args()
    return Traced(
        program.graph,
        tuple(given),
        states,
        tuple(inputs),
        returns,
        tuple(changes),
        dict(shape or {}),
        (tuple(args), kwargs),
    )


@dataclass(frozen=True)
class Literally:
    """A value among the outputs that is no tensor: None or a number."""

    value: Any


def _decompositions() -> dict[Any, Any]:
    """Core ATen, but for what is lowered better as a whole."""
    table: dict[Any, Any] = dict(
        torch.export.default_decompositions().items()  # type: ignore[no-untyped-call]
    )
    for operator in KEPT:
        table.pop(operator, None)
    return table


def _constant(program: torch.export.ExportedProgram, name: str) -> torch.Tensor:
    value = program.constants.get(name)
    if value is None:
        value = program.state_dict[name]
    tensor: torch.Tensor = value.detach()
    return tensor


def _check_constant(task: Task, name: str, tensor: torch.Tensor, other: torch.nn.Module) -> None:
    """Refuse a constant that is random or too large to be written into a candidate."""
    if tensor.numel() * tensor.element_size() > CONSTANT_BYTES:
        raise NoIdea(
            f"{task.name} holds {name} ({tuple(tensor.shape)}), which state_dict does not save and "
            f"which is too large for a literal: register it as a persistent buffer"
        )
    twin: Any = other
    for part in name.split("."):
        twin = getattr(twin, part, None)
    if isinstance(twin, torch.Tensor) and not torch.equal(
        twin.detach().nan_to_num(), tensor.nan_to_num()
    ):
        raise NoIdea(
            f"{task.name} holds {name}, which is random and not saved by state_dict: no candidate "
            f"can know it; register it as a buffer"
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
