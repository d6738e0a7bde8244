"""`kernelwright tasks`: what operators are bundled, what is known of one, and whether it is sound."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kernelwright.commands.arguments import Subparsers, add_command, add_json, at_least_one, seed
from kernelwright.commands.tasks_import import add_import
from kernelwright.commands.tasks_new import add_new
from kernelwright.console import Console
from kernelwright.tasks import audits
from kernelwright.tasks.audits import AuditRecord
from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.generated import GENERATED
from kernelwright.tasks.load import (
    is_suite,
    list_suite,
    load_suite,
    load_task,
    suite_of,
    suites,
)
from kernelwright.tasks.loaders.loader import Loaded
from kernelwright.tasks.task import Task
from kernelwright.tasks.versions import suite_version
from kernelwright.work_bar import bar

SUITES = (
    "one of: {}; or a part of one: SUITE-mini, SUITE-40-seed7; or SUITE-full; or a checkout of another"
    " suite: PATH, or kernelbench-cpu:PATH (docs/suites.md)"
)

DRAW = "hgemm-cpu-12-seed1"
"""Made by code, and small enough to run anywhere: checked as a sample of its kind."""


def add_parser(commands: Subparsers) -> None:
    """Declare `tasks list [SUITE]`, `tasks show TASK`, and `tasks audit` and `check SUITE_OR_TASK`."""
    parser = add_command(
        commands, "tasks", "list the bundled tasks, show, audit, check or write one"
    )
    add_json(parser)
    parser.set_defaults(run=_list, suite=None)
    actions = parser.add_subparsers(metavar="ACTION")
    listing = actions.add_parser("list", help="list the tasks of a suite, or of all (the default)")
    listing.add_argument(
        "suite", nargs="?", metavar="SUITE", help=SUITES.format(", ".join([*suites(), *GENERATED]))
    )
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
    checking = actions.add_parser(
        "check", help="whether tasks run, are sound and have a floor; status 1 if one is not fit"
    )
    checking.add_argument(
        "tasks",
        nargs="*",
        metavar="SUITE_OR_TASK",
        help="suites, .py files, or names from `tasks list` (default: all own suites, and"
        f" {DRAW} of those that are made by code)",
    )
    checking.add_argument("--audit", action="store_true", help="audit all anew, known or not")
    checking.add_argument(
        "--audit-seconds",
        type=at_least_one,
        metavar="N",
        help="for the audit of one task at most (default: 120)",
    )
    checking.set_defaults(run=_check)
    for action in (listing, showing, auditing, checking, add_new(actions), add_import(actions)):
        action.add_argument("--json", action="store_true", default=argparse.SUPPRESS)


def _list(args: argparse.Namespace, console: Console) -> int:
    names = [args.suite] if args.suite else suites()
    found = {name: load_suite(name) for name in names}
    tasks = [task for suite in found.values() for task in suite.tasks]
    versions = [_suite_as_json(name, suite) for name, suite in found.items()]
    console.emit({"suites": versions, "tasks": [_as_json(task) for task in tasks]})
    width = max((len(task.name) for task in tasks), default=0)
    kinds = max((len(task.meta.category) for task in tasks), default=0)
    for task in tasks:
        console.show(
            f"{task.name:{width}}  {_soundness(task):9}  {task.meta.category:{kinds}}"
            f"  {task.meta.title}".rstrip()
        )
    for loaded in found.values():
        for line in _refusals(loaded):
            console.note(line)
    for row in versions:
        console.note(f"{row['suite']}: {row['tasks']} tasks, version {row['version']}")
    for name, suite in () if args.suite else GENERATED.items():
        console.note(f"{name}: {len(suite)} tasks, made when they are asked for ({suite.about})")
    return 0


def _show(args: argparse.Namespace, console: Console) -> int:
    task = load_task(args.task)
    suite = suite_of(task)
    version = suite_version(list_suite(suite)) if suite is not None and is_suite(suite) else None
    known = {**_as_json(task), "version": version}
    console.emit({**known, "source": task.source, "start_source": task.start})
    facts = {key: value for key, value in known.items() if value not in (None, "", [])}
    for key, value in facts.items():
        console.show(f"# {key}: {value}")
    console.show(f"\n{task.source.rstrip()}")
    if task.start is not None:
        console.show(f"\n# {task.meta.start}\n\n{task.start.rstrip()}")
    return 0


def _audit(args: argparse.Namespace, console: Console) -> int:
    """Audit one task or a suite; 0 when all are sound, 1 when some are weak."""
    loaded = _loaded(args.tasks)
    tasks = loaded.tasks
    from kernelwright.evals.serving.examiner import Examiner
    from kernelwright.harness.audit import MOST_MUTANTS

    if not tasks:
        first = loaded.refused[0]
        raise TaskError(
            f"{args.tasks} holds no task that can be read: {first.name}: {first.reason}"
        )
    width = max(len(task.name) for task in tasks)
    heading = f"{'task':{width}}  mutants  killed  equivalent  survivors  verdict"
    console.show(heading)
    records: list[AuditRecord] = []
    faults: list[str] = []
    with bar(console.stderr, len(tasks)) as progress, Examiner() as examiner:
        for task in tasks:
            try:
                record = examiner.audit(
                    task,
                    seed=args.seed,
                    most_mutants=args.most or MOST_MUTANTS,
                    progress=progress.step(task.name),
                )
            except TaskError as error:
                if len(tasks) == 1:
                    raise
                faults.append(str(error))
                console.show(f"{task.name:{width}}  cannot be judged: {error}")
                continue
            audits.keep(record)
            records.append(record)
            for line in _row(record, width):
                console.show(line)
    if args.out is not None:
        audits.write(args.out, records)
    for line in _refusals(loaded):
        console.show(line)
    result = audits.summary(records)
    console.emit(result)
    if faults:
        raise TaskError(
            f"{len(faults)} of {len(tasks)} tasks cannot be judged; the first: {faults[0]}"
        )
    if len(tasks) > 1:
        console.show(f"{result['sound']} sound, {result['weak']} weak")
    return 1 if result["weak"] else 0


def _check(args: argparse.Namespace, console: Console) -> int:
    """Check tasks and suites, a line for each task; 0 when all are fit, 1 when some are not."""
    everything = [_loaded(name) for name in args.tasks or (*suites(), DRAW)]
    tasks = [task for loaded in everything for task in loaded.tasks]
    refused = [refusal for loaded in everything for refusal in loaded.refused]
    from kernelwright.evals.serving.examiner import Examiner
    from kernelwright.evals.task_check import Checked
    from kernelwright.harness.audit import MOST_SECONDS
    from kernelwright.harness.peaks import device_facts

    facts = device_facts(len(os.sched_getaffinity(0)))
    width = max((len(task.name) for task in tasks), default=0)
    found: list[Checked] = []
    with bar(console.stderr, len(tasks)) as progress, Examiner() as examiner:
        for task in tasks:
            known = None if args.audit else audits.recorded(task)
            one = examiner.check(
                task,
                facts,
                record=known,
                audit_seconds=args.audit_seconds or MOST_SECONDS,
                progress=progress.step(task.name),
            )
            if one.record is not None and one.record != known:
                audits.keep(one.record)
            found.append(one)
            floor = "" if one.floor_us is None else f"floor {one.floor_us:.1f} us"
            console.show(
                f"{task.name:{width}}  {'unfit' if one.faults else 'fit':5}  {one.shapes} shapes"
                f"  {one.audit or 'unaudited':9}  {floor}".rstrip()
            )
            for line in (*one.faults, *one.notes):
                console.show(f"    {line}")
    unfit = sum(bool(one.faults) for one in found)
    console.emit(
        {
            "tasks": [one.to_json() for one in found],
            "fit": len(found) - unfit,
            "unfit": unfit,
            "refused": [asdict(refusal) for refusal in refused],
        }
    )
    for loaded in everything:
        for line in _refusals(loaded):
            console.show(line)
    if len(found) > 1:
        ran = sum(one.shapes > 0 for one in found)
        weak = sum(one.audit == "weak" for one in found)
        console.show(
            f"{len(found)} loaded, {len(refused)} refused; {ran} run here, {weak} weak;"
            f" {len(found) - unfit} fit, {unfit} unfit"
        )
    return 1 if unfit or refused else 0


def _loaded(name: str) -> Loaded:
    """The tasks of a suite or of a variant of one, or the one task of that name. Raises TaskError."""
    return load_suite(name) if is_suite(name) else Loaded(name, (load_task(name),))


def _refusals(loaded: Loaded) -> Iterator[str]:
    for refusal in loaded.refused:
        yield f"{loaded.suite}/{refusal.name} refused: {refusal.reason}"


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


def _suite_as_json(name: str, suite: Loaded) -> dict[str, Any]:
    known = {"suite": name, "version": suite_version(suite.tasks), "tasks": len(suite.tasks)}
    return known | ({"refused": [asdict(r) for r in suite.refused]} if suite.refused else {})


def _as_json(task: Task) -> dict[str, Any]:
    meta = task.meta
    return {
        "task": task.name,
        "suite": task.name.partition("/")[0] if "/" in task.name else None,
        "path": str(task.path) if task.path else None,
        "hash": task.hash,
        "title": meta.title,
        "category": meta.category,
        "level": meta.level,
        "tolerance": meta.tolerance,
        "dtypes": list(meta.dtypes),
        "backward": meta.backward,
        "modes": list(meta.modes),
        "shapes": [dict(variant) for variant in meta.shapes],
        "hidden": [dict(variant) for variant in meta.hidden],
        "full": [dict(variant) for variant in meta.full],
        "operations": meta.operations,
        "bytes_moved": meta.bytes_moved,
        "start": meta.start,
        "translate_to": list(meta.translate_to),
        "audit": _soundness(task),
    }
