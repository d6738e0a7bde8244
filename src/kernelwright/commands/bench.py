"""`kernelwright bench`: a whole suite, task by task, with a record that is true after each."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any

from kernelwright.agents.settings import MEMORY
from kernelwright.commands.arguments import Subparsers, add_command, add_json, at_least_one
from kernelwright.commands.search_options import add_search_options
from kernelwright.console import Console, complain

if TYPE_CHECKING:
    from kernelwright.bench.display import Board
    from kernelwright.evals.batch import Batch

DEFAULT_OUT = "kernels_out/bench"
DONE, NOTHING_ACCEPTED, MACHINE_FAILED, INTERRUPTED = 0, 1, 3, 130


def add_parser(commands: Subparsers) -> None:
    """Declare `bench SUITE`."""
    parser = add_command(commands, "bench", "make every operator of a suite faster, and keep score")
    parser.add_argument("suite", metavar="SUITE", help="a suite of `tasks list`")
    parser.add_argument(
        "--tasks",
        action="append",
        metavar="PATTERN[,PATTERN]",
        help="only these tasks of it: names, * and ? allowed",
    )
    parser.add_argument(
        "--kernels",
        metavar="DIR",
        help="search nothing: judge the kernels in DIR (TASK.py, TASK__SAMPLE.py, TASK/*.py)",
    )
    add_search_options(parser)
    # What one task of a suite taught would flatter the next.
    which = os.environ.get("KERNELWRIGHT_MEMORY")
    parser.set_defaults(memory=which if which in MEMORY else "others")
    parser.add_argument(
        "--parallel",
        type=at_least_one,
        default=1,
        metavar="N",
        help="work on N tasks at once; whoever is timed has the machine alone (default: 1)",
    )
    parser.add_argument(
        "--name", help="name of the batch's folder (default: made from what is asked)"
    )
    parser.add_argument(
        "--out",
        default=DEFAULT_OUT,
        metavar="DIR",
        help=f"where the batch's folder goes (default: {DEFAULT_OUT})",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with a batch that must be there (the same command goes on anyway)",
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, console: Console) -> int:
    """Run the batch, or what is left of it; the status says how it ended."""
    from kernelwright.bench.display import shown
    from kernelwright.bench.plan import plan
    from kernelwright.bench.summary import write_summary
    from kernelwright.bench.units import Judgements, Searches
    from kernelwright.evals.batch import Batch
    from kernelwright.tasks.errors import UsageError

    asked = plan(args)
    begun = (asked.folder / "batch.json").is_file()
    if args.resume and not begun:
        raise UsageError(f"nothing to resume in {asked.folder}: start without --resume")
    if asked.kernels and asked.kernels.strangers:
        first = asked.kernels.strangers[0].name
        console.note(
            f"{len(asked.kernels.strangers)} files name no task of the suite, {first} first"
        )
    work = Judgements(asked) if asked.kernels else Searches(asked)
    with shown(asked.record, args.parallel, console.stderr) as board:
        batch = Batch(
            asked.folder,
            asked.record,
            work.unit,
            work.result,
            board,
            after=lambda record: write_summary(record, asked.folder),
        )
        with _interruptible(batch, board):
            record = batch.run(args.parallel)
    write_summary(record, asked.folder)
    console.emit(record.model_dump(mode="json"))
    return _conclude(batch, console)


def _conclude(batch: Batch, console: Console) -> int:
    """Tell how it ended, and give the status."""
    (device,) = batch.record.devices
    results = batch.record.on(device)
    console.show((batch.folder / "summary.md").read_text(encoding="utf-8"))
    console.show(f"{batch.folder / 'batch.json'}")
    left = batch.left()
    if batch.stopped:
        complain(
            f"interrupted with {len(left)} of {len(results)} tasks left; the same command goes on"
        )
        return INTERRUPTED
    if left:
        first = next(r for r in results if r.task == left[0])
        complain(
            f"{len(left)} of {len(results)} tasks failed, {first.task} first ({first.reason}); "
            "the same command tries them again"
        )
        return MACHINE_FAILED
    return DONE if any(r.correct for r in results) else NOTHING_ACCEPTED


@contextlib.contextmanager
def _interruptible(batch: Batch, board: Board) -> Iterator[None]:
    """The first Ctrl-C (or SIGTERM) asks the tasks that run to stop, the second ends them at once."""

    def handle(number: int, frame: FrameType | None) -> None:
        again, board.stopping = board.stopping, True
        batch.stop(signal.SIGKILL if again else signal.SIGINT)

    signals = (signal.SIGINT, signal.SIGTERM)
    before: list[Any] = [signal.signal(number, handle) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
