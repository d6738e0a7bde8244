"""conv: every geometry against torch in float64."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from kernelwright.agents.builtin.templates.conv import conv2d_source, output_size
from kernelwright.agents.builtin.templates.kernel_text import Epilogue
from kernelwright.harness.inline_cpp import cpp
from kernelwright.tasks.errors import UsageError

FLAGS = ["-O1"]
# batch, in, (height, width), out, kernel, stride, padding, dilation, groups
GEOMETRIES = [
    (1, 1, (1, 1), 1, (1, 1), (1, 1), (0, 0), (1, 1), 1),
    (2, 3, (17, 23), 20, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    (3, 40, (7, 7), 33, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    (2, 3, (33, 41), 8, (7, 7), (2, 2), (3, 3), (1, 1), 1),
    (1, 70, (9, 40), 15, (1, 1), (1, 1), (0, 0), (1, 1), 1),
    (2, 5, (16, 19), 6, (1, 1), (2, 3), (0, 0), (1, 1), 1),
    (2, 6, (20, 50), 6, (3, 3), (1, 1), (1, 1), (1, 1), 6),
    (2, 6, (21, 70), 12, (5, 3), (2, 2), (2, 0), (1, 1), 6),
    (1, 8, (12, 15), 12, (3, 2), (1, 2), (2, 4), (3, 2), 4),
    (2, 4, (5, 6), 4, (3, 3), (3, 3), (2, 2), (2, 2), 2),
    (1, 2, (4, 4), 3, (2, 2), (1, 1), (5, 5), (1, 1), 1),
    (1, 2, (40, 3), 2, (31, 3), (1, 1), (15, 1), (1, 1), 2),
]


@pytest.mark.parametrize("index", range(0, len(GEOMETRIES), 3))
def test_geometry(index: int) -> None:
    text, cases = "", []
    for number, geometry in enumerate(GEOMETRIES[index : index + 3]):
        batch, channels, size, outs, kernel, stride, padding, dilation, groups = geometry
        out_size = output_size(size, kernel, stride, padding, dilation)
        pixels = out_size[0] * out_size[1]
        body = f"""
            long o = (b * {outs} + i) * {pixels} + j;
            kw::store(counts + o, kw::load<V>(counts + o) + 1.0f);
            kw::store(out + o, acc + bias[i]);
        """
        text += "#undef MR\n#undef NR\n#undef KC\n#undef VECS\n" + conv2d_source(
            f"conv{number}",
            batch=batch,
            in_channels=channels,
            size=size,
            out_channels=outs,
            kernel=kernel,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            epilogue=Epilogue(("const float* bias", "float* counts", "float* out"), body),
            headers=True,
        )
        cases.append((geometry, (batch, outs, *out_size)))
    for defines in ({}, {"NC": 64, "MC": 4, "THREADS": 3}):
        lib = cpp(text, flags=FLAGS, defines=defines)
        for number, (geometry, shape) in enumerate(cases):
            batch, channels, size, outs, kernel, stride, padding, dilation, groups = geometry
            x = torch.randn(batch, channels, *size)
            weight, bias = torch.randn(outs, channels // groups, *kernel), torch.randn(outs)
            out, counts = torch.full(shape, math.nan), torch.zeros(shape)
            getattr(lib, f"conv{number}")(x, weight, bias, counts, out)
            tensors = (x.double(), weight.double(), bias.double())
            want = F.conv2d(*tensors, stride, padding, dilation, groups)
            assert torch.allclose(out.double(), want, rtol=1e-5, atol=3e-5), geometry
            assert bool((counts == 1).all()), geometry


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_with_batch_norm_residual_and_activation(dtype: str) -> None:
    kind = getattr(torch, dtype)
    element = {"bfloat16": "kw::bf16", "float16": "kw::fp16"}[dtype]
    x, weight = torch.randn(2, 6, 13, 11).to(kind), (torch.randn(10, 6, 3, 3) / 7).to(kind)
    scale, shift, residual = torch.rand(10), torch.randn(10), torch.randn(2, 10, 13, 11).to(kind)
    body = """
        long o = (b * 10 + i) * 143 + j;
        V y = acc * scale[i] + shift[i] + kw::load<V>(residual + o);
        kw::store(out + o, kw::max(y, kw::set<V>(0.0f)));
    """
    text = conv2d_source(
        "conv",
        batch=2,
        in_channels=6,
        size=(13, 11),
        out_channels=10,
        kernel=(3, 3),
        padding=(1, 1),
        dtype=dtype,
        epilogue=Epilogue(
            (
                "const float* scale",
                "const float* shift",
                f"const {element}* residual",
                f"{element}* out",
            ),
            body,
        ),
    )
    out = torch.empty_like(residual)
    cpp(text, flags=FLAGS).conv(x, weight, scale, shift, residual, out)
    want = F.conv2d(x.double(), weight.double(), padding=1)
    want = (want * scale[:, None, None] + shift[:, None, None] + residual.double()).relu()
    eps = torch.finfo(kind).eps
    assert torch.allclose(out.double(), want, rtol=eps, atol=eps / 8)


def test_special_values_stay_in_their_receptive_field() -> None:
    x, weight = torch.randn(1, 2, 12, 40), torch.randn(3, 2, 3, 3)
    x[0, 0, 5, 17], x[0, 1, 11, 39] = math.nan, math.inf
    text = conv2d_source(
        "conv",
        batch=1,
        in_channels=2,
        size=(12, 40),
        out_channels=3,
        kernel=(3, 3),
        padding=(1, 1),
        epilogue=Epilogue(("float* out",), "kw::store(out + i * 480 + j, acc);"),
    )
    out = torch.empty(1, 3, 12, 40)
    cpp(text, flags=FLAGS).conv(x, weight, out)
    want = F.conv2d(x.double(), weight.double(), padding=1)
    assert torch.allclose(out.double(), want, rtol=1e-5, atol=1e-5, equal_nan=True)


WINOGRAD = [
    # batch, in, (height, width), out, padding, groups
    (2, 5, (16, 16), 7, (1, 1), 1),
    (1, 70, (9, 33), 20, (0, 2), 1),
    (3, 6, (3, 3), 4, (0, 0), 2),
    (1, 2, (1, 40), 2, (1, 0), 1),
]


@pytest.mark.parametrize("case", WINOGRAD)
@pytest.mark.parametrize("specials", [False, True])
def test_winograd(
    case: tuple[int, int, tuple[int, int], int, tuple[int, int], int], specials: bool
) -> None:
    batch, channels, size, outs, padding, groups = case
    shape = output_size(size, (3, 3), (1, 1), padding, (1, 1))
    text = conv2d_source(
        "conv",
        batch=batch,
        in_channels=channels,
        size=size,
        out_channels=outs,
        kernel=(3, 3),
        padding=padding,
        groups=groups,
        winograd=True,
        epilogue=Epilogue(
            ("float* out",), f"kw::store(out + (b * {outs} + i) * {shape[0] * shape[1]} + j, acc);"
        ),
    )
    torch.manual_seed(0)
    x, weight = torch.randn(batch, channels, *size), torch.randn(outs, channels // groups, 3, 3)
    if specials:
        x[0, 0, -1, -1], x[-1, 1, 0, 0] = math.inf, math.nan
    want = F.conv2d(x.double(), weight.double(), padding=padding, groups=groups)
    for defines in ({}, {"NC": 32, "MC": 8, "KC": 16}):
        out = torch.full((batch, outs, *shape), 7.0)
        cpp(text, flags=FLAGS, defines=defines).conv(x, weight, out)
        assert torch.allclose(out.double(), want, rtol=1e-5, atol=1e-4, equal_nan=True)
    weight[0, 0, 1, 1] = -math.inf
    want = F.conv2d(x.double(), weight.double(), padding=padding, groups=groups)
    cpp(text, flags=FLAGS).conv(x, weight, out)
    assert torch.allclose(out.double(), want, rtol=1e-5, atol=1e-4, equal_nan=True)


def test_winograd_is_refused_for_other_geometries() -> None:
    with pytest.raises(UsageError, match="3 x 3"):
        conv2d_source(
            "conv",
            batch=1,
            in_channels=4,
            size=(8, 8),
            out_channels=4,
            kernel=(3, 3),
            stride=(2, 2),
            winograd=True,
            epilogue=Epilogue((), ""),
        )


def test_what_is_no_convolution_is_a_users_error() -> None:
    for channels, size, rows in ((3, (8, 8), False), (4, (2, 8), False), (4, (8, 8), True)):
        with pytest.raises(UsageError):
            conv2d_source(
                "conv",
                batch=1,
                in_channels=channels,
                size=size,
                out_channels=4,
                kernel=(3, 3),
                groups=2,
                epilogue=Epilogue((), "", rows=rows),
            )
