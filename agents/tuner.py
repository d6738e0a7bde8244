"""The tuner: which choices of a declared space come next into question, so that a Coder is asked for
structure only.

Of a small space all that was not tried does. Of a large one it is what is nearest to the best of its
tried choices, what served the parents, and what optuna's TPE sampler asks for, which is told of all that
was tried. Given the same measurements it names the same choices.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence

from kernelwright.harness.candidate import Space

Value = int | float | str
Choice = Mapping[str, Value]
WHOLE = 256
"""Of spaces of so many choices at the most, every one comes into question."""
ASKS = 4
"""So often is the sampler asked."""
Values = tuple[Value, ...]


def size(space: Space) -> int:
    """Number of choices of a space."""
    return math.prod(len(set(values)) for values in space.values())


def first(space: Space) -> Choice:
    """The choice in force as the candidate is written: the first value of each name."""
    return {name: values[0] for name, values in space.items()}


def within(choice: Choice, space: Space) -> Choice:
    """The choice as far as the space holds it, the values in force for the rest."""
    return {n: choice[n] if choice.get(n) in vs else vs[0] for n, vs in space.items()}


def in_question(
    space: Space,
    tried: Sequence[tuple[Choice, float | None]],
    known: Iterable[Choice] = (),
    seed: int = 0,
) -> list[Choice]:
    """Choices of the space that were not tried, each once.

    `tried`: each choice with its speed, None for one that was not accepted; the one in force among them.
    `known`: choices that served related candidates.
    """
    space = {name: tuple(dict.fromkeys(values)) for name, values in space.items()}
    names, done = list(space), {_values(choice, space) for choice, _ in tried}
    if size(space) <= WHOLE:
        found: Iterable[Values] = itertools.product(*space.values())
    else:
        served = [_values(within(choice, space), space) for choice in known]
        found = [*served, *_nearest(space, tried), *_sampled(space, tried, seed)]
    return [dict(zip(names, vs, strict=True)) for vs in dict.fromkeys(found) if vs not in done]


def _values(choice: Choice, space: Space) -> Values:
    return tuple(choice[name] for name in space)


def _nearest(space: Space, tried: Sequence[tuple[Choice, float | None]]) -> list[Values]:
    """What differs from the best in one number."""
    speeds = [(speed or 0.0, place) for place, (_, speed) in enumerate(tried)]
    best = tried[max(speeds)[1]][0] if tried else first(space)
    return [
        _values({**best, name: value}, space)
        for name, values in space.items()
        for value in values
        if value != best[name]
    ]


def _sampled(space: Space, tried: Sequence[tuple[Choice, float | None]], seed: int) -> list[Values]:
    """What TPE asks for, told of the trials so far."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=(seed + len(tried)) % 2**32, n_startup_trials=4)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    held: Mapping[str, optuna.distributions.BaseDistribution] = {
        name: optuna.distributions.CategoricalDistribution(values) for name, values in space.items()
    }
    for choice, speed in tried:
        failed = speed is None
        state = optuna.trial.TrialState.FAIL if failed else optuna.trial.TrialState.COMPLETE
        told = optuna.trial.create_trial(
            state=state, params=dict(choice), distributions=dict(held), value=speed
        )
        study.add_trial(told)
    return [_values(study.ask(dict(held)).params, space) for _ in range(ASKS)]
