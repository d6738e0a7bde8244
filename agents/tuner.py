"""The tuner: finds the numbers of a candidate's declared space, so that a Coder is asked for
structure only.

A space no larger than the budget is tried whole, in a seeded order; a larger one is searched by
optuna's TPE sampler through ask and tell. Given the same measurements it asks for the same choices,
so a resumed run repeats none: it is told what the log holds.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterator, Mapping

from kernelwright.harness.candidate import Candidate, Space
from kernelwright.harness.verdict import Speedup

Choice = Mapping[str, int | float | str]
Measure = Callable[[Choice], Speedup | None]
"""Speed of a choice with its interval; None where it was not accepted."""

REPEATS = 8
"""So many asks in a row for what was tried already mean that the sampler has converged."""


def size(space: Space) -> int:
    """Number of choices of a space."""
    return math.prod(len(values) for values in space.values())


def first(space: Space) -> Choice:
    """The choice in force as the candidate is written: the first value of each name."""
    return {name: values[0] for name, values in space.items()}


def tune(
    candidate: Candidate,
    start: Speedup,
    measure: Measure,
    *,
    trials: int,
    stall: int,
    seed: int,
    more: Callable[[], bool],
) -> int:
    """Measure up to `trials` choices other than the first, whose speed `start` is known.

    Ends early after `stall` trials that were surely no better, when `more` says no, or when the space
    is used up. Returns the number of trials. The results are the caller's: `measure` sees each
    choice at most once.

    Choices are compared by their medians: low ends punish a noisy moment, not a slow kernel. A trial
    counts as a stall only where its interval lies below that of the best one; as progress, where it
    lies above. What noise does not tell apart is neither.
    """
    space = {name: tuple(dict.fromkeys(values)) for name, values in candidate.space.items()}
    search = (
        _Whole(space, seed) if size(space) - 1 <= trials else _Sampled(space, start.median, seed)
    )
    best, since, done = start, 0, 0
    while done < trials and since < stall and more():
        choice = search.ask()
        if choice is None:
            break
        found = measure(choice)
        search.tell(found.median if found else None)
        done += 1
        if found is None or found.high < best.low:
            since += 1
        elif found.low > best.high:
            since = 0
        if found and found.median > best.median:
            best = found
    return done


class _Whole:
    """Every choice but the first, in a seeded order."""

    def __init__(self, space: Space, seed: int) -> None:
        names = list(space)
        rest = [dict(zip(names, v, strict=True)) for v in itertools.product(*space.values())][1:]
        random.Random(seed).shuffle(rest)
        self._rest: Iterator[Choice] = iter(rest)

    def ask(self) -> Choice | None:
        return next(self._rest, None)

    def tell(self, value: float | None) -> None:
        """Nothing to learn: all will be tried."""


class _Sampled:
    """TPE over a space too large to be tried whole."""

    def __init__(self, space: Space, start: float, seed: int) -> None:
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

    def ask(self) -> Choice | None:
        for _ in range(REPEATS):
            self._trial = self._study.ask(self._space)
            known = frozenset(self._trial.params.items())
            if known not in self._known:
                return dict(self._trial.params)
            self.tell(self._known[known])
        return None

    def tell(self, value: float | None) -> None:
        self._known[frozenset(self._trial.params.items())] = value
        if value is None:
            self._study.tell(self._trial, state=self._failed)
        else:
            self._study.tell(self._trial, value)
