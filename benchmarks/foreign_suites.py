"""Which tasks of other people's suites load, run on a CPU, and can tell a kernel from nothing.

    python benchmarks/foreign_suites.py ../KernelBench ../robust-kbench      printed
    python benchmarks/foreign_suites.py kernelbench-level1-cpu:../KernelBench --evidence

A bare path means its suite scaled down to a CPU (`kernelbench-cpu:PATH`). Each task is tried in the sandbox
(with one GiB), then checked as by `kernelwright tasks check` in a process of its own, which is ended when it
takes too long: what one task does, others do not feel. Nothing is timed here. With `--keep FILE` what is
found is kept, a line for each task, and a task of which the file tells, by its hash, is not tried again.
"""

from __future__ import annotations

import argparse
import collections
import datetime
import json
import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
import torch._dynamo  # an audit needs it: loaded here once, not by each process
from rich.progress import track

from kernelwright.evals.task_check import check
from kernelwright.harness.errors import HarnessError
from kernelwright.harness.peaks import device_facts
from kernelwright.harness.vetting import Vetting
from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.foreign import find
from kernelwright.tasks.load import load_suite
from kernelwright.tasks.loaders.loader import Refusal
from kernelwright.tasks.task import Task
from kernelwright.tasks.versions import suite_version

ROOT = Path(__file__).resolve().parents[1]
EVIDENCE = ROOT / "evals" / "evidence" / f"{datetime.date.today()}-foreign-suites.md"
MEMORY = 1 << 30
STEP_SECONDS = 30.0
UNAUDITED = "unaudited"
_FORK = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Row:
    """One task: whether its reference runs, what the audit says, and why not all is well."""

    task: str
    ran: bool
    audit: str = ""
    faults: tuple[str, ...] = ()
    survivors: tuple[str, ...] = ()
    """Mutants that pass for the task."""
    left_out: int = 0
    """Mutants that were not tried within the time of an audit."""

    @staticmethod
    def from_json(data: dict[str, Any]) -> Row:
        """The inverse of `asdict`, which JSON has made lists of."""
        lists = {name: tuple(data[name]) for name in ("faults", "survivors")}
        return Row(**{**data, **lists})


@dataclass
class Found:
    """One suite: its tasks, what was refused, what was not reached in time."""

    spec: str
    version: str
    refused: tuple[Refusal, ...]
    tasks: int
    rows: list[Row] = field(default_factory=list)

    @property
    def ran(self) -> int:
        """Tasks whose reference runs."""
        return sum(row.ran for row in self.rows)


class Kept:
    """Rows of earlier calls, by the hash of the task's text, in a file of JSON lines; or none."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._rows: dict[str, Row] = {}
        if path is not None and path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                entry = json.loads(line)
                self._rows[entry["hash"]] = Row.from_json(entry["row"])

    def of(self, task: Task) -> Row | None:
        """What is known of this very text."""
        return self._rows.get(task.hash)

    def add(self, task: Task, row: Row) -> None:
        """Write one row down, at once."""
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"hash": task.hash, "row": asdict(row)}) + "\n")


def survey(spec: str, args: argparse.Namespace, deadline: float) -> Found:
    """Load and check a suite, as much of it as the deadline allows. Raises TaskError."""
    loaded = load_suite(spec)
    found = Found(
        _without_path(spec), suite_version(loaded.tasks), loaded.refused, len(loaded.tasks)
    )
    kept = Kept(args.keep)
    with Vetting(memory=MEMORY, step_seconds=STEP_SECONDS) as vetting:
        for task in track(loaded.tasks, description=loaded.suite):
            row = kept.of(task)
            if row is None and time.monotonic() < deadline:
                row = tried(task, vetting, args)
                kept.add(task, row)
            found.rows += [row] if row is not None else []
    return found


def tried(task: Task, vetting: Vetting, args: argparse.Namespace) -> Row:
    """One task: in the sandbox first, then, unless running is all that is asked, before the audit."""
    try:
        vetting.vet(task)
    except (TaskError, HarnessError) as error:
        return Row(task.name, False, faults=(_short(str(error), task),))
    return Row(task.name, True, UNAUDITED) if args.run_only else checked(task, args)


def checked(task: Task, args: argparse.Namespace) -> Row:
    """The check of one task that was vetted, in a process of its own."""
    ours, theirs = _FORK.Pipe(duplex=False)
    process = _FORK.Process(target=_check, args=(task, args.audit_seconds, theirs))
    process.start()
    theirs.close()
    try:
        if not ours.poll(args.task_seconds):
            return Row(
                task.name, True, UNAUDITED, (f"the check took more than {args.task_seconds:g} s",)
            )
        ran, audit, faults, survivors, left_out = ours.recv()
        shown = tuple(_short(fault, task) for fault in faults)
        return Row(task.name, ran, audit, shown, survivors, left_out)
    except EOFError:
        process.join()
        return Row(task.name, False, faults=(f"the check ended with status {process.exitcode}",))
    finally:
        process.kill()
        process.join()
        ours.close()


def _check(task: Task, seconds: float, link: Connection) -> None:
    torch.set_num_threads(1)  # small work, on a machine with other work
    facts = device_facts(len(os.sched_getaffinity(0)))
    one = check(task, facts, audit_seconds=seconds)
    record = one.record
    survivors = tuple(mutant.name for mutant in record.survivors) if record else ()
    link.send((one.shapes > 0, one.audit, one.faults, survivors, record.left_out if record else 0))


def report(found: Sequence[Found], command: str) -> str:
    """The table, then a list for each suite of what is not well."""
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    lines = [
        "# Suites of others on a CPU",
        "",
        f"{now}, {len(os.sched_getaffinity(0))} cores, {platform.machine()}, Python"
        f" {platform.python_version()}, torch {torch.__version__}; other work ran beside it.",
        f"Command: `{command}`.",
        "",
        "Loaded: read as a task, the file unchanged. Runs: the reference, scaled to a CPU, within"
        f" {MEMORY >> 30} GiB and {STEP_SECONDS:g} s a step in the sandbox, and again in the check."
        " Sound and weak: what the audit says as far as it came in its time. Unjudged: it runs, and no"
        " verdict on kernels is possible.",
        "",
        "| suite | version | loaded | refused | run | sound | weak | unjudged | unaudited | not reached |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one in found:
        audits = collections.Counter(row.audit for row in one.rows if row.ran)
        lines.append(
            f"| {one.spec} | {one.version} | {one.tasks} | {len(one.refused)} | **{one.ran}** |"
            f" {audits['sound']} | {audits['weak']} | {audits['']} |"
            f" {audits[UNAUDITED]} | {one.tasks - len(one.rows)} |"
        )
    for one in found:
        lines += ["", f"## {one.spec}", "", *_details(one)]
    return "\n".join(lines) + "\n"


def _details(found: Found) -> Iterator[str]:
    """A line for each task that is refused, does not run, cannot be judged, or is weak."""
    groups = (
        ("Refused", [f"`{r.name}`: {r.reason}" for r in found.refused]),
        ("Not run", [_line(row) for row in found.rows if not row.ran]),
        ("Unjudged", [_line(row) for row in found.rows if row.ran and not row.audit]),
        ("Unaudited", [_line(row) for row in found.rows if row.audit == UNAUDITED and row.faults]),
        ("Weak", [_line(row) for row in found.rows if row.audit == "weak"]),
        ("Sound as far as the time went", [_line(row) for row in found.rows if _cut_short(row)]),
    )
    for title, lines in groups:
        if lines:
            yield from (f"{title} ({len(lines)}):", "", *(f"- {line}" for line in lines), "")
    if not any(lines for _, lines in groups):
        yield "All run."


def _line(row: Row) -> str:
    said = "; ".join(row.survivors or row.faults)
    left = f" ({row.left_out} mutants not tried)" if row.left_out else ""
    return f"`{row.task.partition('/')[2]}`: {said}{left}"


def _cut_short(row: Row) -> bool:
    return row.audit == "sound" and row.left_out > 0


def _short(fault: str, task: Task) -> str:
    """Without the path, which is nobody's business, and in a bearable length."""
    text = fault.replace(f"{task.path}", task.path.name if task.path else "").strip()
    return text if len(text) <= 200 else f"{text[:200]}..."


def _without_path(spec: str) -> str:
    other = find(spec)
    return spec if other is None else f"{other.loader.name}{other.form}"


def main() -> int:
    """Survey the suites; 0 when every task of them runs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("checkouts", nargs="+", metavar="CHECKOUT", help="PATH, or NAME-cpu:PATH")
    parser.add_argument("--audit-seconds", type=float, default=8.0, help="of one task (default: 8)")
    parser.add_argument(
        "--task-seconds", type=float, default=90.0, help="of one check (default: 90)"
    )
    parser.add_argument("--minutes", type=float, default=120.0, help="for all (default: 120)")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="go on from what it tells")
    parser.add_argument("--run-only", action="store_true", help="in the sandbox, and no audit")
    parser.add_argument("--evidence", action="store_true", help=f"write {EVIDENCE.name} too")
    args = parser.parse_args()
    deadline = time.monotonic() + 60 * args.minutes
    found: list[Found] = []
    for given in args.checkouts:
        other = None if ":" in given else find(given)
        spec = f"{other.loader.name}-cpu:{other.root}" if other else given
        try:
            found.append(survey(spec, args, deadline))
        except TaskError as error:
            sys.stderr.write(f"{error}\n")
    options = [word for word in sys.argv[1:] if word not in args.checkouts]
    named = [_without_path(given) for given in args.checkouts]
    command = " ".join(["python benchmarks/foreign_suites.py", *named, *options])
    text = report(found, command)
    sys.stdout.write(text)
    if args.evidence:
        EVIDENCE.write_text(text, encoding="utf-8")
    return 0 if len(found) == len(args.checkouts) and all(f.ran == f.tasks for f in found) else 1


if __name__ == "__main__":
    raise SystemExit(main())
