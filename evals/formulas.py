"""The formulas of the field, each with its source, on plain arrays with one entry a task.

Every one takes `correct` (bool) and, where speed matters, `ratio`: baseline time / kernel time, NaN where
it was not measured. Failures and unmeasured kernels are dealt with here, so that no caller can drop them
from a denominator. All work along the last axis and so on resampled tables too.
"""

from __future__ import annotations

from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Truth = NDArray[np.bool_]

P_VALUES = (0.0, 0.5, 0.8, 1.0, 1.5, 2.0)
"""The thresholds that KernelBench's analysis prints."""
CURVE = (0.0, *(round(float(p), 4) for p in np.geomspace(0.1, 32, 51)))
"""Thresholds of the whole curve."""


def fast_p(correct: Truth, ratio: Array, p: float) -> Array:
    """fast_p = 1/N * sum of 1(correct and ratio > p), over all N tasks.

    A correct kernel of unmeasured speed passes p = 0 and no other, so that fast_0 is the share of
    correct tasks. Source: A. Ouyang et al., "KernelBench" (2025, arXiv:2502.10517), section 3.3; strict
    inequality as in its `score.py`.
    """
    above = np.where(np.isnan(ratio), p <= 0, ratio > p)
    return np.asarray(np.mean(correct & above, axis=-1))


def geomean_all(correct: Truth, ratio: Array) -> Array:
    """exp(mean(log s)) over all N tasks; s is the ratio of a correct kernel, 1 for a failure.

    Who gets no kernel keeps the reference. A kernel slower than that counts as it is, so this figure can
    be below 1, and losing a slow kernel raises it: see `geomean_fallback`.
    """
    return np.asarray(np.exp(np.mean(np.log(filled(correct, ratio)), axis=-1)))


def geomean_fallback(correct: Truth, ratio: Array) -> Array:
    """exp(mean(log max(1, s))) over all N tasks: what users get who keep the reference where it is faster.

    Never below 1, and no failure can raise it.
    """
    return np.asarray(np.exp(np.mean(np.log(np.maximum(1.0, filled(correct, ratio))), axis=-1)))


def geomean_correct(correct: Truth, ratio: Array) -> Array:
    """exp(mean(log s)) over the correct and measured kernels only; NaN where there is none.

    The same as `geometric_mean_speed_ratio_correct_only` of KernelBench's `score.py`, which gives 0 for
    no correct kernel. It rewards those who fail hard tasks: read it beside the share of correct ones.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = np.where(correct & ~np.isnan(ratio), np.log(ratio), 0.0)
        count = np.sum(correct & ~np.isnan(ratio), axis=-1)
        return np.asarray(np.exp(np.sum(logs, axis=-1) / count)) * np.where(count, 1.0, np.nan)


def filled(correct: Truth, ratio: Array) -> Array:
    """The ratio of each task, 1 for failures and for kernels of unmeasured speed."""
    return np.where(correct & ~np.isnan(ratio), ratio, 1.0)


def quantile_all(correct: Truth, ratio: Array, q: float) -> Array:
    """The q-quantile of s over all N tasks, failures at 1, linear between neighbours (numpy's default)."""
    return np.asarray(np.quantile(filled(correct, ratio), q, axis=-1))


def mean_all(correct: Truth, ratio: Array) -> Array:
    """mean(s) over all N tasks, failures at 1. Reported because others report it; one outlier moves it."""
    return np.asarray(np.mean(filled(correct, ratio), axis=-1))


def mean_share(correct: Truth, share: Array) -> Array:
    """mean over all N tasks of a share in [0, 1]; 0 for failures and for what was not measured."""
    return np.asarray(np.mean(np.where(correct & ~np.isnan(share), share, 0.0), axis=-1))


def sol_score(time: float, sol: float, base: float) -> float | None:
    """1 / (1 + (T - T_sol) / (T_base - T_sol)): 1/2 at the baseline, 1 at the physical floor.

    At or below the floor it is 1. None where the baseline itself is at the floor or below: then nothing
    is left to gain. Source: E. Lin et al., "SOL-ExecBench" (2026, arXiv:2603.19173). Their floor is
    analytic (SOLAR, for a B200); ours are the peaks that this machine was measured to reach. Times in
    one unit.
    """
    if base <= sol:
        return None
    return 1 / (1 + max(0.0, time - sol) / (base - sol))


def pass_at_k(n: int, correct: int, k: int) -> float:
    """1 - C(n - c, k) / C(n, k): the chance that at least one of k samples is correct, unbiased.

    Of n independent samples c were correct. Raises ValueError for n < k, where it is not defined.
    Source: M. Chen et al., "Evaluating Large Language Models Trained on Code" (2021, arXiv:2107.03374),
    equation 1.
    """
    if not 0 <= correct <= n or k < 1:
        raise ValueError(f"{correct} correct of {n} samples, k = {k}")
    if n < k:
        raise ValueError(f"pass@{k} of {n} samples is not defined")
    return 1 - comb(n - correct, k) / comb(n, k)


def ratio_of_sums(above: Array, below: Array) -> Array:
    """sum(above) / sum(below); NaN where nothing is below."""
    total: Any = np.sum(below, axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(total > 0, np.sum(above, axis=-1) / total, np.nan))
