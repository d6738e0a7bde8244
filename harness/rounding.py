"""What rounding does to an honest fp32 implementation: Monte Carlo arithmetic.

The reference is run once more in float64 with every intermediate result changed by at most about one
unit in the last place of fp32, sums and products by one unit of the sum of magnitudes. Composite
operators (norms, softmax, losses) are taken apart first, so that the noise enters where another
algorithm would round too. The change of the outputs is the rounding error that any algorithm in fp32
must be forgiven on these inputs. Source: D. S. Parker, Monte Carlo Arithmetic (1997); for sums,
N. Higham, Accuracy and Stability of Numerical Algorithms, section 4.2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

UNIT = 2.0**-23
"""Unit in the last place of fp32 at 1."""
_ADDING = {
    "sum", "mean", "mm", "bmm", "addmm", "baddbmm", "convolution", "cumsum", "dot", "mv",
    "avg_pool2d", "_adaptive_avg_pool2d",
}  # fmt: skip
"""Operators that add many terms: their error is relative to the sum of the terms' magnitudes."""
_EXACT = {
    "clone", "copy_", "fill_", "zero_", "detach", "index", "gather", "embedding", "select", "cat",
    "slice", "where", "relu", "abs", "neg", "maximum", "minimum", "amax", "amin", "max", "min",
    "clamp", "clamp_min", "clamp_max", "empty", "full", "zeros", "ones", "scalar_tensor", "arange",
    "_to_copy", "constant_pad_nd", "flip", "roll", "masked_fill", "lift_fresh", "sign", "floor",
    "ceil", "round", "trunc", "index_select", "stack", "empty_like", "zeros_like", "ones_like",
    "full_like", "new_zeros", "new_ones", "new_full", "new_empty", "rand", "randn", "sort", "topk",
    "max_pool2d_with_indices", "scatter", "eye", "tril", "triu", "repeat", "linspace",
}  # fmt: skip
"""Operators that move numbers or pick among them, and round nothing."""


class Rounding(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's stub
    """While active, results of floating operators carry rounding noise drawn from `generator`.

    `common`: all elements of a result carry the same relative noise, as equal rows make equal errors
    that no average takes away.
    """

    def __init__(self, generator: torch.Generator, *, common: bool = False) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._generator = generator
        self._common = common

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = dict(kwargs or {})
        decomposed = _decompositions().get(func)
        if decomposed is not None:
            with self:
                out = decomposed(*args, **given)
            if out is not NotImplemented:
                return out
        out = func(*args, **given)
        name = func.overloadpacket.__name__
        if name in _EXACT or func.is_view or func._schema.is_mutable:
            return out
        if name not in _ADDING:
            return tree_map(lambda t: self._noisy(t, t), out)
        magnitude = func(*tree_map(_abs, tuple(args)), **tree_map(_abs, given))
        return self._noisy(out, magnitude)

    def _noisy(self, value: Any, magnitude: torch.Tensor) -> Any:
        if not (isinstance(value, torch.Tensor) and value.is_floating_point()):
            return value
        shape = () if self._common else value.shape
        noise = torch.rand(shape, dtype=value.dtype, generator=self._generator)
        return value + noise.mul_(2).sub_(1).mul_(UNIT) * magnitude


def _abs(value: Any) -> Any:
    floating = isinstance(value, torch.Tensor) and value.is_floating_point()
    return value.abs() if floating else value


@cache
def _decompositions() -> Mapping[Any, Callable[..., Any]]:
    from torch._decomp import core_aten_decompositions, get_decompositions

    aten = torch.ops.aten
    composite = [
        aten.native_layer_norm, aten.native_group_norm, aten.native_batch_norm, aten._softmax,
        aten._log_softmax, aten._native_batch_norm_legit, aten.gelu, aten.silu, aten.mish,
        aten._native_batch_norm_legit_no_training, aten.var, aten.var_mean, aten.std,
    ]  # fmt: skip
    return {**core_aten_decompositions(), **get_decompositions(composite)}
