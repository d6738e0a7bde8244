"""The oracle: secret inputs, what the outputs must be, and whether they are.

It lives in the parent and nowhere else. References are float64; see `precision.py` for the budget.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from kernelwright.harness import precision
from kernelwright.harness.distributions import DISTRIBUTIONS, Distribution
from kernelwright.harness.precision import Expected
from kernelwright.harness.rounding import Rounding
from kernelwright.harness.worker import Value
from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.reference import Reference

_FLOATS = (torch.float32, torch.float16, torch.bfloat16)


@dataclass(frozen=True)
class Case:
    """One checked call: inputs, and what each output must be."""

    name: str
    inputs: tuple[Value, ...] = field(repr=False)
    expected: tuple[Expected, ...] = field(repr=False)
    layout: tuple[tuple[torch.dtype, tuple[int, ...]], ...]
    precision: str
    gradients: tuple[torch.Tensor, ...] | None = field(default=None, repr=False)
    skew: int = 0

    @property
    def output_bytes(self) -> int:
        """Most bytes that outputs of the right shapes may span, with room for strides."""
        return (1 << 20) + sum(4 * e.value.numel() * e.value.element_size() for e in self.expected)


class Oracle:
    """Cases for one task. `state` is the secret model state that the candidate is given."""

    def __init__(self, reference: Reference, seed: int | None) -> None:
        self.reference = reference
        self._random: random.Random = random.SystemRandom() if seed is None else random.Random(seed)
        self.backward = reference.task.meta.backward
        self._model = reference.build(self.seed())
        reference.randomise(self._model, self.seed())
        self.state = reference.state(self._model)
        self._double = reference.build(0)
        self._double.load_state_dict(self.state)
        self._double = self._double.double()
        self._fixed = _equal(reference.inputs(self.seed()), reference.inputs(self.seed()))
        """The task seeds its inputs itself: fresh values are made by moving the given ones around."""
        self.skipped: dict[str, str] = {}
        """Distributions under which nothing can be demanded, with the reason."""
        self._cases: dict[str, Case | None] = {}
        own = self.case("own")
        if own is None:
            raise TaskError(
                f"task {reference.task.name}: eager and float64 disagree on the task's own inputs"
                f" ({self.skipped['own']}); no verdict is possible"
            )
        self.own = own

    def seed(self) -> int:
        """A fresh secret seed."""
        return self._random.randrange(1 << 31)

    def fresh_inputs(self) -> tuple[Value, ...]:
        """The task's own inputs with values that nobody has seen."""
        inputs = self.reference.inputs(self.seed())
        if not self._fixed:
            return inputs
        return tuple(
            v.flatten().roll(self._random.randrange(1, v.numel())).view(v.shape)
            if isinstance(v, torch.Tensor) and v.is_floating_point() and v.numel() > 1
            else v
            for v in inputs
        )

    def cases(self) -> list[Case]:
        """All cases that this task allows, the cheapest and most telling first; made once."""
        found = [self.case(d.name) for d in DISTRIBUTIONS]
        return [case for case in found if case is not None]

    def renew(self) -> None:
        """Forget all cases: the next ones have new seeds."""
        self._cases.clear()
        self.skipped.clear()
        self.own = self.case("own") or self.own

    def case(self, name: str) -> Case | None:
        """The case of one distribution; None when nothing can be demanded under it."""
        if name not in self._cases:
            distribution = next(d for d in DISTRIBUTIONS if d.name == name)
            self._cases[name] = self._make(distribution)
        return self._cases[name]

    def _make(self, distribution: Distribution) -> Case | None:
        generator = torch.Generator().manual_seed(self.seed())
        inputs = distribution.apply(self.fresh_inputs(), generator)
        try:
            gradients = self._gradients(inputs, generator)
            eager = self.reference.run(self._model, inputs, gradients)
            exact = self._exact(inputs, gradients)
            noisy = []
            for common in (False, True):
                with Rounding(generator, common=common):
                    noisy.append(self._exact(inputs, gradients))
        except TaskError as error:
            if distribution.name == "own":
                raise
            self.skipped[distribution.name] = str(error)
            return None
        chosen = precision.class_of(self.reference.task.meta.tolerance, eager)
        if chosen not in precision.RELATIVE:
            known = ", ".join(precision.RELATIVE)
            raise TaskError(
                f"task {self.reference.task.name}: unknown tolerance {chosen!r} (one of {known})"
            )
        expected = [
            precision.expect(r, e, list(n), chosen, flat=distribution.flat)
            for r, e, *n in zip(exact, eager, *noisy, strict=True)
        ]
        if any(e is None for e in expected):
            self.skipped[distribution.name] = "eager leaves the range of its precision"
            return None
        return Case(
            distribution.name,
            inputs,
            tuple(e for e in expected if e is not None),
            tuple((e.dtype, tuple(e.shape)) for e in eager),
            chosen,
            gradients,
            distribution.skew,
        )

    def _gradients(
        self, inputs: Sequence[Value], generator: torch.Generator
    ) -> tuple[torch.Tensor, ...] | None:
        if not self.backward:
            return None
        outputs = self.reference.run(self._model, inputs)
        return tuple(
            torch.randn(t.shape, generator=generator).to(t.dtype)
            for t in outputs
            if t.is_floating_point()
        )

    def _exact(
        self, inputs: Sequence[Value], gradients: Sequence[torch.Tensor] | None
    ) -> tuple[torch.Tensor, ...]:
        return exact(self.reference, self._double, inputs, gradients)


def exact(
    reference: Reference,
    double: nn.Module,
    inputs: Sequence[Value],
    gradients: Sequence[torch.Tensor] | None,
) -> tuple[torch.Tensor, ...]:
    """A reference in float64, casts to smaller types inside it lifted. `double`: its model, wide."""
    wide = [
        v.double() if isinstance(v, torch.Tensor) and v.is_floating_point() else v for v in inputs
    ]
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with _Lifted():
            grads = None if gradients is None else [g.double() for g in gradients]
            return reference.run(double, wide, grads)
    finally:
        torch.set_default_dtype(before)


def _equal(a: Sequence[Value], b: Sequence[Value]) -> bool:
    pairs = [(x, y) for x, y in zip(a, b, strict=True) if isinstance(x, torch.Tensor)]
    return all(isinstance(y, torch.Tensor) and torch.equal(x, y) for x, y in pairs)


def tensors(case: Case) -> list[torch.Tensor]:
    """All tensors that one call of this case hands over."""
    given = (*case.inputs, *(case.gradients or ()))
    return [v for v in given if isinstance(v, torch.Tensor)]


class _Lifted(TorchFunctionMode):
    """Casts to a smaller floating type, and tensors made in one, are float64 instead."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = {k: _lift(v) for k, v in (kwargs or {}).items()}
        if func in (torch.Tensor.float, torch.Tensor.half, torch.Tensor.bfloat16):
            return args[0].double()
        if func in (torch.Tensor.to, torch.Tensor.type):
            args = [args[0], *(_lift(a) for a in args[1:])]
        return func(*args, **given)


def _lift(value: Any) -> Any:
    return torch.float64 if isinstance(value, torch.dtype) and value in _FLOATS else value
