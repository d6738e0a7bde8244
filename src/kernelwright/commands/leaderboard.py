"""`kernelwright leaderboard`: what batches and runs came to, as data, tables and a page of its own."""

from __future__ import annotations

import argparse
from pathlib import Path

from kernelwright.commands.arguments import Subparsers, add_command, add_json
from kernelwright.console import Console

DEFAULT_OUT = "leaderboard"


def add_parser(commands: Subparsers) -> None:
    """Declare `leaderboard RUN...`."""
    parser = add_command(commands, "leaderboard", "make a leaderboard of batches and runs")
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="RUN",
        help="a batch.json, the folder of a batch or of an optimize run, or a folder of such",
    )
    parser.add_argument(
        "--out",
        default=DEFAULT_OUT,
        metavar="DIR",
        help=f"where leaderboard.json, .csv, .md and index.html go (default: {DEFAULT_OUT})",
    )
    parser.add_argument("--title", metavar="TEXT", help="what the page calls itself")
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, console: Console) -> int:
    """Write the four files; 0 when they are written."""
    from kernelwright.evals.collect import collect
    from kernelwright.evals.publish import TITLE, publish

    collected = collect(args.runs)
    for note in collected.notes:
        console.note(note)
    written = publish(collected.records, Path(args.out), args.title or TITLE)
    rows = written.board["entries"]
    console.emit(
        {
            "files": [str(file.resolve()) for file in written.files],
            "entries": [{key: row[key] for key in ("id", "label", "n", "figures")} for row in rows],
        }
    )
    for row in rows:
        correct = row["figures"]["correct"]["value"]
        gain = row["figures"]["against"]["eager"]["geomean_all"]["value"]
        speed = "speed unknown" if gain is None else f"{gain:.2f}x geomean against eager"
        console.show(f"{row['label']}: {correct:.0%} of {row['n']} tasks correct, {speed}")
    for file in written.files:
        console.show(str(file))
    return 0
