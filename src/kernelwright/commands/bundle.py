"""`kernelwright bundle`: a run as an archive; and `verify --bundle`, which judges it again."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kernelwright import text
from kernelwright.commands.arguments import Subparsers, add_command, add_json
from kernelwright.console import Console
from kernelwright.tasks.errors import UsageError

if TYPE_CHECKING:
    from kernelwright.bundle.again import Bundle, Compared
    from kernelwright.harness.verdict import Speedup, Verdict

FILE_NAME = "bundle.tar.gz"


def add_parser(commands: Subparsers) -> None:
    """Declare `bundle RUN`."""
    parser = add_command(
        commands, "bundle", "pack a run into an archive that others can check and judge again"
    )
    parser.add_argument("wanted", metavar="RUN", help="a run's folder or name, or a task")
    parser.add_argument(
        "--runs", default="kernels_out", metavar="DIR", help="where runs lie (default: kernels_out)"
    )
    parser.add_argument(
        "--out", metavar="FILE", help=f"the archive (default: {FILE_NAME} in the folder of the run)"
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, console: Console) -> int:
    """Write the archive; 0 when it is written."""
    from kernelwright.bundle.archive import pack, sha256_of
    from kernelwright.bundle.contents import contents
    from kernelwright.show.find import find

    folder = find(Path(args.runs), args.wanted)
    found = contents(folder)
    file = Path(args.out) if args.out else folder.path / FILE_NAME
    _write(file, pack(found.files))
    for key, reason in found.left_out.items():
        console.note(f"candidate {key} is left out: {reason}")
    digest = sha256_of(file)
    console.emit(
        {
            "bundle": str(file.resolve()),
            "sha256": digest,
            "bytes": file.stat().st_size,
            "files": len(found.files),
            "champion": "champion/kernel.py" in found.files,
            "left_out": found.left_out,
        }
    )
    console.show(f"{file} ({len(found.files)} files, {file.stat().st_size / 1024:.0f} KiB)")
    console.show(f"sha256 {digest}")
    return 0


def _write(file: Path, data: bytes) -> None:
    new = file.with_name(f".{file.name}.new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        new.write_bytes(data)
        new.replace(file)
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}; choose another place") from error


def judged_again(args: argparse.Namespace, console: Console) -> Verdict:
    """`verify --bundle`: check, judge, compare, and print all of it. Raises UsageError."""
    from kernelwright.bundle.again import compared, judge, open_bundle, same_machine, task_in
    from kernelwright.harness.vetting import vet

    bundle = open_bundle(Path(args.bundle))
    with tempfile.TemporaryDirectory() as folder:
        task = task_in(bundle, Path(folder))
        if task.path is not None and task.path.parent == Path(folder).resolve():
            console.note(
                "the bundle's task is a file of others: it is tried in the sandbox, but then runs"
                " with your rights, as every reference does"
            )
            vet(task)
        console.note(f"judging the champion of {bundle.task_name} again")
        verdict, facts = judge(bundle, task, args.threads, args.seed)
    differ = same_machine(bundle, facts, facts.threads)
    rows = compared(bundle.then, verdict)
    console.emit({**verdict.to_json(), "bundle": _as_json(bundle, rows, differ)})
    for line in (*text.describe(verdict), "", *_in_words(bundle, rows, differ)):
        console.show(line)
    return verdict


def _as_json(bundle: Bundle, rows: dict[str, Compared], differ: list[str]) -> dict[str, Any]:
    reasons = {} if bundle.from_samples is not None else {"from_samples": "it holds no raw samples"}
    return {
        "sha256": bundle.sha256,
        "task": bundle.task_name,
        "from_samples": bundle.from_samples,
        "same_machine": not differ,
        "differences": differ,
        "compared": {
            name: {"then": _figures(row.then), "now": _figures(row.now), "overlap": row.overlap}
            for name, row in rows.items()
        },
        "reasons": reasons,
    }


def _figures(speedup: Speedup | None) -> dict[str, float] | None:
    if speedup is None:
        return None
    return {"median": speedup.median, "low": speedup.low, "high": speedup.high}


def _in_words(bundle: Bundle, rows: dict[str, Compared], differ: list[str]) -> list[str]:
    lines = [f"bundle {bundle.sha256}"]
    for name, row in rows.items():
        said = {True: "the intervals overlap", False: "the intervals do not overlap", None: ""}
        now = text.ratio(row.now)
        line = f"{text.ratio(row.then)} then, {now} now against {text.BASELINES.get(name, name)}"
        lines.append(f"{line}: {said[row.overlap]}" if row.now else line)
    lines.append(f"another machine: {'; '.join(differ)}" if differ else "the same kind of machine")
    samples = {
        True: "its intervals come out again from its raw samples",
        False: "its intervals are NOT those of its raw samples",
        None: "it holds no raw samples to compute its intervals from",
    }
    return [*lines, samples[bundle.from_samples]]
