"""Metrics against independent arithmetic, and the laws that they must keep."""

import math
import random
from fractions import Fraction
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import kernel, ratios, result

from kernelwright.evals import formulas, outcome
from kernelwright.evals.estimate import draws, estimate
from kernelwright.evals.metrics import curve, figures, general, slices, speed
from kernelwright.evals.record import Cost, Samples, ShapeSpeedups
from kernelwright.harness.verdict import Finding, Speedup

P = (0.0, 0.5, 0.8, 1.0, 1.5, 2.0)


def by_hand(values):
    """Plain Python, no arrays: fast_p and the means over speedups, None for a failure."""
    n = len(values)
    right = [v for v in values if v is not None]
    full = [1.0 if v is None else v for v in values]
    ranked = sorted(full)

    def quantile(q):
        place = q * (n - 1)
        left = math.floor(place)
        above = ranked[min(left + 1, n - 1)]
        return ranked[left] + (place - left) * (above - ranked[left])

    return {
        **{f"fast_{p:g}": sum(v > p for v in right) / n for p in P},
        "geomean_all": math.prod(full) ** (1 / n),
        "geomean_fallback": math.prod(max(1.0, v) for v in full) ** (1 / n),
        "geomean_correct": math.prod(right) ** (1 / len(right)) if right else None,
        "median": quantile(0.5),
        "p75": quantile(0.75),
        "mean": sum(full) / n,
    }


CASES = {
    "failures": (2.0, None, 0.7, None, 1.2, 4.0, 0.3),
    "ties with the thresholds": (1.0, 1.0, 2.0, 0.5, 0.8, 1.5, 2.0),
    "one sample": (1.7,),
    "one failure": (None,),
    "all fail": (None, None, None),
    "all alike": (1.3, 1.3, 1.3, 1.3),
    "slow and right": (0.1, 0.2, None, 0.9),
    "an outlier": (1.1, 0.9, 250.0, 1.0, None),
}


@pytest.mark.parametrize("values", CASES.values(), ids=CASES.keys())
def test_against_arithmetic_by_hand(values):
    found = speed(ratios(*values), "eager")
    for name, expected in by_hand(values).items():
        if expected is None:
            assert found[name].value is None and found[name].reason
        else:
            assert found[name].value == pytest.approx(expected, rel=1e-12), name
            assert found[name].n == len(values)


def test_numbers_worked_out_on_paper():
    found = speed(ratios(2.0, 0.5, None, 8.0), "eager")
    assert found["fast_0"].value == 0.75
    assert found["fast_0.5"].value == 0.5  # strictly above
    assert found["fast_2"].value == 0.25
    assert found["geomean_all"].value == pytest.approx(8**0.25)  # 2 * 1/2 * 1 * 8
    assert found["geomean_correct"].value == pytest.approx(2.0)  # cube root of 8
    assert found["geomean_fallback"].value == pytest.approx(2.0)  # 2 * 1 * 1 * 8
    assert found["median"].value == 1.5
    assert found["mean"].value == pytest.approx(2.875)


def test_kernels_that_refuse_shapes_which_they_were_not_shown():
    refuses = Finding("fixed_shape", "raises an error at sizes that the task does not show", "note")
    results = [
        result("core/any", kernel(2.0)),
        result("core/fixed", kernel(8.0, notes=(refuses,))),
        result("core/none"),
        result("core/other", kernel(0.5)),
    ]
    assert general(results)["any_shape"].value == 0.5
    assert general(results[1:3])["any_shape"].value == 0.0
    assert general(results[1:2])["correct"].value == 1.0


def test_times_as_kernelbench_has_them():
    """Baseline and kernel times with its -1 for what did not run: the same arrays, the same figures."""
    right = np.array([True, False, True, True, False])
    base = np.array([3.0, 1.0, 2.0, 5.0, 4.0])
    took = np.array([1.5, -1.0, 2.0, 10.0, 1.0])
    ratio = np.where(right, base / took, np.nan)
    expected = {0.0: 3 / 5, 0.5: 2 / 5, 0.8: 2 / 5, 1.0: 1 / 5, 1.5: 1 / 5, 2.0: 0.0}
    for p, share in expected.items():
        assert float(formulas.fast_p(right, ratio, p)) == pytest.approx(share)
    assert float(formulas.geomean_correct(right, ratio)) == pytest.approx(1.0)  # 2 * 1 * 1/2


@pytest.mark.parametrize(("n", "c", "k"), [(5, 2, 1), (5, 2, 3), (5, 5, 5), (4, 0, 2), (1, 1, 1)])
def test_pass_at_k_counts_every_draw(n, c, k):
    draws_of_k = list(combinations([True] * c + [False] * (n - c), k))
    expected = Fraction(sum(any(draw) for draw in draws_of_k), len(draws_of_k))
    assert formulas.pass_at_k(n, c, k) == pytest.approx(float(expected))


def test_pass_at_k_of_too_few_samples_is_no_number():
    with pytest.raises(ValueError, match="not defined"):
        formulas.pass_at_k(2, 1, 3)
    few = [result("core/a", kernel(2.0), samples=Samples(n=2, correct=1))]
    assert general(few)["pass@1"].value == 0.5
    assert general(few)["pass@5"].reason == "core/a has 2 samples"


def test_pass_at_k_keeps_tasks_that_were_never_sampled():
    results = [
        result("core/a", kernel(2.0), samples=Samples(n=4, correct=4)),
        result("core/b", state="not_started"),
        result("core/c", samples=Samples(n=0, correct=0)),
    ]
    assert general(results)["pass@1"].value == pytest.approx(1 / 3)


def test_sol_score():
    assert formulas.sol_score(4.0, 1.0, 4.0) == 0.5
    assert formulas.sol_score(1.0, 1.0, 4.0) == 1.0
    assert formulas.sol_score(0.9, 1.0, 4.0) == 1.0
    assert formulas.sol_score(2.5, 1.0, 4.0) == pytest.approx(2 / 3)
    assert formulas.sol_score(2.0, 4.0, 4.0) is None
    # candidate 1 ms, floor 0.5 ms, eager 3 ms: 1 / (1 + 0.5 / 2.5)
    assert outcome.sol(result("a", kernel(3.0)), "eager") == pytest.approx(1 / 1.2)
    assert speed([result("a", kernel(3.0)), result("b")], "eager")["sol"].value == pytest.approx(
        0.5 / 1.2
    )


def test_the_floor_follows_from_the_share_of_the_roofline():
    told = kernel(3.0)
    untold = told.model_copy(update={"floor_ms": None})
    assert outcome.floor_ms(told) == outcome.floor_ms(untold) == 0.5
    assert outcome.sol(result("a", untold), "eager") == pytest.approx(1 / 1.2)
    assert outcome.floor_ms(kernel(3.0, share=1.0)) is None
    assert outcome.sol(result("a", kernel(3.0, share=1.0)), "eager") == 1.0
    assert outcome.sol(result("a", kernel(3.0, share=None)), "eager") is None


def test_cost_counts_failures():
    results = [
        result("a", kernel(2.0), spent=Cost(usd=1.0, wall_s=60.0)),
        result("b", spent=Cost(usd=3.0, wall_s=180.0)),
        result("c", state="not_started"),
    ]
    found = general(results)
    assert found["usd_per_kernel"].value == 4.0
    assert found["minutes_per_kernel"].value == 4.0
    unknown = general([*results, result("d", kernel(2.0))])["usd_per_kernel"]
    assert unknown.value is None and "1 of 4" in unknown.reason


def test_the_best_baseline_is_the_faster_one():
    assert outcome.ratio(result("a", kernel(3.0, 1.5)), "best") == 1.5
    assert outcome.ratio(result("a", kernel(1.2, 1.5)), "best") == 1.2
    assert outcome.ratio(result("a", kernel(1.2, None)), "best") == 1.2  # it cannot be compiled
    assert outcome.ratio(result("a", kernel(None, 1.5)), "best") is None


def test_what_was_not_confirmed_is_not_fast():
    lucky = result("a", kernel(9.0, confirmed=False))
    assert outcome.ratio(lucky, "eager") == 1.0
    assert outcome.ratio(result("a", kernel(0.6, confirmed=False)), "eager") == 0.6
    assert outcome.ratio(lucky, "compile") is None
    found = speed([lucky], "eager")
    assert (found["fast_0"].value, found["fast_0.8"].value, found["fast_1"].value) == (1, 1, 0)


def test_a_kernel_of_unmeasured_speed_stays_in_the_denominator():
    results = [result("a", kernel(2.0, 2.0)), result("b", kernel(None, 3.0))]
    found = speed(results, "eager")
    assert found["fast_0"].value == 1.0
    assert found["fast_0.5"].value == 0.5 and found["fast_0.5"].unknown == 1
    assert found["geomean_all"].value == pytest.approx(math.sqrt(2))
    only = speed([result("b", kernel(None, 3.0))], "eager")
    assert only["geomean_all"].value is None and only["geomean_all"].reason


def test_generalization():
    def shape(name, shown, value):
        gain = Speedup(value, value, value, 10)
        return ShapeSpeedups(name=name, shown=shown, speedup={"eager": gain})

    shapes = (shape("own", True, 4.0), shape("x", False, 1.0), shape("y", False, 4.0))
    assert outcome.generalization(result("a", kernel(4.0), shapes=shapes), "eager") == 2.0
    found = speed([result("a", kernel(4.0), shapes=shapes), result("b")], "eager")
    assert found["generalization"].value == pytest.approx(2.0)
    assert found["generalization"].n == 1


def test_slices_of_tasks_split_and_slices_of_kernels_do_not():
    results = [
        result("a", kernel(2.0), category="loss"),
        result("b", kernel(3.0, track="library"), category="loss"),
        result("c", None, category="scan"),
    ]
    found = slices(results)
    assert {k: len(v) for k, v in found["category"].items()} == {"loss": 2, "scan": 1}
    assert {k: len(v) for k, v in found["level"].items()} == {"unknown": 3}
    assert {k: len(v) for k, v in found["track"].items()} == {"custom": 3, "library": 3}
    assert general(found["track"]["custom"])["correct"].value == pytest.approx(1 / 3)


speedups = st.lists(
    st.one_of(st.none(), st.floats(0.01, 100.0, allow_nan=False)), min_size=1, max_size=12
)
FIXED = ("geomean_fallback", "sol", *(f"fast_{p:g}" for p in P))


@settings(max_examples=40, deadline=None)
@given(speedups)
def test_fast_p_falls_and_intervals_hold_their_figure(values):
    results = ratios(*values)
    points = curve(results, "eager")
    assert all(a.value >= b.value for a, b in pairwise(points))
    found = figures(results)
    assert found.general["correct"].value == found.speed["eager"]["fast_0"].value
    for figure in (*found.general.values(), *found.speed["eager"].values()):
        if figure.value is not None and figure.low is not None:
            assert figure.low <= figure.value <= figure.high
        assert figure.value is None or math.isfinite(figure.value)


@settings(max_examples=40, deadline=None)
@given(speedups, st.randoms(use_true_random=False))
def test_no_failure_raises_a_figure(values, rng):
    """Losing a kernel never helps; for the plain geometric mean that holds of kernels faster than 1."""
    right = [i for i, v in enumerate(values) if v is not None]
    if not right:
        return
    lost = rng.choice(right)
    before = speed(ratios(*values), "eager")
    after = speed(ratios(*(None if i == lost else v for i, v in enumerate(values))), "eager")
    names = FIXED if values[lost] < 1 else (*FIXED, "geomean_all", "median", "p75", "mean")
    for name in names:
        if before[name].value is not None and after[name].value is not None:
            assert after[name].value <= before[name].value + 1e-12, name
        assert before[name].n == after[name].n == len(values)


@settings(max_examples=25, deadline=None)
@given(speedups, st.randoms(use_true_random=False))
def test_the_order_of_tasks_changes_nothing(values, rng):
    results = ratios(*values)
    mixed = results[:]
    rng.shuffle(mixed)
    assert figures(results).to_json() == figures(mixed).to_json()


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    """Shares of a known coin, 200 seeded draws of 60 tasks: 95% intervals, give or take."""
    rng = random.Random(7)
    covered = 0
    for _ in range(200):
        column = np.array([[float(rng.random() < 0.6)] for _ in range(60)])
        found = estimate(column, lambda t: np.mean(t[..., 0], axis=-1), share=True)
        covered += found.low <= 0.6 <= found.high
    assert 0.88 <= covered / 200 <= 0.99


def test_a_share_on_which_all_agree_is_not_certain():
    sure = speed(ratios(2.0, 2.0, 2.0), "eager")["fast_1"]
    assert (sure.value, sure.high) == (1.0, 1.0)
    assert sure.low == pytest.approx(0.025 ** (1 / 3))
    none = speed(ratios(None, None), "eager")["fast_1"]
    assert (none.value, none.low) == (0.0, 0.0)
    assert none.high == pytest.approx(1 - 0.025**0.5)


def test_resamples_are_the_same_every_time():
    assert (draws(9) == draws(9)).all()
    first, again = speed(ratios(1.0, 2.0, None), "eager"), speed(ratios(1.0, 2.0, None), "eager")
    assert first == again
