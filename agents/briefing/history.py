"""What was tried, what was foretold, what other tasks taught."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from kernelwright.agents.archive import fitness, origin, speedup
from kernelwright.agents.briefing.diagnostics import pattern_codes
from kernelwright.agents.briefing.text import choices, section
from kernelwright.agents.briefing.verdicts import attempt_section
from kernelwright.agents.roles import Attempt, Brief, Lesson, Prediction
from kernelwright.agents.wording import clip

SHOWN = 10
"""Attempts in the table of what was tried."""
ANCESTORS, CHILDREN = 4, 3
"""Of them, so many in the parent's line of descent and so many that came of it."""
CELL = 220
"""Characters of a note in the table."""
MOST_FULL = 300_000
"""Characters of a full history: more than that fits no model beside its answer."""
FORETOLD = 6
LESSONS = 4


def history_section(
    history: Sequence[Attempt],
    *,
    parent: Attempt | None = None,
    best: Attempt | None = None,
) -> str:
    """A table of what was tried: the parent's ancestors and children, the fastest, and the latest.

    Each kernel stands with its best tuned member.
    """
    members: dict[str, list[Attempt]] = {}
    for attempt in history:
        members.setdefault(origin(attempt), []).append(attempt)
    lines = {a.candidate.id: origin(a) for a in history}
    written = [a for a in history if not a.choice]
    top = {key: max(line, key=_fit) for key, line in members.items()}
    chosen = _chosen(written, lines, top, origin(parent) if parent else None)
    if not chosen:
        return ""
    champion = origin(best) if best else None
    rows = [
        f"| {a.round} | `{a.candidate.id}`{' **best**' if a.candidate.id == champion else ''} "
        f"| {_from(a, lines)} | {_result(top[a.candidate.id], members[a.candidate.id])} "
        f"| {_against(top[a.candidate.id], top.get(lines.get(a.parent or '', '')))} | {_cell(a.note)} |"
        for a in written
        if a.candidate.id in chosen
    ]
    head = [
        "| turn | kernel | from | against eager | against its parent | what |",
        "|---|---|---|---|---|---|",
    ]
    left = len(written) - len(rows)
    more = f"\n{left} more kernels are not shown." if left else ""
    return section("Tried so far", *head, *rows, more)


def full_history_section(brief: Brief) -> str:
    """Every attempt with its source and verdict, oldest first; of too many the oldest are left out."""
    told: list[str] = []
    length = 0
    for a in reversed(brief.history):
        said = attempt_section(a, f"Attempt of turn {a.round}: `{a.candidate.id}`", brief=brief)
        length += len(said)
        if length > MOST_FULL:
            told.append(
                section("Earlier attempts", f"{len(brief.history) - len(told)} are left out.")
            )
            break
        told.append(said)
    return "".join(reversed(told))


def predictions_section(predictions: Sequence[Prediction]) -> str:
    """How the Judge's earlier advice fared, and how far it is to be believed."""
    if not predictions:
        return ""
    rows = [
        f"| {_cell(p.change)} | {p.strategy or '-'} | {_factor(p.predicted_gain)} "
        f"| {p.outcome if p.measured_gain is None else _factor(p.measured_gain)} |"
        for p in predictions[-FORETOLD:]
    ]
    head = ["| change | strategy | predicted | measured |", "|---|---|---|---|"]
    return section("Your earlier advice", *head, *rows, f"\n{_calibration(predictions)}")


def lessons_section(lessons: Sequence[Lesson]) -> str:
    """Measured edits of other tasks."""
    lines = [
        f"- `{x.task}` ({x.category}, bound by {x.bottleneck}, {x.language}): {clip(x.change, CELL)}:"
        f" {x.gain:.2f}x ({x.low:.2f} to {x.high:.2f}){_shift(x)}"
        for x in lessons[:LESSONS]
    ]
    return section("What it gave elsewhere (measured edits of other operators)", *lines)


def _chosen(
    written: Sequence[Attempt],
    lines: Mapping[str, str],
    top: Mapping[str, Attempt],
    parent: str | None,
) -> set[str]:
    """Which kernels the table shows, at most SHOWN. `lines`: id to the kernel as it was written."""
    above = {a.candidate.id: lines.get(a.parent or "") for a in written}
    wanted: list[str | None] = []
    up = parent
    while up is not None and up not in wanted and len(wanted) < ANCESTORS:
        wanted.append(up)
        up = above.get(up)
    ranked = sorted(written, key=lambda a: _fit(top[a.candidate.id]), reverse=True)
    wanted += [a.candidate.id for a in ranked[:2]]
    wanted += [key for key, before in above.items() if parent and before == parent][-CHILDREN:]
    wanted += [a.candidate.id for a in reversed(written)]
    return {key for key in list(dict.fromkeys(wanted))[:SHOWN] if key is not None}


def _fit(attempt: Attempt) -> float:
    return fitness(attempt) or 0.0


def _from(attempt: Attempt, lines: Mapping[str, str]) -> str:
    """The parents, as they were written: their tuned members are not in the table."""
    parents = [lines.get(key, key) for key in (attempt.parent, attempt.other) if key]
    return " and ".join(f"`{key}`" for key in parents) or "-"


def _result(best: Attempt, members: Sequence[Attempt]) -> str:
    gained, low = speedup(best), fitness(best)
    if gained is not None:
        tuned = f", tuned {choices(dict(best.choice))}" if best.choice else ""
        tried = f" (best of {len(members)} choices)" if len(members) > 1 else ""
        return f"{gained:.2f}x, low end {low:.2f}x{tuned}{tried}"
    if best.verdict.accepted:
        return "accepted, not timed"
    return _rejected(best)


def _rejected(attempt: Attempt) -> str:
    if attempt.verdict.verdict == "harness_error":
        return "not judged: the machine failed, which says nothing of the kernel"
    first = attempt.verdict.errors or attempt.verdict.findings
    if not first:
        return f"rejected at {attempt.verdict.stage}"
    shown = ", ".join(pattern_codes(first[0]))
    return f"rejected at {attempt.verdict.stage}: {first[0].code}" + (
        f" ({shown})" if shown else ""
    )


def _against(child: Attempt, parent: Attempt | None) -> str:
    a, b = speedup(child), speedup(parent) if parent else None
    return f"{a / b:.2f}x" if a and b else "-"


def _calibration(predictions: Sequence[Prediction]) -> str:
    """One line: how often it went faster, and how the gains compare with those foretold."""
    measured = [p.measured_gain for p in predictions if p.measured_gain is not None]
    faster = sum(gain > 1 for gain in measured)
    told = f"{faster} of {len(predictions)} pieces of advice made the kernel faster"
    pairs = [
        p.measured_gain / p.predicted_gain
        for p in predictions
        if p.predicted_gain and p.measured_gain is not None
    ]
    if not pairs:
        return f"{told}."
    middle = statistics.median(pairs)
    bias = (
        "you promise too much"
        if middle < 0.9
        else "you promise too little"
        if middle > 1.1
        else "fair"
    )
    return f"{told}; median of measured / predicted: {middle:.2f} ({bias})."


def _factor(gain: float | None) -> str:
    return "-" if gain is None else f"{gain:.2f}x"


def _shift(lesson: Lesson) -> str:
    moved = ", ".join(f"{name} x{ratio:.2g}" for name, ratio in list(lesson.shift.items())[:3])
    by = f" by {lesson.strategy}" if lesson.strategy else ""
    return f"{by}; {moved}" if moved else by


def _cell(text: str) -> str:
    return clip(text.replace("|", "/"), CELL)
