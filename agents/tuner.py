"""The tuner: finds the numbers of a candidate's declared space, so that a Coder is asked for
structure only.

It begins with what is known: the numbers in force, then those that served the candidate's parents. A
small space is climbed from there: the choice nearest to the best so far comes next, so that few trials
tell whether numbers matter at all. A large one is searched by optuna's TPE sampler through ask and tell.
Given the same measurements it asks for the same choices, so a resumed run repeats none: it is told what
the log holds.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterable, Mapping

from kernelwright.harness.candidate import Candidate, Space
from kernelwright.harness.verdict import Speedup

Choice = Mapping[str, int | float | str]
Measure = Callable[[Choice], Speedup | None]
"""Speed of a choice with its interval; None where it was not accepted."""

CLIMBED = 256
"""Spaces of so many choices at the most are climbed."""
REPEATS = 8
"""So many asks in a row for what was tried already mean that the sampler has converged."""
Values = tuple[int | float | str, ...]


def size(space: Space) -> int:
    """Number of choices of a space."""
    return math.prod(len(values) for values in space.values())


def first(space: Space) -> Choice:
    """The choice in force as the candidate is written: the first value of each name."""
    return {name: values[0] for name, values in space.items()}


def within(choice: Choice, space: Space) -> Choice:
    """The choice as far as the space holds it, the values in force for the rest."""
    return {n: choice[n] if choice.get(n) in vs else vs[0] for n, vs in space.items()}


def tune(
    candidate: Candidate,
    start: Speedup,
    measure: Measure,
    *,
    trials: int,
    stall: int,
    seed: int,
    more: Callable[[], bool],
    known: Iterable[Choice] = (),
) -> int:
    """Measure up to `trials` choices other than the first, whose speed `start` is known.

    `known` are choices that served related candidates; they are tried first. Ends early after `stall`
    trials in a row that were not surely better than the best before them, when `more` says no, or when
    the space is used up. Returns the number of trials. The results are the caller's: `measure` sees each
    choice at most once.

    The best is the one with the best median: low ends punish a noisy moment, not a slow kernel. Progress
    is only what an interval shows: where numbers do not matter, the tuner does not stay.
    """
    space = {name: tuple(dict.fromkeys(values)) for name, values in candidate.space.items()}
    search: _Climb | _Sampled = (
        _Climb(space, seed, known)
        if size(space) <= CLIMBED
        else _Sampled(space, start.median, seed, known)
    )
    best, since, done = start, 0, 0
    while done < trials and since < stall and more():
        choice = search.ask()
        if choice is None:
            break
        found = measure(choice)
        done += 1
        since = 0 if found is not None and found.low > best.median else since + 1
        if found is not None and found.median > best.median:
            best = found
            search.tell(found.median, leads=True)
        else:
            search.tell(found.median if found else None, leads=False)
    return done


class _Climb:
    """The choice nearest to the best: fewest names changed, then fewest steps, then by lot."""

    def __init__(self, space: Space, seed: int, known: Iterable[Choice]) -> None:
        self._names = list(space)
        self._place = {n: {v: i for i, v in enumerate(_ordered(vs))} for n, vs in space.items()}
        everything = list(itertools.product(*space.values()))
        self._best: Values = everything[0]
        self._rest = everything[1:]
        random.Random(seed).shuffle(self._rest)
        self._first = [tuple(within(c, space).values()) for c in known]
        self._asked = self._best

    def ask(self) -> Choice | None:
        while self._first:
            told = self._first.pop(0)
            if told in self._rest:
                return self._take(told)
        if not self._rest:
            return None
        return self._take(min(self._rest, key=self._far))

    def tell(self, value: float | None, leads: bool) -> None:
        if leads:
            self._best = self._asked

    def _take(self, values: Values) -> Choice:
        self._rest.remove(values)
        self._asked = values
        return dict(zip(self._names, values, strict=True))

    def _far(self, values: Values) -> tuple[int, int]:
        steps = [
            abs(self._place[n][a] - self._place[n][b])
            for n, a, b in zip(self._names, values, self._best, strict=True)
        ]
        return sum(step > 0 for step in steps), sum(steps)


def _ordered(values: Values) -> list[int | float | str]:
    """Numbers by size: the value in force stands first in a space, which says nothing of its size."""
    if any(isinstance(v, str) for v in values):
        return list(values)
    return sorted(values, key=float)


class _Sampled:
    """TPE over a space too large to be climbed."""

    def __init__(self, space: Space, start: float, seed: int, known: Iterable[Choice]) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._failed = optuna.trial.TrialState.FAIL
        self._space: dict[str, optuna.distributions.BaseDistribution] = {
            name: optuna.distributions.CategoricalDistribution(values)
            for name, values in space.items()
        }
        self._study = optuna.create_study(
            direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=4)
        )
        self._known: dict[frozenset[tuple[str, int | float | str]], float | None] = {}
        self._study.enqueue_trial(dict(first(space)))
        self._trial = self._study.ask(self._space)
        self.tell(start)
        for choice in known:
            self._study.enqueue_trial(dict(within(choice, space)))

    def ask(self) -> Choice | None:
        for _ in range(REPEATS):
            self._trial = self._study.ask(self._space)
            known = frozenset(self._trial.params.items())
            if known not in self._known:
                return dict(self._trial.params)
            self.tell(self._known[known])
        return None

    def tell(self, value: float | None, leads: bool = False) -> None:
        """`leads` changes nothing: the sampler ranks by itself."""
        self._known[frozenset(self._trial.params.items())] = value
        if value is None:
            self._study.tell(self._trial, state=self._failed)
        else:
            self._study.tell(self._trial, value)
