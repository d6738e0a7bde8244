"""Bandits: which model writes, which one judges, which strategies are offered.

The three choices of a turn are three bandits that learn from the same outcome: the product of all models,
roles and strategies would have far more arms than a run has turns. What a turn is worth is the logarithm
of the speed that it gained over its parent, cut to [0, ln 2] and scaled to [0, 1]; a turn that gained
nothing is worth 0. Each arm's upper confidence bound on that (Auer, Cesa-Bianchi, Fischer, Finite-time
analysis of the multiarmed bandit problem, 2002) is divided by what its turns cost, relative to the others
(Ding, Qin, Zhang, Liu, Multi-armed bandit with budget constraint and variable costs, AAAI 2013). Pulls
in flight shrink the confidence bound as if they had come out average (Desautels, Krause, Burdick,
Parallelizing exploration-exploitation tradeoffs, JMLR 2014).

Cost is in dollars where they are known of every turn, else in tokens, else in seconds of evaluation; a
unit that came to nothing in all turns says nothing and is passed over.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

MOST_GAIN = math.log(2.0)
"""Twice as fast is as good as a turn gets: the first kernel that works must not decide all."""
EXPLORE = 0.25
"""Weight of the confidence bound; values of turns lie in [0, 1], mostly below 0.3."""
ELSEWHERE = 0.25
"""What a pull in another context counts for, against 1 in this one."""
EXPECTED = 0.5
"""Value of an arm of which nothing is known, worth one pull."""
UNITS = ("usd", "tokens", "seconds")
CHEAPEST, DEAREST = 0.1, 10.0
"""Bounds of an arm's cost relative to the mean: a free model is not worth infinitely much."""

Cost = Mapping[str, float | None]
"""What a turn cost, by unit; None: unknown."""


@dataclass
class Tally:
    """What is known of an arm in a context."""

    pulls: float = 0.0
    gained: float = 0.0
    open: float = 0.0
    """Pulls in flight."""
    cost: dict[str, float] = field(default_factory=lambda: dict.fromkeys(UNITS, 0.0))

    def plus(self, other: Tally, weight: float) -> None:
        """Take in another, at a weight."""
        self.pulls += weight * other.pulls
        self.gained += weight * other.gained
        self.open += weight * other.open
        for unit in UNITS:
            self.cost[unit] += weight * other.cost[unit]


class Bandit:
    """Arms by name, in contexts by name. A fold: equal pulls give equal ranks, whatever the speed."""

    def __init__(self) -> None:
        self._tallies: dict[str, dict[str, Tally]] = {}
        """By arm, then context."""
        self._unknown = dict.fromkeys(UNITS, 0)
        self._total = Tally()

    def begin(self, arm: str, context: str = "", share: float = 1.0) -> None:
        """A pull is in flight; `share` of one where several arms stand for it."""
        self._tally(arm, context).open += share
        self._total.open += share

    def end(self, arm: str, context: str = "", share: float = 1.0) -> None:
        """It is in flight no more."""
        self.begin(arm, context, -share)

    def pull(self, arm: str, gain: float | None, cost: Cost, context: str = "") -> None:
        """A pull came out: `gain` is the natural logarithm of the speed gained, None for none."""
        worth = min(max(gain or 0.0, 0.0), MOST_GAIN) / MOST_GAIN
        for tally in (self._tally(arm, context), self._total):
            tally.pulls += 1
            tally.gained += worth
            for unit in UNITS:
                tally.cost[unit] += cost.get(unit) or 0.0
        for unit in UNITS:
            self._unknown[unit] += cost.get(unit) is None

    def ranked(
        self,
        arms: Sequence[str],
        rng: random.Random,
        context: str = "",
        expected: Callable[[str], float] = lambda arm: EXPECTED,
    ) -> list[str]:
        """The arms, best first; equal ones in an order that `rng` draws.

        `expected` is what an arm is worth before anything is known of it.
        """
        order = rng.sample(list(arms), len(arms))
        return sorted(order, key=lambda arm: -self.index(arm, context, expected(arm)))

    def index(self, arm: str, context: str = "", expected: float = EXPECTED) -> float:
        """Upper bound on what the arm is worth in this context, per unit spent."""
        known = Tally()
        for where, tally in self._tallies.get(arm, {}).items():
            known.plus(tally, 1.0 if where == context else ELSEWHERE)
        mean = (expected + known.gained) / (1 + known.pulls)
        turns = self._total.pulls + self._total.open
        bound = EXPLORE * math.sqrt(math.log(1 + turns) / (1 + known.pulls + known.open))
        return (mean + bound) / self._relative_cost(known)

    def unit(self) -> str | None:
        """What costs are compared in; None while nothing is known."""
        for unit in UNITS:
            if self._total.pulls and not self._unknown[unit] and self._total.cost[unit] > 0:
                return unit
        return None

    def _relative_cost(self, known: Tally) -> float:
        """Cost of a pull of an arm to that of any, one pull at the mean added to what is known."""
        unit = self.unit()
        if unit is None:
            return 1.0
        mean = self._total.cost[unit] / self._total.pulls
        relative = (1 + known.cost[unit] / mean) / (1 + known.pulls)
        return min(max(relative, CHEAPEST), DEAREST)

    def _tally(self, arm: str, context: str) -> Tally:
        found = self._tallies.get(arm, {}).get(context)
        if found is None:
            found = self._tallies.setdefault(arm, {})[context] = Tally()
        return found
