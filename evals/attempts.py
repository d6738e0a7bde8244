"""What a search tried, as a record: a row for each candidate, and the best so far by evaluation."""

from __future__ import annotations

from collections.abc import Iterable

from kernelwright.agents.archive import speedup
from kernelwright.agents.events import Event
from kernelwright.agents.roles import Attempt
from kernelwright.agents.run_state import RunState
from kernelwright.evals.record import AttemptRow, Attempts, CurvePoint
from kernelwright.harness.verdict import Verdict


def attempts_of(state: RunState, events: Iterable[Event]) -> Attempts:
    """All candidates of a run. What its final confirmation turned down is not accepted."""
    rows = tuple(_row(attempt, turned_down(state, attempt)) for attempt in state.attempts)
    return Attempts(
        n=len(rows),
        accepted=sum(row.verdict == "accepted" for row in rows),
        curve=tuple(_curve(events)),
        rows=rows,
    )


def turned_down(state: RunState, attempt: Attempt) -> Verdict | None:
    """The verdict of a final confirmation that rejected an attempt which the search had accepted."""
    final = state.confirmed.get(attempt.candidate.id)
    return final if final and attempt.verdict.accepted and not final.accepted else None


def note_of(attempt: Attempt) -> str:
    """What was done, in words: the tuner's choice, or what the Coder says."""
    if attempt.choice:
        return "tuned " + " ".join(f"{name}={value}" for name, value in attempt.choice.items())
    return attempt.note


def _row(attempt: Attempt, rejected: Verdict | None) -> AttemptRow:
    verdict = rejected or attempt.verdict
    note = note_of(attempt)
    if rejected is not None:
        note = f"{note}; accepted in the search, turned down by its final confirmation".lstrip("; ")
    return AttemptRow(
        candidate=attempt.candidate.id,
        round=attempt.round,
        verdict=verdict.verdict,
        stage=verdict.stage,
        parent=attempt.parent,
        other=attempt.other,
        language=attempt.candidate.language,
        note=note,
        code=verdict.errors[0].code if verdict.errors else None,
        speedup=None if rejected else speedup(attempt),
    )


def _curve(events: Iterable[Event]) -> list[CurvePoint]:
    """The best accepted median so far, by number of evaluation, with the dollars settled until then."""
    points: list[CurvePoint] = []
    done, best = 0, 0.0
    usd: float | None = 0.0
    for event in events:
        if event.kind == "settled":
            paid = event.data.get("usd")
            usd = None if usd is None or paid is None else usd + float(paid)
        if event.kind != "finished" or not event.key.startswith("evaluate:"):
            continue
        done += 1
        verdict = Verdict.from_json(event.data["verdict"])
        gained = verdict.speedup.get("eager")
        if verdict.accepted and gained and gained.median > best:
            best = gained.median
            points.append(CurvePoint(evaluation=done, best=best, usd=usd))
    return points
