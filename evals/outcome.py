"""What one result is worth: correct or not, how fast against a baseline, and the shares beside it.

The rules that keep figures honest, each in one place:
- A task counts as correct when a kernel was accepted; everything else is a failure.
- Speeds are those of the final confirmation. A kernel that has none (nobody confirms what is not faster)
  is worth what the search measured against eager, and 1 at most.
- The best baseline is the faster of eager and torch.compile. Where torch.compile cannot run a task, eager
  is the best there is; where it was not tried, the best baseline is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from kernelwright.evals.formulas import sol_score
from kernelwright.evals.record import Kernel, TaskResult
from kernelwright.harness.verdict import Speedup

Baseline = Literal["eager", "compile", "best"]
BASELINES: tuple[Baseline, ...] = ("eager", "compile", "best")


def speedup(kernel: Kernel, baseline: Baseline) -> Speedup | None:
    """Speedup with its interval against a baseline; None: not measured."""
    measured = kernel.verdict.speedup
    if not kernel.confirmed:
        found = measured.get("eager") if baseline == "eager" else None
        return _at_most_one(found) if found else None
    if baseline != "best":
        return measured.get(baseline)
    if "compile" not in measured:
        return None
    known = [s for s in (measured.get("eager"), measured["compile"]) if s is not None]
    return min(known, key=lambda s: s.median, default=None) if measured.get("eager") else None


def ratio(result: TaskResult, baseline: Baseline) -> float | None:
    """Median of baseline time / kernel time; None for a failure or what was not measured."""
    found = speedup(result.best, baseline) if result.best else None
    return found.median if found and found.median > 0 else None


def roofline(result: TaskResult) -> float | None:
    """Share of the physical floor that the kernel reaches, in [0, 1]."""
    found = result.best.verdict.roofline if result.best else None
    return found.fraction if found else None


def sol(result: TaskResult, baseline: Baseline) -> float | None:
    """SOL score of the kernel with that baseline's time as T_base; None: not measured.

    T_base is the kernel's time times the median ratio: both come from the same interleaved pairs.
    """
    kernel, gain = result.best, ratio(result, baseline)
    if kernel is None or gain is None:
        return None
    time_ms, floor = kernel.verdict.time_ms.get("candidate"), floor_ms(kernel)
    if time_ms is None:
        return None
    if floor is None:
        return 1.0 if roofline(result) == 1 and gain > 1 else None
    return sol_score(time_ms, floor, time_ms * gain)


def floor_ms(kernel: Kernel) -> float | None:
    """T_SOL in milliseconds: as recorded, else share of the roofline times the time; None: not known.

    A share of 1 says only that the floor is at or above the time.
    """
    if kernel.floor_ms is not None:
        return kernel.floor_ms
    roof, time_ms = kernel.verdict.roofline, kernel.verdict.time_ms.get("candidate")
    return roof.fraction * time_ms if roof and time_ms and roof.fraction < 1 else None


def own_time(result: TaskResult) -> float | None:
    """Share of a call that is spent in the candidate's own code."""
    return result.best.own_time_share if result.best else None


SHAPES_UNTIMED = "hidden shapes are small, made for checks: a speed there would tell of their size"
"""Why speedups by shape are unknown."""


def any_shape(result: TaskResult) -> bool:
    """Whether a correct kernel computed what it was not shown: it may raise an error there instead.

    The harness tries hidden shapes, and in a final judgement a smaller batch (`harness/checks.py`).
    """
    findings = result.best.verdict.findings if result.best else ()
    return result.correct and all(finding.code != "fixed_shape" for finding in findings)


def generalization(result: TaskResult, baseline: Baseline) -> float | None:
    """Geometric mean speedup at shown shapes / that at hidden ones: above 1, it was made for what was shown.

    None where either was not measured. For `best` the slower of both ratios counts at each shape.
    """
    shown = [_shape(shape.speedup, baseline) for shape in result.shapes if shape.shown]
    hidden = [_shape(shape.speedup, baseline) for shape in result.shapes if not shape.shown]
    known_shown = [s for s in shown if s is not None]
    known_hidden = [s for s in hidden if s is not None]
    complete = len(known_hidden) == len(hidden) > 0 and len(known_shown) == len(shown) > 0
    if result.best is None or not complete:
        return None
    return _geomean(known_shown) / _geomean(known_hidden)


def _shape(measured: Mapping[str, Speedup | None], baseline: Baseline) -> float | None:
    eager, compiled = measured.get("eager"), measured.get("compile")
    if baseline == "eager":
        return eager.median if eager else None
    if baseline == "compile":
        return compiled.median if compiled else None
    return min(eager.median, compiled.median) if eager and compiled else None


def _geomean(values: list[float]) -> float:
    product = 1.0
    for value in values:
        product *= value ** (1 / len(values))
    return product


def _at_most_one(found: Speedup) -> Speedup:
    return Speedup(min(found.median, 1.0), min(found.low, 1.0), min(found.high, 1.0), found.pairs)
