"""`kernelwright tasks new`: a task that runs as it is, to be made into another."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from kernelwright.console import Console
from kernelwright.tasks.errors import UsageError
from kernelwright.tasks.load import suites
from kernelwright.tasks.metadata import LANGUAGES
from kernelwright.tasks.start import kernel_text

if TYPE_CHECKING:
    from argparse import _SubParsersAction

TEMPLATES = Path(__file__).parents[1] / "templates"
_OWN = ""
"""What `--start` holds when it names no kernel: the template's."""


def add_new(actions: _SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Declare `tasks new NAME`."""
    parser = actions.add_parser(
        "new", help="write a task to fill in: it runs at once, and nothing is overwritten"
    )
    parser.add_argument("name", metavar="NAME", help="of the operator, such as row_softmax")
    parser.add_argument(
        "--suite",
        metavar="SUITE",
        help="the folder for NAME.py: a bundled suite, or any (default: the current one)",
    )
    parser.add_argument(
        "--backward", action="store_true", help="kernels must give the gradients as well"
    )
    parser.add_argument(
        "--start",
        nargs="?",
        const=_OWN,
        metavar="KERNEL",
        help="begin from this kernel and beat it; without a file, from one that fits the template",
    )
    parser.add_argument(
        "--translate-to",
        choices=LANGUAGES,
        action="append",
        metavar="LANGUAGE",
        help=f"the kernel to start from is a source: kernels must be in {' or '.join(LANGUAGES)}",
    )
    parser.set_defaults(run=_new)
    return parser


def _new(args: argparse.Namespace, console: Console) -> int:
    """Write the files; 0, as all that can go wrong is raised."""
    name: str = args.name
    if not name.isidentifier() or name.startswith("_"):
        raise UsageError(
            f"{name!r} is no name for a task: give letters, digits and _, as row_softmax"
        )
    start = _start(args)
    folder = _folder(args.suite)
    path, beside = folder / f"{name}.py", folder / "start" / f"{name}.py"
    for file in [path, *([beside] if start is not None else [])]:
        if file.exists():
            raise UsageError(
                f"{file} is there already, and nothing is overwritten: choose another name"
            )
    if start is not None:
        _write(
            beside, Template(start).safe_substitute(title=_title(name)) if not args.start else start
        )
    _write(path, _task(args, start is not None))
    spec = f"{args.suite}/{name}" if args.suite in suites() else str(path)
    todo = _todo(args)
    commands = [
        shlex.join(["kernelwright", "tasks", "check", spec]),
        shlex.join(["kernelwright", "verify", spec]) + " KERNEL",
        shlex.join(["kernelwright", "optimize", spec]),
    ]
    console.emit(
        {
            "task": str(path),
            "start": None if start is None else str(beside),
            "edit": todo,
            "next": commands,
        }
    )
    console.show(f"wrote {path}{'' if start is None else f' and {beside}'}")
    for line in todo:
        console.show(f"  edit {line}")
    console.show("then:")
    for command in commands:
        console.show(f"  {command}")
    return 0


def _todo(args: argparse.Namespace) -> list[str]:
    """What is to be written by the user, part by part."""
    todo = [
        "Model: the operator, as plain PyTorch",
        "get_inputs, get_init_inputs: what it is called and made with, in sizes that are constants",
        "TASK: title, category, shapes (shown to models) and hidden ones (not shown)",
    ]
    if args.start:
        todo[0] += "; until it is what the kernel computes, `tasks check` says that they differ"
    elif args.start == _OWN:
        todo.append("the kernel in start/: one that computes the same, naive or tuned")
    return todo


def _start(args: argparse.Namespace) -> str | None:
    """The text of the start kernel. Raises UsageError."""
    if args.start is None:
        if args.translate_to:
            raise UsageError("--translate-to: translate what? add --start KERNEL")
        return None
    if args.start != _OWN:
        return kernel_text(Path(args.start).expanduser(), f"--start {args.start}")
    if args.backward:
        raise UsageError("--start: the template's kernel has no backward pass: name one that has")
    return (TEMPLATES / "start.txt").read_text(encoding="utf-8")


def _folder(suite: str | None) -> Path:
    if suite is None:
        return Path()
    if suite in suites():
        from kernelwright import tasks

        return Path(next(iter(tasks.__path__))) / suite
    return Path(suite).expanduser()


def _task(args: argparse.Namespace, started: bool) -> str:
    more = ['"backward": True'] if args.backward else []
    if started:
        more.append(f'"start": "start/{args.name}.py"')
    if args.translate_to:
        languages = ", ".join(f'"{one}"' for one in dict.fromkeys(args.translate_to))
        more.append(f'"translate_to": [{languages}]')
    lines = "".join(f"    {line},\n" for line in more)
    text = (TEMPLATES / "task.txt").read_text(encoding="utf-8")
    return Template(text).substitute(title=_title(args.name), more=lines)


def _title(name: str) -> str:
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def _write(path: Path, text: str) -> None:
    """A new file; one that is there stays as it is. Raises UsageError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
