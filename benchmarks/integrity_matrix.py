"""Who finds whom out: every attack and every honest look-alike, several runs, by what rejected it.

    python benchmarks/integrity_matrix.py                three runs, evidence in evals/evidence/
    python benchmarks/integrity_matrix.py E45 --runs 1   some of them, printed only

A row of the matrix is an attack, a column a detector, a cell how many of the runs it was rejected there
(or, under `track`, accepted in the track where it belongs). The cascade stops at the first detector that
speaks, so a blank cell says nothing of what a later one would have found. An honest kernel that is
refused, or put into a wrong track, is a false positive.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from rich.progress import track

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "adversaries"))

from corpus import ATTACKS, HONEST, Judge, errors_of, facts_of, misjudged  # noqa: E402

from kernelwright.harness.sandbox import level  # noqa: E402

EVIDENCE = ROOT / "evals" / "evidence" / f"{datetime.date.today()}-integrity-matrix.md"
DETECTORS = {
    "parse": {"syntax", "no_entry", "too_large"},
    "build": {"build_failed"},
    "cage": {"crash", "killed", "exit", "timeout", "left_process", "lockdown_evaded", "protocol"},
    "exception": {"exception"},
    "answer": {"output_count", "wrong_shape", "wrong_dtype", "output"},
    "memory": {
        "input_modified", "output_is_input", "overlapping_output", "reused_output", "out_of_bounds",
        "sanitizer", "shared_output",
    },
    "value": {"wrong_value", "special_values", "precision"},
    "follows": {"stale_weights", "stale_output"},
    "timed": {"layout_changed", "faster_than_possible"},
}  # fmt: skip
COLUMNS = (*DETECTORS, "other", "track", "not faster")


class Row(NamedTuple):
    """One file over all runs: how often each detector spoke, and what was wrong with the verdicts."""

    file: Path
    seen: Counter[str]
    wrong: list[str]


def detector_of(verdict: Mapping[str, Any], facts: Mapping[str, str]) -> str:
    """Which column a verdict belongs to."""
    if verdict["verdict"] == "accepted":
        return "track" if "track" in facts else "not faster"
    codes = {f["code"] for f in errors_of(verdict)}
    if codes == {"stale_output"} and verdict["stage"] == "timing":
        return "timed"
    return next((name for name, known in DETECTORS.items() if codes & known), "other")


def judge_all(files: list[Path], runs: int) -> list[Row]:
    """Every file in every run, one after the other."""
    rows = [Row(file, Counter(), []) for file in files]
    for number in range(runs):
        with Judge() as judge:
            for row in track(rows, f"run {number + 1} of {runs}"):
                answer = judge(row.file)
                wrong = misjudged(row.file, answer)
                if wrong:
                    row.wrong.append(f"run {number + 1}: {wrong}")
                if "verdict" in answer:
                    row.seen[detector_of(answer["verdict"], facts_of(row.file))] += 1
    return rows


def report(rows: list[Row], runs: int, seconds: float) -> str:
    """The evidence as Markdown."""
    attacks = [row for row in rows if row.file in ATTACKS]
    honest = [row for row in rows if row.file in HONEST]
    right = sum(runs - len(row.wrong) for row in attacks)
    refused = sum(len(row.wrong) for row in honest)
    lines = [
        "# Integrity matrix",
        "",
        f"{datetime.datetime.now():%Y-%m-%d %H:%M}, {os.cpu_count()} cores, {platform.machine()}, "
        f"Linux {platform.release()}, Python {platform.python_version()}, torch {torch.__version__}; "
        f"sandbox: {level()}.",
        f"Command: `python {' '.join(['benchmarks/integrity_matrix.py', *sys.argv[1:]])}`, "
        f"{seconds:.0f} s.",
        "",
        f"- {len(attacks)} attacks, {runs} runs: **{right} of {runs * len(attacks)} judged rightly**.",
        f"- {len(honest)} honest look-alikes, {runs} runs: **{refused} false positives** in "
        f"{runs * len(honest)} verdicts.",
        "",
        f"| attack | line | {' | '.join(COLUMNS)} | right |",
        f"|---|---|{'---|' * len(COLUMNS)}---|",
    ]
    for row in attacks:
        cells = " | ".join(str(row.seen[name] or "") for name in COLUMNS)
        name, line = row.file.stem, facts_of(row.file)["line"]
        lines.append(f"| {name} | {line} | {cells} | {runs - len(row.wrong)}/{runs} |")
    totals = " | ".join(str(sum(row.seen[name] for row in attacks)) for name in COLUMNS)
    lines += [f"| **all** | | {totals} | {right}/{runs * len(attacks)} |", ""]
    lines += ["| honest look-alike | accepted |", "|---|---|"]
    lines += [f"| {row.file.stem} | {runs - len(row.wrong)}/{runs} |" for row in honest]
    wrong = [f"- {row.file.stem}, {text}" for row in rows for text in row.wrong]
    return "\n".join([*lines, "", *(["## Misjudged", "", *wrong] if wrong else [])]) + "\n"


def main() -> int:
    """0 when all verdicts are right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="beginnings of file names; default: all")
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    files = [
        file
        for file in [*HONEST, *ATTACKS]
        if not args.names or file.stem.startswith(tuple(args.names))
    ]
    begin = time.monotonic()
    rows = judge_all(files, args.runs)
    text = report(rows, args.runs, time.monotonic() - begin)
    print(text)
    if not args.names:
        EVIDENCE.write_text(text)
    return 1 if any(row.wrong for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
