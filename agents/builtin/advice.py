"""What the built-in Judge says to a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kernelwright.agents.builtin.strategy import STRATEGIES, Strategy, name_of
from kernelwright.agents.roles import Advice, Attempt, Brief

if TYPE_CHECKING:
    from kernelwright.agents.builtin.gpu.compile import GpuStrategy


def advise(brief: Brief, attempt: Attempt) -> Advice:
    """Correction advice for a rejected attempt, optimization advice for an accepted one."""
    if attempt.verdict.accepted:
        return _optimize(brief, attempt)
    return _correct(brief, attempt)


def _correct(brief: Brief, attempt: Attempt) -> Advice:
    verdict = attempt.verdict
    errors = verdict.errors
    cause = errors[0].message if errors else f"stopped at {verdict.stage}"
    name = name_of(attempt.candidate)
    if verdict.stage == "correctness" and brief.language == "cpp":
        return Advice(
            "correct",
            cause,
            "raise the degree of exp and take variances in two passes",
            directive={"precise": True, "drop": [name] if name else []},
        )
    return Advice(
        "correct",
        cause,
        f"leave strategy {name or 'of this candidate'} out and try the next",
        directive={"drop": [name] if name else []},
    )


def _optimize(brief: Brief, attempt: Attempt) -> Advice:
    verdict = attempt.verdict
    roof = verdict.roofline
    tried = {name_of(a.candidate) for a in brief.history} | {name_of(attempt.candidate)}
    left = [s for s in _known(brief.language) if s.name not in tried]
    if roof is None:
        bound, fraction = "unknown", None
    else:
        bound, fraction = roof.bound, roof.fraction
    cause = (
        "what binds is unknown: no roofline was measured"
        if fraction is None
        else f"bound by {bound}, at {fraction:.0%} of the floor"
    )
    if not left:
        return Advice("optimize", cause, "no other structure is left to try", 1.0)
    chosen = _chosen(bound, left)
    gain = None if fraction is None else min(1.5, 1 + (1 - min(fraction, 1.0)) * 0.2)
    return Advice(
        "optimize",
        cause,
        f"try strategy {chosen.name}: {chosen.says}",
        gain,
        {"strategy": chosen.name},
    )


def _known(language: str) -> Sequence[Strategy | GpuStrategy]:
    if language == "cpp":
        return STRATEGIES
    from kernelwright.agents.builtin.gpu.compile import STRATEGIES as OF_GPU

    return OF_GPU


def _chosen(bound: str, left: Sequence[Strategy | GpuStrategy]) -> Strategy | GpuStrategy:
    preferred = ("fused", "two-pass-variance") if bound == "memory" else ("fused", "library")
    for name in preferred:
        for strategy in left:
            if strategy.name == name:
                return strategy
    return left[0]
