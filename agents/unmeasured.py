"""Kernels that are right and whose speed nobody here can measure: which is the best by what is known.

No speed is made up: fewer launches of a call come first, as the text shows them, then fewer
registers spilled where the compiler said so, then who came first.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from kernelwright.agents.roles import Attempt
from kernelwright.agents.run_state import START
from kernelwright.agents.traits import traits

_LAUNCHES = ("1", "2-3", "4+")


def unmeasured(attempts: Iterable[Attempt]) -> list[Attempt]:
    """Accepted candidates without a measured speed, best first. The start kernel is none of them."""
    found = [
        a
        for a in attempts
        if a.verdict.accepted
        and not a.verdict.speedup.get("eager")
        and not a.twin
        and a.round != START
    ]
    return sorted(found, key=_known)


def _known(attempt: Attempt) -> tuple[int, float]:
    launches = (attempt.traits or traits(attempt.candidate)).launches
    return _LAUNCHES.index(launches), _spills(attempt)


def _spills(attempt: Attempt) -> float:
    """Bytes that its worst kernel spills to memory; infinite where nobody counted."""
    kernels = attempt.verdict.counters.get("kernels") or ()
    found = [k["values"].get("spill_stores", {}).get("value") for k in kernels]
    counted = [float(value) for value in found if value is not None]
    return max(counted) if counted else math.inf
