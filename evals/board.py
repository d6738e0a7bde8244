"""`leaderboard.json`: every entry with all its figures, and every task of every entry in a row.

An entry is a batch on one device. The web page shows this and nothing else, the sources of kernels
apart (`details.py`). Keys: docs/json.md.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kernelwright import __version__
from kernelwright.evals import metrics, outcome
from kernelwright.evals.estimate import RESAMPLES, rounded
from kernelwright.evals.outcome import BASELINES
from kernelwright.evals.record import BatchRecord, Device, TaskResult

FORMAT, VERSION = "kernelwright-leaderboard", 1


@dataclass(frozen=True)
class Entry:
    """One batch on one device."""

    id: str
    record: BatchRecord
    device: Device
    results: tuple[TaskResult, ...]


def entries(records: Sequence[BatchRecord]) -> list[Entry]:
    """Every batch on every device that something was done on, best first."""
    found = []
    for record in records:
        used = [d for d in record.devices if any(r.device == d for r in record.results)]
        for number, device in enumerate(used or record.devices[:1]):
            name = record.id if number == 0 else f"{record.id}-{number + 1}"
            found.append(Entry(name, record, device, record.on(device)))
    return sorted(found, key=_rank)


def board(records: Sequence[BatchRecord]) -> dict[str, Any]:
    """The whole object."""
    rows = [_entry(entry) for entry in entries(records)]
    _tell_apart(rows)
    _mark_pareto(rows)
    return {
        "format": FORMAT,
        "version": VERSION,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "kernelwright": __version__,
        "baselines": list(BASELINES),
        "intervals": f"95%, bootstrap over tasks, {RESAMPLES} resamples",
        "entries": rows,
    }


def _rank(entry: Entry) -> tuple[float, str]:
    found = metrics.speed(entry.results, "eager")["geomean_fallback"].value
    return (-(found or 0.0), entry.id)


def _entry(entry: Entry) -> dict[str, Any]:
    record, results = entry.record, entry.results
    return {
        "id": entry.id,
        "batch": record.id,
        "label": record.name,
        "models": list(record.models),
        "suite": record.suite.name,
        "suite_version": record.suite.version,
        "device": entry.device.model_dump(),
        "environment": dict(record.machine.environment),
        "isa": list(record.machine.isa),
        "command": list(record.command),
        "started": record.started,
        "finished": record.finished,
        "n": len(results),
        "states": dict(Counter(r.state for r in results)),
        "audit": _audits(results),
        "spent": _spent(results),
        "figures": metrics.figures(results).to_json(),
        "curves": {
            b: [[c.p, c.value, c.low, c.high] for c in metrics.curve(results, b)] for b in BASELINES
        },
        "slices": {
            name: {
                value: {"n": len(part), **metrics.figures(part).to_json()}
                for value, part in parts.items()
            }
            for name, parts in metrics.slices(results).items()
        },
        "tasks": [_task(r) for r in results],
    }


def _audits(results: Sequence[TaskResult]) -> dict[str, int]:
    """How much of an entry can be relied on, counted in tasks."""
    kernels = [r.best for r in results if r.best]
    warned = sum(any(f.severity == "warning" for f in k.verdict.findings) for k in kernels)
    return {
        "kernels": len(kernels),
        "confirmed": sum(k.confirmed for k in kernels),
        "warned": warned,
        "bundles": sum(k.bundle is not None for k in kernels),
        **{f"tasks_{v}": n for v, n in sorted(Counter(r.audit for r in results).items())},
    }


def _spent(results: Sequence[TaskResult]) -> dict[str, float | int | None]:
    """What all tasks cost together; null where one is not known."""
    begun = [r.spent for r in results if r.state != "not_started"]
    return {
        "usd": _total([s.usd for s in begun]),
        "usd_at_most": _total([s.usd_at_most for s in begun]),
        "tokens": _total([s.tokens for s in begun]),
        "evaluations": sum(s.evaluations for s in begun),
        "wall_s": _total([s.wall_s for s in begun]),
    }


def _total(values: Sequence[float | None]) -> float | None:
    return None if None in values else rounded(sum(v for v in values if v is not None))


def _task(result: TaskResult) -> dict[str, Any]:
    """One row. What is null is told in `reasons`."""
    best = result.best
    row: dict[str, Any] = {
        "task": result.task,
        "hash": result.task_hash,
        "state": result.state,
        "reason": result.reason,
        "audit": result.audit,
        "category": result.category,
        "level": result.level,
        "seed": result.seed,
        "correct": result.correct,
        "attempts": result.attempts.n,
        "accepted": result.attempts.accepted,
        "spent": result.spent.model_dump(),
        "samples": result.samples.model_dump() if result.samples else None,
        "run": result.run,
        "kernel": None,
        "reasons": dict(result.reasons),
    }
    if best is None:
        return row
    verdict = best.verdict
    row["reasons"] |= dict(verdict.reasons)
    row["kernel"] = {
        "candidate": best.candidate,
        "sha256": hashlib.sha256(best.source.encode()).hexdigest(),
        "confirmed": best.confirmed,
        "language": best.language,
        "track": verdict.track,
        "precision": verdict.precision,
        "findings": [{"code": f.code, "severity": f.severity} for f in verdict.findings],
        "time_ms": {name: rounded(value) for name, value in verdict.time_ms.items()},
        "speedup": {b: _speedup(result, b) for b in BASELINES},
        "roofline": rounded(outcome.roofline(result)),
        "bound": verdict.roofline.bound if verdict.roofline else None,
        "floor_ms": rounded(outcome.floor_ms(best)),
        "sol": {b: rounded(outcome.sol(result, b)) for b in BASELINES},
        "generalization": {b: rounded(outcome.generalization(result, b)) for b in BASELINES},
        "own_time_share": rounded(best.own_time_share),
        "path": best.path,
        "bundle": best.bundle,
        "note": best.note,
    }
    return row


def _speedup(result: TaskResult, baseline: outcome.Baseline) -> dict[str, Any] | None:
    assert result.best is not None
    found = outcome.speedup(result.best, baseline)
    if found is None:
        return None
    return {
        "median": rounded(found.median),
        "low": rounded(found.low),
        "high": rounded(found.high),
        "pairs": found.pairs,
    }


def _tell_apart(rows: Sequence[dict[str, Any]]) -> None:
    """Entries of the same label bear their ids too."""
    labels = Counter(row["label"] for row in rows)
    for row in rows:
        if labels[row["label"]] > 1:
            row["label"] = f"{row['label']} ({row['id']})"


def _mark_pareto(rows: Sequence[dict[str, Any]]) -> None:
    """`pareto`: no entry of the same suite and device is both faster and cheaper, in dollars or minutes."""
    for row in rows:
        row["pareto"] = {
            cost: _on_front(row, rows, cost) for cost in ("usd_per_kernel", "minutes_per_kernel")
        }


def _on_front(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], cost: str) -> bool | None:
    """None: cost or speed is unknown."""
    own = _place(row, cost)
    if own is None:
        return None
    for other in rows:
        rival = _place(other, cost)
        comparable = all(other[key] == row[key] for key in ("suite", "suite_version", "device"))
        if rival is None or not comparable:
            continue
        if rival[0] <= own[0] and rival[1] >= own[1] and rival != own:
            return False
    return True


def _place(row: Mapping[str, Any], cost: str) -> tuple[float, float] | None:
    paid = row["figures"][cost]["value"]
    gain = row["figures"]["against"]["eager"]["geomean_fallback"]["value"]
    return None if paid is None or gain is None else (paid, gain)
