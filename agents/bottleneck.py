"""Bottleneck: what binds a kernel, of its own roofline, time and counters."""

from __future__ import annotations

from kernelwright.agents.roles import Attempt
from kernelwright.harness.verdict import Verdict

NEAR = 0.4
"""From this share of the floor on, the resource that sets the floor is what binds."""
TINY_MS = 0.02
"""Calls shorter than 20 us are mostly the cost of making them: a launch takes 5 to 10 us on a GPU, a
parallel region with its Python call as much on a CPU."""


def bottleneck(attempt: Attempt | Verdict | None) -> str:
    """`memory`, `compute`, `latency`, `overhead`, or `unknown` where nothing was measured.

    Near the floor it is what sets the floor. Far from it, short calls are bound by their overhead, and
    the others wait: for memory where that sets the floor (`latency`), else for arithmetic that does not
    use the width of the machine, which is still `compute`.
    """
    verdict = attempt.verdict if isinstance(attempt, Attempt) else attempt
    if verdict is None or not verdict.accepted or verdict.roofline is None:
        return "unknown"
    bound, reached = verdict.roofline.bound, verdict.roofline.fraction
    if reached >= NEAR:
        return bound
    took = verdict.time_ms.get("candidate")
    if took is not None and took < TINY_MS:
        return "overhead"
    return "latency" if bound == "memory" else "compute"
