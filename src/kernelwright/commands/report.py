"""`kernelwright report`: the page of a leaderboard for one optimization, or for one batch."""

from __future__ import annotations

import argparse
from pathlib import Path

from kernelwright.commands.arguments import Subparsers, add_command, add_json
from kernelwright.console import Console
from kernelwright.tasks.errors import UsageError

FILE_NAME = "report.html"


def add_parser(commands: Subparsers) -> None:
    """Declare `report RUN`."""
    parser = add_command(commands, "report", "make a page of one run: kernel, figures, attempts")
    parser.add_argument(
        "run_folder", metavar="RUN", help="the folder of an optimize run or of a batch"
    )
    parser.add_argument(
        "--out", metavar="FILE", help=f"the page (default: {FILE_NAME} in the folder of the run)"
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, console: Console) -> int:
    """Write the page; 0 when it is written."""
    from kernelwright.evals.collect import collect
    from kernelwright.evals.publish import report

    collected = collect([args.run_folder])
    if len(collected.records) != 1:
        raise UsageError(
            f"{args.run_folder} holds {len(collected.records)} batches: give the folder of one, "
            "or make a leaderboard of all"
        )
    for note in collected.notes:
        console.note(note)
    folder = Path(args.run_folder)
    beside = folder / FILE_NAME if folder.is_dir() else folder.with_name(FILE_NAME)
    file = report(collected.records[0], Path(args.out) if args.out else beside)
    console.emit({"page": str(file.resolve())})
    console.show(str(file))
    return 0
