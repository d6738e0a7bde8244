"""`kernelwright export`: a champion as an operator of torch that people install."""

from __future__ import annotations

import argparse
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from kernelwright import text
from kernelwright.commands.arguments import Subparsers, add_command, add_json
from kernelwright.console import Console
from kernelwright.tasks.errors import UsageError

if TYPE_CHECKING:
    from kernelwright.harness.verdict import Verdict
    from kernelwright.outputs import RunFolder
    from kernelwright.tasks.task import Task

_LAYOUTS = ("file", "package", "hf-kernels")
_NAME = re.compile(r"([a-z][a-z0-9_]*)\.([a-z][a-z0-9_]*)")
_UNJUDGED = "--no-check was given"


class _Champion(NamedTuple):
    """A champion on disk."""

    task: Task
    kernel: str
    card: dict[str, Any]


def add_parser(commands: Subparsers) -> None:
    """Declare `export RUN --out DIR`."""
    parser = add_command(commands, "export", "make an operator of torch of a run's champion")
    parser.add_argument("wanted", metavar="RUN", help="a run's folder or name, or a task")
    parser.add_argument(
        "--runs", default="kernels_out", metavar="DIR", help="where runs lie (default: kernels_out)"
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--out", type=Path, metavar="DIR", help="the folder to write")
    where.add_argument(
        "--gallery",
        action="store_true",
        help="publish kernel and card in DIR/gallery/TASK, DIR being where runs lie",
    )
    parser.add_argument(
        "--name", metavar="PACKAGE.OP", help="the operator (default: kernels_TASK.TASK)"
    )
    parser.add_argument("--layout", choices=_LAYOUTS, default="package", help="default: package")
    parser.add_argument(
        "--no-check", action="store_true", help="do not judge the exported operator once more"
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, console: Console) -> int:
    """Write the export; 0 when it is written, 1 when the exported operator is not accepted."""
    from kernelwright.show.find import find

    champion = _champion(find(Path(args.runs), args.wanted))
    if args.gallery:
        return _gallery(args, console, champion)
    namespace, op = _name(args.name, champion.task.name)
    _check_free(args.out)
    from kernelwright.export.layouts import Export, files
    from kernelwright.export.python_text import Parts, single_file
    from kernelwright.export.specify import specify

    refuses = any(f["code"] == "fixed_shape" for f in champion.card["verdict"]["findings"])
    device = champion.card["environment"]["device"]
    spec, notes = specify(champion.task, f"{namespace}::{op}", device, hidden=not refuses)
    header = [
        f"{spec.name}: a verified kernel for {champion.task.name} as an operator of PyTorch.",
        "Where it runs, how fast it is and whence it comes: README.md and card.json beside this.",
    ]
    parts = Parts(spec, header, champion.kernel, champion.task.source)
    verdict, why_not = _judged(args, console, champion, single_file(parts))
    if verdict is not None and not verdict.accepted:
        said = text.first_line(verdict.errors[0].message) if verdict.errors else verdict.stage
        console.emit({"folder": None, "exported": verdict.to_json(), "reasons": {"folder": said}})
        console.note(f"nothing is written: as an operator it is not accepted: {said}")
        return 1
    export = Export(parts, champion.card, verdict, why_not, notes)
    written = _write(args.out, files(export, args.layout))
    console.emit(
        {
            "folder": str(args.out.resolve()),
            "operator": spec.name,
            "layout": args.layout,
            "files": written,
            "forms": len(spec.forms),
            "exported": verdict.to_json() if verdict else None,
            "notes": notes,
            "reasons": {"exported": why_not} if why_not else {},
        }
    )
    for note in notes:
        console.note(f"verified, but not carried over: {note}")
    console.show(f"{spec.name}, for {len(spec.forms)} verified forms: {args.out}")
    if verdict is not None:
        console.show(text.speedups(verdict))
    return 0


def _champion(run: RunFolder) -> _Champion:
    """Task, kernel and card of a run, as they were judged. Raises UsageError."""
    from kernelwright.bundle.scrub import private, scrubbed
    from kernelwright.tasks.load import read_task

    if not run.card.is_file():
        raise UsageError(f"{run.path} has no champion: nothing was shown to be faster")
    try:
        card: dict[str, Any] = json.loads(run.card.read_text(encoding="utf-8"))
        kernel = run.kernel.read_text(encoding="utf-8")
        sha256 = card["kernel"]["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"the champion in {run.path} cannot be read: {error}") from error
    if hashlib.sha256(kernel.encode()).hexdigest() != sha256:
        raise UsageError(f"{run.kernel} was changed after it was judged: nothing to vouch for")
    if card["kernel"]["standalone_reason"]:
        raise UsageError(f"{run.kernel} needs kernelwright: {card['kernel']['standalone_reason']}")
    task = replace(read_task(run.task, card["task"]["name"]), name=card["task"]["name"])
    if task.hash != card["task"]["sha256"]:
        raise UsageError(f"{run.task} is not the task that the champion was judged by")
    for what, source in ((run.kernel, kernel), (run.task, task.source)):
        if trouble := private(source):
            raise UsageError(f"{what} cannot be published: {trouble}")
    return _Champion(task, kernel, scrubbed(card))


def _name(asked: str | None, task: str) -> tuple[str, str]:
    """Namespace and operator."""
    if asked is None:
        stem = re.sub(r"\W+", "_", task.rpartition("/")[2]).strip("_").lower() or "op"
        stem = stem if stem[0].isalpha() else f"op_{stem}"
        return f"kernels_{stem}", stem
    found = _NAME.fullmatch(asked)
    if found is None:
        raise UsageError(f"--name {asked}: give PACKAGE.OP in small letters, such as mypkg.softmax")
    if found[1] in ("torch", "aten", "prim", "prims", "kernelwright", "tests"):
        raise UsageError(f"--name {asked}: {found[1]} is taken, choose another package name")
    return found[1], found[2]


def _judged(
    args: argparse.Namespace, console: Console, champion: _Champion, source: str
) -> tuple[Verdict | None, str | None]:
    """The final verdict of the exported file; None, with the reason, where it was not judged."""
    device = champion.card["environment"]["device"]
    if args.no_check:
        return None, _UNJUDGED
    if device != "cpu":
        return None, f"its kernel is for {device}, and exports are judged on the CPU only"
    from kernelwright.evals.serving.fenced import judge_of
    from kernelwright.harness.candidate import Candidate

    console.note("judging the exported operator as it is (torch.compile takes a while)")
    candidate = Candidate(source, champion.card["kernel"]["language"])
    with judge_of(champion.task, threads=champion.card["environment"]["threads"]) as evaluator:
        return evaluator.evaluate(candidate, effort="final"), None


def _gallery(args: argparse.Namespace, console: Console, champion: _Champion) -> int:
    """Kernel, card, task and a page for people, below `gallery/`."""
    from kernelwright.export.gallery import gallery_files
    from kernelwright.outputs import task_folder

    folder = task_folder(Path(args.runs) / "gallery", champion.task.name)
    made = gallery_files(champion.card, champion.kernel, champion.task)
    written = _write(folder, made)
    console.emit({"folder": str(folder.resolve()), "files": written})
    console.show(str(folder))
    return 0


def _check_free(folder: Path) -> None:
    """Only an empty folder or an earlier export is written to. Raises UsageError."""
    try:
        used = folder.exists() and any(folder.iterdir()) and not (folder / "card.json").is_file()
    except OSError as error:
        raise UsageError(f"cannot write to {folder}: {error.strerror}") from error
    if used:
        raise UsageError(f"{folder} holds other things: give a new or an empty folder")


def _write(folder: Path, made: dict[str, str]) -> list[str]:
    for name, content in made.items():
        file = folder / name
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"cannot write {file}: {error.strerror}") from error
    return sorted(made)
