"""How an input of kind `random` is drawn: an expression for the text of a task.

Plain noise makes many operators meaningless (a variance below zero, a causal mask of noise), so both suites
draw by the input's name. What stands here follows SOL-ExecBench, with two differences: the scale and bias
of a normalisation are drawn around one and zero and not equal to them, or a kernel that leaves them out
would pass; and cosines and sines are of angles all around the circle.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from kernelwright.tasks.loaders.definitions_schema import Tensor

_RANGES = {
    "int8": (-128, 128),
    "int16": (-1024, 1024),
    "int32": (-1024, 1024),
    "int64": (-1024, 1024),
}
"""Of whole numbers, as SOL-ExecBench draws them; the second is left out."""
Draw = Callable[[str, str], str]
"""From the text of the shape and of the dtype to an expression of float32, or of the dtype."""


def expression(tensor: Tensor) -> str:
    """Python that draws one input, over constants that are named like the axes."""
    assert tensor.shape is not None
    shape = f"({', '.join(tensor.shape)}{',' if len(tensor.shape) == 1 else ''})"
    dtype = f"torch.{tensor.dtype}"
    if tensor.dtype == "bool":
        return f"torch.randint(0, 2, {shape}).bool()"
    if tensor.dtype in _RANGES:
        low, high = _RANGES[tensor.dtype]
        return f"torch.randint({low}, {high}, {shape}, dtype={dtype})"
    drawn = _draw(tensor)(shape, dtype)
    return drawn if tensor.dtype == "float32" else f"({drawn}).to({dtype})"


def _draw(tensor: Tensor) -> Draw:
    assert tensor.shape is not None
    square = len(tensor.shape) >= 2 and tensor.shape[-1] == tensor.shape[-2]
    for pattern, needs_square, draw in _RULES:
        if re.fullmatch(pattern, tensor.name) and (square or not needs_square):
            return draw
    if len(tensor.shape) >= 2 and re.fullmatch(_WEIGHT, tensor.name):
        last = tensor.shape[-1]
        return lambda shape, _: f"torch.randn({shape}) / {last} ** 0.5"
    return lambda shape, _: f"torch.randn({shape})"


_WEIGHT = r"(.*_)?(weight|weights|proj|projs|weight_matrix)\d*"
_RULES: tuple[tuple[str, bool, Draw], ...] = (
    (r"(.*_)?(layer)?norm\d*_weight\d*", False, lambda s, _: f"1 + 0.1 * torch.randn({s})"),
    (r"(.*_)?(layer)?norm\d*_bias\d*", False, lambda s, _: f"0.1 * torch.randn({s})"),
    (
        r"attention_mask|causal_mask",
        True,
        lambda s, d: f"torch.full({s}, torch.finfo({d}).min).triu(1)",
    ),
    (r"(.*_)?mask", False, lambda s, _: f"torch.randint(0, 2, {s}).float()"),
    (
        r"cos|cos_cached|rope_cos|freqs_cos",
        False,
        lambda s, _: f"torch.cos(6.2832 * torch.rand({s}))",
    ),
    (
        r"sin|sin_cached|rope_sin|freqs_sin",
        False,
        lambda s, _: f"torch.sin(6.2832 * torch.rand({s}))",
    ),
    (r"(.*_)?(rstd|std|variance|var)\d*", False, lambda s, _: f"torch.randn({s}).abs() + 0.1"),
    (r"A_cumsum", False, lambda s, _: f"(-0.1 * torch.rand({s})).cumsum(-1)"),
    (r"A_log", False, lambda s, _: f"-1 - 4 * torch.rand({s})"),
    (r"g", False, lambda s, _: f"-5 * torch.rand({s})"),
    (
        r"attn_weights|attention_weights|routing_weights",
        False,
        lambda s, _: f"torch.randn({s}).softmax(-1)",
    ),
)
