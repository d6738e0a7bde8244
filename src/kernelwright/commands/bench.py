"""`kernelwright bench`: a whole suite, task by task, with a record that is true after each."""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import signal
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any

from kernelwright.agents.settings import MEMORY
from kernelwright.commands.arguments import (
    Subparsers,
    add_command,
    add_json,
    at_least_one,
    positive,
)
from kernelwright.commands.search_options import add_search_options, language_for
from kernelwright.console import Console, complain

if TYPE_CHECKING:
    from kernelwright.bench.display import Board
    from kernelwright.evals.batch import Batch
    from kernelwright.evals.pool import MakeRunner
    from kernelwright.evals.ray_cluster import Cluster

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
    _add_totals(parser)
    # What one task of a suite taught would flatter the next.
    which = os.environ.get("KERNELWRIGHT_MEMORY")
    parser.set_defaults(memory=which if which in MEMORY else "others")
    parser.add_argument(
        "--parallel",
        type=at_least_one,
        metavar="N",
        help="work on N tasks at once; whoever is timed has the machine alone (default: 1; with --ray "
        "two for each node, one for each GPU)",
    )
    parser.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="judge on the devices of a Ray cluster: local, auto, HOST:PORT or ray://HOST:10001; models, "
        "keys and results stay here",
    )
    parser.add_argument(
        "--device",
        metavar="NAME",
        help="what the kernels are for: cpu or cuda; with --ray: which kind of device of the cluster, by a "
        "part of its name (kinds are never mixed), and --language says what for",
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


def _add_totals(parser: argparse.ArgumentParser) -> None:
    """What all tasks together may spend; --budget-… is for each of them."""
    shared = "all tasks together never spend more than"
    parser.add_argument(
        "--total-usd", type=positive, metavar="X", help=f"{shared} X dollars, shared fairly"
    )
    parser.add_argument("--total-tokens", type=at_least_one, metavar="N", help=f"{shared} N tokens")
    parser.add_argument(
        "--total-evals", type=at_least_one, metavar="N", help=f"{shared} N evaluations"
    )
    parser.add_argument(
        "--total-minutes",
        type=positive,
        metavar="M",
        help=f"{shared} M minutes of search (those of tasks side by side add up)",
    )


def run(args: argparse.Namespace, console: Console) -> int:
    """Run the batch, or what is left of it; the status says how it ended."""
    with _cluster(args, console) as cluster:
        return _run(args, console, cluster)


@contextlib.contextmanager
def _cluster(args: argparse.Namespace, console: Console) -> Iterator[Cluster | None]:
    """The Ray cluster that is asked for. Raises UsageError."""
    if args.ray is None:
        args.language, args.device = language_for(args.language, args.device), None
        yield None
        return
    from kernelwright.evals.ray_cluster import join

    console.note(f"looking at the nodes of the Ray cluster {args.ray}")
    cluster = join(args.ray, args.device)
    try:
        for node in cluster.nodes():
            console.note(f"node {node.address}: {node.device.name}, {node.places} places")
        yield cluster
    finally:
        cluster.close()


def _run(args: argparse.Namespace, console: Console, cluster: Cluster | None) -> int:
    from kernelwright.bench.display import shown
    from kernelwright.bench.plan import plan
    from kernelwright.bench.summary import write_summary
    from kernelwright.bench.units import Judgements, Searches
    from kernelwright.evals.batch import Batch
    from kernelwright.tasks.errors import UsageError

    asked = plan(args, cluster)
    slots = args.parallel or (cluster.usual if cluster else 1)
    begun = (asked.folder / "batch.json").is_file()
    if args.resume and not begun:
        raise UsageError(f"nothing to resume in {asked.folder}: start without --resume")
    for refusal in asked.refused:
        console.note(f"{refusal.name} is left out: {refusal.reason}")
    if asked.kernels and asked.kernels.strangers:
        first = asked.kernels.strangers[0].name
        console.note(
            f"{len(asked.kernels.strangers)} files name no task of the suite, {first} first"
        )
    work = Judgements(asked) if asked.kernels else Searches(asked)
    runner: MakeRunner | None = None
    if cluster is not None:
        from kernelwright.evals.ray_pool import RayPool

        runner = functools.partial(RayPool, cluster)
    with shown(asked.record, slots, console.stderr, work.purse) as board:
        batch = Batch(
            asked.folder,
            asked.record,
            work.unit,
            work.result,
            board,
            after=lambda record: write_summary(record, asked.folder),
            runner=runner,
            purse=work.purse,
        )
        with _interruptible(batch, board):
            record = batch.run(slots)
    write_summary(record, asked.folder)
    console.emit(record.model_dump(mode="json"))
    return _conclude(batch, console)


def _conclude(batch: Batch, console: Console) -> int:
    """Tell how it ended, and give the status."""
    from kernelwright.evals.purse import SPENT_UP

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
    unpaid = [r for r in results if r.task in left and (r.reason or "").startswith(SPENT_UP)]
    if unpaid and len(unpaid) == len(left):
        console.note(f"{len(left)} of {len(results)} tasks are left: {unpaid[0].reason}")
        return DONE if any(r.correct for r in results) else NOTHING_ACCEPTED
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
