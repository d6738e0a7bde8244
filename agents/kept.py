"""Kept: attempts, advice and spend as the events of a run hold them, and back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kernelwright.agents.events import Data
from kernelwright.agents.roles import Advice, Attempt, Spend
from kernelwright.agents.traits import Traits, traits
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.verdict import Verdict


def attempt_from(candidate: Candidate, data: Data) -> Attempt:
    """The attempt that a finished `evaluate` event tells of."""
    return Attempt(
        candidate,
        Verdict.from_json(data["verdict"]),
        data["round"],
        data["parent"],
        data["note"],
        data["choice"],
        data.get("other"),
        Traits.from_json(data["traits"]) if "traits" in data else traits(candidate),
        data.get("twin"),
    )


def spend_json(spend: Spend) -> dict[str, Any]:
    """For an event."""
    return {
        "usd": spend.usd,
        "input_tokens": spend.input_tokens,
        "output_tokens": spend.output_tokens,
    }


def spend_from(data: Data) -> Spend:
    """The inverse of `spend_json`."""
    return Spend(data["usd"], data["input_tokens"], data["output_tokens"])


def advice_json(advice: Advice) -> dict[str, Any]:
    """For an event; the spend stands beside it."""
    return {
        "kind": advice.kind,
        "cause": advice.cause,
        "change": advice.change,
        "predicted_gain": advice.predicted_gain,
        "directive": dict(advice.directive),
        "strategy": advice.strategy,
        "metrics": list(advice.metrics),
    }


def advice_from(data: Data) -> Advice:
    """The inverse of `advice_json`."""
    known = {**data, "metrics": tuple(data.get("metrics", ()))}
    return replace(Advice("correct", "", ""), **known)
