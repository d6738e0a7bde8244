"""The reference with one secret state: what it answers in its own precision and in float64."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from kernelwright.harness.worker import Value
from kernelwright.tasks.reference import Reference

_FLOATS = (torch.float32, torch.float16, torch.bfloat16)


class Subject:
    """The reference with one secret state, in its own precision and in float64."""

    def __init__(self, reference: Reference, model: nn.Module) -> None:
        self.reference = reference
        self.state = reference.state(model)
        self._model = model
        self._double = reference.build(0, train=model.training)
        self._double.load_state_dict(self.state)
        self._double = self._double.double()
        saved = [k for k, _ in model.named_buffers() if k in self.state]
        self.buffers = tuple(saved) if model.training else ()
        """Names of saved buffers, in training mode: further outputs."""
        self.trained = reference.trained(model)

    def eager(
        self, inputs: Sequence[Value], gradients: Sequence[torch.Tensor] | None, seed: int = 0
    ) -> tuple[torch.Tensor, ...]:
        """What PyTorch's own kernels give."""
        return self._run(self._model, inputs, gradients, seed)

    def exact(
        self, inputs: Sequence[Value], gradients: Sequence[torch.Tensor] | None
    ) -> tuple[torch.Tensor, ...]:
        """The reference in float64, casts to smaller types inside it lifted."""
        with _wide_defaults():
            return self._run(self._double, *_widened(inputs, gradients))

    def draws_random_numbers(self, inputs: Sequence[Value]) -> bool:
        """Whether the outputs depend on torch's random state."""
        if not self.reference.draws_random_numbers(self._model, inputs):
            return False
        one, other = (self.eager(inputs, None, seed) for seed in (0, 1))
        return not all(torch.equal(a, b) for a, b in zip(one, other, strict=True))

    def answers(self, inputs: Sequence[Value]) -> tuple[torch.Tensor, ...]:
        """The outputs alone."""
        return self.eager(inputs, None)[: -len(self.buffers) or None]

    def remembers(self, inputs: Sequence[Value]) -> bool:
        """Whether the outputs depend on how often it has been called."""
        once = self.answers(inputs)
        again = self.reference.run(self._model, inputs)
        return not all(torch.equal(a, b) for a, b in zip(once, again, strict=True))

    def _run(
        self,
        model: nn.Module,
        inputs: Sequence[Value],
        gradients: Sequence[torch.Tensor] | None,
        seed: int = 0,
    ) -> tuple[torch.Tensor, ...]:
        if not model.training:
            return self.reference.run(model, inputs, gradients, seed=seed)
        model.load_state_dict(self.state)  # a call in training mode changes buffers
        outputs = self.reference.run(model, inputs, gradients, seed=seed)
        after = dict(model.named_buffers())
        return (*outputs, *(after[name].detach().clone() for name in self.buffers))


def exact(
    reference: Reference,
    double: nn.Module,
    inputs: Sequence[Value],
    gradients: Sequence[torch.Tensor] | None,
) -> tuple[torch.Tensor, ...]:
    """A reference in float64, for a model of one's own that has been made wide (`double`)."""
    with _wide_defaults():
        return reference.run(double, *_widened(inputs, gradients))


def _widened(
    inputs: Sequence[Value], gradients: Sequence[torch.Tensor] | None
) -> tuple[list[Value], list[torch.Tensor] | None]:
    wide = [
        v.double() if isinstance(v, torch.Tensor) and v.is_floating_point() else v for v in inputs
    ]
    return wide, None if gradients is None else [g.double() for g in gradients]


@contextlib.contextmanager
def _wide_defaults() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with _Lifted():
            yield
    finally:
        torch.set_default_dtype(before)


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
