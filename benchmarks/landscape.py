"""The recorded pool as a landscape: what a kernel with these edits and numbers would be measured at.

Nothing is interpolated: a state is a recorded structure with a recorded choice of its numbers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any, Literal

from kernelwright.agents.strategies import named
from kernelwright.harness.verdict import Stage

POOL = Path(__file__).parent / "pool.json"
HELPFUL = 1.03
"""An edit helps when the best numbers of what it leads to are so much faster than those before it."""
Edits = frozenset[str]
Numbers = Mapping[str, int]


@dataclass(frozen=True)
class Point:
    """An accepted state, as the harness measured it."""

    speedup: float
    """Median of eager's time / its time."""
    low: float
    high: float
    ms: float
    bound: Literal["memory", "compute"] | None
    fraction: float
    """Share of the floor reached."""

    @property
    def sigma(self) -> float:
        """Standard deviation of the logarithm of a measurement, from the 95% interval."""
        return math.log(self.high / self.low) / (2 * 1.96)


@dataclass(frozen=True)
class Failure:
    """A state that the harness rejected, or a structure none of whose states was judged further."""

    stage: Stage
    code: str
    message: str


class Landscape:
    """One task of the pool."""

    def __init__(self, task: str, data: Mapping[str, Any]) -> None:
        self.task = task
        self.category: str = data["category"]
        self.edits: Mapping[str, str] = data["edits"]
        """Names of the edits and the strategy that each follows."""
        self._structures: Mapping[str, Any] = data["structures"]
        self._gains: dict[Edits, float] = {}

    def key(self, edits: Iterable[str]) -> str:
        """The name under which the code of these edits was recorded: equal code, equal name."""
        have = set(edits)
        name = "+".join(e for e in self.edits if e in have)
        same: str = self._structures[name].get("same_as", name)
        return same

    def space(self, edits: Iterable[str]) -> dict[str, tuple[int, ...]]:
        """The numbers that such a kernel has, and their values."""
        held = self._structures[self.key(edits)]
        return {name: tuple(values) for name, values in held["space"].items()}

    def outcome(self, edits: Iterable[str], numbers: Numbers) -> Point | Failure:
        """What the harness said of this state. Raises KeyError for one that was not recorded."""
        held = self._structures[self.key(edits)]
        if "fails" in held:
            return Failure(held["fails"], held["code"], held["message"])
        return _read(held["points"][",".join(str(numbers[name]) for name in held["space"])])

    def reach(self, edits: Edits) -> float:
        """Speedup of a structure with its best numbers; 0 where none was accepted."""
        if edits not in self._gains:
            held = self._structures[self.key(edits)]
            found = [_read(p) for p in held.get("points", {}).values()]
            speeds = [p.speedup for p in found if isinstance(p, Point)]
            self._gains[edits] = max(speeds, default=0.0)
        return self._gains[edits]

    @cached_property
    def best(self) -> float:
        """The best speedup in the pool: the best known."""
        names = (frozenset(filter(None, key.split("+"))) for key in self._structures)
        return max(map(self.reach, names))

    @cached_property
    def noise(self) -> float:
        """Median standard deviation of the logarithm of a measurement."""
        points = [p for s in self._structures.values() for p in s.get("points", {}).values()]
        found = (_read(p) for p in points)
        return median(p.sigma for p in found if isinstance(p, Point))

    def gains(self, edits: Edits) -> dict[str, float]:
        """Factor on speed of toggling each edit, best numbers against best numbers.

        Where nothing of the structure itself works, each edit that leads to one that does counts as 2.
        """
        here = self.reach(edits)
        return {
            edit: self.reach(edits ^ {edit}) / here
            if here
            else 2.0 * (self.reach(edits ^ {edit}) > 0)
            for edit in self.edits
        }

    def bottlenecks(self, edit: str) -> tuple[str, ...]:
        """What the edit's strategy is for, as the catalogue has it."""
        strategy = named(self.edits[edit])
        return strategy.bottlenecks if strategy else ()

    def culprits(self, edits: Edits) -> list[str]:
        """The edits of a failing structure without any one of which it would work, else all of it."""
        single = [edit for edit in sorted(edits) if self.reach(edits - {edit}) > 0]
        return single or sorted(edits)


def _read(data: Mapping[str, Any]) -> Point | Failure:
    if "fails" in data:
        return Failure(data["fails"], data["code"], data["message"])
    bound, fraction = data.get("roofline", (None, 0.0))
    median, low, high = data["speedup"]
    return Point(median, low, high, data["ms"], bound, fraction)


def complete(data: Mapping[str, Any]) -> bool:
    """Whether every state of a task was recorded."""
    held = [s for s in data["structures"].values() if "same_as" not in s and "fails" not in s]
    return bool(held) and all(
        len(s["points"]) == math.prod(len(v) for v in s["space"].values()) for s in held
    )


def landscapes(pool: Path = POOL) -> list[Landscape]:
    """The tasks of the pool that are complete, in its order."""
    data = json.loads(pool.read_text())
    return [Landscape(name, task) for name, task in data["tasks"].items() if complete(task)]
