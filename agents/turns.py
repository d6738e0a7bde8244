"""Turns: what was decided so far, what is in flight, and what came of it. A part of the fold.

A turn may only know what was so when it was decided, however long its models take. So each decision is
kept with a horizon: how much of the run stood at that moment.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple

from kernelwright.agents.archive import fitness, speedup
from kernelwright.agents.bandit import Bandit, Cost
from kernelwright.agents.roles import Advice, Attempt, Prediction, Turn

RECENT = 6
"""So many turns back the planner looks to see that repairs leave room for improvements."""

PACE = 2
"""So many turns back one looks to see what a turn gains."""


class Horizon(NamedTuple):
    """How much of the run stood when a turn was decided."""

    attempts: int = 0
    predictions: int = 0
    evaluations: int = 0
    champion: str | None = None


class Turns:
    """Decided turns by number, and what the bandits learnt of those that are closed."""

    def __init__(self) -> None:
        self.decided: dict[int, Turn] = {}
        self.open: list[int] = []
        """Decided and not closed, oldest first."""
        self.last = 0
        """The turn decided last; 0 before the first."""
        self.horizons: dict[int, Horizon] = {}
        self.recent: deque[str] = deque(maxlen=RECENT)
        """Kinds of the last turns."""
        self.founded: set[int] = set()
        """Islands on which a line was begun."""
        self.still = 0
        """Turns closed since the best of the archive last became better, or an island was founded."""
        self._reached: deque[float] = deque([0.0], maxlen=PACE + 1)
        """Best fitness of the archive after each of the last turns."""
        self.predictions: list[Prediction] = []
        self.coders = Bandit()
        self.judges = Bandit()
        self.strategies = Bandit()

    def decide(self, number: int, turn: Turn, horizon: Horizon) -> None:
        """A turn begins."""
        self.decided[number] = turn
        self.open.append(number)
        self.last = max(self.last, number)
        self.horizons[number] = horizon
        self.recent.append(turn.kind)
        if turn.kind == "fresh":
            self.founded.add(turn.island)
        self._in_flight(turn, 1.0)

    def close(
        self, number: int, advice: Advice | None, best: Attempt | None, outcome: Mapping[str, Any]
    ) -> None:
        """A turn is over: what the Judge had said, its best new attempt, and its `round` event."""
        self.open.remove(number)
        turn = self.decided[number]
        self._in_flight(turn, -1.0)
        if "gain" not in outcome:
            return  # a log that is older than the bandits
        gain: float | None = outcome["gain"]
        cost: Cost = outcome["cost"]
        self.coders.pull(turn.coder, gain, cost)
        if advice is not None:
            self.judges.pull(turn.judge, gain, cost)
        followed = followed_strategy(turn, advice)
        if (
            followed and turn.kind != "fresh"
        ):  # what a first kernel gains is not one strategy's doing
            self.strategies.pull(followed, gain, cost, turn.bottleneck)
        if advice is not None and advice.change:
            self.predictions.append(_prediction(advice, gain, best))

    def stood(self, turn: Turn, best: Attempt | None) -> None:
        """A turn is over, and this is the best of the archive now."""
        reached = (fitness(best) or 0.0) if best else 0.0
        better = reached > self._reached[-1]
        self.still = 0 if better or turn.kind == "fresh" else self.still + 1
        self._reached.append(reached)

    @property
    def pace(self) -> float:
        """What a turn raised the logarithm of the best fitness by, of late; infinite for a first kernel."""
        known = [reached for reached in self._reached if reached > 0]
        if len(known) < 2:
            return math.inf
        return math.log(known[-1] / known[0]) / (len(known) - 1)

    def _in_flight(self, turn: Turn, pulls: float) -> None:
        self.coders.begin(turn.coder, share=pulls)
        if turn.kind != "fresh":
            self.judges.begin(turn.judge, share=pulls)
        for name in turn.strategies:
            self.strategies.begin(name, turn.bottleneck, pulls / len(turn.strategies))


def followed_strategy(turn: Turn, advice: Advice | None) -> str | None:
    """Whose doing a turn is: the one that the Judge followed; without a Judge the first offered."""
    if advice is None:
        return turn.strategies[0] if turn.strategies else None
    return advice.strategy if advice.strategy in turn.strategies else None


def log_gain(best: Attempt | None, baseline: float) -> float | None:
    """Logarithm of a turn's gain in speed over `baseline` (fitness; eager = 1); None for no kernel."""
    reached = fitness(best) if best else None
    return math.log(reached / baseline) if reached and baseline > 0 else None


def _prediction(advice: Advice, gain: float | None, best: Attempt | None) -> Prediction:
    measured = None if gain is None else math.exp(gain)
    if measured is not None:
        outcome = f"{measured:.2f}x"
    elif best is None:
        outcome = "no candidate"
    elif best.verdict.accepted:
        outcome = "accepted, not timed" if speedup(best) is None else "accepted"
    else:
        outcome = f"{best.verdict.verdict} at {best.verdict.stage}"
    return Prediction(advice.change, advice.predicted_gain, measured, outcome, advice.strategy)
