"""A traced graph as a program over lazy tensors."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from kernelwright.agents.builtin.expr import KINDS, Buffer
from kernelwright.agents.builtin.lazy import Lazy, Materialise, of_buffer
from kernelwright.agents.builtin.lower import library, pointwise, pooling, reductions, views
from kernelwright.agents.builtin.lower.registry import TABLE, Call, Program, Unsupported
from kernelwright.agents.builtin.trace import OTHER_MODEL, Given, Literally, Traced
from kernelwright.agents.roles import NoIdea

LOWERINGS = (pointwise, views, reductions, pooling, library)
"""Importing them fills the table."""


@dataclass(frozen=True, eq=False)
class Built:
    """A program with its ends: what it reads from outside, and what it returns."""

    program: Program
    sources: tuple[tuple[Given, Buffer], ...]
    outputs: tuple[Materialise, ...]
    """Each tensor of the output that has to be made, in order."""
    returns: Any
    """The nested output with Buffers in place of tensors."""
    changes: tuple[tuple[str, Buffer], ...]
    operators: tuple[str, ...]
    """The ATen operators of the graph, in order."""


def build(traced: Traced, one_pass_variance: bool = False) -> Built:
    """Lower every node. Raises NoIdea with the operator that nobody here knows."""
    program = Program(one_pass_variance)
    env: dict[str, Any] = {}
    sources: list[tuple[Given, Buffer]] = []
    roles = {g.node: g for g in traced.given}
    operators: list[str] = []
    for node in traced.graph.nodes:
        if node.op == "placeholder":
            given = roles.get(node.name)
            if given is None:
                env[node.name] = None
                continue
            if given.dtype not in KINDS:
                raise NoIdea(
                    f"the built-in model does not know the dtype {given.dtype}; {OTHER_MODEL}"
                )
            stem = {"input": "x", "state": "w", "constant": "c"}[given.role]
            buffer = Buffer(
                f"{stem}{len(sources)}", given.dtype, given.shape, given.role, given.name
            )
            sources.append((given, buffer))
            env[node.name] = of_buffer(buffer)
        elif node.op == "call_function":
            env[node.name] = _lowered(node, env, program, operators)
    return _ends(traced, program, env, sources, operators)


def _lowered(node: fx.Node, env: dict[str, Any], program: Program, operators: list[str]) -> Any:
    args: Any = fx.map_arg(node.args, lambda n: env[n.name])
    named: dict[str, Any] = dict(fx.map_arg(node.kwargs, lambda n: env[n.name]))
    if node.target is operator.getitem:
        return args[0][args[1]]
    name = str(node.target)
    operators.append(name)
    lowering = TABLE.get(name)
    if lowering is None:
        raise NoIdea(f"the built-in model does not know the operator {name}; {OTHER_MODEL}")
    meta = node.meta.get("val")
    results = tuple(meta) if isinstance(meta, list | tuple) else (meta,)
    for result in results:
        if isinstance(result, torch.Tensor) and result.dtype not in KINDS:
            raise NoIdea(
                f"the built-in model does not know the dtype {result.dtype} that {name} gives; "
                f"{OTHER_MODEL}"
            )
    try:
        return lowering(Call(name, results, program), *args, **named)
    except Unsupported as reason:
        raise NoIdea(
            f"the built-in model does not know this use of {name}: {reason}; {OTHER_MODEL}"
        ) from reason


def _ends(
    traced: Traced,
    program: Program,
    env: dict[str, Any],
    sources: list[tuple[Given, Buffer]],
    operators: list[str],
) -> Built:
    outputs: list[Materialise] = []
    made: dict[Any, Buffer] = {}

    def output(tensor: Lazy) -> Buffer:
        """Always a tensor of its own: the reference may return an input, a candidate must not."""
        if tensor not in made:
            buffer = Buffer(f"y{len(outputs)}", tensor.dtype, tensor.shape, "output")
            made[tensor] = buffer
            outputs.append(Materialise(tensor, buffer))
        return made[tensor]

    def replace(value: Any) -> Any:
        if isinstance(value, str):
            return output(env[value])
        if isinstance(value, Literally):
            return value
        if isinstance(value, dict):
            return {key: replace(item) for key, item in value.items()}
        if isinstance(value, list):
            return [replace(item) for item in value]
        if isinstance(value, tuple):
            return tuple(replace(item) for item in value)
        raise NoIdea(f"the output holds a {type(value).__name__}; {OTHER_MODEL}")

    returns = replace(traced.returns)
    changes = tuple((name, output(env[node])) for name, node in traced.changes)
    return Built(program, tuple(sources), tuple(outputs), returns, changes, tuple(operators))
