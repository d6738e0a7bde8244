"""Which candidates are tuned after a turn, and how: the tuner on one side, the harness on the other.

Trials are granted a few at a time, where they may pay (as successive halving does: Jamieson, Talwalkar,
Non-stochastic best arm identification and hyperparameter optimization, 2016). A new candidate with numbers
that nobody has tuned must come near the best; one with the numbers of a tuned parent must be faster than
the best, or its edit brought nothing. Further grants go to the one that leads, after each turn, until its
space or its trials are used up. So a structure that is soon left behind costs little.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelwright.agents.archive import fitness, origin, speedup
from kernelwright.agents.journal import Journal
from kernelwright.agents.roles import Attempt
from kernelwright.agents.run_state import RunState
from kernelwright.agents.settings import Settings
from kernelwright.agents.tuner import Choice, first, size, tune
from kernelwright.harness.verdict import Speedup

PROBES = 2
"""Trials of a grant."""


def promising(state: RunState, settings: Settings, turn: int) -> list[str]:
    """Ids of the candidates that are granted trials after a turn, fastest first."""
    if not settings.tune_trials:
        return []
    best = state.archive.all.best()
    least = (fitness(best) or 0.0) if best else 0.0
    good = []
    for attempt in state.judged.get(turn, ()):
        gain = speedup(attempt)
        if attempt.choice or attempt.twin or gain is None or size(attempt.candidate.space) == 1:
            continue
        if gain >= least * (settings.tune_share if _new(state, attempt) else 1.0):
            good.append((gain, attempt.candidate.id))
    found = [key for _, key in sorted(good, reverse=True)]
    return found + [key for key in leading(state, settings) if key not in found]


def leading(state: RunState, settings: Settings) -> list[str]:
    """Id of what leads, where trials of its numbers are left; else nothing."""
    best = state.archive.all.best()
    if best is None:
        return []
    key = origin(best)
    most = min(settings.tune_trials, size(state.sources[key].space) - 1)
    return [key] if PROBES * state.turns.tuned.get(key, 0) < most else []


def tune_attempt(journal: Journal, settings: Settings, attempt: Attempt) -> None:
    """Find the numbers of an accepted attempt. What a later session finds tried costs nothing."""
    candidate, key = attempt.candidate, attempt.candidate.id
    start = _measured(attempt)
    if start is None:
        return
    state = journal.state

    def measure(choice: Choice) -> Speedup | None:
        note = "tuned " + " ".join(f"{name}={value}" for name, value in choice.items())
        baked = candidate.baked(choice)
        return _measured(journal.evaluate(baked, attempt.round, key, note, choice))

    tune(
        candidate,
        start,
        measure,
        trials=min(settings.tune_trials, PROBES * state.turns.tuned[key]),
        stall=settings.tune_stall,
        seed=(int(key, 16) ^ settings.seed) % 2**32,
        more=lambda: not journal.must_stop(),
        known=[first(a.candidate.space) for a in _parents(state, attempt)],
    )


def _parents(state: RunState, attempt: Attempt) -> Iterator[Attempt]:
    """The accepted attempts that it comes of."""
    for key in (attempt.parent, attempt.other):
        found = state.ancestor(key)
        if found is not None:
            yield found


def _new(state: RunState, attempt: Attempt) -> bool:
    """Whether it has numbers that no tuned parent has."""
    known: set[str] = set()
    for parent in _parents(state, attempt):
        if origin(parent) in state.turns.tuned:
            known |= set(parent.candidate.space)
    return any(
        len(values) > 1 and name not in known for name, values in attempt.candidate.space.items()
    )


def _measured(attempt: Attempt) -> Speedup | None:
    return attempt.verdict.speedup.get("eager") if attempt.verdict.accepted else None
