"""Does the judge measure what is there? Copies measure 1.0, and the same kernel measures the same.

    python benchmarks/judge_stability.py              all of it, evidence in evals/evidence/
    python benchmarks/judge_stability.py --runs 2     fewer runs, printed only

1. A copy of the reference, which is as fast as eager: how often 1.0 lies in the interval that is stated.
2. One kernel judged again and again, each time by a new Evaluator with new inputs: how often the median
   of one judgement lies in the interval of another, and of all medians together.
3. The judge's own cost: seconds of one evaluation in the loop.

Judgements are final ones (`kernelwright verify`, but without torch.compile), those of 3 are of the loop.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import os
import platform
import re
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.progress import track

from kernelwright.harness.candidate import Candidate
from kernelwright.harness.evaluate import Evaluator
from kernelwright.harness.verdict import Speedup
from kernelwright.tasks.load import load_task

ROOT = Path(__file__).resolve().parents[1]
EVIDENCE = ROOT / "evals" / "evidence" / f"{datetime.date.today()}-judge-stability.md"
COPIED = ("core/bias_gelu_erf", "core/softmax", "core/matmul_bias_gelu", "core/layer_norm")
KERNELS = ROOT / "tests" / "adversaries" / "honest"
JUDGED_AGAIN = ("bias_gelu", "gather")
COPY_RUNS, KERNEL_RUNS, LOOP_RUNS = 20, 10, 20


@dataclass(frozen=True)
class Row:
    """One final judgement."""

    task: str
    speedup: Speedup
    seconds: float
    busy: bool


def judged(task: str, source: str, runs: int) -> Iterator[Row]:
    """Final judgements by evaluators of their own. Raises RuntimeError when one refuses."""
    for _ in range(runs):
        with Evaluator(load_task(task)) as evaluator:
            evaluator._crew.compile_reason = "not compared with here"
            begin = time.perf_counter()
            verdict = evaluator.evaluate(Candidate(source), effort="final")
            seconds = time.perf_counter() - begin
        found = verdict.speedup.get("eager")
        if found is None:
            raise RuntimeError(f"{task}: {verdict.errors}")
        busy = any(f.code == "busy_machine" for f in verdict.findings)
        yield Row(task, found, seconds, busy)


def copy_of(task: str) -> str:
    """The reference as a candidate."""
    return re.sub(r"\bModel\b", "ModelNew", load_task(task).source)


def loop_seconds(task: str, source: str, runs: int) -> list[float]:
    """Wall time of evaluations in the loop, of kernels that differ in a comment."""
    found = []
    with Evaluator(load_task(task)) as evaluator:
        for i in range(runs):
            begin = time.perf_counter()
            verdict = evaluator.evaluate(Candidate(f"{source}\n# {i}\n"))
            found.append(time.perf_counter() - begin)
            if not verdict.accepted:
                raise RuntimeError(f"{task}: {verdict.errors}")
    return found


def table(rows: list[Row]) -> list[str]:
    """One line a judgement."""
    lines = ["| task | median | low | high | s | busy |", "|---|---|---|---|---|---|"]
    return lines + [
        f"| {Path(r.task).stem} | {r.speedup.median:.3f} | {r.speedup.low:.3f} | {r.speedup.high:.3f} "
        f"| {r.seconds:.1f} | {'yes' if r.busy else ''} |"
        for r in rows
    ]


def agreement(rows: list[Row]) -> tuple[int, int, int]:
    """In how many ordered pairs one's median lies in the other's interval, of how many.

    And how many intervals hold the median of all medians.
    """
    centre = statistics.median(r.speedup.median for r in rows)
    pairs = list(itertools.permutations(rows, 2))
    agree = sum(b.speedup.low <= a.speedup.median <= b.speedup.high for a, b in pairs)
    return agree, len(pairs), sum(r.speedup.low <= centre <= r.speedup.high for r in rows)


def main() -> int:
    """0 when copies measure 1.0 in 19 of 20 runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, help="runs of each kind; default: as the text says")
    args = parser.parse_args()
    copy_runs = (args.runs or COPY_RUNS) // (1 if args.runs else len(COPIED)) or 1
    begin = time.monotonic()
    copies = [
        row
        for task in track(COPIED, "copies of the reference")
        for row in judged(task, copy_of(task), copy_runs)
    ]
    covered = sum(r.speedup.low <= 1.0 <= r.speedup.high for r in copies)
    lines = [
        "# Stability of the judge",
        "",
        f"{datetime.datetime.now():%Y-%m-%d %H:%M}, {os.cpu_count()} cores, {platform.machine()}, "
        f"Python {platform.python_version()}, torch {torch.__version__}.",
        f"Command: `python {' '.join(['benchmarks/judge_stability.py', *sys.argv[1:]])}`.",
        "",
        "## A copy of the reference",
        "",
        f"1.0 lies in the interval of **{covered} of {len(copies)}** judgements.",
        "",
        *table(copies),
        "",
        "## The same kernel again and again",
        "",
    ]
    for name in track(JUDGED_AGAIN, "the same kernel again"):
        kernel = KERNELS / f"{name}.py"
        task = str(KERNELS.parent / "tasks" / f"{name}.py")
        rows = list(judged(task, kernel.read_text(), args.runs or KERNEL_RUNS))
        agree, pairs, hold = agreement(rows)
        medians = [r.speedup.median for r in rows]
        lines += [
            f"{name}: medians {min(medians):.3f} to {max(medians):.3f}; **{hold} of {len(rows)}** "
            f"intervals hold the median of all medians, {agree} of {pairs} pairs agree.",
            "",
            *table(rows),
            "",
        ]
    seconds = loop_seconds(
        str(KERNELS.parent / "tasks" / "bias_gelu.py"),
        (KERNELS / "bias_gelu.py").read_text(),
        args.runs or LOOP_RUNS,
    )
    lines += [
        "## One evaluation in the loop",
        "",
        f"bias_gelu 128 x 512: median {statistics.median(seconds):.2f} s, slowest {max(seconds):.2f} s "
        f"of {len(seconds)}, builds cached.",
        "",
        f"All of it took {time.monotonic() - begin:.0f} s.",
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    if not args.runs:
        EVIDENCE.write_text(text)
    return 0 if covered >= 0.95 * len(copies) else 1


if __name__ == "__main__":
    sys.exit(main())
