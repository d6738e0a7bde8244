"""Intervals of medians of ratios in groups."""

import numpy as np
import pytest

from kernelwright.harness.interval import expanded_tail, of_median, students_t


@pytest.mark.parametrize(
    ("freedom", "known"), [(3, 3.182), (4, 2.776), (9, 2.262), (30, 2.042), (1000, 1.962)]
)
def test_students_t_is_that_of_the_tables(freedom: int, known: float):
    assert students_t(0.975, freedom) == pytest.approx(known, rel=0.01)
    assert students_t(0.025, freedom) == pytest.approx(-known, rel=0.01)


def test_few_groups_widen_and_many_do_not():
    tails = [expanded_tail(count) for count in (2, 5, 16, 1000)]
    assert tails == sorted(tails)
    assert tails[1] == pytest.approx(0.00096, rel=0.15)  # Hesterberg 2015, table for n = 5
    assert tails[-1] == pytest.approx(0.025, rel=0.01)
    assert expanded_tail(1) == 0.025


def test_nineteen_of_twenty_intervals_of_five_groups_hold_the_truth():
    """Groups differ by 3%, rounds by 2%, as processes and calls do."""
    random = np.random.default_rng(1)
    held = 0
    for _ in range(60):
        groups = [
            2.0 * np.exp(random.normal(0, 0.03) + random.normal(0, 0.02, 8)) for _ in range(5)
        ]
        low, high = of_median(groups)
        held += low <= 2.0 <= high
    assert held >= 55


def test_the_same_ratios_give_the_same_interval():
    groups = [np.array([1.0, 1.1, 1.2]), np.array([0.9, 1.0, 1.3])]
    assert of_median(groups) == of_median(groups)
