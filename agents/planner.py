"""The planner: what the next turn is about, from the state of the run and the seed alone.

In this order: an island without a founder gets a fresh start, unless the task brings a kernel along;
a failure worth it is handed back, as long as repairs are at most half of the last turns; else a parent is
drawn on the island whose turn it is, and now and then crossed with a good one of another niche. Who
writes, who judges and which strategies are offered is the bandits' choice.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from kernelwright.agents.archive import GOOD, fitness
from kernelwright.agents.bottleneck import bottleneck
from kernelwright.agents.roles import Attempt, Strategy, Turn
from kernelwright.agents.run_state import RunState
from kernelwright.agents.settings import Settings
from kernelwright.agents.turns import RECENT

MOST_REPAIRS = RECENT // 2
"""So many of the last turns may be repairs while there is something to improve."""
STILL = 8
"""Turns that brought nothing better after which the next island is founded: as long as one line gains, a
second costs evaluations that it would pay for."""
FITS, FITS_ANY, FITS_NOT = 0.5, 0.3, 0.1
"""What a strategy is expected to be worth: made for this bottleneck, for any, for another."""


@dataclass(frozen=True)
class Cast:
    """Who can be asked, by name, and what can be offered."""

    coders: Sequence[str] = ("",)
    judges: Sequence[str] = ("",)
    strategies: Sequence[Strategy] = ()


def plan(state: RunState, settings: Settings, cast: Cast, number: int) -> Turn:
    """What turn `number` is about."""
    rng = random.Random(f"{settings.seed}:choose:{number}")
    turn, parent = _start(state, settings, number, rng)
    bound = bottleneck(state.ancestor(turn.parent) if parent else state.archive.all.best())
    return replace(
        turn,
        coder=_coder(state, cast, rng),
        judge=_favourite(state.turns.judges.ranked(cast.judges, rng), cast.judges),
        strategies=_offered(state, settings, cast, turn, bound, rng),
        bottleneck=bound,
    )


def _start(
    state: RunState, settings: Settings, number: int, rng: random.Random
) -> tuple[Turn, Attempt | None]:
    """Kind, parents and island of a turn, and the parent itself."""
    island = _island(state, settings, number)
    if settings.parents == "last":
        return _from(_last(state), island)
    if island not in state.turns.founded and not _starts(state):
        return _from(None, island)
    failure = _repair(state, settings)
    if failure is not None:
        return _from(failure, state.island_of(failure))
    if settings.parents == "best":
        return _from(state.archive.all.best(), island)
    eager = STILL / (STILL + state.turns.still)
    parent = state.archive.draw(rng, island, eager) or state.archive.draw(rng, eager=eager)
    other = None
    if parent is not None and rng.random() < settings.crossover:
        other = state.archive.partner(rng, parent)
    return _from(parent, island, other)


def _starts(state: RunState) -> bool:
    """Whether there is a kernel to start from: then it is the founder of every island."""
    return state.start is not None and state.start.verdict.accepted


def _island(state: RunState, settings: Settings, number: int) -> int:
    """The island of a turn: the next to be founded, or one of those that are, in turns."""
    founded = len(state.turns.founded)
    if founded == 0 or (founded < settings.islands and state.turns.still >= STILL):
        return founded
    return (number - 1) % founded


def _from(
    parent: Attempt | None, island: int, other: Attempt | None = None
) -> tuple[Turn, Attempt | None]:
    if parent is None:
        return Turn("fresh", island=island), None
    key = parent.candidate.id
    if not parent.verdict.accepted:
        return Turn("repair", key, island=island), parent
    if other is not None:
        return Turn("cross", key, other.candidate.id, island=island), parent
    return Turn("improve", key, island=island), parent


def _repair(state: RunState, settings: Settings) -> Attempt | None:
    """A failure to hand back, unless repairs took their share of the last turns already."""
    best = state.archive.all.best()
    if best is not None and state.turns.recent.count("repair") >= MOST_REPAIRS:
        return None
    return state.repairs.next(settings.repairs, fitness(best) if best else None, GOOD)


def _last(state: RunState) -> Attempt | None:
    """What a Coder wrote last, of the turns that are closed."""
    return next((a for a in reversed(state.attempts) if not a.choice), None)


def _coder(state: RunState, cast: Cast, rng: random.Random) -> str:
    """The best bet among those who still have ideas."""
    ranked = state.turns.coders.ranked(cast.coders, rng)
    return _favourite([name for name in ranked if name not in state.idle] or ranked, cast.coders)


def _favourite(ranked: Sequence[str], everybody: Sequence[str]) -> str:
    """The first; nameless where there is no choice."""
    return ranked[0] if len(everybody) > 1 else ""


def _offered(
    state: RunState, settings: Settings, cast: Cast, turn: Turn, bound: str, rng: random.Random
) -> tuple[str, ...]:
    """Strategies for a parent that works: one that failed has to be mended first.

    A fresh start is offered what may relieve the best so far; nothing is known to relieve before.
    """
    if turn.kind == "repair" or not settings.strategies:
        return ()
    if turn.kind == "fresh" and bound == "unknown":
        return ()
    fits = {s.name: _fit(s, bound) for s in cast.strategies}
    ranked = state.turns.strategies.ranked(sorted(fits), rng, bound, fits.__getitem__)
    return tuple(ranked[: settings.strategies])


def _fit(strategy: Strategy, bound: str) -> float:
    if bound in strategy.bottlenecks:
        return FITS
    return FITS_ANY if not strategy.bottlenecks or bound == "unknown" else FITS_NOT
