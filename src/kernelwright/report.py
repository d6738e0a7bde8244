"""`report.md`: how a run went, for people."""

from __future__ import annotations

from collections.abc import Sequence

from kernelwright import text
from kernelwright.agents.budget import Spent
from kernelwright.agents.optimize import Outcome
from kernelwright.agents.roles import Attempt
from kernelwright.card import Found
from kernelwright.tasks.task import Task


def report(task: Task, model: str, run: str, outcome: Outcome, found: Found | None) -> str:
    """The whole report, in Markdown."""
    spent = outcome.spent
    lines = [
        f"# {task.name}",
        "",
        f"Run {run} with model `{model}`. Stopped: {outcome.stop.message}.",
        "",
        *_result(found, outcome),
        "",
        "## Spent",
        "",
        f"{spent.evaluations} evaluations, {text.seconds(spent.wall_s)} of wall time, "
        f"{text.cost(spent)}.",
        "",
        *_spent(spent),
        "## Attempts",
        "",
        f"{len(outcome.attempts)} candidates judged, {outcome.accepted} accepted. Speedups are the "
        "median of interleaved pairs with its 95% interval; during the search against eager only.",
        "",
    ]
    if outcome.attempts:
        lines += _attempts(outcome.attempts, found.attempt if found else None)
    faults = [a for a in outcome.attempts if a.verdict.errors]
    if faults:
        lines += ["", "## Why candidates were turned down", ""]
        for attempt in faults:
            reason = text.first_line(attempt.verdict.errors[0].message)
            lines.append(f"- {attempt.candidate.id[:8]}: {reason}")
    return "\n".join(lines) + "\n"


def _spent(spent: Spent) -> list[str]:
    """What evaluations took of the machine, and what each role and model cost."""
    took = spent.evaluating
    held = f", {text.seconds(took.gpu_s)} with a GPU held" if took.gpu_s else ""
    cpu = "unknown" if took.cpu_s is None else text.seconds(took.cpu_s)
    rows = list(text.ledger(spent))
    return [
        f"Evaluations took {text.seconds(took.wall_s)}, {cpu} of processor time{held}.",
        "",
        *([*rows, ""] if rows else []),
    ]


def _result(found: Found | None, outcome: Outcome) -> list[str]:
    if found is None and outcome.unmeasured is not None:
        best = outcome.unmeasured
        return [
            "**No champion can be confirmed**: the speed of these kernels is unknown here.",
            "",
            "`unmeasured/kernel.py` is accepted, again on new inputs: candidate "
            f"{best.attempt.candidate.id}, round {best.attempt.round}. Of all that were it launches the "
            "fewest kernels, spills the fewest registers, and came first.",
        ]
    if found is None:
        return ["**Nothing better found**: no candidate was shown to be faster than PyTorch eager."]
    verdict, environment = found.verdict, found.environment
    rows = [
        ("speedup", text.speedups(verdict)),
        ("time", text.times(verdict)),
        ("track, precision", f"{verdict.track}, {verdict.precision}"),
        ("language", found.attempt.candidate.language),
        ("candidate", f"{found.attempt.candidate.id}, round {found.attempt.round}"),
        ("device", f"{found.facts.name}, {found.facts.threads} threads"),
        ("with", f"torch {environment['torch']}, Python {environment['python']}"),
        ("compiler", environment["compiler"] or "none"),
    ]
    if verdict.roofline:
        roofline = f"{verdict.roofline.fraction:.0%} of what {verdict.roofline.bound} allows"
        rows.insert(2, ("roofline", roofline))
    rows += [(f.severity, text.first_line(f.message)) for f in verdict.findings]
    return [
        "## Champion",
        "",
        "`champion/kernel.py`, confirmed in a clean process on new inputs. Details in `card.json`.",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {value.replace('|', '')} |" for name, value in rows),
        "",
        "Verify it again, from this folder: `kernelwright verify task.py champion/kernel.py`",
    ]


def _attempts(attempts: Sequence[Attempt], champion: Attempt | None) -> list[str]:
    """Markdown rows, one an attempt, oldest first."""
    rows = [
        "| # | round | candidate | parent | what | verdict | against eager | seconds |",
        "|--:|--:|---|---|---|---|---|--:|",
    ]
    for number, attempt in enumerate(attempts, 1):
        verdict = attempt.verdict
        eager = verdict.speedup.get("eager")
        mark = "**" if champion and attempt.candidate.id == champion.candidate.id else ""
        cells = [
            str(number),
            str(attempt.round),
            f"{mark}{attempt.candidate.id[:8]}{mark}",
            (attempt.parent or "")[:8],
            _cell(text.what(attempt)),
            _cell(text.outcome(verdict)),
            text.ratio(eager) if eager else "",
            f"{sum(verdict.seconds.values()):.1f}",
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def _cell(value: str) -> str:
    """Text that cannot break out of a table's cell."""
    return " ".join(value.replace("|", "\\|").split())
