"""The precision class of sums that are kept in fp16."""

import pytest
import torch

from kernelwright.harness.precision import RELATIVE, Expected, expect, relative


def expected(left: torch.Tensor, right: torch.Tensor, precision: str) -> Expected:
    exact = left.double() @ right.double()
    found = expect(exact, left @ right, [exact], precision)
    assert found is not None
    return found


def factors(k: int) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(k)
    left, right = torch.randn(96, k) * k**-0.25, torch.randn(k, 96) * k**-0.25
    return left.half(), right.half()


def summed(left: torch.Tensor, right: torch.Tensor, at_once: int) -> torch.Tensor:
    """A product whose sum is rounded to fp16 after every `at_once` terms."""
    total = torch.zeros(left.shape[0], right.shape[1], dtype=torch.float16)
    for a, b in zip(left.split(at_once, 1), right.split(at_once, 0), strict=True):
        total = (total.double() + a.double() @ b.double()).half()
    return total


@pytest.mark.parametrize("k", [64, 512, 4096])
def test_sums_in_fp16_fit_their_class_and_no_other(k: int) -> None:
    left, right = factors(k)
    found = summed(left, right, 16)
    assert expected(left, right, f"fp16-sums-of-{k}").mismatch(found) is None
    if k > 64:
        assert expected(left, right, "fp16").mismatch(found) is not None


@pytest.mark.parametrize("k", [64, 256, 4096])
def test_sums_of_numbers_below_the_least_one_are_lost(k: int) -> None:
    left, right = (1e-4 * factor for factor in factors(k))
    found = summed(left, right, 16)
    assert expected(left, right, f"fp16-sums-of-{k}").mismatch(found) is None


@pytest.mark.parametrize("k", [64, 512, 4096])
def test_eight_bit_factors_do_not_fit(k: int) -> None:
    left, right = factors(k)
    coarse = (t.to(torch.float8_e4m3fn).double() for t in (left, right))
    a, b = coarse
    assert expected(left, right, f"fp16-sums-of-{k}").mismatch((a @ b).half()) is not None


@pytest.mark.parametrize("k", [64, 512, 4096])
def test_terms_left_out_do_not_fit(k: int) -> None:
    left, right = factors(k)
    short = (left[:, :-16].double() @ right[:-16].double()).half()
    assert expected(left, right, f"fp16-sums-of-{k}").mismatch(short) is not None


def test_classes_by_name() -> None:
    assert relative("fp32") == RELATIVE["fp32"]
    assert relative("fp16-sums-of-0") is None
    assert relative("fp7") is None
    assert (relative("fp16-sums-of-16384") or 0) > (relative("fp16-sums-of-64") or 0)
