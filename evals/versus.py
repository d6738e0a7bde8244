"""Two batches paired by task: who is faster, by how much, and whether the difference can be told.

The denominator is every task that both were asked for; a task that one failed counts as a failure there.
A task goes to whoever alone has a correct kernel, else to whoever's speedup lies surely above the other's
(their intervals do not touch), else to nobody. Intervals of the figures hold both: another draw of tasks, and
the scatter of each measurement; with the tasks alone, noise that happens to agree on few tasks would win.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import log
from typing import Any, Literal

import numpy as np

from kernelwright.evals import formulas, outcome
from kernelwright.evals.board import Entry
from kernelwright.evals.estimate import Array, Estimate, Statistic, estimate, none_seen, rounded
from kernelwright.evals.outcome import Baseline
from kernelwright.evals.record import TaskResult

Winner = Literal["a", "b", "neither"]


@dataclass(frozen=True)
class TaskPair:
    """One task in both."""

    task: str
    a: TaskResult
    b: TaskResult
    ratio: float
    """Speedup of a / speedup of b; a failure, or what is not faster than the baseline, counts as 1."""
    winner: Winner
    why: str


@dataclass(frozen=True)
class Versus:
    """A against B. Figures above 1 (ratios) or above 0 (differences) speak for A."""

    a: Entry
    b: Entry
    baseline: Baseline
    pairs: tuple[TaskPair, ...]
    left_out: tuple[str, ...]
    """Tasks that only one was asked for, or that are not the same in both."""
    figures: dict[str, Estimate]
    """`ratio`, `ratio_both_correct`, `correct`, `fast_1`, paired over tasks."""
    notes: tuple[str, ...]
    """What makes the comparison weaker than it looks."""

    @property
    def winner(self) -> Winner:
        """Who is faster over all tasks: the interval of `ratio` lies on one side of 1."""
        ratio = self.figures["ratio"]
        if ratio.low is None or ratio.high is None:
            return "neither"
        return "a" if ratio.low > 1 else "b" if ratio.high < 1 else "neither"

    def wins(self, who: Winner) -> int:
        """How many tasks went to a side, or to neither."""
        return sum(pair.winner == who for pair in self.pairs)

    def to_json(self) -> dict[str, Any]:
        """The object of `kernelwright compare --json`."""
        return {
            "a": _about(self.a),
            "b": _about(self.b),
            "baseline": self.baseline,
            "n": len(self.pairs),
            "left_out": list(self.left_out),
            "winner": self.winner,
            "wins": {"a": self.wins("a"), "b": self.wins("b"), "neither": self.wins("neither")},
            "figures": {name: figure.to_json() for name, figure in self.figures.items()},
            "notes": list(self.notes),
            "tasks": [
                {
                    "task": pair.task,
                    "winner": pair.winner,
                    "why": pair.why,
                    "ratio": rounded(pair.ratio),
                    "a": _side(pair.a, self.baseline),
                    "b": _side(pair.b, self.baseline),
                }
                for pair in self.pairs
            ],
        }


def versus(a: Entry, b: Entry, baseline: Baseline = "eager") -> Versus:
    """Compare two entries over the tasks that both were asked for."""
    first, second = ({r.task: r for r in entry.results} for entry in (a, b))
    shared = [t for t in first if t in second and _same(first[t], second[t])]
    left_out = tuple(sorted((first.keys() | second.keys()) - set(shared)))
    pairs = tuple(_pair(first[task], second[task], baseline) for task in shared)
    return Versus(
        a, b, baseline, pairs, left_out, _figures(pairs, baseline), _notes(a, b, left_out)
    )


def _same(a: TaskResult, b: TaskResult) -> bool:
    """Whether both are of the same text; a result that never began has none to differ."""
    return a.task_hash is None or b.task_hash is None or a.task_hash == b.task_hash


def _pair(a: TaskResult, b: TaskResult, baseline: Baseline) -> TaskPair:
    winner, why = _decide(a, b, baseline)
    return TaskPair(a.task, a, b, _worth(a, baseline) / _worth(b, baseline), winner, why)


def _worth(result: TaskResult, baseline: Baseline) -> float:
    """What a user gets who keeps the reference where that is faster."""
    return max(1.0, outcome.ratio(result, baseline) or 1.0)


def _decide(a: TaskResult, b: TaskResult, baseline: Baseline) -> tuple[Winner, str]:
    if a.best is None or b.best is None:
        if a.correct == b.correct:
            return "neither", "neither is correct"
        return ("a", "only A is correct") if a.correct else ("b", "only B is correct")
    one, other = outcome.speedup(a.best, baseline), outcome.speedup(b.best, baseline)
    if one is None or other is None:
        return "neither", "not measured in both"
    if one.low > other.high:
        return "a", "faster"
    if other.low > one.high:
        return "b", "faster"
    return "neither", "the intervals overlap"


def _figures(pairs: tuple[TaskPair, ...], baseline: Baseline) -> dict[str, Estimate]:
    sides = [[_columns(side, baseline) for side in (pair.a, pair.b)] for pair in pairs]
    table = np.array(sides, dtype=np.float64).reshape(len(pairs), 6)
    unknown = sum(pair.a.correct and outcome.ratio(pair.a, baseline) is None for pair in pairs)
    unknown += sum(pair.b.correct and outcome.ratio(pair.b, baseline) is None for pair in pairs)
    statistics: dict[str, Statistic] = {
        "ratio": _ratio,
        "ratio_both_correct": _ratio_both,
        "correct": lambda t: np.asarray(np.mean(t[..., _A] - t[..., _B], axis=-1)),
        "fast_1": lambda t: np.asarray(_fast(t, _A) - _fast(t, _B)),
    }
    found = {
        name: estimate(
            table, statistic, unknown=0 if name == "correct" else unknown, disturb=_scattered
        )
        for name, statistic in statistics.items()
    }
    return {name: _as_wide_as_it_is(figure) for name, figure in found.items()}


def _as_wide_as_it_is(figure: Estimate) -> Estimate:
    """Where both sides agree on every task resampling sees no difference, and others are possible."""
    if figure.value != 0 or figure.low != figure.high or not figure.n:
        return figure
    reach = none_seen(figure.n)
    return replace(figure, low=-reach, high=reach)


_A, _B = 0, 3
"""Where the columns of a side begin: correct, speedup, standard deviation of its logarithm."""


def _columns(result: TaskResult, baseline: Baseline) -> tuple[float, float, float]:
    found = outcome.speedup(result.best, baseline) if result.best else None
    if found is None or not 0 < found.low <= found.high:
        return float(result.correct), _or_nan(outcome.ratio(result, baseline)), 0.0
    return float(result.correct), found.median, (log(found.high) - log(found.low)) / (2 * 1.96)


def _scattered(table: Array, rng: np.random.Generator) -> Array:
    """Speedups with the scatter of their own measurement: log-normal, as wide as their 95% intervals."""
    found = table.copy()
    for side in (_A, _B):
        noise = rng.standard_normal(found.shape[:-1]) * found[..., side + 2]
        found[..., side + 1] *= np.exp(noise)
    return found


def _ratio(table: Array) -> Array:
    """geomean_fallback of A / that of B, over all tasks."""
    above = formulas.geomean_fallback(table[..., _A] > 0, table[..., _A + 1])
    return np.asarray(above / formulas.geomean_fallback(table[..., _B] > 0, table[..., _B + 1]))


def _ratio_both(table: Array) -> Array:
    """Geometric mean of the ratio of speedups over the tasks that both got right and had timed."""
    both = (table[..., _A] > 0) & (table[..., _B] > 0)
    return formulas.geomean_correct(both, table[..., _A + 1] / table[..., _B + 1])


def _fast(table: Array, at: int) -> Array:
    return formulas.fast_p(table[..., at] > 0, table[..., at + 1], 1.0)


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def _notes(a: Entry, b: Entry, left_out: tuple[str, ...]) -> tuple[str, ...]:
    notes = []
    if a.device != b.device:
        notes.append(
            f"measured on different devices ({a.device.name} and {b.device.name}): speedups against a "
            "baseline do not carry over from one to the other"
        )
    if a.record.suite.version != b.record.suite.version:
        notes.append("the versions of the suites differ: only tasks of the same text are compared")
    torch = {e.record.machine.environment.get("torch") for e in (a, b)} - {None}
    if len(torch) > 1:
        notes.append(f"the baselines are of different versions of torch: {_listed(torch)}")
    if left_out:
        notes.append(f"{len(left_out)} tasks are not in both, or differ in text: left out")
    return tuple(notes)


def _about(entry: Entry) -> dict[str, Any]:
    return {"id": entry.id, "label": entry.record.name, "device": entry.device.model_dump()}


def _side(result: TaskResult, baseline: Baseline) -> dict[str, Any]:
    found = outcome.speedup(result.best, baseline) if result.best else None
    gain = found and {"median": found.median, "low": found.low, "high": found.high}
    return {"state": result.state, "correct": result.correct, "speedup": gain}


def _listed(names: set[str | None]) -> str:
    return " and ".join(sorted(name for name in names if name))
