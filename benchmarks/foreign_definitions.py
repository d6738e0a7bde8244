"""Definitions of flashinfer-bench or SOL-ExecBench: which run on a CPU, whose solutions are right.

    python benchmarks/foreign_definitions.py ../SOL-ExecBench                printed
    python benchmarks/foreign_definitions.py ../SOL-ExecBench --evidence     appended to evals/evidence too

Each task's reference runs once in every shape, then each solution that can be a candidate is judged as a
search judges one (without torch.compile), in a process of its own with a limit of time. Triton is emulated
where there is no GPU. Speeds are not reported: the verdicts are the matter.
"""

from __future__ import annotations

import argparse
import datetime
import fnmatch
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track

from kernelwright.harness.candidate import Candidate
from kernelwright.harness.errors import HarnessError
from kernelwright.harness.evaluate import evaluator_for
from kernelwright.harness.parse import language_of
from kernelwright.imports import suite
from kernelwright.imports.layout import Import, Kernel, fit, write
from kernelwright.tasks.errors import TaskError, UsageError
from kernelwright.tasks.load import list_suite, load_task
from kernelwright.tasks.reference import Reference
from kernelwright.tasks.task import Task
from kernelwright.tasks.versions import suite_version

ROOT = Path(__file__).resolve().parents[1]
EVIDENCE = ROOT / "evals" / "evidence" / f"{datetime.date.today()}-foreign-definitions.md"
_STDERR = Console(stderr=True)
_ON_CPU = (None, "ninja")
"""What a kernel may need that a machine without a GPU can have."""


@dataclass(frozen=True)
class Judged:
    """What became of one solution."""

    kernel: Kernel
    verdict: str
    why: str


def ran(task: Task) -> str | None:
    """Why the reference does not run in each of its shapes; None where it does."""
    for shape in ({}, *task.meta.shapes):
        try:
            reference = Reference(task, shape)
            outputs = reference.run(reference.build(0), reference.inputs(0))
        except TaskError as error:
            return str(error)
        if any(t.is_floating_point() and not bool(torch.isfinite(t).all()) for t in outputs):
            return f"an output is not finite in shape {dict(shape) or 'its own'}"
    return None


def judge(task: Path, kernel: Path) -> int:
    """Judge one file in this process; the verdict as JSON on stdout."""
    source = kernel.read_text(encoding="utf-8")
    candidate = Candidate(source, language_of(source))
    with evaluator_for(load_task(task), candidate) as evaluator:
        verdict = evaluator.evaluate(candidate)
    print(json.dumps(verdict.to_json()))
    return 0


def judged(kernel: Kernel, folder: Path, seconds: float) -> Judged:
    """One solution, in a process of its own."""
    if kernel.needs not in _ON_CPU:
        return Judged(kernel, "not run", f"needs {kernel.needs}")
    task, file = folder / "tasks" / f"{fit(kernel.task)}.py", folder / "kernels" / kernel.file
    words = [sys.executable, __file__, "--judge", str(task), str(file)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return Judged(kernel, "not run", f"no verdict after {seconds:.0f} s")
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no word"]
        return Judged(kernel, "not run", last[0])
    found = json.loads(done.stdout.splitlines()[-1])
    errors = [f for f in found["findings"] if f["severity"] == "error"]
    notes = [f for f in found["findings"] if f["code"] == "emulated"]
    said = [f"{f['code']}: {f['message']}" for f in errors] or [f["code"] for f in notes]
    return Judged(kernel, found["verdict"], "; ".join(said))


def table(found: Import, faults: dict[str, str | None], rows: Sequence[Judged]) -> Iterator[str]:
    """The report, line by line. Names no path."""
    runs = sum(fault is None for fault in faults.values())
    yield f"{found.suite}: {len(faults)} definitions loaded, {runs} run on this CPU in all their shapes."
    told = sum(row.verdict != "not run" for row in rows)
    yield f"{len(found.kernels)} solutions are candidates, {len(rows)} were asked for, {told} were judged."
    yield ""
    yield "| definition | solution | language | verdict | why |"
    yield "|---|---|---|---|---|"
    by_task = {name: [r for r in rows if r.kernel.task == name] for name in faults}
    for name, fault in faults.items():
        if fault is not None:
            yield f"| {name} | | | does not run | {_cell(fault)} |"
        for row in by_task[name]:
            language = "C++ or CUDA" if row.kernel.needs else language_of(row.kernel.text)
            yield f"| {name} | {row.kernel.sample} | {language} | {row.verdict} | {_cell(row.why)} |"
        if fault is None and not any(kernel.task == name for kernel in found.kernels):
            yield f"| {name} | none that can be a candidate | | | |"
    if found.refused:
        yield ""
        yield "Not taken up:"
        yield ""
        for refusal in found.refused:
            yield f"- {refusal.name}: {refusal.reason}"


def survey(checkout: str, folder: Path, only: str, seconds: float, deadline: float) -> list[str]:
    """All of one checkout, as much of it as the deadline allows."""
    found = suite.read(checkout)
    write(found, folder)
    tasks = list_suite(str(folder / "tasks"))
    names = {fit(name): name for name in found.tasks}
    faults: dict[str, str | None] = {}
    for task in track(tasks, "references", console=_STDERR):
        faults[names[task.name.partition("/")[2]]] = ran(task)
    rows: list[Judged] = []
    kernels = [k for k in found.kernels if fnmatch.fnmatchcase(k.sample, only)]
    for kernel in track(kernels, "solutions", console=_STDERR):
        left = deadline - time.monotonic()
        if left <= 0:
            rows.append(Judged(kernel, "not run", "the time for all was over"))
        else:
            rows.append(judged(kernel, folder, min(seconds, left)))
    return [f"Version {suite_version(tasks)}.", *table(found, faults, rows)]


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "/").split())[:240]


def main() -> int:
    """Survey the checkouts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("checkouts", nargs="*", metavar="CHECKOUT")
    parser.add_argument(
        "--seconds", type=float, default=240.0, help="for one solution (default: 240)"
    )
    parser.add_argument("--total", type=float, default=1500.0, help="for all (default: 1500)")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="solutions of this name")
    parser.add_argument("--evidence", action="store_true", help=f"append to {EVIDENCE.name}")
    parser.add_argument("--judge", nargs=2, type=Path, metavar=("TASK", "KERNEL"), help="only this")
    args = parser.parse_args()
    if args.judge:
        return judge(*args.judge)
    deadline = time.monotonic() + args.total
    for checkout in args.checkouts:
        with tempfile.TemporaryDirectory() as folder:
            try:
                lines = survey(checkout, Path(folder), args.only, args.seconds, deadline)
            except UsageError as error:
                print(error, file=sys.stderr)
                return 2
        print("\n".join(lines))
        if args.evidence:
            new = not EVIDENCE.exists()
            with EVIDENCE.open("a", encoding="utf-8") as file:
                file.write("# Definitions of others on a CPU\n" if new else "")
                file.write(f"\n## {datetime.datetime.now(datetime.UTC):%H:%M} UTC\n\n")
                file.write(
                    f"`python benchmarks/foreign_definitions.py CHECKOUT`, torch {torch.__version__},"
                )
                file.write(f" Python {platform.python_version()}, no GPU.\n\n")
                file.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except (TaskError, HarnessError) as error:
        print(error, file=sys.stderr)
        raise SystemExit(3) from None
