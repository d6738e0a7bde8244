"""`python -m kernelwright.evals.judge TASK OUT KERNEL...`: final verdicts on several kernels of one task.

Each verdict is written to `OUT/<candidate id>.json` when it is there; those that are there already are not
asked for again. The task's processes are started once for all of its kernels.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from kernelwright.evals.pool import PROGRESS
from kernelwright.evals.serving.choose import evaluator_for
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.errors import HarnessError
from kernelwright.harness.parse import language_of
from kernelwright.harness.verdict import Verdict
from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.load import load_task

DONE, BAD_TASK, MACHINE_FAILED = 0, 2, 3


def main() -> int:
    """Judge the kernels; exit status 0, or why it could not be done."""
    task, out, *kernels = sys.argv[1:]
    try:
        _judge(task, Path(out), [candidate_in(Path(kernel)) for kernel in kernels])
    except TaskError as error:
        print(f"kernelwright: {error}", file=sys.stderr)
        return BAD_TASK
    except HarnessError as error:
        print(f"kernelwright: {error}", file=sys.stderr)
        return MACHINE_FAILED
    return DONE


def candidate_in(file: Path) -> Candidate:
    """The kernel in a file; what is not UTF-8 is replaced, and then rejected as any nonsense is."""
    source = file.read_bytes().decode("utf-8", errors="replace")
    return Candidate(source, language_of(source))


def verdict_in(out: Path, candidate: Candidate) -> Verdict | None:
    """The verdict that is kept of a candidate; None where there is none yet."""
    try:
        return Verdict.from_json(json.loads(_file(out, candidate).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _judge(task: str, out: Path, candidates: list[Candidate]) -> None:
    left = [c for c in dict.fromkeys(candidates) if verdict_in(out, c) is None]
    if not left:
        return
    out.mkdir(parents=True, exist_ok=True)
    _tell(state="preparing the task and its baselines", left=len(left))
    best = 0.0
    with evaluator_for(load_task(task)) as evaluator:
        for number, candidate in enumerate(left, 1):
            _tell(state=f"judging kernel {number} of {len(left)}")
            verdict = evaluator.evaluate(candidate, effort="final")
            if verdict.verdict == "task_error":
                raise TaskError(verdict.findings[0].message)
            if verdict.verdict == "harness_error":
                raise HarnessError(verdict.findings[0].message)
            file = _file(out, candidate)
            new = file.with_suffix(".new")
            new.write_text(json.dumps(verdict.to_json()) + "\n", encoding="utf-8")
            new.replace(file)
            gained = verdict.speedup.get("eager")
            if verdict.accepted and gained:
                best = max(best, gained.median)
            _tell(candidates=number, best=best or None, left=len(left) - number)


def _file(out: Path, candidate: Candidate) -> Path:
    return out / f"{candidate.id}.json"


def _tell(**said: object) -> None:
    if PROGRESS in os.environ:
        os.write(int(os.environ[PROGRESS]), (json.dumps(said) + "\n").encode())


if __name__ == "__main__":
    sys.exit(main())
