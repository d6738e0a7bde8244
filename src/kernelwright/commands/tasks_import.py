"""`kernelwright tasks import`: suites and results of others as files of one's own."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from kernelwright.console import Console
from kernelwright.imports import cuda_l1, kernelagent, suite
from kernelwright.imports.layout import Import, Results, must_be_free, write
from kernelwright.tasks.errors import UsageError
from kernelwright.tasks.load import is_suite, list_suite, load_task
from kernelwright.tasks.task import Task

if TYPE_CHECKING:
    from argparse import _SubParsersAction

_RESULTS: Mapping[str, Results] = {"cuda-l1": cuda_l1, "kernelagent": kernelagent}
_SHOWN = 20
"""Refusals that are shown; all are in the JSON object."""


def add_import(actions: _SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Declare `tasks import SOURCE --out DIR`."""
    parser = actions.add_parser(
        "import",
        help="write a suite, or the kernels that CUDA-L1 or KernelAgent left, as own files",
    )
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="a suite as in `tasks list`; a checkout or result file of CUDA-L1; a folder of KernelAgent's"
        " (cuda-l1:PATH and kernelagent:PATH say which)",
    )
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="a new folder")
    parser.add_argument(
        "--for",
        dest="tasks",
        metavar="SUITE_OR_TASK",
        help="name kernels after these tasks (such as kernelbench:PATH), and write no others",
    )
    parser.set_defaults(run=_import)
    return parser


def _import(args: argparse.Namespace, console: Console) -> int:
    """Write the files; 0 when anything was written, 1 when there was nothing."""
    must_be_free(args.out)
    found = _read(args.source, args.tasks)
    write(found, args.out)
    console.emit(
        {
            "tool": found.tool,
            "folder": str(args.out),
            "tasks": sorted(found.tasks),
            "kernels": {kernel.file: dict(kernel.claimed) for kernel in found.kernels},
            "refused": [asdict(refusal) for refusal in found.refused],
        }
    )
    console.show(f"{len(found.tasks)} tasks and {len(found.kernels)} kernels in {args.out}")
    for refusal in found.refused[:_SHOWN]:
        console.show(f"    not {refusal.name}: {refusal.reason}")
    if len(found.refused) > _SHOWN:
        console.show(f"    and {len(found.refused) - _SHOWN} others: see --json")
    if found.kernels:
        name = args.tasks or args.out / "tasks"
        console.note(f"kernelwright bench {name} --kernels {args.out / 'kernels'} judges them")
    return 0 if found.tasks or found.kernels else 1


def _read(source: str, tasks: str | None) -> Import:
    known = None if tasks is None else _named(tasks)
    head, colon, rest = source.partition(":")
    if colon and head in _RESULTS:
        path = Path(rest).expanduser()
        if not _RESULTS[head].recognises(path):
            raise UsageError(f"{source}: no results of that tool are there")
        return _RESULTS[head].read(path, known)
    if is_suite(source):
        if known is not None:
            raise UsageError("--for is for results, which say little of their tasks: leave it out")
        return suite.read(source)
    path = Path(source).expanduser()
    tool = next((tool for tool in _RESULTS.values() if tool.recognises(path)), None)
    if tool is None:
        what = "nothing that can be imported" if path.exists() else "no suite, file or folder"
        raise UsageError(f"{source} is {what}: give a suite, or results of {' or '.join(_RESULTS)}")
    return tool.read(path, known)


def _named(spec: str) -> Mapping[str, Task]:
    """The tasks by name."""
    found = list_suite(spec) if is_suite(spec) else [load_task(spec)]
    return {task.name: task for task in found}
