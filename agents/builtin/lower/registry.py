"""The table of lowerings, and what a lowering is told of its call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch

from kernelwright.agents.builtin.lazy import Lazy, Materialise, Step


@dataclass
class Program:
    """What has to be done in order: library calls, and tensors that have to exist for them."""

    one_pass_variance: bool = False
    steps: list[Step] = field(default_factory=list)
    counter: int = 0

    def name(self, stem: str) -> str:
        """A new name."""
        self.counter += 1
        return f"{stem}{self.counter}"

    def materialise(self, tensor: Lazy) -> Lazy:
        """Give a tensor a place in memory, unless it has one."""
        from kernelwright.agents.builtin.expr import Buffer

        if tensor.stored is None:
            buffer = Buffer(self.name("t"), tensor.dtype, tensor.shape, "temporary")
            lazy = Lazy(tensor.shape, tensor.dtype, tensor.element)
            self.steps.append(Materialise(lazy, buffer))
            tensor.stored = buffer
        return tensor


@dataclass(frozen=True)
class Call:
    """One node being lowered: its operator, the results that torch predicts, and the program."""

    operator: str
    results: tuple[torch.Tensor, ...]
    """Fake tensors: shapes and dtypes of the outputs."""
    program: Program

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of the (first) output."""
        return self.results[0].dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the (first) output."""
        return tuple(self.results[0].shape)


class Unsupported(Exception):
    """This call of a known operator is not supported; the message says what about it."""


Lowering = Callable[..., Any]
TABLE: dict[str, Lowering] = {}


F = TypeVar("F", bound=Lowering)


def lowers(*operators: str) -> Callable[[F], F]:
    """Register the lowering of operators such as `add.Tensor` (overloads of aten)."""

    def register(function: F) -> F:
        for operator in operators:
            TABLE[f"aten.{operator}"] = function
        return function

    return register
