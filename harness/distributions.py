"""Input distributions: what a kernel must get right beside the task's own inputs.

Each takes the task's own inputs, drawn with a fresh secret seed, and bends their floating tensors.
Integer and boolean inputs stay as the task draws them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from kernelwright.harness.worker import Value

Bend = Callable[[torch.Tensor, torch.Generator], torch.Tensor]


def _own(x: torch.Tensor, _: torch.Generator) -> torch.Tensor:
    return x


@dataclass(frozen=True)
class Distribution:
    """`skew` elements before each tensor in memory break its alignment; `flat`: rows of one value."""

    name: str
    bend: Bend
    skew: int = 0
    flat: bool = False
    upstream: Bend = _own
    """What becomes of the gradients handed to the outputs, where the task has a backward pass."""

    def apply(self, inputs: Sequence[Value], generator: torch.Generator) -> tuple[Value, ...]:
        """Bent copies of the floating tensors, the rest as it is."""
        return tuple(
            self.bend(v, generator)
            if isinstance(v, torch.Tensor) and v.is_floating_point() and v.numel()
            else v
            for v in inputs
        )


def _scaled(factor: float) -> Bend:
    return lambda x, _: x * factor


def _wide(x: torch.Tensor, g: torch.Generator) -> torch.Tensor:
    return (x * torch.exp(2.0 * torch.randn(x.shape, generator=g))).to(x.dtype)


def _shifted(x: torch.Tensor, g: torch.Generator) -> torch.Tensor:
    return (x + 40.0).to(x.dtype)


def _constant_rows(x: torch.Tensor, g: torch.Generator) -> torch.Tensor:
    if x.dim() == 0:
        return x
    return x[..., :1].expand(x.shape).contiguous()


def _sparse(x: torch.Tensor, g: torch.Generator) -> torch.Tensor:
    return x * (torch.rand(x.shape, generator=g) < 0.1).to(x.dtype)


def _zero(x: torch.Tensor, _: torch.Generator) -> torch.Tensor:
    return torch.zeros_like(x)


def _special(x: torch.Tensor, g: torch.Generator) -> torch.Tensor:
    out = x.clone().contiguous()
    flat = out.view(-1)
    values = (float("nan"), float("inf"), float("-inf"))
    for i in torch.randint(flat.numel(), (6,), generator=g).tolist():
        flat[i] = values[i % 3]
    return out


def _strided(x: torch.Tensor, _: torch.Generator) -> torch.Tensor:
    """The same values behind other strides: transposed in memory, or with gaps."""
    if x.dim() >= 2:
        return x.transpose(-1, -2).contiguous().transpose(-1, -2)
    if x.dim() == 1:
        return torch.stack([x, x], dim=1)[:, 0]
    return x


def _expanded(x: torch.Tensor, _: torch.Generator) -> torch.Tensor:
    """One number for all, in one place: the gradient that `sum().backward()` hands on."""
    return x.flatten()[:1].reshape(()).expand(x.shape) if x.numel() else x


DISTRIBUTIONS: tuple[Distribution, ...] = (
    Distribution("own", _own),
    Distribution("strided", _strided, upstream=_strided),
    Distribution("misaligned", _own, skew=1, upstream=_expanded),
    Distribution("wide", _wide),
    Distribution("large", _scaled(30.0)),
    Distribution("tiny", _scaled(1e-4)),
    Distribution("shifted", _shifted),
    Distribution("constant rows", _constant_rows, flat=True),
    Distribution("sparse", _sparse),
    Distribution("zero", _zero),
    Distribution("special values", _special),
)
