"""`kernelwright tasks`: what operators are bundled, and what is known of one."""

from __future__ import annotations

import argparse
from typing import Any

from kernelwright.commands.arguments import Subparsers, add_command, add_json
from kernelwright.console import Console
from kernelwright.tasks.load import list_suite, load_task, suites
from kernelwright.tasks.task import Task


def add_parser(commands: Subparsers) -> None:
    """Declare `tasks list [SUITE]` and `tasks show TASK`."""
    parser = add_command(commands, "tasks", "list the bundled tasks, or show one")
    add_json(parser)
    parser.set_defaults(run=_list, suite=None)
    actions = parser.add_subparsers(metavar="ACTION")
    listing = actions.add_parser("list", help="list the tasks of a suite, or of all (the default)")
    listing.add_argument("suite", nargs="?", metavar="SUITE", help=f"one of: {', '.join(suites())}")
    listing.set_defaults(run=_list)
    showing = actions.add_parser("show", help="show a task: what is known of it, and its source")
    showing.add_argument("task", metavar="TASK", help="a .py file, or a name from `tasks list`")
    showing.set_defaults(run=_show)
    for action in (listing, showing):
        action.add_argument("--json", action="store_true", default=argparse.SUPPRESS)


def _list(args: argparse.Namespace, console: Console) -> int:
    names = [args.suite] if args.suite else suites()
    tasks = [task for name in names for task in list_suite(name)]
    console.emit({"tasks": [_as_json(task) for task in tasks]})
    width = max((len(task.name) for task in tasks), default=0)
    kinds = max((len(task.meta.category) for task in tasks), default=0)
    for task in tasks:
        console.show(
            f"{task.name:{width}}  {task.meta.category:{kinds}}  {task.meta.title}".rstrip()
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
    }
