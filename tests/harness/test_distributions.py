"""Input distributions: what each bends, and what all leave alone."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kernelwright.harness.distributions import DISTRIBUTIONS, Distribution

BY_NAME = {d.name: d for d in DISTRIBUTIONS}
ALL = pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=lambda d: d.name)
DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64)


def bend(name: str, x: torch.Tensor, seed: int = 0) -> torch.Tensor:
    (out,) = BY_NAME[name].apply([x], torch.Generator().manual_seed(seed))
    assert isinstance(out, torch.Tensor)
    return out


def test_the_first_is_the_tasks_own():
    assert DISTRIBUTIONS[0].name == "own"
    assert len(BY_NAME) == len(DISTRIBUTIONS) >= 10


@ALL
@pytest.mark.parametrize("shape", [(), (1,), (6,), (4, 6), (2, 3, 5), (0,), (3, 0)])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_type_and_shape_stay(distribution: Distribution, shape, dtype):
    x = torch.randn(shape).to(dtype)
    kept = x.clone()
    (out,) = distribution.apply([x], torch.Generator().manual_seed(1))
    assert isinstance(out, torch.Tensor)
    assert out.shape == x.shape and out.dtype == x.dtype
    assert torch.equal(x, kept), "the original was changed"


@pytest.mark.parametrize("name", ["padded rows", "permuted"])
@pytest.mark.parametrize("shape", [(4, 6), (3, 4, 6), (2, 3, 4, 6), (2, 3, 2, 2, 3)])
def test_layouts_hold_the_same_values(name: str, shape: tuple[int, ...]):
    x = torch.randn(shape)
    out = bend(name, x)
    assert BY_NAME[name].layout_of_own and torch.equal(out, x)
    assert out.is_contiguous() is (name == "permuted" and len(shape) == 2)
    if name == "padded rows":
        assert out.stride(-1) == 1
    if name == "permuted" and len(shape) == 4:
        assert out.is_contiguous(memory_format=torch.channels_last)


def test_free_integers_keep_to_values_that_were_drawn():
    index, mask, x = torch.randint(90, (20, 30)), torch.rand(20, 30) < 0.5, torch.randn(20, 30)
    for name, values in (("first and last index", 2), ("one index", 1)):
        out = BY_NAME[name].apply(
            [index, mask, index, x], torch.Generator().manual_seed(3), [True, True, False, True]
        )
        found = out[0]
        assert isinstance(found, torch.Tensor) and found.dtype == index.dtype
        assert found.unique().numel() == values and found.is_contiguous()
        assert set(found.flatten().tolist()) <= set(index.flatten().tolist())
        assert isinstance(out[1], torch.Tensor) and out[1].dtype == torch.bool
        assert out[2] is index and out[3] is x


@ALL
def test_integers_booleans_and_numbers_stay(distribution: Distribution):
    given_ = (torch.arange(5), torch.tensor([True, False]), 3, 2.5, True)
    out = distribution.apply(given_, torch.Generator().manual_seed(1))
    assert all(a is b for a, b in zip(given_, out, strict=True))


@given(st.sampled_from(DISTRIBUTIONS), st.integers(0, 999))
def test_equal_seeds_draw_equal_values(distribution, seed):
    x = torch.randn(8, 8)
    first, second = (
        distribution.apply([x], torch.Generator().manual_seed(seed))[0] for _ in range(2)
    )
    assert isinstance(first, torch.Tensor) and isinstance(second, torch.Tensor)
    assert torch.equal(first.nan_to_num(1e9), second.nan_to_num(1e9))
    assert first.stride() == second.stride()


def test_scales():
    x = torch.randn(50, 50)
    assert torch.equal(bend("large", x), x * 30)
    assert torch.equal(bend("tiny", x), x * 1e-4)
    assert torch.equal(bend("zero", x), torch.zeros_like(x))
    assert float(bend("shifted", x).mean()) == pytest.approx(40, abs=0.2)
    spread = bend("wide", x).abs().log10()
    assert float(spread.quantile(0.99) - spread.quantile(0.01)) > 3


def test_rows_and_sparsity():
    x = torch.randn(50, 50)
    constant = bend("constant rows", x)
    assert bool((constant == constant[:, :1]).all()) and constant[:, 0].unique().numel() > 10
    share = float((bend("sparse", x) != 0).double().mean())
    assert 0.03 < share < 0.2


def test_specials_are_there_and_few():
    for seed in range(20):
        out = bend("special values", torch.randn(10, 10), seed)
        count = int((~out.isfinite()).sum())
        assert 1 <= count <= 6
        assert bool(out.isnan().any()) or bool(out.isinf().any())


@pytest.mark.parametrize("shape", [(4, 6), (2, 4, 6), (6,)])
def test_strided_holds_the_same_values_in_another_layout(shape):
    x = torch.randn(shape)
    out = bend("strided", x)
    assert torch.equal(out, x)
    assert not out.is_contiguous()


def test_misaligned_is_a_matter_of_place():
    assert BY_NAME["misaligned"].skew == 1
    assert all(d.skew == 0 for d in DISTRIBUTIONS if d.name != "misaligned")


def test_wide_stays_in_range_of_what_eager_can_do():
    x = torch.randn(1000, 10)
    assert bool(bend("wide", x).isfinite().all())
    assert math.isfinite(float(bend("large", x).abs().max()))
