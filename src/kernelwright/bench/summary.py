"""The summary of a batch as it stands: `summary.md`, written anew after every task."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kernelwright.bench.display import outcome
from kernelwright.evals import metrics
from kernelwright.evals.estimate import Estimate
from kernelwright.evals.record import BatchRecord, TaskResult

FIGURES = ("fast_0", "fast_1", "fast_1.5", "fast_2", "geomean_all", "geomean_correct", "median")


def write_summary(record: BatchRecord, folder: Path) -> None:
    """Put the whole file in place, or leave the old one."""
    new = folder / ".summary.new"
    new.write_text("\n".join(_lines(record)) + "\n", encoding="utf-8")
    new.replace(folder / "summary.md")


def _lines(record: BatchRecord) -> Iterator[str]:
    (device,) = record.devices
    results = record.on(device)
    finished = sum(r.state != "not_started" for r in results)
    yield f"# {record.suite.name} by {record.name}"
    yield ""
    yield f"{finished} of {len(results)} tasks finished; device {device.name}, begun {record.started}."
    yield f"Suite version {record.suite.version}. Denominator of every figure: {len(results)} tasks."
    yield ""
    yield "| figure | against eager | against torch.compile |"
    yield "|---|---|---|"
    eager, compiled = (metrics.speed(results, b) for b in ("eager", "compile"))
    for name in FIGURES:
        yield f"| {name} | {_figure(eager[name])} | {_figure(compiled[name])} |"
    yield ""
    yield "| task | category | outcome | track | candidates | spent |"
    yield "|---|---|---|---|---|---|"
    for result in results:
        yield _row(result)


def _row(result: TaskResult) -> str:
    track = result.best.verdict.track if result.best else None
    usd = result.spent.usd
    cells = [
        result.task,
        result.category or "",
        outcome(result).replace("|", "/"),
        track or "",
        f"{result.attempts.accepted} of {result.attempts.n}",
        "" if usd is None else f"${usd:.2f}",
    ]
    return f"| {' | '.join(cells)} |"


def _figure(figure: Estimate) -> str:
    if figure.value is None:
        return figure.reason or "unknown"
    if figure.low is None or figure.high is None:
        return f"{figure.value:.3g}"
    return f"{figure.value:.3g} [{figure.low:.3g}, {figure.high:.3g}]"
