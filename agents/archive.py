"""The archive: the best of each niche on each island, and the draw of parents.

A niche is what makes two fast kernels different in kind: language, what binds them, how many kernels a
call launches, how they use the machine's width, and whose code does the work. One line of descent counts
once, by its best tuned member, so that the pool does not fill with near-copies. Attempts are ranked by
the low end of their interval: a lucky median with a wide interval is no elite.

Islands are populations that grow apart; now and then the best of each is copied to the next (a ring).
Everything is kept up to date as attempts come in, so that a draw does not look at all of them.
"""

from __future__ import annotations

import random
from bisect import bisect_left, insort
from functools import lru_cache
from typing import NamedTuple

from kernelwright.agents.roles import Attempt
from kernelwright.agents.traits import Traits, distance, traits

POOL = 8
"""How many attempts compete to be the next parent."""
LEAST_NOVELTY = 0.25
"""Weight of a copy of a better one, against 1 for a stranger."""
STEP = 4.0
"""Each place of the pool is so many times less likely to be drawn than the one before it."""
STEEP = 3.0
"""A parent is drawn with this power of its fitness relative to the best of the pool."""
GOOD = 0.5
"""A line is good from this share of the best fitness on."""


class Niche(NamedTuple):
    """Where an attempt competes."""

    language: str
    bound: str
    """`memory`, `compute`, or `unknown` where no roofline was measured."""
    launches: str
    style: str
    track: str


def niche(attempt: Attempt) -> Niche:
    """The niche of an accepted attempt."""
    roofline = attempt.verdict.roofline
    shown = _traits(attempt)
    return Niche(
        attempt.candidate.language,
        roofline.bound if roofline else "unknown",
        shown.launches,
        shown.style,
        attempt.verdict.track or "unknown",
    )


def speedup(attempt: Attempt) -> float | None:
    """Median speedup against eager; None for what was not accepted or not timed."""
    measured = attempt.verdict.speedup.get("eager")
    return measured.median if attempt.verdict.accepted and measured else None


def fitness(attempt: Attempt) -> float | None:
    """What attempts are ranked by: the speedup against eager that is exceeded with 97.5%."""
    measured = attempt.verdict.speedup.get("eager")
    return measured.low if attempt.verdict.accepted and measured else None


def origin(attempt: Attempt) -> str:
    """Id of the candidate as its Coder wrote it, before tuning."""
    return attempt.parent if attempt.choice and attempt.parent else attempt.candidate.id


class Population:
    """Lines of descent, each by its best member: the best of each niche, and of all."""

    def __init__(self) -> None:
        self._lines: dict[str, tuple[Attempt, Niche]] = {}
        self._niches: dict[Niche, list[_Rank]] = {}
        self._all: list[_Rank] = []

    def __len__(self) -> int:
        return len(self._lines)

    def add(self, attempt: Attempt) -> None:
        """Keep the attempt if it is the best of its line."""
        gained = fitness(attempt)
        if gained is None or attempt.twin:
            return
        line = origin(attempt)
        if line in self._lines:
            held, where = self._lines[line]
            if gained <= known(held):
                return
            rank = _Rank(-known(held), line)
            for ranks in (self._all, self._niches[where]):
                del ranks[bisect_left(ranks, rank)]
        where = niche(attempt)
        self._lines[line] = attempt, where
        for ranks in (self._all, self._niches.setdefault(where, [])):
            insort(ranks, _Rank(-gained, line))

    def drop(self, line: str) -> None:
        """Forget a line: it does not stand any more."""
        if line in self._lines:
            held, where = self._lines.pop(line)
            rank = _Rank(-known(held), line)
            for ranks in (self._all, self._niches[where]):
                del ranks[bisect_left(ranks, rank)]

    def best(self) -> Attempt | None:
        """The fittest of all lines."""
        return self._lines[self._all[0].line][0] if self._all else None

    def elites(self) -> list[Attempt]:
        """The best of each niche, best first."""
        heads = sorted(ranks[0] for ranks in self._niches.values() if ranks)
        return [self._lines[rank.line][0] for rank in heads]

    def pool(self) -> list[Attempt]:
        """Who may be a parent: the elites, then the best of the rest; best first."""
        kept = {origin(a): a for a in self.elites()[:POOL]}
        for rank in self._all:
            if len(kept) >= POOL:
                break
            kept.setdefault(rank.line, self._lines[rank.line][0])
        return sorted(kept.values(), key=lambda a: (-known(a), origin(a)))


class _Rank(NamedTuple):
    """Place of a line: the fittest first."""

    worse: float
    """Its fitness, negative."""
    line: str


class Archive:
    """Accepted attempts, on islands."""

    def __init__(self) -> None:
        self.all = Population()
        """Every island together."""
        self._islands: dict[int, Population] = {}
        self._tries: dict[str, int] = {}
        """How many turns started from each line."""

    def add(self, attempt: Attempt, island: int = 0) -> None:
        """Take in an attempt, if it is the best of its line."""
        self.all.add(attempt)
        self.island(island).add(attempt)

    def drop(self, attempt: Attempt) -> None:
        """Forget the line of an attempt that was found wrong after all."""
        for population in (self.all, *self._islands.values()):
            population.drop(origin(attempt))

    def island(self, number: int) -> Population:
        """One of the populations."""
        return self._islands.setdefault(number, Population())

    def tried(self, attempt: Attempt) -> None:
        """A turn started from this attempt."""
        self._tries[origin(attempt)] = self._tries.get(origin(attempt), 0) + 1

    def migrate(self, islands: int) -> None:
        """Copy the best of each island to the next, and that of the last to the first."""
        best = [self.island(number).best() for number in range(islands)]
        for number, attempt in enumerate(best):
            if attempt is not None:
                self.island((number + 1) % islands).add(attempt)

    def elites(self) -> list[Attempt]:
        """The best of each niche of all islands, best first."""
        return self.all.elites()

    def pool(self, island: int | None = None) -> list[Attempt]:
        """Who may be a parent on an island, best first; of all islands where none is given."""
        return (self.all if island is None else self.island(island)).pool()

    def draw(
        self, rng: random.Random, island: int | None = None, eager: float = 1.0
    ) -> Attempt | None:
        """A parent by rank and novelty, less likely the more often its line was tried.

        Each place in the pool is a quarter as likely as the one before it. Novelty is the distance to the
        nearest fitter one of the pool, so that a near-copy yields to what it is a copy of. A place is
        worth less for each turn that started from it, or the first line would never be left. How fast a
        parent is counts to the power of `eager`: 1 while that pays, less the longer nothing gained.
        """
        pool = self.pool(island)
        if not pool:
            return None
        return rng.choices(pool, self.weights(pool, eager))[0]

    def weights(self, pool: list[Attempt], eager: float = 1.0) -> list[float]:
        """How likely each of a pool is drawn, in no unit."""
        made = []
        for rank, attempt in enumerate(pool):
            apart = min((_apart(attempt, better) for better in pool[:rank]), default=1.0)
            novelty = LEAST_NOVELTY + (1 - LEAST_NOVELTY) * apart
            tries = self._tries.get(origin(attempt), 0)
            worth = (known(attempt) / known(pool[0])) ** STEEP
            made.append((STEP**-rank * worth) ** eager * novelty / (1 + tries / 2))
        return made

    def partner(self, rng: random.Random, parent: Attempt) -> Attempt | None:
        """Somebody good to cross a parent with: the best of another niche, by rank; None if alone."""
        others = [a for a in self.elites() if niche(a) != niche(parent)]
        best = self.all.best()
        good = [a for a in others[:POOL] if best and known(a) >= GOOD * known(best)]
        return rng.choices(good, [2.0**-rank for rank in range(len(good))])[0] if good else None


def known(attempt: Attempt) -> float:
    """Fitness of an attempt that `add` let in."""
    gained = fitness(attempt)
    assert gained is not None
    return gained


def _traits(attempt: Attempt) -> Traits:
    return attempt.traits or traits(attempt.candidate)


def _apart(a: Attempt, b: Attempt) -> float:
    first, second = sorted((_traits(a).sketch, _traits(b).sketch))
    return _distance(first, second)


@lru_cache(maxsize=4096)
def _distance(a: tuple[int, ...], b: tuple[int, ...]) -> float:
    return distance(a, b)
