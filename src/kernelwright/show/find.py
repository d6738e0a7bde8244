"""Which run is meant: by its folder, by its name, or the latest of a task."""

from __future__ import annotations

from pathlib import Path

from kernelwright.outputs import RunFolder, task_folder
from kernelwright.tasks.errors import TaskError, UsageError
from kernelwright.tasks.load import load_task

_LOG = "run.db"


def find(out: Path, wanted: str) -> RunFolder:
    """The run, which need not be finished and whose task may be gone. Raises UsageError."""
    path = Path(wanted)
    if path.name == _LOG and path.is_file():
        path = path.parent
    if (path / _LOG).is_file():
        return RunFolder(path.resolve())
    if (path / "run.json").is_file():
        raise UsageError(f"{path} holds no {_LOG}: its search has not begun")
    named = sorted(out.glob(f"*/{path.name}/{_LOG}")) if path.name == wanted else []
    if named:
        return RunFolder(named[-1].parent)
    below = path if path.is_dir() else task_folder(out, _task_name(wanted))
    runs = sorted(below.glob(f"*/{_LOG}"), key=lambda file: file.parent.name)
    if runs:
        return RunFolder(runs[-1].parent)
    raise UsageError(
        f"no run {wanted}: give a run's folder or name, or a task that has runs in {out}"
    )


def _task_name(wanted: str) -> str:
    """The name under which runs of a task are kept; the task itself may not be there any more."""
    try:
        return load_task(wanted).name
    except TaskError:
        return Path(wanted).stem if wanted.endswith(".py") else wanted
