"""`python benchmarks/gpu_check.py`: everything that only a machine with a GPU can tell, and its evidence.

First the tests marked `gpu`. Then the built-in model's Triton and CUDA for every task of the core suite, each
judged on the GPU at the task's own sizes as a champion would be: against eager, torch.compile and the
further baselines, with the share of the physical floor. Without a GPU that can judge it says what is missing:
status 3.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from kernelwright.agents.builtin.builtin import BuiltinCoder
from kernelwright.agents.roles import Brief, NoIdea
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.errors import HarnessError
from kernelwright.harness.gpu.cuda import found
from kernelwright.harness.gpu.device import Device
from kernelwright.harness.gpu.evaluator import GpuEvaluator
from kernelwright.machine import environment
from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.load import list_suite
from kernelwright.tasks.task import Task

HERE = Path(__file__).parent
EVIDENCE = HERE.parent / "evals" / "evidence"
LANGUAGES = ("triton", "cuda")
MISSING = 3


def main() -> int:
    """Check all of it; the exit status is 0 only where everything was right."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--suite", default="core")
    options.add_argument("--out", type=Path, default=EVIDENCE)
    options.add_argument("--no-tests", action="store_true", help="leave the marked tests out")
    args = options.parse_args()
    lacking = list(missing())
    if lacking:
        for line in lacking:
            sys.stderr.write(f"gpu-check: {line}\n")
        return MISSING
    tests = 0 if args.no_tests else run_tests()
    device = found()
    assert not isinstance(device, str)
    rows = list(checked_suite(args.suite, device))
    wrong = [row for row in rows if row["result"] not in ("accepted", "none")]
    where = write(args.out, args.suite, tests, rows)
    sys.stdout.write(
        f"{len(rows)} kernels, {len(wrong)} not accepted; gpu tests: status {tests}; {where}\n"
    )
    return 1 if wrong or tests else 0


def missing() -> Iterator[str]:
    """What keeps this machine from it, a line each."""
    gpu = found()
    if isinstance(gpu, str):
        yield gpu
    for package, what in (
        ("triton", "Triton kernels need triton"),
        ("cupy", "CUDA kernels are launched by CuPy: pip install 'kernelwright[gpu]'"),
    ):
        if importlib.util.find_spec(package) is None:
            yield what


def run_tests() -> int:
    """The tests that need a GPU; their exit status."""
    argv = [sys.executable, "-m", "pytest", "-q", "-rs", "-m", "gpu", str(HERE.parent / "tests")]
    return subprocess.run(argv, cwd=HERE.parent, check=False).returncode


def checked_suite(suite: str, device: Device) -> Iterator[dict[str, Any]]:
    """A row for each task and language; all of one task are judged by one evaluator."""
    for task in list_suite(suite):
        try:
            with GpuEvaluator(task, device) as judge:
                rows = [checked(task, language, judge) for language in LANGUAGES]
        except (TaskError, HarnessError) as error:
            rows = [
                {**_row(task, name), "result": "failed", "says": str(error)} for name in LANGUAGES
            ]
        for row in rows:
            sys.stderr.write(f"{row['task']} {row['language']}: {row['result']} {row['says']}\n")
            yield row


def checked(task: Task, language: str, judge: GpuEvaluator) -> dict[str, Any]:
    """What came of the built-in model's first candidate for a task: its verdict, or `none`."""
    row = _row(task, language)
    try:
        proposal = BuiltinCoder().propose(Brief(task, judge.facts, language, 0, 0))
    except NoIdea as none:
        return {**row, "result": "none", "says": str(none)}
    candidate = Candidate(proposal.candidates[0].source, language)
    verdict = judge.evaluate(candidate, effort="final").to_json()
    verdict.pop("samples", None)
    errors = [f for f in verdict["findings"] if f["severity"] == "error"]
    says = f"{errors[0]['code']}: {errors[0]['message']}"[:500] if errors else _gain(verdict)
    return {**row, "result": verdict["verdict"], "says": says, "verdict": verdict}


def _row(task: Task, language: str) -> dict[str, Any]:
    return {"task": task.name, "language": language, "says": "", "verdict": None}


def _gain(verdict: dict[str, Any]) -> str:
    """The speedups, and the share of the floor, in a line."""
    gains = [f"{n} {s['median']:.2f}x" for n, s in verdict["speedup"].items() if s is not None]
    floor = verdict["roofline"]
    reached = f"{floor['fraction']:.0%} of the {floor['bound']} floor" if floor else "floor unknown"
    return ", ".join([*gains, reached, f"track {verdict['track']}"])


def write(out: Path, suite: str, tests: int, rows: list[dict[str, Any]]) -> Path:
    """The evidence as JSON; gives its path."""
    now = datetime.now(UTC)
    evidence = {
        "made": now.isoformat(timespec="seconds"),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "environment": environment(),
        "suite": suite,
        "gpu_tests_status": tests,
        "times": "judged: pairs of legs by the parent's clock, as docs/gpu.md says",
        "kernels": rows,
    }
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{now:%Y-%m-%d}-gpu-check.json"
    path.write_text(json.dumps(evidence, indent=1) + "\n")
    return path


if __name__ == "__main__":
    sys.exit(main())
