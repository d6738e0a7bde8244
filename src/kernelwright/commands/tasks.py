"""`kernelwright tasks`: what operators are bundled, what is known of one, and whether it is sound."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kernelwright.commands.arguments import Subparsers, add_command, add_json, at_least_one, seed
from kernelwright.console import Console
from kernelwright.tasks import audits
from kernelwright.tasks.audits import AuditRecord
from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.load import list_suite, load_task, suites
from kernelwright.tasks.task import Task
from kernelwright.work_bar import bar


def add_parser(commands: Subparsers) -> None:
    """Declare `tasks list [SUITE]`, `tasks show TASK` and `tasks audit SUITE_OR_TASK`."""
    parser = add_command(commands, "tasks", "list the bundled tasks, show one, or audit them")
    add_json(parser)
    parser.set_defaults(run=_list, suite=None)
    actions = parser.add_subparsers(metavar="ACTION")
    listing = actions.add_parser("list", help="list the tasks of a suite, or of all (the default)")
    listing.add_argument("suite", nargs="?", metavar="SUITE", help=f"one of: {', '.join(suites())}")
    listing.set_defaults(run=_list)
    showing = actions.add_parser("show", help="show a task: what is known of it, and its source")
    showing.add_argument("task", metavar="TASK", help="a .py file, or a name from `tasks list`")
    showing.set_defaults(run=_show)
    auditing = actions.add_parser(
        "audit", help="try whether a kernel that leaves work out would pass; status 1 if one would"
    )
    auditing.add_argument(
        "tasks", metavar="SUITE_OR_TASK", help="a suite, a .py file, or a name from `tasks list`"
    )
    auditing.add_argument("--out", type=Path, metavar="FILE", help="write the JSON object here too")
    auditing.add_argument("--seed", type=seed, default=0, metavar="N", help="default: 0")
    auditing.add_argument(
        "--most", type=at_least_one, metavar="N", help="mutants of one task (default: 300)"
    )
    auditing.set_defaults(run=_audit)
    for action in (listing, showing, auditing):
        action.add_argument("--json", action="store_true", default=argparse.SUPPRESS)


def _list(args: argparse.Namespace, console: Console) -> int:
    names = [args.suite] if args.suite else suites()
    tasks = [task for name in names for task in list_suite(name)]
    console.emit({"tasks": [_as_json(task) for task in tasks]})
    width = max((len(task.name) for task in tasks), default=0)
    kinds = max((len(task.meta.category) for task in tasks), default=0)
    for task in tasks:
        console.show(
            f"{task.name:{width}}  {_soundness(task):9}  {task.meta.category:{kinds}}"
            f"  {task.meta.title}".rstrip()
        )
    return 0


def _show(args: argparse.Namespace, console: Console) -> int:
    task = load_task(args.task)
    console.emit({**_as_json(task), "source": task.source})
    facts = {key: value for key, value in _as_json(task).items() if value not in (None, "", [])}
    for key, value in facts.items():
        console.show(f"# {key}: {value}")
    console.show(f"\n{task.source.rstrip()}")
    return 0


def _audit(args: argparse.Namespace, console: Console) -> int:
    """Audit one task or a suite; 0 when all are sound, 1 when some are weak."""
    tasks = list_suite(args.tasks) if args.tasks in suites() else [load_task(args.tasks)]
    from kernelwright.harness.audit import MOST_MUTANTS, audit

    width = max(len(task.name) for task in tasks)
    heading = f"{'task':{width}}  mutants  killed  equivalent  survivors  verdict"
    console.show(heading)
    records: list[AuditRecord] = []
    faults: list[str] = []
    with bar(console.stderr, len(tasks)) as progress:
        for task in tasks:
            try:
                record = audit(
                    task,
                    seed=args.seed,
                    most_mutants=args.most or MOST_MUTANTS,
                    progress=progress.step(task.name),
                )
            except TaskError as error:
                if len(tasks) == 1:
                    raise
                faults.append(str(error))
                continue
            audits.keep(record)
            records.append(record)
            for line in _row(record, width):
                console.show(line)
    if args.out is not None:
        audits.write(args.out, records)
    result = audits.summary(records)
    console.emit(result)
    if faults:
        raise TaskError(
            f"{len(faults)} of {len(tasks)} tasks cannot be judged; the first: {faults[0]}"
        )
    if len(tasks) > 1:
        console.show(f"{result['sound']} sound, {result['weak']} weak")
    return 1 if result["weak"] else 0


def _row(record: AuditRecord, width: int) -> Iterator[str]:
    """The table's line of one task; below it what survived and what was not tried."""
    yield (
        f"{record.task:{width}}  {record.mutants:7}  {record.killed:6}  {len(record.equivalent):10}"
        f"  {len(record.survivors):9}  {record.verdict}"
    )
    for mutant in record.survivors:
        line = f" line {mutant.line}:" if mutant.line else ""
        yield f"    survives ({mutant.kind}):{line} {mutant.name}"
    if record.left_out:
        yield f"    {record.left_out} mutants were left out: --most, or the time, was reached"


def _soundness(task: Task) -> str:
    record = audits.recorded(task)
    return record.verdict if record else "unaudited"


def _as_json(task: Task) -> dict[str, Any]:
    meta = task.meta
    return {
        "task": task.name,
        "path": str(task.path) if task.path else None,
        "hash": task.hash,
        "title": meta.title,
        "category": meta.category,
        "level": meta.level,
        "tolerance": meta.tolerance,
        "dtypes": list(meta.dtypes),
        "backward": meta.backward,
        "shapes": [dict(variant) for variant in meta.shapes],
        "operations": meta.operations,
        "bytes_moved": meta.bytes_moved,
        "audit": _soundness(task),
    }
