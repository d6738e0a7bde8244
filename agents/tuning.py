"""Tuning: whether the next evaluation goes to numbers, and to which.

A trial is worth it as long as it is expected to gain more than a turn would: while new structure makes
kernels faster, numbers wait; once it stands still, they are searched to the end. Whose numbers is no
question of its own: of all lines that may be parents, and of what the turn brought, the trial that is
expected to raise the best speed most comes first (`numbers.py`). All of it follows from the state of the
run, so nothing has to be kept beside the trials themselves.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from kernelwright.agents.archive import origin
from kernelwright.agents.numbers import Belief, Point
from kernelwright.agents.roles import Attempt
from kernelwright.agents.run_state import RunState
from kernelwright.agents.settings import Settings
from kernelwright.agents.tuner import Choice, Value, first, in_question, size
from kernelwright.harness.candidate import Candidate, Space

WAITS = 0.3
"""A trial must be expected to gain this share of what a turn gained lately: a turn costs the answer of a
model too, and often a repair."""
Lines = Mapping[str, Sequence[Attempt]]
"""Members of each line by the id of its origin, which comes first."""


@dataclass(frozen=True)
class Trial:
    """Numbers to try, of a line."""

    line: Attempt
    choice: Choice
    candidate: Candidate

    @property
    def note(self) -> str:
        """What the attempt is said to be."""
        return "tuned " + " ".join(f"{name}={value}" for name, value in self.choice.items())


def next_trial(state: RunState, settings: Settings, turn: int | None = None) -> Trial | None:
    """The trial that is worth the next evaluation after a turn; None where none is.

    Without a turn, no other comes: then every trial is worth it that may gain `tune_gain`.
    """
    if not settings.tune_trials:
        return None
    least = settings.tune_gain
    if turn is not None:
        least = max(least, WAITS * state.turns.pace)
    lines, leading = _lines(state, turn)
    tunable = [key for key in leading if _left(state, settings, key, lines)]
    if not tunable:
        return None
    kin = {key: lines[key] for key in (*leading, *_relatives(state, tunable, lines))}
    belief = _belief(kin, {key: state.sources[key].space for key in kin})
    if belief is None:
        return None
    found: list[tuple[float, str, Choice]] = []
    for key in tunable:
        choices = _choices(state, settings, key, lines)
        if choices:
            gains = belief.gains(key, choices)
            found += [
                (-float(g), key, c) for g, c in zip(gains, choices, strict=True) if g >= least
            ]
    for _, key, choice in sorted(found, key=lambda one: one[0]):
        baked = state.sources[key].baked(choice)
        if baked.id not in state.by_id:  # a Coder may have written just that
            return Trial(state.by_id[key], choice, baked)
    return None


def _lines(state: RunState, turn: int | None) -> tuple[Lines, list[str]]:
    """Members of every line, and the lines that may be parents or were written in the turn."""
    new = state.judged.get(turn, ()) if turn is not None else ()
    lines: dict[str, list[Attempt]] = {}
    for attempt in state.attempts:
        lines.setdefault(origin(attempt), []).append(attempt)
    leading = dict.fromkeys(origin(a) for a in (*state.archive.all.pool(), *new))
    return lines, [key for key in leading if key in lines]


def _left(state: RunState, settings: Settings, key: str, lines: Lines) -> bool:
    """Whether a line has numbers, and trials left for them."""
    space = state.sources[key].space
    most = min(settings.tune_trials, size(space) - 1)
    told = not lines[key][0].twin and any(_points(key, lines[key]))
    return told and len(lines[key]) <= most


def _relatives(state: RunState, keys: Iterable[str], lines: Lines) -> Iterator[str]:
    """Lines that these come of."""
    for key in keys:
        for parent in (lines[key][0].parent, lines[key][0].other):
            found = state.ancestor(parent)
            if found is not None and origin(found) in lines:
                yield origin(found)


def _belief(kin: Lines, spaces: Mapping[str, Space]) -> Belief | None:
    """What the measurements of these lines say; None where nothing was timed."""
    values: dict[str, list[Value]] = {}
    for key in kin:
        for name, of_it in spaces[key].items():
            values.setdefault(name, []).extend(of_it)
    points = [p for key, members in kin.items() for p in _points(key, members)]
    return Belief(points, values) if points else None


def _points(line: str, members: Iterable[Attempt]) -> Iterator[Point]:
    for attempt in members:
        timed = attempt.verdict.speedup.get("eager") if attempt.verdict.accepted else None
        if timed is not None and timed.low > 0:
            sigma = math.log(timed.high / timed.low) / (2 * 1.96)
            yield Point(line, first(attempt.candidate.space), math.log(timed.median), sigma)


def _choices(state: RunState, settings: Settings, key: str, lines: Lines) -> list[Choice]:
    """What of a line's space comes into question."""
    tried = []
    for attempt in lines[key]:
        timed = attempt.verdict.speedup.get("eager") if attempt.verdict.accepted else None
        tried.append((first(attempt.candidate.space), timed.median if timed else None))
    written = lines[key][0]
    parents = (state.ancestor(written.parent), state.ancestor(written.other))
    known = [first(a.candidate.space) for a in parents if a is not None]
    seed = int(key, 16) ^ settings.seed
    return in_question(state.sources[key].space, tried, known, seed)
