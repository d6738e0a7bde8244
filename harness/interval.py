"""The 95% interval of a median of paired ratios that come in groups.

A group is one start of the processes: rounds within it are alike, groups differ. So groups are drawn
first, then rounds within each (Davison and Hinkley, Bootstrap Methods and their Application, 3.8). With
few groups the percentile interval of such a bootstrap is too narrow; its quantiles are moved out to
where Student's t has them (the expanded percentile interval: Hesterberg, What Teachers Should Know About
the Bootstrap, The American Statistician 69(4), 2015, section 4).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

_DRAWS = 4000
_NORMAL = NormalDist()


def of_median(groups: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    """Low and high end. One group: its own values are drawn, and counted."""
    random = np.random.default_rng(0)
    sizes = np.array([len(group) for group in groups])
    padded = np.full((len(groups), sizes.max()), np.nan)
    for row, group in zip(padded, groups, strict=True):
        row[: len(group)] = group
    whom = random.integers(0, len(groups), (_DRAWS, len(groups)))
    where = random.integers(0, sizes[whom][..., None], (*whom.shape, sizes.max()))
    values = padded[whom[..., None], where]
    values[np.arange(sizes.max()) >= sizes[whom][..., None]] = np.nan
    medians = _medians(values.reshape(_DRAWS, -1), sizes[whom].sum(axis=1))
    tail = expanded_tail(len(groups) if len(groups) > 1 else len(groups[0]))
    low, high = np.quantile(medians, [tail, 1 - tail])
    return float(low), float(high)


def _medians(rows: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """The median of each row's `counts` numbers; the rest of a row is NaN, which sorts last."""
    rows = np.sort(rows, axis=1)
    every = np.arange(len(rows))
    return np.asarray((rows[every, (counts - 1) // 2] + rows[every, counts // 2]) / 2)


def expanded_tail(count: int, tail: float = 0.025) -> float:
    """The quantile to take for `tail` when so many were drawn: Phi(sqrt(n / (n - 1)) t_{n-1}(tail))."""
    if count < 2:
        return tail
    return _NORMAL.cdf(math.sqrt(count / (count - 1)) * students_t(tail, count - 1))


def students_t(probability: float, freedom: int) -> float:
    """Quantile of Student's t, within one percent from three degrees of freedom, too near to zero with
    fewer (Abramowitz and Stegun, 26.7.5)."""
    z = _NORMAL.inv_cdf(probability)
    z2 = z * z
    terms = (
        (z2 + 1) / 4,
        ((5 * z2 + 16) * z2 + 3) / 96,
        (((3 * z2 + 19) * z2 + 17) * z2 - 15) / 384,
        ((((79 * z2 + 776) * z2 + 1482) * z2 - 1920) * z2 - 945) / 92160,
    )
    return z * (1.0 + math.fsum(term / freedom**k for k, term in enumerate(terms, 1)))
