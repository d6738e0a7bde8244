"""Precision classes and the error budget that an honest implementation of each needs.

The budget of one output element is made of three parts, none of which knows the candidate:
  relative  class constant x (|reference| + root mean square of its row)
  eager     4 x the largest error, within the row, of PyTorch's own kernels (1.5 x for 16-bit outputs,
            whose last rounding is part of it)
  rounding  4 x the largest change, within the row, that rounding noise in fp32 causes (rounding.py)
The reference is evaluated in float64. Every element counts; NaN and infinities must match exactly,
but for the few elements where eager and float64 themselves disagree on them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

_EAGER, _EAGER_16_BIT, _ROUNDING = 4.0, 1.5, 4.0
_FP64_NOISE = 2.0**-29
"""The noise is that of fp32; a unit in the last place of fp64 is so much smaller."""
_ROW = 32
"""A row must have as many elements, or its root mean square says too little."""

_FLAT_ROW = 0.03
"""Where all numbers of a row are equal, it counts as no smaller than this share of the whole output: it
may have cancelled to nearly nothing, all of it, and was computed from numbers of the size of the others."""
_MOST_FREE = 0.01
Reduce = Callable[[torch.Tensor, list[int]], torch.Tensor]

_SUMS = re.compile(r"fp16-sums-of-([1-9][0-9]{0,8})")
_AT_ONCE = 16
"""Terms that a tensor core adds before it rounds (`mma.m16n8k16`)."""
_HALF_UNIT = 2.0**-11
"""Largest relative error of rounding to fp16."""
_HALF_LEAST = 2.0**-25
"""Largest error of rounding to fp16 where its numbers are equally spaced, next to zero."""
_SPREAD = 3.0
"""n roundings of a growing sum are off by 0.41 sqrt(n) half units of it (root mean square, random signs);
so many times sqrt(n) is seven times that, which one in 10^11 elements exceeds."""
RELATIVE = {"fp64": 1e-12, "fp32": 5e-5, "tf32": 2e-3, "fp16": 7e-4, "bf16": 1.6e-2}
"""Class constants. fp32: a row of 10,000 numbers summed one after the other is off by about 2.5e-5
(measured), a product in TF32 by 2e-4 and more. fp16: 0.7 units of 2^-10;
bf16: 2 units of 2^-7."""
_CLASS = {
    torch.float64: "fp64",
    torch.float32: "fp32",
    torch.float16: "fp16",
    torch.bfloat16: "bf16",
}


def absolute(precision: str) -> float:
    """What is added to the budget of every element: sums in fp16 also lose what is below its least number."""
    found = _SUMS.fullmatch(precision)
    return 0.0 if found is None else _SPREAD * _HALF_LEAST * math.sqrt(int(found[1]) / _AT_ONCE)


def relative(precision: str) -> float | None:
    """The class constant; None for a class that there is not.

    Beside those of `RELATIVE` there is `fp16-sums-of-K`: fp16 products of K terms whose sums are kept in
    fp16, as tensor cores can, sixteen terms at a time. Whoever rounds after each single term is outside.
    """
    found = _SUMS.fullmatch(precision)
    if found is None:
        return RELATIVE.get(precision)
    return RELATIVE["fp16"] + _SPREAD * _HALF_UNIT * math.sqrt(int(found[1]) / _AT_ONCE)


def class_of(declared: str | None, outputs: Sequence[torch.Tensor]) -> str:
    """The class that a task declares, else that of its first floating output, else fp32."""
    if declared is not None:
        return declared
    return next((_CLASS[t.dtype] for t in outputs if t.dtype in _CLASS), "fp32")


@dataclass(frozen=True)
class Expected:
    """What one output must be: `value` and `tolerance` have its shape, in its working precision."""

    value: torch.Tensor
    tolerance: torch.Tensor | None
    """None: must be equal."""
    alternative: torch.Tensor | None
    """For outputs that are no floating numbers: eager's own answer is as good as the reference's."""
    finite: bool
    free: torch.Tensor | None = None
    """Elements of which nothing can be demanded."""

    def mismatch(self, found: torch.Tensor) -> torch.Tensor | None:
        """Mask of wrong elements, or None when all are right."""
        if self.tolerance is None:
            wrong = found != self.value
            if self.alternative is not None:
                wrong &= found != self.alternative
            if self.free is not None:
                wrong &= ~self.free
            return wrong if bool(wrong.any()) else None
        error = found.to(self.value.dtype).sub(self.value).abs_()
        right = error <= self.tolerance
        if not self.finite:
            value = self.value
            same = (found.to(value.dtype) == value) | (found.isnan() & value.isnan())
            right = torch.where(value.isfinite(), right, same)
        if self.free is not None:
            right |= self.free
        return None if bool(right.all()) else ~right


def expect(
    reference: torch.Tensor,
    eager: torch.Tensor,
    noisy: Sequence[torch.Tensor],
    precision: str,
    *,
    flat: bool = False,
    patience: float = 1.0,
) -> Expected | None:
    """The expectation for one output from its float64 value, eager's, and the noisy ones.

    None where eager itself has NaN or infinity elsewhere than float64 in more than a hundredth of the
    elements: such inputs leave the range of the declared precision, and nothing can be demanded.
    `flat`: the inputs have rows of one value, so an output's row may say nothing of its scale.
    `patience`: times the share of rounding; above 1, integers that rounding changes are free as well.
    """
    if not eager.is_floating_point():
        exact = reference.to(eager.dtype)
        unsure = torch.zeros_like(exact, dtype=torch.bool)
        for other in noisy if patience > 1 else ():
            unsure |= other.to(eager.dtype) != exact
        return Expected(exact, None, eager, True, unsure if bool(unsure.any()) else None)
    ours = reference.to(torch.float64)
    theirs = eager.to(torch.float64)
    finite = ours.isfinite()
    agree = (finite & theirs.isfinite()) | (ours == theirs) | (ours.isnan() & theirs.isnan())
    free = None if bool(agree.all()) else ~agree
    if free is not None and float(free.double().mean()) > _MOST_FREE:
        return None
    everywhere = free is None and bool(finite.all())
    clean = ours if everywhere else torch.where(finite, ours, 0.0)
    scale = _row(clean, _rms)
    if flat and clean.numel():
        scale = scale.clamp_min(_FLAT_ROW * clean.square().mean().sqrt())
    constant = relative(precision)
    assert constant is not None, precision
    tolerance = (clean.abs() + scale).mul_(constant).add_(absolute(precision))
    eager_share = _EAGER if eager.element_size() >= 4 else _EAGER_16_BIT
    tolerance += eager_share * _row(_difference(theirs, ours), _largest)
    drift = torch.zeros_like(ours)
    for other in noisy:
        drift = torch.maximum(drift, _difference(other.double(), ours))
    share = patience * _ROUNDING * (_FP64_NOISE if precision == "fp64" else 1.0)
    tolerance += share * _row(drift, _largest)
    working = torch.float64 if eager.dtype == torch.float64 else torch.float32
    return Expected(ours.to(working), tolerance.to(working), None, everywhere, free)


def _difference(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """|a - b|, zero where either is not finite."""
    return (a - b).abs_().nan_to_num_(0.0, 0.0, 0.0)


def _row(value: torch.Tensor, reduce: Reduce) -> torch.Tensor:
    """`reduce` over the trailing dimensions that make up a row, kept for broadcasting."""
    if value.dim() == 0 or value.numel() == 0:
        return value.abs()
    dims, size = 0, 1
    while dims < value.dim() and size < _ROW:
        dims += 1
        size *= value.shape[-dims]
    return reduce(value, list(range(-dims, 0)))


def _rms(value: torch.Tensor, dims: list[int]) -> torch.Tensor:
    return value.square().mean(dim=dims, keepdim=True).sqrt()


def _largest(value: torch.Tensor, dims: list[int]) -> torch.Tensor:
    return value.amax(dim=dims, keepdim=True)
