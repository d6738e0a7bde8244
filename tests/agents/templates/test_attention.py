"""attention: sizes, strides, masks, special values and empty rows against eager softmax in float64."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from kernelwright.agents.builtin.templates.attention import (
    Score,
    additive_mask,
    attention_source,
    boolean_mask,
)
from kernelwright.harness.inline_cpp import cpp

FLAGS = ["-O1"]
SMALL_TILES = {"QUERIES": 16, "KEYS": 64}  # so that small sizes cross tiles


def strides(t: torch.Tensor) -> tuple[int, int, int, int]:
    a, b, c, d = t.stride()
    return a, b, c, d


def source(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, o: torch.Tensor, **kwargs: Any
) -> str:
    batch, heads, q_len, head_dim = q.shape
    return attention_source(
        "attend",
        batch=batch,
        heads=heads,
        kv_heads=k.shape[1],
        q_len=q_len,
        kv_len=k.shape[2],
        head_dim=head_dim,
        value_dim=v.shape[3],
        scale=1 / math.sqrt(head_dim),
        q_strides=strides(q),
        k_strides=strides(k),
        v_strides=strides(v),
        out_strides=strides(o),
        **kwargs,
    )


def reference(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    *,
    keep: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
) -> torch.Tensor:
    group = q.shape[1] // k.shape[1]
    k, v = (t.double().repeat_interleave(group, 1) for t in (k, v))
    s = q.double() @ k.mT / math.sqrt(q.shape[-1])
    if bias is not None:
        s = s + bias.double()
    if keep is not None:
        s = s.masked_fill(~keep, -math.inf)
    return torch.softmax(s, -1) @ v


def tril(queries: int, keys: int, diagonal: int = 0) -> torch.Tensor:
    return torch.ones(queries, keys, dtype=torch.bool).tril(diagonal)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(
    "batch,heads,kv_heads,queries,keys,dim,value_dim",
    [
        (1, 1, 1, 1, 1, 1, 1),
        (2, 4, 2, 37, 37, 24, 40),
        (1, 2, 1, 70, 150, 64, 64),
        (1, 3, 3, 9, 200, 8, 3),
        (2, 6, 2, 1, 90, 20, 70),
        (1, 2, 2, 5, 100, 32, 40),
    ],
)
def test_sizes(
    batch: int,
    heads: int,
    kv_heads: int,
    queries: int,
    keys: int,
    dim: int,
    value_dim: int,
    causal: bool,
) -> None:
    # the layout of a projection: (batch, sequence, head, dimension)
    q = torch.randn(batch, queries, heads, dim).transpose(1, 2)
    k = torch.randn(batch, keys, kv_heads, dim).transpose(1, 2)
    v = torch.randn(batch, keys, kv_heads, value_dim).transpose(1, 2)
    out = torch.full((batch, queries, heads, value_dim), math.nan).transpose(1, 2)
    diagonal = keys - queries
    lib = cpp(
        source(q, k, v, out, causal=causal, diagonal=diagonal), flags=FLAGS, defines=SMALL_TILES
    )
    lib.attend(q, k, v, out)
    want = reference(q, k, v, keep=tril(queries, keys, diagonal) if causal else None)
    assert torch.allclose(out.double(), want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_and_transposed_dimensions(dtype: str) -> None:
    kind = getattr(torch, dtype)
    q = torch.randn(1, 2, 16, 40).to(kind).transpose(2, 3)  # dimension is not the contiguous one
    k, v = torch.randn(1, 2, 70, 16).to(kind), torch.randn(1, 2, 16, 70).to(kind).transpose(2, 3)
    out = torch.empty(1, 2, 16, 40, dtype=kind).transpose(2, 3)
    cpp(source(q, k, v, out, dtype=dtype), flags=FLAGS, defines=SMALL_TILES).attend(q, k, v, out)
    eps = torch.finfo(kind).eps
    assert torch.allclose(out.double(), reference(q, k, v), rtol=eps, atol=eps / 8)


def test_boolean_mask_with_an_empty_row() -> None:
    q, k, v = torch.randn(2, 2, 20, 8), torch.randn(2, 2, 90, 8), torch.randn(2, 2, 90, 8)
    mask = torch.rand(2, 1, 20, 90) > 0.5
    mask[1, 0, 3], mask[0, 0, 2, 16:] = False, False
    want = reference(q, k, v, keep=mask)
    stride = (20 * 90, 0, 90, 1)
    for keep, empty in ((True, "nan"), (False, "nan"), (True, "zero")):
        out = torch.full_like(q, 7.0)
        text = source(q, k, v, out, score=boolean_mask(stride, keep=keep), empty_rows=empty)
        lib = cpp(text, flags=FLAGS, defines=SMALL_TILES)
        lib.attend(q, k, v, mask if keep else ~mask, out)
        expected = want.nan_to_num(0.0) if empty == "zero" else want
        assert bool(torch.isnan(want[1, :, 3]).all())
        assert torch.allclose(out.double(), expected, rtol=1e-5, atol=1e-6, equal_nan=True)


@pytest.mark.parametrize("layout", ["rows", "columns", "one_row"])
def test_additive_mask(layout: str) -> None:
    q, k, v = torch.randn(2, 3, 20, 8), torch.randn(2, 3, 90, 8), torch.randn(2, 3, 90, 8)
    bias = {
        "rows": torch.randn(1, 3, 20, 90),
        "columns": torch.randn(1, 3, 90, 20).transpose(2, 3),
        "one_row": torch.randn(2, 1, 1, 90),
    }[layout].clone()
    bias[..., 5] = -math.inf
    shape, stride = bias.shape, bias.stride()
    b, h, i, j = (0 if size == 1 else step for size, step in zip(shape, stride, strict=True))
    out = torch.empty_like(q)
    lib = cpp(
        source(q, k, v, out, score=additive_mask((b, h, i, j))), flags=FLAGS, defines=SMALL_TILES
    )
    lib.attend(q, k, v, bias, out)
    assert torch.allclose(out.double(), reference(q, k, v, bias=bias), rtol=1e-5, atol=1e-6)


def test_any_change_of_scores() -> None:
    q, k, v = torch.randn(1, 2, 30, 8), torch.randn(1, 2, 75, 8), torch.randn(1, 2, 75, 8)
    slopes = torch.tensor([0.5, 0.25])
    alibi = Score(
        ("const float* slopes",),
        "V distance = kw::set<V>(float(j - i)) + kw::iota<V>();\n"
        "return 4.0f * kw::tanh(s * 0.25f) - slopes[h] * kw::abs(distance);",
    )
    out = torch.empty_like(q)
    lib = cpp(source(q, k, v, out, score=alibi), flags=FLAGS, defines=SMALL_TILES)
    lib.attend(q, k, v, slopes, out)
    s = 4 * torch.tanh(q.double() @ k.double().mT / math.sqrt(8) / 4)
    s -= slopes[:, None, None] * (torch.arange(75) - torch.arange(30)[:, None]).abs()
    assert torch.allclose(out.double(), torch.softmax(s, -1) @ v.double(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("causal", [False, True])
def test_special_values_travel_as_in_eager_softmax(causal: bool) -> None:
    q, k, v = torch.randn(1, 5, 40, 8), torch.randn(1, 5, 140, 8), torch.randn(1, 5, 140, 8)
    q[0, 0, 3, 2] = math.nan
    k[0, 1, 100, 1] = math.inf
    v[0, 2, 139, 4], v[0, 2, 5, 6] = math.inf, math.nan
    q[0, 3] *= 1e4
    q[0, 4] = 0.0
    out = torch.empty_like(q)
    lib = cpp(source(q, k, v, out, causal=causal), flags=FLAGS, defines=SMALL_TILES)
    lib.attend(q, k, v, out)
    want = reference(q, k, v, keep=tril(40, 140) if causal else None)
    assert torch.equal(torch.isnan(out), torch.isnan(want))
    assert bool(torch.isnan(want).any())
    assert torch.allclose(out[:, 3].double(), want[:, 3], rtol=1e-3, atol=1e-3)
    others = [0, 1, 2, 4]
    assert torch.allclose(
        out[:, others].double(), want[:, others], rtol=1e-5, atol=1e-6, equal_nan=True
    )
