"""What a run has measured: each change that a Coder made, and what it gave.

The gain of a change is the speed of the best tuned variant of the child over that of the parent it was
made from, passing over parents that were rejected. Three methods, the better first:

direct  the child was timed in pairs against this very parent, which was the champion: that interval.
ratio   both were timed against eager, at different moments. With c and p their speedups, the gain is
        c / p. The interval comes of the two intervals by the method of variance estimates recovery (Zou and
        Donner, Construction of confidence limits about effect measures, Statistics in Medicine 27, 2008),
        on logarithms:
            ln low  = ln(c/p) - sqrt((ln c - ln c_low)^2 + (ln p_high - ln p)^2)
            ln high = ln(c/p) + sqrt((ln c_high - ln c)^2 + (ln p - ln p_low)^2)
eager   there is no parent: the speedup against eager.

The best of several variants is a little better than it would be measured again; intervals do not know.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from typing import Any

from kernelwright.agents.archive import fitness, origin
from kernelwright.agents.bottleneck import bottleneck
from kernelwright.agents.memory.store import Edit, Method
from kernelwright.agents.roles import Attempt
from kernelwright.agents.run_state import RunState
from kernelwright.harness.device import DeviceFacts
from kernelwright.harness.verdict import Speedup, Verdict
from kernelwright.tasks.task import Task

_LONGEST = 300
"""Characters of a change in words."""
_MOVED, _MOST_MOVED = 0.05, 4
"""Counters that changed by less than 5% did not move; so many are kept, those that moved most."""


def measured_edits(state: RunState, task: Task, device: DeviceFacts) -> Iterator[Edit]:
    """Every change of a run whose effect was measured; rejected ones have none."""
    lines: dict[str, list[Attempt]] = {}
    for attempt in state.attempts:
        if fitness(attempt) and not attempt.twin:
            lines.setdefault(origin(attempt), []).append(attempt)
    for key, line in lines.items():
        best = max(line, key=lambda a: fitness(a) or 0.0)
        yield _edit(state, task, device, state.by_id[key], best)


def suite_of(task_name: str) -> str:
    """`core` of `core/softmax`; empty for a name without a suite."""
    return task_name.rpartition("/")[0]


def run_key(state: RunState) -> str:
    """What tells a run from every other, wherever its folder lies: 16 hex digits."""
    facts = (state.began, state.run.get("task_hash"), state.run.get("seed"))
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def ratio(child: Speedup, parent: Speedup) -> Speedup:
    """The gain of a child over its parent, both measured against a third. See the head of this file."""
    c, c_low, c_high = (math.log(x) for x in (child.median, child.low, child.high))
    p, p_low, p_high = (math.log(x) for x in (parent.median, parent.low, parent.high))
    gain = c - p
    low = gain - math.hypot(c - c_low, p_high - p)
    high = gain + math.hypot(c_high - c, p - p_low)
    return Speedup(math.exp(gain), math.exp(low), math.exp(high), min(child.pairs, parent.pairs))


def _edit(
    state: RunState, task: Task, device: DeviceFacts, attempt: Attempt, best: Attempt
) -> Edit:
    parent, said = _ancestor(state, attempt)
    gain, method = gain_over(state, best, parent)
    turn: Mapping[str, Any] = state.done.get(f"choose:{attempt.round}", {})
    judged = state.done.get(f"judge:{attempt.round}", {}).get("advice", {})
    offered = turn.get("strategies") or [None]
    bound = turn.get("bottleneck", "unknown")
    change = said or judged.get("change", "")
    if best.choice:
        change += f" ({' '.join(f'{name}={value}' for name, value in best.choice.items())})"
    return Edit(
        run=run_key(state),
        candidate=attempt.candidate.id,
        parent=parent.candidate.id if parent else None,
        task=task.name,
        task_hash=task.hash,
        suite=suite_of(task.name),
        category=task.meta.category,
        bottleneck=bound if bound != "unknown" else bottleneck(parent or best),
        language=attempt.candidate.language,
        device_kind=device.kind,
        device=device.name,
        change=" ".join(change.split())[:_LONGEST],
        strategy=judged.get("strategy") or (None if judged else offered[0]),
        gain=gain.median,
        low=gain.low,
        high=gain.high,
        method=method,
        time=state.began,
        shift=_shift(parent.verdict, best.verdict) if parent else {},
    )


def _ancestor(state: RunState, attempt: Attempt) -> tuple[Attempt | None, str]:
    """The nearest ancestor that was accepted, and what was said of the way from there."""
    notes = [attempt.note]
    parent = state.by_id.get(attempt.parent or "")
    while parent is not None and fitness(parent) is None:
        notes.insert(0, parent.note)
        parent = state.by_id.get(parent.parent or "")
    return parent, "; then ".join(dict.fromkeys(note for note in notes if note))


def gain_over(state: RunState, child: Attempt, parent: Attempt | None) -> tuple[Speedup, Method]:
    """The speed of an accepted child over that of an accepted parent (None: eager), and the method."""
    own = _eager(child)
    if parent is None:
        return own, "eager"
    held = state.done[f"evaluate:{child.candidate.id}"].get("against")
    direct = child.verdict.speedup.get("champion")
    if direct is not None and held == parent.candidate.id:
        return direct, "direct"
    return ratio(own, _eager(parent)), "ratio"


def _eager(attempt: Attempt) -> Speedup:
    measured = attempt.verdict.speedup["eager"]
    assert measured is not None
    return measured


def _shift(before: Verdict, after: Verdict) -> dict[str, float]:
    """Counters that both have and that moved, new value over old."""
    old, new = _numbers(before), _numbers(after)
    moved = {name: new[name] / old[name] for name in old.keys() & new.keys()}
    order = sorted(moved, key=lambda name: (-abs(math.log(moved[name])), name))
    return {n: moved[n] for n in order[:_MOST_MOVED] if abs(math.log(moved[n])) >= _MOVED}


def _numbers(verdict: Verdict) -> dict[str, float]:
    """Counters above 0."""
    return {
        name: float(value)
        for name, value in verdict.counters.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
    }
