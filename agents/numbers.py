"""Numbers: what the speeds measured so far say of choices that nobody has tried.

A Gaussian process over (line, choice), a line being a source and its tuned members. The logarithm of the
speed is what the line gives, plus what each number does in every line that has it, plus what the numbers
do in this line alone. So a rewrite that has its parent's numbers knows what they are worth, and a few
trials show whether a number matters at all: how much each does is chosen by the evidence, from SCALES.
(Rasmussen, Williams, Gaussian processes for machine learning, 2006, sections 2.2 and 5.4; sharing across
lines as in Swersky, Snoek, Adams, Multi-task Bayesian optimization, 2013; expected improvement: Jones,
Schonlau, Welch, Efficient global optimization of expensive black-box functions, 1998.)
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernelwright.agents.tuner import Choice, Value

Floats = NDArray[np.float64]

LINE = 2.0
"""Standard deviation of what a line gives: nothing is known of it."""
SCALES = {0.01: 0.2, 0.04: 0.2, 0.15: 0.4, 0.4: 0.2}
"""Standard deviation of what a number may do, and how likely each is before anything is measured."""
OWN = 0.5
"""What a number does in one line alone, and all of a line's together, relative to what it does in any."""
FAR = 2.0
"""Steps between two values by which what they do has become different."""
LEAST_NOISE = 0.01


@dataclass(frozen=True)
class Point:
    """A choice that was measured."""

    line: str
    choice: Choice
    log_speed: float
    sigma: float
    """Standard deviation of `log_speed`."""


class Belief:
    """What is believed of the choices of these lines."""

    def __init__(self, points: Sequence[Point], values: Mapping[str, Iterable[Value]]) -> None:
        """`values` holds all that each number is or may be, in any of the lines."""
        self._names = sorted(values)
        self._places = {n: {v: i for i, v in enumerate(ordered(values[n]))} for n in self._names}
        self._words = {n for n in self._names if any(isinstance(v, str) for v in self._places[n])}
        self._lines = sorted({p.line for p in points})
        self._at = self._coded([(p.line, p.choice) for p in points])
        self._scale = dict.fromkeys(self._names, 0.15)
        logs = np.array([p.log_speed for p in points])
        self._mean = float(logs.mean())
        self._logs = logs - self._mean
        self._noise = np.diag([max(p.sigma, LEAST_NOISE) ** 2 for p in points])
        for name in self._names:
            likely = {s: self._evidence(name, s) + math.log(p) for s, p in SCALES.items()}
            self._scale[name] = max(likely, key=likely.__getitem__)
        self._factor = self._cholesky()
        self._weights = _solved(self._factor, self._logs)
        believed = self._mean + self._covariance(self._at, self._at) @ self._weights
        self.best = float(believed.max())
        """Logarithm of the best speed measured, as it is believed to be: one lucky median is not."""

    def gains(self, line: str, choices: Sequence[Choice]) -> Floats:
        """By how much each is expected to raise the logarithm of the best speed: [choices]."""
        at = self._coded([(line, choice) for choice in choices])
        cross = self._covariance(at, self._at)
        mean = self._mean + cross @ self._weights
        known = np.linalg.solve(self._factor, cross.T)
        spread = np.sqrt(np.maximum(self._variance(at) - (known**2).sum(0), 1e-12))
        z = (mean - self.best) / spread
        below = 0.5 * (1 + np.array([math.erf(x / math.sqrt(2)) for x in z]))
        density = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
        return np.asarray(spread * (z * below + density), dtype=float)

    def _coded(self, made: Sequence[tuple[str, Choice]]) -> Floats:
        """The line, then the place of each number's value, nan where there is none: [points, 1 + names]."""
        rows = []
        for line, choice in made:
            places = [
                float(self._places[n][choice[n]]) if n in choice else math.nan for n in self._names
            ]
            rows.append([float(self._lines.index(line)), *places])
        return np.array(rows)

    def _covariance(self, a: Floats, b: Floats) -> Floats:
        same = (a[:, None, 0] == b[None, :, 0]).astype(float)
        total, together = LINE**2 * same, same.copy()
        for column, name in enumerate(self._names, 1):
            apart = np.abs(a[:, None, column] - b[None, :, column])
            alike = (apart == 0).astype(float) if name in self._words else np.exp(-apart / FAR)
            total += self._scale[name] ** 2 * np.nan_to_num(alike) * (1 + OWN**2 * same)
            together *= np.nan_to_num(alike, nan=1.0)
        return np.asarray(total + self._together() * together, dtype=float)

    def _variance(self, at: Floats) -> Floats:
        """The diagonal of the covariance of these with themselves."""
        total = np.full(len(at), LINE**2 + self._together())
        for column, name in enumerate(self._names, 1):
            total += self._scale[name] ** 2 * (1 + OWN**2) * ~np.isnan(at[:, column])
        return total

    def _together(self) -> float:
        """Variance of what the numbers of a line do together."""
        return (OWN * max(self._scale.values())) ** 2

    def _cholesky(self) -> Floats:
        covariance = self._covariance(self._at, self._at) + self._noise
        return np.asarray(np.linalg.cholesky(covariance), dtype=float)

    def _evidence(self, name: str, scale: float) -> float:
        """Logarithm of the marginal likelihood with this scale, but for a constant."""
        self._scale[name] = scale
        factor = self._cholesky()
        fit = float(self._logs @ _solved(factor, self._logs))
        return -0.5 * fit - float(np.log(np.diag(factor)).sum())


def _solved(factor: Floats, right: Floats) -> Floats:
    return np.asarray(np.linalg.solve(factor.T, np.linalg.solve(factor, right)), dtype=float)


def ordered(values: Iterable[Value]) -> list[Value]:
    """Each once, numbers by size: the one in force stands first in a space, whatever its size."""
    once = list(dict.fromkeys(values))
    if any(isinstance(v, str) for v in once):
        return once
    return sorted(once, key=float)
