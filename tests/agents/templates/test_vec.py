"""vec.h: measured error over the whole range, special values, conversions, reductions."""

from __future__ import annotations

import functools
import platform
from typing import Any

import pytest
import torch

from kernelwright.agents.builtin.templates import header
from kernelwright.harness.inline_cpp import cpp

# name in C++ -> (reference in float64, largest error in ulp over all normal results)
FUNCTIONS = {
    "exp": (torch.exp, 1.1),
    "exp<5>": (torch.exp, 3.2),
    "exp<4>": (torch.exp, 48.0),
    "exp<3>": (torch.exp, 1700.0),
    "expm1": (torch.expm1, 1.7),
    "log": (torch.log, 1.0),
    "log1p": (torch.log1p, 1.5),
    "tanh": (torch.tanh, 2.7),
    "sigmoid": (torch.sigmoid, 2.6),
    "erf": (torch.erf, 1.6),
    "sqrt": (torch.sqrt, 0.5001),
    "rsqrt": (torch.rsqrt, 1.5),
    "abs": (torch.abs, 0.0),
    "floor": (torch.floor, 0.0),
    "ceil": (torch.ceil, 0.0),
    "round": (torch.round, 0.0),
    "trunc": (torch.trunc, 0.0),
}
SMALLEST = torch.finfo(torch.float32).tiny
PORTABLE = ["-march=x86-64"] if platform.machine() == "x86_64" else []
TARGETS = [pytest.param((), id="native"), pytest.param(tuple(PORTABLE), id="portable")]


@functools.cache
def library(flags: tuple[str, ...]) -> Any:
    source = header()
    for index, name in enumerate([*FUNCTIONS, "sin", "cos"]):
        for kind, lanes in (("kw::vf", "kw::WIDTH"), ("float", "1")):
            source += f"""
                extern "C" void {"vs"[lanes == "1"]}{index}(const float* x, float* y, long n) {{
                  for (long i = 0; i < n; i += {lanes})
                    kw::store(y + i, kw::{name}(kw::load<{kind}>(x + i)));
                }}"""
    return cpp(source, flags=flags)


@functools.cache
def inputs() -> torch.Tensor:
    """Every 7919th float of all there are, the special ones, and dense stretches."""
    bits = torch.arange(0, 2**32, 7919, dtype=torch.int64).to(torch.uint32).view(torch.float32)
    special = [0.0, -0.0, float("inf"), -float("inf"), float("nan"), 1.0, -1.0, 1e-45, -1e-45]
    special += [3.4028235e38, -3.4028235e38, 1.1754944e-38, 88.72283, 88.72284, -87.33, -103.9]
    special += [0.5, 1.5, 2.5, -0.5, 8388607.5, 4194304.5, -8388609.0, 16777216.0, 0.875, -0.875]
    dense = [torch.linspace(-110, 110, 60_000), torch.linspace(-4, 4, 60_000)]
    x = torch.cat([bits, torch.tensor(special), *dense])
    return torch.cat([x, torch.zeros(-len(x) % 64)])


@pytest.mark.parametrize("flags", TARGETS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_error_over_the_whole_range(name: str, flags: tuple[str, ...]) -> None:
    reference, bound = FUNCTIONS[name]
    x = inputs()
    want = reference(x.double())
    rounded = want.float()
    finite, nan = torch.isfinite(rounded), torch.isnan(want)
    magnitude = torch.where(finite, rounded.abs(), torch.ones(())).clamp_min(SMALLEST)
    ulp = torch.ldexp(torch.ones(len(x)).double(), torch.frexp(magnitude).exponent - 24)
    for kind in "vs":
        y = torch.full_like(x, 7.0)
        getattr(library(flags), f"{kind}{[*FUNCTIONS].index(name)}")(x, y, x.numel())
        assert torch.equal(torch.isnan(y), nan)
        assert torch.equal(y[~finite & ~nan], rounded[~finite & ~nan])
        error = (y.double() - want).abs()
        normal = finite & (want.abs() > 2e-38)
        assert float((error / ulp)[normal].max()) <= bound
        assert float(error[finite & ~normal].max()) <= 2e-38


@pytest.mark.parametrize("flags", TARGETS)
def test_sine_and_cosine(flags: tuple[str, ...]) -> None:
    x = torch.cat([inputs(), torch.linspace(-8192, 8192, 64_000)])
    for index, reference in enumerate((torch.sin, torch.cos), start=len(FUNCTIONS)):
        want = reference(x.double())
        for kind in "vs":
            y = torch.empty_like(x)
            getattr(library(flags), f"{kind}{index}")(x, y, x.numel())
            assert torch.equal(torch.isnan(y), torch.isnan(want))
            assert float((y.double() - want).abs().nan_to_num().max()) <= 1.2e-7


@pytest.mark.parametrize("name", ["expm1", "log1p", "tanh", "erf"])
def test_tiny_arguments_keep_relative_accuracy(name: str) -> None:
    x = torch.logspace(-37, -2, 6400, dtype=torch.float64).float()
    x = torch.cat([x, -x])
    y = torch.empty_like(x)
    getattr(library(()), f"v{[*FUNCTIONS].index(name)}")(x, y, x.numel())
    want = FUNCTIONS[name][0](x.double())
    assert float(((y.double() - want) / want).abs().max()) <= 2e-7


@pytest.mark.parametrize("flags", TARGETS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_conversion(dtype: torch.dtype, flags: tuple[str, ...]) -> None:
    element = {torch.bfloat16: "kw::bf16", torch.float16: "kw::fp16"}[dtype]
    source = header()
    for kind, lanes, tag in (("kw::vf", "kw::WIDTH", "v"), ("float", "1", "s")):
        source += f"""
            extern "C" void {tag}up(const {element}* x, float* y, long n) {{
              for (long i = 0; i < n; i += {lanes}) kw::store(y + i, kw::load<{kind}>(x + i));
            }}
            extern "C" void {tag}down(const float* x, {element}* y, long n) {{
              for (long i = 0; i < n; i += {lanes}) kw::store(y + i, kw::load<{kind}>(x + i));
            }}"""
    lib = cpp(source, flags=flags)
    every = torch.arange(65536, dtype=torch.int32).to(torch.uint16).view(dtype)
    step = 0x8000 if dtype is torch.bfloat16 else 0x1000
    bits = every.float().view(torch.int32)
    halfway = torch.cat([(bits + step + d).view(torch.float32) for d in (-1, 0, 1)])
    floats = torch.cat([inputs(), halfway])
    for tag in "vs":
        up = torch.empty(65536)
        getattr(lib, f"{tag}up")(every, up, 65536)
        assert same_bits(up, every.float(), torch.int32)
        down = torch.empty(floats.numel(), dtype=dtype)
        getattr(lib, f"{tag}down")(floats, down, floats.numel())
        assert same_bits(down, floats.to(dtype), torch.int16)


def same_bits(got: torch.Tensor, want: torch.Tensor, view: torch.dtype) -> bool:
    nan = torch.isnan(want)
    return torch.equal(torch.isnan(got), nan) and torch.equal(
        got[~nan].view(view), want[~nan].view(view)
    )


@pytest.mark.parametrize("flags", TARGETS)
def test_reductions_and_nan_in_max_and_min(flags: tuple[str, ...]) -> None:
    source = header()
    for lanes in (1, 2, 4, 8, 16, 32):
        kind = f"kw::vec<float, {lanes}>"
        source += f"""
            extern "C" void reduce{lanes}(const float* x, const float* y, float* out) {{
              {kind} a = kw::load<{kind}>(x), b = kw::load<{kind}>(y);
              out[0] = kw::hsum(a); out[1] = kw::hmax(a); out[2] = kw::hmin(a);
              kw::store(out + 3, kw::max(a, b)); kw::store(out + 3 + {lanes}, kw::min(a, b));
              out[3 + 2 * {lanes}] = kw::any(a > 100.0f); out[4 + 2 * {lanes}] = kw::any(a != a);
            }}"""
    lib = cpp(source, flags=flags)
    for lanes in (1, 2, 4, 8, 16, 32):
        for nan_at in (None, *range(lanes)):
            x, y = torch.randn(lanes), torch.randn(lanes)
            if nan_at is not None:
                x[nan_at], y[lanes - 1 - nan_at] = float("nan"), float("nan")
            out = torch.empty(5 + 2 * lanes)
            getattr(lib, f"reduce{lanes}")(x, y, out)
            want = torch.cat(
                [
                    torch.stack([x.sum(), x.amax(), x.amin()]),
                    torch.maximum(x, y),
                    torch.minimum(x, y),
                    torch.tensor([0.0, float(nan_at is not None)]),
                ]
            )
            assert torch.allclose(out, want, rtol=1e-5, atol=1e-6, equal_nan=True)


def test_strided_boolean_and_integer_memory() -> None:
    source = (
        header()
        + """
        extern "C" void f(const bool* mask, const long* index, const float* x, bool* out,
                          float* y) {
          typedef kw::vec<float, 4> V;
          kw::store(out, kw::load<V>(mask) - 1.0f);
          V column = kw::load_strided<V>(x, 3);
          kw::store_strided(y, 2, kw::select(column > 4.0f, kw::load<V>(index), -1.0f));
        }"""
    )
    mask = torch.tensor([True, False, True, True])
    out, y = torch.empty(4, dtype=torch.bool), torch.zeros(8)
    cpp(source).f(mask, torch.tensor([5, 6, 7, 8]), torch.arange(12.0), out, y)
    assert out.tolist() == [False, True, False, False]
    assert y.tolist() == [-1, 0, -1, 0, 7, 0, 8, 0]
