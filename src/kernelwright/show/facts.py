"""What a run says of its Judge and of its arms, taken together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from kernelwright.agents.archive import fitness
from kernelwright.show.story import Round, Try

NEAR = 0.2
"""A prediction within 20% of what was measured is a good one."""


@dataclass(frozen=True)
class Forecast:
    """A prediction of the Judge with what came of it."""

    round: int
    predicted: float
    measured: float | None
    """Over the parent, of the best of the turn; None where nothing was accepted."""


@dataclass(frozen=True)
class Calibration:
    """How well the Judge foretells. None where nothing was both predicted and measured."""

    forecasts: tuple[Forecast, ...]
    bias: float | None
    """Geometric mean of predicted / measured: above 1 it promises too much."""
    near: int
    """How many of the measured ones it foretold to within 20%."""
    direction: int
    """How many of them went the way it said."""
    failed: int
    """After how many predictions no candidate was accepted."""

    @property
    def measured(self) -> int:
        """Predictions with an outcome."""
        return len(self.forecasts) - self.failed


@dataclass(frozen=True)
class Arm:
    """What may be chosen for a turn, and what it brought."""

    kind: str
    """`coder`, `judge`, `strategy`, `turn`."""
    name: str
    pulls: int
    accepted: int
    """Turns that brought an accepted candidate."""
    best: float | None
    """Largest gain of a turn over its parent."""
    typical: float | None
    """Median gain over the turns that brought an accepted candidate."""
    usd: float | None
    tokens: int | None
    seconds: float
    """Of evaluating what its turns brought."""


def measured_gain(round: Round) -> float | None:
    """What a turn gained over its parent, by its best candidate."""
    best = best_of(round)
    return best.gain.median if best and best.gain else None


def best_of(round: Round) -> Try | None:
    """The fastest accepted candidate of a turn, measured against the turn's parent."""
    known = [one for one in round.tries if fitness(one.best.attempt) is not None]
    return max((one.best for one in known), key=lambda t: fitness(t.attempt) or 0.0, default=None)


def calibration(rounds: Sequence[Round]) -> Calibration:
    """The Judge's predictions against what was measured."""
    forecasts = tuple(_forecasts(rounds))
    pairs = [(f.predicted, f.measured) for f in forecasts if f.measured is not None]
    logs = [math.log(p / m) for p, m in pairs]
    return Calibration(
        forecasts,
        math.exp(sum(logs) / len(logs)) if logs else None,
        sum(abs(log) <= math.log(1 + NEAR) for log in logs),
        sum((p >= 1) == (m >= 1) for p, m in pairs),
        len(forecasts) - len(pairs),
    )


def _forecasts(rounds: Sequence[Round]) -> Iterator[Forecast]:
    for each in rounds:
        said = each.advice.predicted_gain if each.advice else None
        if said is not None and said > 0 and not each.open:
            yield Forecast(each.number, said, measured_gain(each))


def arms(rounds: Sequence[Round], seconds: dict[str, float]) -> list[Arm]:
    """What each kind of turn, strategy and model brought; `seconds` of evaluation by candidate."""
    pulled: dict[tuple[str, str], list[Round]] = {}
    for each in rounds:
        if each.open:
            continue
        for kind, name in _pulled(each):
            pulled.setdefault((kind, name), []).append(each)
    return [_arm(kind, name, turns, seconds) for (kind, name), turns in sorted(pulled.items())]


def _pulled(round: Round) -> Iterator[tuple[str, str]]:
    turn = round.turn
    yield "turn", turn.kind
    if turn.coder:
        yield "coder", turn.coder
    if turn.judge and round.advice:
        yield "judge", turn.judge
    followed = round.advice.strategy if round.advice else next(iter(turn.strategies), None)
    if followed:
        yield "strategy", followed


def _arm(kind: str, name: str, turns: Sequence[Round], seconds: dict[str, float]) -> Arm:
    gains = [gain for each in turns if (gain := measured_gain(each)) is not None]
    usd = [each.cost.usd for each in turns if each.cost]
    tokens = [each.cost.tokens for each in turns if each.cost]
    tried = [t.id for each in turns for one in each.tries for t in (one, *one.variants)]
    return Arm(
        kind,
        name,
        len(turns),
        len(gains),
        max(gains, default=None),
        median(gains) if gains else None,
        None if None in usd else math.fsum(u for u in usd if u is not None),
        None if None in tokens else sum(t for t in tokens if t is not None),
        math.fsum(seconds.get(key, 0.0) for key in tried),
    )
