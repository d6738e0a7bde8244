"""Which tasks of other people's suites load, run on a CPU, and can tell a kernel from nothing.

    python benchmarks/foreign_suites.py ../KernelBench ../robust-kbench      printed
    python benchmarks/foreign_suites.py kernelbench-level1-cpu:../KernelBench --evidence

A bare path means its suite scaled down to a CPU (`kernelbench-cpu:PATH`). Each task is tried in the sandbox
(with one GiB), then checked as by `kernelwright tasks check` in a process of its own, which is ended when it
takes too long: what one task does, others do not feel. Nothing is timed here.
"""

from __future__ import annotations

import argparse
import collections
import datetime
import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from rich.progress import track

from kernelwright.harness.errors import HarnessError
from kernelwright.harness.peaks import device_facts
from kernelwright.harness.vetting import Vetting
from kernelwright.task_check import check
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


def survey(spec: str, args: argparse.Namespace, deadline: float) -> Found:
    """Load and check a suite, as much of it as the deadline allows. Raises TaskError."""
    loaded = load_suite(spec)
    found = Found(
        _without_path(spec), suite_version(loaded.tasks), loaded.refused, len(loaded.tasks)
    )
    with Vetting(memory=MEMORY, step_seconds=STEP_SECONDS) as vetting:
        for task in track(loaded.tasks, description=loaded.suite):
            if time.monotonic() > deadline:
                break
            try:
                vetting.vet(task)
            except (TaskError, HarnessError) as error:
                found.rows.append(Row(task.name, False, faults=(_short(str(error), task),)))
                continue
            found.rows.append(
                Row(task.name, True, UNAUDITED) if args.run_only else checked(task, vetting, args)
            )
    return found


def checked(task: Task, vetting: Vetting, args: argparse.Namespace) -> Row:
    """The check of one task that was vetted, in a process of its own."""
    ours, theirs = _FORK.Pipe(duplex=False)
    process = _FORK.Process(target=_check, args=(task, vetting, args.audit_seconds, theirs))
    process.start()
    theirs.close()
    try:
        if not ours.poll(args.task_seconds):
            return Row(
                task.name, True, UNAUDITED, (f"the check took more than {args.task_seconds:g} s",)
            )
        ran, audit, faults = ours.recv()
        return Row(task.name, ran, audit, tuple(_short(fault, task) for fault in faults))
    except EOFError:
        process.join()
        return Row(task.name, False, faults=(f"the check ended with status {process.exitcode}",))
    finally:
        process.kill()
        process.join()
        ours.close()


def _check(task: Task, vetting: Vetting, seconds: float, link: Connection) -> None:
    torch.set_num_threads(1)  # small work, on a machine with other work
    facts = device_facts(len(os.sched_getaffinity(0)))
    one = check(task, facts, vetting, anew=True, audit_seconds=seconds)
    link.send((one.shapes > 0, one.audit, one.faults))


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
        ("Weak", [_line(row) for row in found.rows if row.audit == "weak"]),
    )
    for title, lines in groups:
        if lines:
            yield from (f"{title} ({len(lines)}):", "", *(f"- {line}" for line in lines), "")
    if not any(lines for _, lines in groups):
        yield "All run."


def _line(row: Row) -> str:
    faults = "; ".join(row.faults) if row.audit != "weak" else row.faults[-1].partition(",")[0]
    return f"`{row.task.partition('/')[2]}`: {faults}"


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
