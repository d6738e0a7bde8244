"""Dedupe by compiled code: what would run the same instructions needs no second judgement."""

from __future__ import annotations

from dataclasses import replace

from kernelwright.agents.ports import Evaluator
from kernelwright.agents.roles import Attempt
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.verdict import Finding, Verdict

SAME_CODE = "same_code"
"""Code of the finding that names whose verdict was taken over."""


def code_of(evaluator: Evaluator, candidate: Candidate) -> str | None:
    """Fingerprint of the candidate's compiled code; None where there is none, or nobody to tell."""
    fingerprint = getattr(evaluator, "fingerprint", None)
    found: str | None = fingerprint(candidate) if fingerprint else None
    return found


def taken_over(twin: Attempt) -> Verdict:
    """The verdict of an attempt, for a candidate with the same code.

    The comparison with the champion of that time says nothing of the one of today, and is left out.
    """
    verdict = twin.verdict
    known = tuple(f for f in verdict.findings if f.code != SAME_CODE)
    note = f"the same compiled code as {twin.candidate.id}, whose verdict this is"
    return replace(
        verdict,
        findings=(*known, Finding(SAME_CODE, note, "note")),
        speedup={name: s for name, s in verdict.speedup.items() if name != "champion"},
        time_ms={name: ms for name, ms in verdict.time_ms.items() if name != "champion"},
        seconds={},
    )
