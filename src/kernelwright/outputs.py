"""The folder of a run, `kernels_out/<task>/<run>/`, and how files get into it.

run.json            what was asked for, so that `--resume` needs no more than the run's name
task.py             the reference, as it was; beside it the kernel that it starts from, if it has one
run.db              the event log, the one truth (`agents/events.py`)
checkpoints.db      where the loop stood
report.md           the history of attempts, for people
card.json           the champion's verdict and what it holds for; only with a champion
champion/kernel.py  the champion, which runs on its own; only with a champion
unmeasured/kernel.py  what is right and of unknown speed: for a GPU, and there was none
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kernelwright.agents.models.keys import redact
from kernelwright.harness.errors import HarnessError
from kernelwright.tasks.errors import UsageError
from kernelwright.tasks.task import Task

_LISTS = ("model", "coder", "judge", "price", "prices", "ablate")


def _several(value: Any) -> tuple[Any, ...]:
    """A list of `run.json`; older ones hold one value, or null for none."""
    if isinstance(value, list):
        return tuple(value)
    return () if value is None else (value,)


@dataclass(frozen=True)
class Asked:
    """What a run was asked for. Budgets are None where the default holds."""

    task: str
    """What finds the task again: a bundled name, or a file as the user wrote it."""
    task_name: str
    task_hash: str
    model: tuple[str, ...]
    """Who plays the roles; of several a bandit chooses for each turn."""
    seed: int
    budget_evals: int | None
    budget_minutes: float | None
    budget_usd: float | None = None
    budget_tokens: int | None = None
    dollar_cap: bool = True
    """False: the user wants none, whatever it costs."""
    price: tuple[str, ...] = ()
    """The user's own prices, as they were given."""
    prices: tuple[Mapping[str, Any], ...] = ()
    """What each model is billed at (`Quote.to_json`): the run keeps these prices."""
    coder: tuple[str, ...] = ()
    judge: tuple[str, ...] = ()
    """The models of single roles; empty: `model` plays it."""
    parallel: int | None = None
    rounds: int | None = None
    ablate: tuple[str, ...] = ()
    """Parts of the search that are switched off."""
    tester: str | None = None
    """Who attacks champions: a model, `builtin` or `none`; None: the default, `builtin`."""
    auditor: str | None = None
    """Who reads what is published; as `tester`."""
    language: str = "cpp"
    memory: str | None = None
    """`all`, `others` or `off`; None: the default (`agents/settings.py`)."""

    @property
    def specs(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Who plays Coder, and who plays Judge."""
        return self.coder or self.model, self.judge or self.model

    @property
    def players(self) -> str:
        """Who plays, in words."""
        coder, judge = (" or ".join(specs) for specs in self.specs)
        return coder if coder == judge else f"coder {coder}, judge {judge}"

    @property
    def player_options(self) -> list[str]:
        """The options that ask for the same search."""
        coders, judges = self.specs
        asked = (
            [("--model", coders)]
            if coders == judges
            else [("--coder", coders), ("--judge", judges)]
        )
        asked.append(("--ablate", self.ablate))
        words = [word for option, names in asked for name in names for word in (option, name)]
        for option, name in (("--tester", self.tester), ("--auditor", self.auditor)):
            words += [option, name] if name else []
        if self.language != "cpp":
            words += ["--language", self.language]
        if self.rounds is not None:
            words += ["--rounds", str(self.rounds)]
        return words


@dataclass(frozen=True)
class RunFolder:
    """One run on disk."""

    path: Path

    @property
    def name(self) -> str:
        """The run's name: the time it began, UTC, and four random hex digits."""
        return self.path.name

    @property
    def kernel(self) -> Path:
        """The champion."""
        return self.path / "champion" / "kernel.py"

    @property
    def unmeasured(self) -> Path:
        """The best of those that are right and whose speed is unknown."""
        return self.path / "unmeasured" / "kernel.py"

    @property
    def card(self) -> Path:
        """The champion's verdict, environment and hashes."""
        return self.path / "card.json"

    @property
    def report(self) -> Path:
        """The history of attempts."""
        return self.path / "report.md"

    @property
    def task(self) -> Path:
        """The copy of the reference."""
        return self.path / "task.py"

    def write(self, file: Path, content: str | Mapping[str, Any]) -> None:
        """Put a whole file in place, or leave the old one. Raises HarnessError.

        Keys are taken out of all but the champion, which is written as it was judged.
        """
        if not isinstance(content, str):
            content = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        if file not in (self.kernel, self.unmeasured):
            content = redact(content)
        new = file.with_name(f".{file.name}.new")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with new.open("w", encoding="utf-8") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            new.replace(file)
        except OSError as error:
            raise HarnessError(f"cannot write {file}: {error.strerror}") from error
        finally:
            with contextlib.suppress(OSError):
                new.unlink(missing_ok=True)

    def asked(self) -> Asked:
        """What this run was asked for. Raises UsageError for a folder that is no run."""
        file = self.path / "run.json"
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
            return Asked(**{**data, **{name: _several(data.get(name)) for name in _LISTS}})
        except OSError as error:
            raise UsageError(f"{self.path} is no run: {file.name}: {error.strerror}") from error
        except (ValueError, TypeError, AttributeError) as error:
            raise UsageError(f"{file} cannot be read: {error}") from error

    def discard_if_unused(self) -> None:
        """Remove the folder when the search has not begun, and its parents when they are empty."""
        if (self.path / "run.db").exists():
            return
        shutil.rmtree(self.path)
        for parent in (self.path.parent, self.path.parent.parent):
            try:
                parent.rmdir()
            except OSError:  # not empty: others use it
                return


def create_run(out: Path, task: Task, asked: Asked) -> RunFolder:
    """A new folder below `out`. Raises UsageError when it cannot be written."""
    now = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    run = RunFolder(task_folder(out, task.name) / f"{now}-{secrets.token_hex(2)}")
    try:
        run.path.mkdir(parents=True)
        run.task.write_text(task.source, encoding="utf-8")
        if task.start is not None and task.meta.start is not None:
            start = run.path / task.meta.start
            start.parent.mkdir(parents=True, exist_ok=True)
            start.write_text(task.start, encoding="utf-8")
        (run.path / "run.json").write_text(asked_text(asked))
    except OSError as error:
        where = error.filename or run.path
        raise UsageError(
            f"cannot write {where}: {error.strerror}; choose another folder with --out"
        ) from error
    return run


def asked_text(asked: Asked) -> str:
    """The content of `run.json`."""
    return redact(json.dumps(asdict(asked), indent=2)) + "\n"


def find_run(out: Path, task: Task, wanted: str | None) -> RunFolder:
    """The run of that name or path; without one the latest of this task. Raises UsageError."""
    if wanted and (Path(wanted) / "run.json").is_file():
        return RunFolder(Path(wanted).resolve())
    folder = task_folder(out, task.name)
    if wanted:
        if not (folder / wanted / "run.json").is_file():
            raise UsageError(f"no run {wanted} in {folder}: give its name or its folder")
        return RunFolder(folder / wanted)
    runs = sorted(file.parent for file in folder.glob("*/run.json"))
    for path in reversed(runs):
        if RunFolder(path).asked().task_hash == task.hash:
            return RunFolder(path)
    other = " (the runs there are for another version of it)" if runs else ""
    raise UsageError(f"no run of {task.name} in {folder}{other}: start without --resume")


def task_folder(out: Path, task_name: str) -> Path:
    """Where the runs of a task lie: `core/softmax` becomes `core-softmax`."""
    return out / re.sub(r"[^\w.-]+", "-", task_name).strip(".-")
