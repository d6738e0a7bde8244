"""Monte Carlo arithmetic: how much noise enters, and where."""

import pytest
import torch

from kernelwright.harness.rounding import UNIT, Rounding


def change(function, *inputs: torch.Tensor) -> torch.Tensor:
    """|noisy - exact| of a function of float64 tensors."""
    with Rounding(torch.Generator().manual_seed(1)):
        noisy = function(*inputs)
    return (noisy - function(*inputs)).abs()


def values(*shape: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_pointwise_results_move_by_at_most_a_unit():
    x = values(1000)
    moved = change(torch.exp, x) / x.exp()
    assert float(moved.max()) <= UNIT * 1.0001
    assert float(moved.max()) > 0


def test_sums_move_by_their_magnitudes():
    x = values(4, 1000)
    moved = change(lambda v: v.sum(-1), x)
    assert bool((moved <= UNIT * x.abs().sum(-1)).all())
    assert float(moved.max()) > UNIT * float(x.sum(-1).abs().max())


def test_products_move_by_the_product_of_magnitudes():
    a, b = values(8, 64), values(64, 8)
    moved = change(torch.mm, a, b)
    assert float(moved.max()) > 0 and bool((moved <= UNIT * (a.abs() @ b.abs())).all())


@pytest.mark.parametrize(
    "function",
    [
        lambda v: v.reshape(8, -1).transpose(0, 1),
        lambda v: v.relu(),
        lambda v: torch.cat([v, v]),
        lambda v: v.clone().clamp(-1, 1).amax(0),
    ],
)
def test_what_moves_numbers_only_is_exact(function):
    assert float(change(function, values(16, 16)).max()) == 0.0


def test_noise_enters_within_composite_operators():
    """The mean of a constant row carries noise, which the norm amplifies by 1/sqrt(eps)."""
    x = torch.full((4, 1024), 3.7, dtype=torch.float64)
    moved = change(lambda v: torch.nn.functional.layer_norm(v, (1024,)), x)
    assert float(moved.max()) > 10 * UNIT


def test_integers_are_left_alone():
    with Rounding(torch.Generator()):
        assert torch.equal(torch.arange(5) * 3, torch.tensor([0, 3, 6, 9, 12]))
