"""The champion's card: what was found, what it holds for, and how to find it again."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kernelwright import __version__, text
from kernelwright.agents.budget import Spent, Stop
from kernelwright.agents.ledger.account import DIGITS
from kernelwright.agents.roles import Attempt
from kernelwright.harness.device import DeviceFacts
from kernelwright.harness.verdict import Verdict
from kernelwright.tasks.task import Task


@dataclass(frozen=True)
class Found:
    """All that is told of a champion: the attempt, its final verdict, and where they came from."""

    task: Task
    task_spec: str
    """What finds the task again on this machine."""
    model: str
    """Who played, in words."""
    options: Sequence[str]
    """The options of `optimize` that ask for the same players."""
    run: str
    attempt: Attempt
    verdict: Verdict
    facts: DeviceFacts
    environment: Mapping[str, str | None]
    spent: Spent
    stop: Stop
    evaluations: int
    accepted: int


def header(found: Found) -> list[str]:
    """Comment lines for the top of the published kernel."""
    verdict = found.verdict
    gains = [
        f"{text.ratio(gain)} as fast as {text.BASELINES[name]}"
        for name, gain in verdict.speedup.items()
        if gain is not None and name != "champion"
    ]
    return [
        f"{found.task.name}: ModelNew takes the place of Model.",
        "",
        *gains,
        f"measured on {found.facts.name}, {found.facts.threads} threads, "
        f"torch {found.environment['torch']}, {_today()}",
        f"precision {verdict.precision}, track {verdict.track}; intervals are 95%",
        "",
        f"Made by kernelwright {__version__} (model {found.model}, run {found.run}),",
        f"candidate {found.attempt.candidate.id}. Needs torch and, at first use, a C++ compiler.",
        "Verify again, from the folder of the run:",
        "    kernelwright verify task.py champion/kernel.py",
    ]


def card(found: Found, kernel_text: str, lacking: str | None) -> dict[str, Any]:
    """The content of `card.json` (see docs/json.md)."""
    facts = found.facts
    return {
        "task": {"name": found.task.name, "spec": found.task_spec, "sha256": found.task.hash},
        "kernel": {
            "path": "champion/kernel.py",
            "sha256": hashlib.sha256(kernel_text.encode()).hexdigest(),
            "language": found.attempt.candidate.language,
            "candidate": found.attempt.candidate.id,
            "round": found.attempt.round,
            "note": text.what(found.attempt) or None,
            "standalone": lacking is None,
            "standalone_reason": lacking,
        },
        "verdict": found.verdict.to_json(),
        "environment": {
            **found.environment,
            "device": facts.kind,
            "device_name": facts.name,
            "threads": facts.threads,
            "isa": list(facts.isa),
        },
        "search": {
            "run": found.run,
            "model": found.model,
            "stop": {"reason": found.stop.reason, "message": found.stop.message},
            "candidates": found.evaluations,
            "accepted": found.accepted,
            "spent": spent_json(found.spent),
        },
        "reproduce": [
            "kernelwright verify task.py champion/kernel.py",
            shlex.join(["kernelwright", "optimize", found.task_spec, *found.options]),
        ],
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def spent_json(spent: Spent) -> dict[str, Any]:
    """What a run cost (see docs/json.md), with `reasons` for what is null."""
    took = spent.evaluating
    at_most = spent.usd_at_most if spent.usd is None else spent.usd
    calls = "1 call has" if spent.unknown == 1 else f"{spent.unknown} calls have"
    reasons = {
        name: reason
        for name, value, reason in (
            ("usd", spent.usd, f"{calls} an unknown cost: no price, or no count of tokens"),
            ("tokens", spent.tokens, "a model does not say how many tokens it used"),
            ("usd_at_most", at_most, "a call has neither a price nor a bound"),
            ("cpu_s", took.cpu_s, "the processor time of an evaluation was not measured"),
        )
        if value is None
    }
    groups = {"by_role": spent.by_role, "by_model": spent.by_model}
    lines: dict[str, dict[str, Any]] = {}
    for group, found in groups.items():
        lines[group] = {name: line.to_json() for name, line in found.items()}
        for name, data in lines[group].items():
            unknown = (figure for figure, value in data.items() if value is None)
            reasons |= {f"{group}.{name}.{figure}": "not known of every call" for figure in unknown}
    return {
        "usd": _dollars(spent.usd),
        "tokens": spent.tokens,
        "evaluations": spent.evaluations,
        "wall_s": round(spent.wall_s, 3),
        "usd_at_most": _dollars(at_most),
        "evaluating_s": round(took.wall_s, 3),
        "cpu_s": took.cpu_s if took.cpu_s is None else round(took.cpu_s, 2),
        "gpu_s": round(took.gpu_s, 3),
        **lines,
        "by_candidate": _by_candidate(spent, reasons),
        "budget": {"usd": spent.budget_usd, "tokens": spent.budget_tokens},
        "reasons": reasons,
    }


def _by_candidate(spent: Spent, reasons: dict[str, str]) -> dict[str, dict[str, Any]]:
    """What each candidate cost to come by and to judge; tuned variants cost no calls."""
    found: dict[str, dict[str, Any]] = {}
    for name, took in spent.effort.items():
        share = spent.by_candidate.get(name)
        found[name] = {
            "usd": _dollars(share.usd) if share else 0.0,
            "tokens": share.tokens if share else 0,
            "evaluating_s": round(took.wall_s, 3),
            "cpu_s": took.cpu_s,
            "gpu_s": round(took.gpu_s, 3),
        }
        for figure in (figure for figure, value in found[name].items() if value is None):
            reasons[f"by_candidate.{name}.{figure}"] = "not known"
    return found


def _dollars(usd: float | None) -> float | None:
    """Without the dust of sums in floating point."""
    return None if usd is None else round(usd, DIGITS)


def _today() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d")
