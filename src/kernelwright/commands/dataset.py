"""`kernelwright dataset`: what runs have found, as JSONL to train models on."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from kernelwright.commands.arguments import (
    Subparsers,
    add_command,
    add_json,
    at_least_one,
    positive,
)
from kernelwright.console import Console

if TYPE_CHECKING:
    from kernelwright.evals.dataset.export import Counts

DONE, NOTHING = 0, 1
_FORMATS = ("sft", "rl", "preferences", "raw")


def add_parser(commands: Subparsers) -> None:
    """Declare `dataset RUN_OR_BATCH...`."""
    parser = add_command(
        commands, "dataset", "write what runs have found as data to train models on"
    )
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="RUN_OR_BATCH",
        help="folders of runs, of batches, or of many of them",
    )
    parser.add_argument("--out", required=True, metavar="FILE.jsonl", help="the file to write")
    parser.add_argument(
        "--format",
        choices=_FORMATS,
        default="raw",
        help="shape of the rows (default: raw, everything)",
    )
    parser.add_argument(
        "--prompt",
        choices=("sent", "task"),
        default="sent",
        help="the prompt as it was sent, where the run has kept it, or that of a first turn (default: sent)",
    )
    parser.add_argument("--correct", action="store_true", help="only what the harness accepted")
    parser.add_argument(
        "--concise",
        type=at_least_one,
        metavar="N",
        help="only answers of at most N characters, reasoning included",
    )
    parser.add_argument(
        "--dedupe",
        action="store_true",
        help="each kernel of a task once, layout and comments aside",
    )
    parser.add_argument(
        "--min-speedup",
        type=positive,
        metavar="X",
        help="only kernels whose interval against eager lies above X",
    )
    parser.add_argument(
        "--holdout",
        type=_share,
        default=0.0,
        metavar="SHARE",
        help="so many of the operators, by their hash, go to FILE.test.jsonl and no row of theirs to FILE",
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, console: Console) -> int:
    """Write the rows; 1 where there are none."""
    from kernelwright.evals.dataset.export import Choice, export, held_out_file, runs_of
    from kernelwright.work_bar import bar

    out = Path(args.out).expanduser()
    choice = Choice(
        shape=args.format,
        which=args.prompt,
        correct=args.correct,
        concise=args.concise,
        dedupe=args.dedupe,
        min_speedup=args.min_speedup,
        holdout=args.holdout,
    )
    runs = runs_of(args.paths)
    with bar(console.stderr, len(runs)) as shown:
        counts = export(runs, choice, out, shown.step)
    console.emit(_as_json(counts, out, held_out_file(out) if args.holdout else None))
    for line in _lines(counts, args.holdout):
        console.note(line)
    console.show(str(out))
    if args.holdout:
        console.show(str(held_out_file(out)))
    return DONE if counts.train or counts.test else NOTHING


def _lines(counts: Counts, holdout: float) -> list[str]:
    said = [f"{counts.runs} runs, {counts.samples} candidates, {counts.train + counts.test} rows"]
    if counts.left_out:
        left = ", ".join(f"{n} {why}" for why, n in sorted(counts.left_out.items()))
        said.append(f"left out: {left}")
    if holdout:
        train, test = (len(counts.operators[split]) for split in ("train", "test"))
        said.append(
            f"train: {counts.train} rows of {train} operators; "
            f"test: {counts.test} rows of {test} operators"
        )
    return said


def _as_json(counts: Counts, out: Path, test: Path | None) -> dict[str, object]:
    return {
        "out": str(out),
        "test": None if test is None else str(test),
        "runs": counts.runs,
        "candidates": counts.samples,
        "rows": {"train": counts.train, "test": counts.test},
        "operators": {split: len(found) for split, found in counts.operators.items()},
        "left_out": dict(counts.left_out),
    }


def _share(text: str) -> float:
    """A number from 0 up to, not including, 1."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share: give a number from 0 to below 1")
    return number
