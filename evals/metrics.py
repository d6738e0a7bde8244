"""Every figure of one entry: a batch on one device, over all of its tasks.

The denominator of a figure is every task of the batch (or of the slice), whatever became of it. What a
task is (level, category, suite) splits the denominator; what a kernel is (language, track, precision)
does not: there a task whose kernel is of another kind counts as failed, so that nobody's share grows by
giving up the hard ones. The formulas stand in `formulas.py`, what a result is worth in `outcome.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from kernelwright.evals import formulas, outcome
from kernelwright.evals.estimate import Array, Estimate, Statistic, estimate, rounded
from kernelwright.evals.formulas import CURVE, P_VALUES
from kernelwright.evals.outcome import BASELINES, Baseline
from kernelwright.evals.record import TaskResult

PASS_K = (1, 5, 10)
UNKNOWN = "unknown"
TASK_SLICES: Mapping[str, Callable[[TaskResult], str | None]] = {
    "suite": lambda r: r.suite,
    "level": lambda r: None if r.level is None else str(r.level),
    "category": lambda r: r.category,
}
KERNEL_SLICES: Mapping[str, Callable[[TaskResult], str | None]] = {
    "language": lambda r: r.best.language if r.best else None,
    "track": lambda r: r.best.verdict.track if r.best else None,
    "precision": lambda r: r.best.verdict.precision if r.best else None,
}


@dataclass(frozen=True)
class CurvePoint:
    """fast_p at one threshold, with its interval over tasks."""

    p: float
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Figures:
    """All figures of some tasks, by name."""

    general: Mapping[str, Estimate]
    """`correct`, `roofline`, `own_time`, `any_shape`, `usd_per_kernel`, `minutes_per_kernel`, `pass@k`."""
    speed: Mapping[Baseline, Mapping[str, Estimate]]
    """By baseline: `fast_0` ... `fast_2`, `geomean_all`, `geomean_fallback`, `geomean_correct`, `median`,
    `p75`, `mean`, `sol`, `generalization`."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            **{name: figure.to_json() for name, figure in self.general.items()},
            "against": {
                baseline: {name: figure.to_json() for name, figure in found.items()}
                for baseline, found in self.speed.items()
            },
        }


def figures(results: Sequence[TaskResult]) -> Figures:
    """Every figure over these tasks."""
    return Figures(general(results), {b: speed(results, b) for b in BASELINES})


def general(results: Sequence[TaskResult]) -> dict[str, Estimate]:
    """The figures that no baseline enters."""
    correct = estimate(_columns(_correct(results)), _mean, share=True)
    return {
        "correct": correct,
        "roofline": _share(results, outcome.roofline),
        "own_time": _share(results, outcome.own_time),
        "any_shape": estimate(
            _columns(np.array([outcome.any_shape(r) for r in results], dtype=np.float64)),
            _mean,
            share=True,
        ),
        "usd_per_kernel": _per_kernel(results, lambda r: r.spent.usd, 1.0),
        "minutes_per_kernel": _per_kernel(results, lambda r: r.spent.wall_s, 1 / 60),
        **{f"pass@{k}": _pass_at_k(results, k) for k in PASS_K},
    }


def speed(results: Sequence[TaskResult], baseline: Baseline) -> dict[str, Estimate]:
    """The figures against one baseline."""
    ratios = _values(results, lambda r: outcome.ratio(r, baseline))
    table = _columns(_correct(results), ratios)
    unknown = _unknown(results, ratios)
    found = {
        f"fast_{p:g}": estimate(
            table, partial(_fast, p=p), share=True, unknown=unknown if p > 0 else 0
        )
        for p in P_VALUES
    }
    means: dict[str, Callable[[formulas.Truth, Array], Array]] = {
        "geomean_all": formulas.geomean_all,
        "geomean_fallback": formulas.geomean_fallback,
        "geomean_correct": formulas.geomean_correct,
        "median": partial(formulas.quantile_all, q=0.5),
        "p75": partial(formulas.quantile_all, q=0.75),
        "mean": formulas.mean_all,
    }
    for name, formula in means.items():
        found[name] = estimate(table, _of_both(formula), unknown=unknown)
    if not np.isfinite(ratios).any():
        why = _no_figure(results, "no kernel was timed against it")
        blank = Estimate(None, n=len(results), unknown=unknown, reason=why)
        if unknown:  # correct kernels of which nothing is known: not the same as no speedup
            found |= {name: blank for name in found if name != "fast_0"}
    found["sol"] = _share(results, lambda r: outcome.sol(r, baseline))
    found["generalization"] = _generalization(results, baseline)
    return found


def curve(results: Sequence[TaskResult], baseline: Baseline) -> tuple[CurvePoint, ...]:
    """fast_p over all thresholds, each with its interval."""
    table = _columns(_correct(results), _values(results, lambda r: outcome.ratio(r, baseline)))
    points = []
    for p in CURVE:
        at = estimate(table, partial(_fast, p=p), share=True)
        if at.value is not None:
            value = rounded(at.value) or 0.0
            points.append(CurvePoint(p, value, rounded(at.low), rounded(at.high)))
    return tuple(points)


def slices(results: Sequence[TaskResult]) -> dict[str, dict[str, list[TaskResult]]]:
    """The results by each property and its values; what the figures of a slice are taken of.

    Tasks of which a property is not known make a slice of their own, so that none gets lost.
    """
    found: dict[str, dict[str, list[TaskResult]]] = {}
    for name, key in TASK_SLICES.items():
        values = sorted({key(r) or UNKNOWN for r in results})
        found[name] = {v: [r for r in results if (key(r) or UNKNOWN) == v] for v in values}
    for name, key in KERNEL_SLICES.items():
        values = sorted({value for r in results if (value := key(r)) is not None})
        found[name] = {value: [_only(r, key, value) for r in results] for value in values}
    return found


def _only(result: TaskResult, key: Callable[[TaskResult], str | None], value: str) -> TaskResult:
    """The result as it counts in a slice of kernels: without its kernel where that is of another kind."""
    return result if key(result) == value else result.model_copy(update={"best": None})


def _correct(results: Sequence[TaskResult]) -> Array:
    return np.array([r.correct for r in results], dtype=np.float64)


def _values(results: Sequence[TaskResult], of: Callable[[TaskResult], float | None]) -> Array:
    values = (of(r) if r.correct else None for r in results)
    return np.array([np.nan if v is None else v for v in values], dtype=np.float64)


def _columns(*columns: Array) -> Array:
    return np.stack(columns, axis=-1)


def _unknown(results: Sequence[TaskResult], values: Array) -> int:
    return sum(bool(r.correct and np.isnan(v)) for r, v in zip(results, values, strict=True))


def _mean(table: Array) -> Array:
    return np.asarray(np.mean(table[..., 0], axis=-1))


def _fast(table: Array, p: float) -> Array:
    return formulas.fast_p(table[..., 0] > 0, table[..., 1], p)


def _of_both(formula: Callable[[formulas.Truth, Array], Array]) -> Statistic:
    return lambda table: formula(table[..., 0] > 0, table[..., 1])


def _share(results: Sequence[TaskResult], of: Callable[[TaskResult], float | None]) -> Estimate:
    """A mean share over all tasks, failures at 0; unknown where no correct kernel has it."""
    values = _values(results, of)
    unknown = _unknown(results, values)
    if not np.isfinite(values).any():
        reason = _no_figure(results, "it was not measured of any kernel")
        return Estimate(None, n=len(results), unknown=unknown, reason=reason)
    table = _columns(_correct(results), values)
    return estimate(table, _of_both(formulas.mean_share), unknown=unknown)


def _per_kernel(
    results: Sequence[TaskResult], of: Callable[[TaskResult], float | None], factor: float
) -> Estimate:
    """What all tasks cost together, failures included, by the number of correct kernels."""
    amounts = [0.0 if r.state == "not_started" else of(r) for r in results]
    lacking = sum(amount is None for amount in amounts)
    if lacking:
        reason = f"not known of {lacking} of {len(results)} tasks"
        return Estimate(None, n=len(results), reason=reason)
    spent = np.array([(amount or 0.0) * factor for amount in amounts], dtype=np.float64)
    table = _columns(spent, _correct(results))
    return estimate(table, lambda t: formulas.ratio_of_sums(t[..., 0], t[..., 1]))


def _pass_at_k(results: Sequence[TaskResult], k: int) -> Estimate:
    """Mean pass@k over all tasks. A task for which nothing came counts 0.

    One with fewer than k samples, or whose attempts are no samples, leaves the figure undefined.
    """
    values, sampled = [], 0
    for result in results:
        samples = result.samples
        if samples is None or samples.n == 0:
            if samples is None and result.state == "done":
                reason = result.reasons.get("samples", "no independent samples were drawn")
                return Estimate(None, n=len(results), reason=reason)
            values.append(0.0)
        elif samples.n < k:
            reason = f"{result.task} has {samples.n} samples"
            return Estimate(None, n=len(results), reason=reason)
        else:
            sampled += 1
            values.append(formulas.pass_at_k(samples.n, samples.correct, k))
    if not sampled:
        return Estimate(None, n=len(results), reason="no independent samples were drawn")
    return estimate(_columns(np.array(values, dtype=np.float64)), _mean, share=True)


def _generalization(results: Sequence[TaskResult], baseline: Baseline) -> Estimate:
    """Geometric mean over the kernels that were timed at shown and at hidden shapes; no failures enter."""
    values = _values(results, lambda r: outcome.generalization(r, baseline))
    known = values[np.isfinite(values)]
    unknown = _unknown(results, values)
    if not known.size:
        why = _no_figure(results, "no kernel was timed at hidden shapes")
        return Estimate(None, n=0, unknown=unknown, reason=why)
    table = _columns(np.ones_like(known), known)
    return estimate(table, _of_both(formulas.geomean_correct), unknown=unknown)


def _no_figure(results: Sequence[TaskResult], otherwise: str) -> str:
    return otherwise if any(r.correct for r in results) else "no kernel is correct"
