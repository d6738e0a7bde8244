"""What `optimize` is asked to do: everything that can be wrong with it is found out here,

before anything is spent and before a folder is left behind.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

from kernelwright.agents.settings import BUILTIN_MINUTES, Settings
from kernelwright.outputs import Asked, RunFolder, create_run, find_run
from kernelwright.players import BUILTIN, Players, players
from kernelwright.tasks.errors import UsageError
from kernelwright.tasks.load import load_task
from kernelwright.tasks.task import Task

LATEST = "latest"
"""What `--resume` holds when it names no run."""


@dataclass(frozen=True)
class Job:
    """What is to be done, all of it checked."""

    task: Task
    asked: Asked
    folder: RunFolder
    players: Players
    settings: Settings
    resume: bool
    out: Path


def prepare(args: argparse.Namespace) -> Job:
    """The job that the arguments of `optimize` ask for. Raises UsageError."""
    out = Path(args.out)
    if args.resume is None:
        if args.task is None:
            raise UsageError("no task given: a .py file, or a name of `kernelwright tasks`")
        task = load_task(args.task)
        asked = _asked(args, task, None)
        folder = None
    else:
        task, folder = _resumed(args, out)
        asked = _asked(args, task, folder.asked())
    settings = _settings(asked)
    _need_compiler()
    roles = players(asked.model)
    folder = folder or create_run(out, task, asked)
    begun = (folder.path / "run.db").exists()
    return Job(task, asked, folder, roles, settings, begun, out)


def _resumed(args: argparse.Namespace, out: Path) -> tuple[Task, RunFolder]:
    """The task and the run to go on with. `--resume TASK` and `--resume FOLDER` are understood."""
    wanted = None if args.resume == LATEST else args.resume
    spec = args.task
    if spec is None and wanted is not None:
        if (Path(wanted) / "run.json").is_file():
            spec = RunFolder(Path(wanted)).asked().task
        else:
            spec, wanted = wanted, None
    if spec is None:
        raise UsageError("resume which task? kernelwright optimize TASK --resume [RUN]")
    task = load_task(spec)
    return task, find_run(out, task, wanted)


def _asked(args: argparse.Namespace, task: Task, before: Asked | None) -> Asked:
    """What the arguments say; what they leave open is as it was `before`, else the default."""
    spec = args.task or (before.task if before else args.resume)
    bundled = task.path is None or task.name == spec
    evals, minutes = args.budget_evals, args.budget_minutes
    if before is not None:
        evals = before.budget_evals if evals is None else evals
        minutes = before.budget_minutes if minutes is None else minutes
        if args.seed not in (None, before.seed):
            raise UsageError(f"--seed {args.seed}: the run began with {before.seed} and keeps it")
    return Asked(
        task=task.name if bundled else str(task.path),
        task_name=task.name,
        task_hash=task.hash,
        model=args.model or (before.model if before else BUILTIN),
        seed=before.seed if before else args.seed or 0,
        budget_evals=evals,
        budget_minutes=minutes,
    )


def _settings(asked: Asked) -> Settings:
    minutes = asked.budget_minutes
    if minutes is None and asked.model == BUILTIN:
        minutes = BUILTIN_MINUTES
    settings = Settings(budget_minutes=minutes, seed=asked.seed)
    if asked.budget_evals is not None:
        settings = replace(settings, budget_evals=asked.budget_evals)
    return settings


def _need_compiler() -> None:
    from kernelwright.harness import inline_cpp

    try:
        inline_cpp.compiler()
    except inline_cpp.BuildError as error:
        raise UsageError(str(error)) from error
