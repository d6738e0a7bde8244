"""Two-dimensional convolution over contiguous NCHW tensors with a fused epilogue.

The algorithm (conv.h) is direct: no im2col matrix, one copy of the padded input rows per block, any
stride, padding, dilation and groups, depthwise included. The epilogue's coordinates are (b, i, j) =
(image, output channel, output pixel y * out_width + x); vectors run along pixels, across row ends.
Tuning names, as macros with defaults: MR (output channels of the register tile), NR (its pixels), KC
(input channels times taps of a chunk), MC (output channels of a block), NC (pixels of a block), THREADS.
"""

from __future__ import annotations

from kernelwright.agents.builtin.templates import header
from kernelwright.agents.builtin.templates.kernel_text import (
    Epilogue,
    Extent,
    c_type,
    construct,
    defaults,
    functor,
    indented,
    unique,
)
from kernelwright.tasks.errors import UsageError

Pair = tuple[int, int]


def conv2d_source(
    name: str,
    *,
    batch: Extent,
    in_channels: int,
    size: Pair,
    out_channels: int,
    kernel: Pair,
    epilogue: Epilogue,
    stride: Pair = (1, 1),
    padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
    dtype: str = "float32",
    pointers: tuple[str, str] = ("x", "weight"),
    headers: bool = True,
) -> str:
    """C++ text with `extern "C" void NAME(x, weight, *epilogue.parameters)`.

    `size` is the input's (height, width). Pairs are (vertical, horizontal). Raises UsageError for a dtype
    that cannot be read, an empty output, channels that the groups do not divide, or an epilogue over rows.
    """
    out_size = output_size(size, kernel, stride, padding, dilation)
    if min(out_size) < 1 or in_channels % groups or out_channels % groups:
        raise UsageError(f"no such convolution: {size=}, {kernel=}, {in_channels=}, {groups=}")
    if epilogue.rows:
        raise UsageError("a convolution has no complete rows to hand over; use rows=False")
    outs = out_channels // groups
    shape = (groups, in_channels // groups, *size, outs, *out_size)
    shape += (*kernel, *stride, *padding, *dilation)
    element = c_type(dtype)
    x, weight = pointers
    parameters = unique(
        (f"const {element}* {x}", f"const {element}* {weight}", *epilogue.parameters)
    )
    arguments = f"{batch}, {x}, {weight}, {construct(f'{name}_epilogue', epilogue.parameters)}"
    if _is_depthwise(in_channels, groups, kernel, stride, dilation):
        files = ("vec.h", "gemm.h", "conv.h", "depthwise.h")
        vectors = f"(({out_size[1]} + kw::WIDTH - 1) / kw::WIDTH)"
        macros = {
            "VECS": f"({vectors} < 4 ? {vectors} : 4)",
            "MR": "(VECS > 1 ? kw::MOST_ROWS < 14 ? 8 / VECS : 4 : 8)",
            "NC": 1024,
        }
        call = f"kw::depthwise<{name}_shape, MR, VECS>(\n    {arguments}, NC, THREADS);"
    else:
        files = ("vec.h", "gemm.h", "conv.h")
        macros = {
            "MR": f"({outs} < kw::MOST_ROWS ? {outs} : kw::best_rows({outs}, kw::MOST_ROWS))",
            "NR": "((2 * kw::MOST_ROWS / (MR) < 8 ? 2 * kw::MOST_ROWS / (MR) : 8) * kw::WIDTH)",
            "KC": max(256, kernel[0] * kernel[1]),
            "MC": 128,
            "NC": 512,
        }
        call = (
            f"kw::conv2d<{name}_shape, MR, NR / kw::WIDTH, KC>(\n"
            f"    {arguments}, MC, NC, THREADS);"
        )
    return "\n".join(
        [
            "".join(map(header, files)) if headers else "",
            defaults(**macros, THREADS="omp_get_max_threads()"),
            epilogue.helpers,
            f"struct {name}_shape {{\n"
            f"  static constexpr kw::conv_shape value = {{{', '.join(map(str, shape))}}};\n}};\n",
            functor(
                f"{name}_epilogue",
                epilogue.parameters,
                "V acc, long b, long i, long j",
                epilogue.body,
            ),
            f'extern "C" void {name}({", ".join(parameters)}) {{\n{indented(call, 2)}\n}}\n',
        ]
    )


def _is_depthwise(
    in_channels: int, groups: int, kernel: Pair, stride: Pair, dilation: Pair
) -> bool:
    """Whether depthwise.h applies: one input channel a group, and a kernel that unrolls well."""
    return in_channels == groups and dilation == (1, 1) and kernel[0] <= 11 and max(stride) <= 2


def output_size(size: Pair, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Pair:
    """(height, width) of the output, as torch.nn.Conv2d has it."""
    height, width = (
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True)
    )
    return height, width
