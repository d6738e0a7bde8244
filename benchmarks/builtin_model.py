"""The built-in model over the core suite: what `kernelwright optimize` gives with no key and no GPU.

Runs the command for every task as a user would, one after the other, and reads its JSON. The speedups
are those of the champion's confirmation: a clean process, new inputs, eager, torch.compile and the
champion timed in interleaved pairs in one run. A task without a champion counts as a loss and is shown.

    python benchmarks/builtin_model.py                    all tasks, evidence in evals/evidence/
    python benchmarks/builtin_model.py softmax rope       some tasks, printed only
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from kernelwright.tasks.load import list_suite

EVIDENCE = Path(__file__).resolve().parents[1] / "evals" / "evidence"


@dataclass(frozen=True)
class Row:
    """One task's outcome. `eager` and `compile` are (median, low, high) or None."""

    task: str
    exit_status: int
    seconds: float
    evaluations: int | None
    stop: str | None
    track: str | None
    eager: tuple[float, float, float] | None
    compile: tuple[float, float, float] | None


@dataclass(frozen=True)
class Mean:
    """Geometric mean with its 95% bootstrap interval over tasks."""

    value: float
    low: float
    high: float
    tasks: int


def geometric_mean(ratios: Sequence[float]) -> Mean:
    """exp of the mean logarithm; resampled over tasks 10,000 times."""
    logs = np.log(np.array(ratios))
    draws = np.random.default_rng(0).integers(0, len(logs), (10_000, len(logs)))
    low, high = np.quantile(logs[draws].mean(axis=1), [0.025, 0.975])
    return Mean(float(np.exp(logs.mean())), float(np.exp(low)), float(np.exp(high)), len(ratios))


def optimize(task: str, out: Path, options: Sequence[str]) -> Row:
    """One run of the command line in a process of its own."""
    command = [sys.executable, "-m", "kernelwright", "optimize", task, "--json", "--out", str(out)]
    begin = time.monotonic()
    done = subprocess.run([*command, *options], capture_output=True, text=True)
    seconds = time.monotonic() - begin
    if done.returncode not in (0, 1):
        print(f"{task}: exit status {done.returncode}: {done.stderr[-500:]}", file=sys.stderr)
        return Row(task, done.returncode, seconds, None, None, None, None, None)
    result: dict[str, Any] = json.loads(done.stdout)
    champion = result["champion"]
    return Row(
        task,
        done.returncode,
        seconds,
        result["spent"]["evaluations"],
        result["stop"]["reason"],
        champion and champion["track"],
        _interval(champion, "eager"),
        _interval(champion, "compile"),
    )


def _interval(champion: Any, baseline: str) -> tuple[float, float, float] | None:
    speedup = champion and champion["speedup"].get(baseline)
    return (speedup["median"], speedup["low"], speedup["high"]) if speedup else None


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """Counts, and geometric means over the tasks with a champion."""
    eager = [r.eager[0] for r in rows if r.eager]
    compiled = [r.compile[0] for r in rows if r.compile]
    return {
        "tasks": len(rows),
        "champions": len(eager),
        "published_slower_than_eager": sum(r.eager[1] <= 1 for r in rows if r.eager),
        "geomean_eager": asdict(geometric_mean(eager)) if eager else None,
        "geomean_compile": asdict(geometric_mean(compiled)) if compiled else None,
        "faster_than_compile": sum(r.compile[1] > 1 for r in rows if r.compile),
        "slower_than_compile": sum(r.compile[2] < 1 for r in rows if r.compile),
        "longest_seconds": max(r.seconds for r in rows),
    }


def markdown(rows: Sequence[Row], machine: dict[str, Any]) -> str:
    """The report: every task, losses too."""
    totals = summary(rows)
    lines = [
        "# The built-in model over the core suite",
        "",
        f"{machine['date']}, {machine['cpu']}, {machine['cores']} cores, torch {machine['torch']}. ",
        f"Command: `{machine['command']}`",
        "",
        f"Champions on {totals['champions']} of {totals['tasks']} tasks; "
        f"published slower than eager: {totals['published_slower_than_eager']}.",
        "",
        "| geometric mean over tasks with a champion | value | 95% interval |",
        "|---|---|---|",
    ]
    for name in ("eager", "compile"):
        mean = totals[f"geomean_{name}"]
        if mean:
            lines.append(
                f"| against {name} | {mean['value']:.2f}x | {mean['low']:.2f} to {mean['high']:.2f} |"
            )
    lines += [
        "",
        "| task | against eager | against torch.compile | track | evaluations | seconds | stopped |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in sorted(rows, key=lambda r: -(r.eager[0] if r.eager else 0.0)):
        lines.append(
            f"| {row.task} | {_cell(row.eager)} | {_cell(row.compile)} | {row.track or ''} "
            f"| {row.evaluations if row.evaluations is not None else 'unknown'} "
            f"| {row.seconds:.0f} | {row.stop or f'exit status {row.exit_status}'} |"
        )
    return "\n".join(lines) + "\n"


def _cell(interval: tuple[float, float, float] | None) -> str:
    return "no champion" if interval is None else "{:.2f}x [{:.2f}, {:.2f}]".format(*interval)


def machine(command: str) -> dict[str, Any]:
    """Where and when this was measured."""
    import torch

    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    names = [line.partition(":")[2].strip() for line in info.splitlines() if "model name" in line]
    return {
        "date": datetime.date.today().isoformat(),
        "cpu": names[0] if names else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "command": command,
    }


def main() -> None:
    """Run, print, and keep the evidence of a full run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tasks", nargs="*", help="names of core tasks; default: all")
    parser.add_argument("--budget-minutes", type=float, help="default: the command's own")
    given = parser.parse_args()
    names = [t.name for t in list_suite("core")]
    chosen = [n for n in names if not given.tasks or n.rpartition("/")[2] in given.tasks]
    options = ["--budget-minutes", str(given.budget_minutes)] if given.budget_minutes else []
    rows = []
    with tempfile.TemporaryDirectory() as out:
        for name in track(chosen, "optimizing"):
            rows.append(optimize(name, Path(out), options))
            row = rows[-1]
            print(
                f"{row.task}: eager {_cell(row.eager)}, compile {_cell(row.compile)}, {row.seconds:.0f} s",
                flush=True,
            )
    command = " ".join(["python benchmarks/builtin_model.py", *sys.argv[1:]])
    where = machine(command)
    text = markdown(rows, where)
    print(text)
    if len(chosen) == len(names):
        EVIDENCE.mkdir(parents=True, exist_ok=True)
        data = {"machine": where, "summary": summary(rows), "rows": [asdict(r) for r in rows]}
        stem = EVIDENCE / f"{where['date']}-builtin-model"
        stem.with_suffix(".json").write_text(json.dumps(data, indent=1) + "\n")
        stem.with_suffix(".md").write_text(text)


if __name__ == "__main__":
    main()
