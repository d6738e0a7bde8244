"""Input distributions: what a kernel must get right beside the task's own inputs.

Each takes the task's own inputs, drawn with a fresh secret seed, and bends their floating tensors.
Integers and truth values stay as the task draws them, but for the two distributions made for them, and
there only those that may be rearranged (`retouch.py`) change, to values that were drawn.

Left out, with the reason: numbers below the smallest normal one (flushing them to zero is honest, and
usual on a GPU), negative zeros among zeros (which of the two max(-0, 0) gives is not laid down), and
tensors without elements (no task of a fixed shape has any).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

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
    layout_of_own: bool = False
    """The values of the own case in another layout: so are its answers."""
    integers: Bend | None = None
    """What becomes of integers and truth values that may be rearranged."""

    def apply(
        self, inputs: Sequence[Value], generator: torch.Generator, free: Sequence[bool] = ()
    ) -> tuple[Value, ...]:
        """Bent copies of the floating tensors (and of integers where `free`), the rest as it is."""
        return tuple(
            self._bent(v, generator, may) if isinstance(v, torch.Tensor) and v.numel() else v
            for v, may in zip_longest(inputs, free, fillvalue=False)
        )

    def _bent(self, x: torch.Tensor, generator: torch.Generator, free: bool) -> torch.Tensor:
        if x.is_floating_point():
            return self.bend(x, generator)
        return self.integers(x, generator) if self.integers and free else x


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


def _padded_rows(x: torch.Tensor, _: torch.Generator) -> torch.Tensor:
    """Rows with gaps between them, as a slice of a wider tensor has."""
    if x.dim() < 2:
        return x
    width = x.shape[-1]
    wider = x.new_zeros(*x.shape[:-1], width + min(3, width))
    return wider[..., :width].copy_(x)


def _permuted(x: torch.Tensor, _: torch.Generator) -> torch.Tensor:
    """Channels last for images, all dimensions the other way round for what else has three or more."""
    if x.dim() == 4:
        return x.contiguous(memory_format=torch.channels_last)
    if x.dim() < 3:
        return x
    order = list(range(x.dim()))[::-1]
    return x.permute(order).contiguous().permute(order)


def _ends(x: torch.Tensor, g: torch.Generator) -> torch.Tensor:
    """The smallest and the largest value, in turns at random: the first and the last index."""
    return torch.where(torch.rand(x.shape, generator=g) < 0.5, x.min(), x.max())


def _repeated(x: torch.Tensor, g: torch.Generator) -> torch.Tensor:
    """One of the values everywhere: all want the same row."""
    return x.flatten()[torch.randint(x.numel(), (), generator=g)].expand(x.shape).contiguous()


DISTRIBUTIONS: tuple[Distribution, ...] = (
    Distribution("own", _own),
    Distribution("strided", _strided, upstream=_strided),
    Distribution("misaligned", _own, skew=1, upstream=_expanded),
    Distribution("padded rows", _padded_rows, layout_of_own=True),
    Distribution("permuted", _permuted, layout_of_own=True),
    Distribution("first and last index", _own, integers=_ends),
    Distribution("one index", _own, integers=_repeated),
    Distribution("wide", _wide),
    Distribution("large", _scaled(30.0)),
    Distribution("tiny", _scaled(1e-4)),
    Distribution("shifted", _shifted),
    Distribution("constant rows", _constant_rows, flat=True),
    Distribution("sparse", _sparse),
    Distribution("zero", _zero),
    Distribution("special values", _special),
)
