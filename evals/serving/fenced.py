"""Who judges a task: this process, or for a stranger's task one that is fenced in.

A reference runs where its task is judged. What it could do to its user there is what the fence keeps from it
(`harness/sandbox/fence.py`); what it says of its own task is believed in any case.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from kernelwright.evals.serving.evaluator import ServedEvaluator
from kernelwright.evals.serving.process import ServerProcess
from kernelwright.harness import casebook, evaluate, turnstile
from kernelwright.harness.builds import cache_folder
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.inline_cpp import BuildError
from kernelwright.harness.peaks import device_facts
from kernelwright.harness.sandbox.fence import MARK, Fence
from kernelwright.harness.vetting import foreign, vet
from kernelwright.tasks import audits
from kernelwright.tasks.task import Task

ON_GPU = ("cuda", "triton")
"""Languages whose kernels are for a GPU."""
VETTED = {"KERNELWRIGHT_TRUST_TASKS": "1"}
"""Environment inside a fence: what gets there was vetted before."""


def judge_of(
    task: Task,
    candidate: Candidate | None = None,
    *,
    language: str | None = None,
    threads: int | None = None,
    seed: int | None = None,
) -> evaluate.Evaluator | ServedEvaluator:
    """An evaluator for a task, or for one candidate of it. Raises TaskError for a task at fault.

    `language`: what most candidates will be written in; where that is for a GPU and there is one, its facts
    are the evaluator's.
    """
    if fenced_in(task):
        vet(task)
        fence = fence_around(task, threads)
        return ServedEvaluator(
            task, lambda: ServerProcess(VETTED, inside=fence), threads=threads, seed=seed
        )
    if candidate is not None:
        return evaluate.evaluator_for(task, candidate, threads=threads, seed=seed)
    native = None
    if language in ON_GPU:
        native = evaluate.on_gpu(task, threads=threads, seed=seed)
    return native or evaluate.Evaluator(task, threads=threads, seed=seed)


def fenced_in(task: Task) -> bool:
    """Whether a task is to be run behind a fence, and we are not behind one."""
    return MARK not in os.environ and foreign(task)


def fence_around(task: Task, threads: int | None = None) -> Fence:
    """What has to be inside to judge a task: its file, what is known of it, and the room of who is timed."""
    needed = [task.path, task.path.with_suffix(".cases.json")] if task.path else []
    if turnstile.named() is not None:  # which makes the files; they are held, not written
        needed += turnstile.files(Path(os.environ[turnstile.ROOM]))
    return Fence(
        tuple(str(path.resolve()) for path in needed if path.is_file()),
        {**_peaks(threads), **_known(task)},
    )


def _peaks(threads: int | None) -> Mapping[str, str]:
    """What the device was measured to do; measured now if it never was."""
    with contextlib.suppress(BuildError):  # who judges says it
        device_facts(threads or len(os.sched_getaffinity(0)))
    return {f"cache/{p.name}": p.read_text() for p in cache_folder().glob("peaks-*.json")}


def _known(task: Task) -> Mapping[str, str]:
    """Audit and counterexamples of a task, where there are any."""
    cases = casebook.folder()
    name = f"{task.hash}.json"
    places = {f"cache/audits/{name}": cache_folder() / "audits" / name}
    if cases is not None:
        places[f"data/counterexamples/{name}"] = cases / name
    if audits.recorded(task) is None:
        del places[f"cache/audits/{name}"]
    return {to: path.read_text(encoding="utf-8") for to, path in places.items() if path.is_file()}
