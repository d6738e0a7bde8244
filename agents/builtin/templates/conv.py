"""Two-dimensional convolution over contiguous NCHW tensors with a fused epilogue.

Three kernels: direct (conv.h; any stride, padding, dilation and groups; one copy of the padded input
rows per block, no im2col matrix), depthwise (depthwise.h, chosen by itself) and, where asked for,
Winograd's F(2 x 2, 3 x 3) (winograd.h). The epilogue's coordinates are (b, i, j) = (image, output
channel, output pixel y * out_width + x); vectors run along pixels, across the ends of rows.

Tuning names, as macros with defaults: MR (output channels of the register tile; depthwise: output
rows), NR (its pixels; depthwise: VECS vectors), KC (input channels times taps of a chunk; Winograd:
input channels), MC (output channels of a block), NC (pixels of a block; Winograd: tiles), THREADS.

Against oneDNN's conv + batch norm + ReLU on AVX-512 it wins for depthwise, grouped, 1 x 1 and few
channels, and with Winograd for 3 x 3 from about 32 channels on. It loses for dense convolutions over
small images (14 x 14 with 256 channels directly, 7 x 7 with 512 in any way), where the columns computed
in vain at the end of each row weigh most, and for dense 3 x 3 with stride 2 or dilation.
"""

from __future__ import annotations

from typing import NamedTuple

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
    winograd: bool = False,
    pointers: tuple[str, str] = ("x", "weight"),
    headers: bool = True,
) -> str:
    """C++ text with `extern "C" void NAME(x, weight, *epilogue.parameters)`.

    `size` is the input's (height, width). Pairs are (vertical, horizontal). Raises UsageError for a
    dtype that cannot be read, an empty output, channels that the groups do not divide, an epilogue
    over rows, or a geometry that is not Winograd's.
    """
    out_size = output_size(size, kernel, stride, padding, dilation)
    if min(out_size) < 1 or in_channels % groups or out_channels % groups:
        raise UsageError(f"no such convolution: {size=}, {kernel=}, {in_channels=}, {groups=}")
    if winograd and not can_winograd(kernel, stride, dilation):
        raise UsageError("winograd is for 3 x 3 kernels with stride 1 and dilation 1")
    if epilogue.rows:
        raise UsageError("a convolution has no complete rows to hand over; use rows=False")
    outs = out_channels // groups
    pairs = (kernel, stride, padding, dilation)
    geometry = [
        groups,
        in_channels // groups,
        *size,
        outs,
        *out_size,
        *(n for p in pairs for n in p),
    ]
    if winograd:
        form = _winograd(outs)
    elif in_channels == groups and dilation == (1, 1) and kernel[0] <= 11 and max(stride) <= 2:
        form = _depthwise(out_size[1])
    else:
        form = _direct(outs, kernel[0] * kernel[1])
    element = c_type(dtype)
    x, weight = pointers
    parameters = unique(
        (f"const {element}* {x}", f"const {element}* {weight}", *epilogue.parameters)
    )
    call = (
        f"{form.function.replace('SHAPE', f'{name}_shape')}(\n"
        f"    {batch}, {x}, {weight}, {construct(f'{name}_epilogue', epilogue.parameters)},\n"
        f"    {form.blocks}, THREADS);"
    )
    return "\n".join(
        [
            "".join(map(header, ("vec.h", "gemm.h", "conv.h", *form.files))) if headers else "",
            defaults(**form.macros, THREADS="omp_get_max_threads()"),
            epilogue.helpers,
            f"struct {name}_shape {{\n"
            f"  static constexpr kw::conv_shape value = {{{', '.join(map(str, geometry))}}};\n}};\n",
            functor(
                f"{name}_epilogue",
                epilogue.parameters,
                "V acc, long b, long i, long j",
                epilogue.body,
            ),
            f'extern "C" void {name}({", ".join(parameters)}) {{\n{indented(call, 2)}\n}}\n',
        ]
    )


class _Form(NamedTuple):
    """One of the three kernels: its function, the block sizes it takes, its macros, its files."""

    function: str
    blocks: str
    macros: dict[str, object]
    files: tuple[str, ...] = ()


def _register_rows(outs: int) -> str:
    return f"({outs} < kw::MOST_ROWS ? {outs} : kw::best_rows({outs}, kw::MOST_ROWS))"


def _direct(outs: int, taps: int) -> _Form:
    most = "2 * kw::MOST_ROWS / (MR)"
    macros = {
        "MR": _register_rows(outs),
        "NR": f"(({most} < 8 ? {most} : 8) * kw::WIDTH)",
        "KC": max(256, taps),
        "MC": 128,
        "NC": 512,
    }
    return _Form("kw::conv2d<SHAPE, MR, NR / kw::WIDTH, KC>", "MC, NC", macros)


def _winograd(outs: int) -> _Form:
    macros = {"MR": _register_rows(outs), "NR": "(2 * kw::WIDTH)", "KC": 64, "MC": 128, "NC": 128}
    function = "kw::winograd<SHAPE, MR, NR / kw::WIDTH, KC>"
    return _Form(function, "MC, NC", macros, ("winograd.h",))


def _depthwise(out_width: int) -> _Form:
    vectors = f"(({out_width} + kw::WIDTH - 1) / kw::WIDTH)"
    macros = {
        "VECS": f"({vectors} < 4 ? {vectors} : 4)",
        "MR": "(VECS > 1 ? kw::MOST_ROWS < 14 ? 8 / VECS : 4 : 8)",
        "NC": 1024,
    }
    return _Form("kw::depthwise<SHAPE, MR, VECS>", "NC", macros, ("depthwise.h",))


def can_winograd(kernel: Pair, stride: Pair, dilation: Pair) -> bool:
    """Whether `winograd=True` is possible. It pays from about 32 input and output channels on."""
    return kernel == (3, 3) and stride == (1, 1) and dilation == (1, 1)


def output_size(size: Pair, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Pair:
    """(height, width) of the output, as torch.nn.Conv2d has it."""
    height, width = (
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True)
    )
    return height, width
