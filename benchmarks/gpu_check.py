"""`python benchmarks/gpu_check.py`: everything that only a machine with a GPU can tell, and its evidence.

First the tests marked `gpu`. Then the built-in model's Triton and CUDA for every task of the core suite, run
on the GPU at the task's own sizes and compared with the reference in float64 by the harness's own error
budget. Its times are medians of CUDA events, candidate and eager by turns: measured, not judged (no attack on
the clock is answered here), and said so in the file. Without a GPU it says what is missing: status 3.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from kernelwright.agents.builtin.builtin import BuiltinCoder
from kernelwright.agents.roles import Brief, NoIdea
from kernelwright.harness.comparison import compare
from kernelwright.harness.device import DeviceFacts
from kernelwright.harness.forms import own_form
from kernelwright.machine import environment
from kernelwright.tasks.load import list_suite
from kernelwright.tasks.task import Task

HERE = Path(__file__).parent
EVIDENCE = HERE.parent / "evals" / "evidence"
LANGUAGES = ("triton", "cuda")
PAIRS, WARM_UP = 30, 5
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
    rows = list(checked_suite(args.suite, "cuda"))
    wrong = [row for row in rows if row["result"] == "wrong"]
    where = write(args.out, args.suite, tests, rows)
    sys.stdout.write(
        f"{len(rows)} kernels, {len(wrong)} wrong; gpu tests: status {tests}; {where}\n"
    )
    return 1 if wrong or tests else 0


def missing() -> Iterator[str]:
    """What keeps this machine from it, a line each."""
    if not torch.cuda.is_available():
        built = torch.version.cuda
        yield (
            f"no GPU that torch {torch.__version__} sees (it is built for CUDA {built})"
            if built
            else f"torch {torch.__version__} is built without CUDA: install its CUDA build"
        )
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


def checked_suite(suite: str, device: str) -> Iterator[dict[str, Any]]:
    """A row for each task and language."""
    for task in list_suite(suite):
        for language in LANGUAGES:
            row = checked(task, language, device)
            sys.stderr.write(f"{row['task']} {language}: {row['result']} {row['says']}\n")
            yield row


def checked(task: Task, language: str, device: str) -> dict[str, Any]:
    """What came of the built-in model's first candidate for a task: `right`, `wrong` or `none`."""
    row: dict[str, Any] = {"task": task.name, "language": language, "says": "", "times_ms": None}
    try:
        brief = Brief(task, DeviceFacts("cpu", "any", 1), language, 0, 0)
        proposal = BuiltinCoder().propose(brief)
    except NoIdea as none:
        return {**row, "result": "none", "says": str(none)}
    source = proposal.candidates[0].source
    try:
        with tempfile.TemporaryDirectory() as folder:
            return {**row, **_run(task, source, Path(folder), device)}
    except Exception as error:  # whatever it is belongs into the evidence
        return {**row, "result": "wrong", "says": f"{type(error).__name__}: {error}"[:500]}


def _run(task: Task, source: str, folder: Path, device: str) -> dict[str, Any]:
    path = folder / "candidate.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location("candidate", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    oracle = own_form(task, None).oracle
    if oracle.train:
        return {"result": "none", "says": "judged in training mode first"}
    reference = oracle.reference
    model = reference.build(0)
    arguments, named = reference.init_args()
    candidate = module.ModelNew(*arguments, **named).eval()
    candidate.load_state_dict(oracle.state)
    model.load_state_dict(oracle.state)
    candidate, model = candidate.to(device), model.to(device)
    case = oracle.own
    inputs = [v.to(device) if isinstance(v, torch.Tensor) else v for v in case.inputs]
    with torch.no_grad():
        found = _flat(candidate(*inputs))
        wrong = compare(case, [v.cpu() for v in found])
        if wrong is not None:
            return {"result": "wrong", "says": wrong.message[:500]}
        times = None
        if device == "cuda":
            both = {"candidate": lambda: candidate(*inputs), "eager": lambda: model(*inputs)}
            times = _by_turns(both)
    return {"result": "right", "times_ms": times}


def _by_turns(calls: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median milliseconds of each call by CUDA events, one after the other by turns."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(WARM_UP + PAIRS):
        for name, call in calls.items():
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            call()
            end.record()
            end.synchronize()
            if turn >= WARM_UP:
                taken[name].append(begin.elapsed_time(end))
    return {name: statistics.median(values) for name, values in taken.items()}


def _flat(value: Any) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list | tuple):
        return []
    return [tensor for item in value for tensor in _flat(item)]


def write(out: Path, suite: str, tests: int, rows: list[dict[str, Any]]) -> Path:
    """The evidence as JSON; gives its path."""
    now = datetime.now(UTC)
    evidence = {
        "made": now.isoformat(timespec="seconds"),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "environment": environment(),
        "suite": suite,
        "gpu_tests_status": tests,
        "times": "medians of CUDA events, by turns; measured, not judged",
        "kernels": rows,
    }
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{now:%Y-%m-%d}-gpu-check.json"
    path.write_text(json.dumps(evidence, indent=1) + "\n")
    return path


if __name__ == "__main__":
    sys.exit(main())
