"""The archive: the best of each niche, and the draw of a parent.

A niche is what makes two fast kernels different in kind: language, what binds them, and whose code
does the work. One line of descent counts once, by its best tuned member, so that the pool does not
fill with near-copies. Attempts are ranked by the low end of their interval: a lucky median with a
wide interval is no elite.
"""

from __future__ import annotations

import heapq
import random
from typing import NamedTuple

from kernelwright.agents.roles import Attempt

POOL = 8
"""How many attempts compete to be the next parent."""


class Niche(NamedTuple):
    """Where an attempt competes."""

    language: str
    bound: str
    """`memory`, `compute`, or `unknown` where no roofline was measured."""
    track: str


def niche(attempt: Attempt) -> Niche:
    """The niche of an accepted attempt."""
    roofline = attempt.verdict.roofline
    return Niche(
        attempt.candidate.language,
        roofline.bound if roofline else "unknown",
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


class Archive:
    """Accepted attempts: the best of each line of descent, and of each niche."""

    def __init__(self) -> None:
        self._lines: dict[str, Attempt] = {}

    def add(self, attempt: Attempt) -> None:
        """Keep the attempt if it is the best of its line."""
        gained = fitness(attempt)
        if gained is None:
            return
        best = self._lines.get(origin(attempt))
        if best is None or gained > _known(best):
            self._lines[origin(attempt)] = attempt

    def elites(self) -> list[Attempt]:
        """The best of each niche, best first."""
        best: dict[Niche, Attempt] = {}
        for attempt in self._lines.values():
            held = best.get(niche(attempt))
            if held is None or _known(attempt) > _known(held):
                best[niche(attempt)] = attempt
        return sorted(best.values(), key=_known, reverse=True)

    def pool(self) -> list[Attempt]:
        """Who may be a parent: the elites, then the best of the rest; best first."""
        elites = self.elites()[:POOL]
        kept = {origin(a) for a in elites}
        rest = (a for key, a in self._lines.items() if key not in kept)
        return sorted(
            elites + heapq.nlargest(POOL - len(elites), rest, key=_known), key=_known, reverse=True
        )

    def draw(self, rng: random.Random) -> Attempt | None:
        """A parent by rank: each place in the pool is half as likely as the one before it."""
        pool = self.pool()
        if not pool:
            return None
        return rng.choices(pool, [2.0**-rank for rank in range(len(pool))])[0]


def _known(attempt: Attempt) -> float:
    """Fitness of an attempt that `add` let in."""
    gained = fitness(attempt)
    assert gained is not None
    return gained
