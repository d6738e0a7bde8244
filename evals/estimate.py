"""Figures over tasks with their uncertainty: an estimate, its 95% bootstrap interval, its denominator.

Tasks are what is resampled: an interval says how far the figure would move on another draw of tasks like
these. It does not cover the scatter of single timings, which each verdict has for itself.

Source: B. Efron, R. Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13 (percentile
intervals); C. Clopper, E. Pearson, Biometrika 26 (1934) for shares where all tasks agree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Statistic = Callable[[Array], Array]
"""From columns of shape (..., tasks, columns) to one number each, of shape (...); NaN: not defined."""

Disturbance = Callable[[Array, np.random.Generator], Array]

RESAMPLES = 2000
SEED = 20240229
_TAIL = 0.025


@dataclass(frozen=True)
class Estimate:
    """A figure. `value` None: not known, and `reason` says why. `low`, `high`: 95% interval over tasks."""

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    """The denominator: how many tasks it is of."""
    unknown: int = 0
    """Correct kernels among them that lack this measurement and count as if they had failed."""
    reason: str | None = None
    """Why value or interval is unknown."""

    def to_json(self) -> dict[str, Any]:
        """Plain values, rounded to six significant digits; the reason only where there is one."""
        data: dict[str, Any] = {
            "value": rounded(self.value),
            "low": rounded(self.low),
            "high": rounded(self.high),
            "n": self.n,
            "unknown": self.unknown,
        }
        return {**data, "reason": self.reason} if self.reason else data


def estimate(
    columns: Array,
    statistic: Statistic,
    *,
    share: bool = False,
    unknown: int = 0,
    disturb: Disturbance | None = None,
) -> Estimate:
    """The statistic of a table of shape (tasks, columns), with its interval.

    Rows are put in a canonical order first, so that the order of tasks changes nothing. The interval
    is widened where it would leave out the estimate itself. `share`: the figure is a share of tasks;
    where all agree resampling sees no scatter at all, so there the exact interval of a share is given.
    `disturb`: adds to the resampled tables what each measurement scatters by itself, which gives one task
    an interval too.
    """
    n = len(columns)
    if n == 0:
        return Estimate(None, n=0, unknown=unknown, reason="no tasks")
    table = columns[np.lexsort(columns.T[::-1])]
    value = float(statistic(table))
    if not np.isfinite(value):
        return Estimate(None, n=n, unknown=unknown, reason="no correct kernel to take it of")
    if share and value in (0.0, 1.0):
        low, high = (1 - none_seen(n), 1.0) if value else (0.0, none_seen(n))
        return Estimate(value, low, high, n, unknown)
    if n == 1 and disturb is None:
        return Estimate(value, None, None, n, unknown, "one task gives no interval")
    drawn = table[draws(n)]
    if disturb:
        drawn = disturb(drawn, np.random.default_rng(SEED + 1))
    resampled = statistic(drawn)
    resampled = resampled[np.isfinite(resampled)]
    if resampled.size < RESAMPLES // 2:
        reason = "too few correct kernels for an interval"
        return Estimate(value, None, None, n, unknown, reason)
    low, high = (float(q) for q in np.quantile(resampled, [_TAIL, 1 - _TAIL]))
    return Estimate(value, min(low, value), max(high, value), n, unknown)


@lru_cache(maxsize=64)
def draws(n: int) -> NDArray[np.int64]:
    """Indices of the resampled tasks, shape (RESAMPLES, n): always the same ones, so figures are paired."""
    return np.random.default_rng(SEED).integers(0, n, size=(RESAMPLES, n))


def none_seen(n: int) -> float:
    """The largest share that n tasks of which none had it leave possible, with 97.5%."""
    return float(1 - _TAIL ** (1 / n))


def rounded(value: float | None) -> float | None:
    """Six significant digits; None stays None."""
    return None if value is None else float(f"{value:.6g}")
