"""Suites of others by name: where a checkout lies, and which part of it in which form.

  ../KernelBench                               a folder that a loader recognises
  ../mine                                      a folder of task files that no other does
  kernelbench:../KernelBench                   the same, said
  kernelbench:../KernelBench/level1/19_ReLU    one task of it
  kernelbench-level1:../KernelBench            the tasks of one level
  kernelbench-cpu:../KernelBench               each task scaled down to a CPU (`scale.py`)
  kernelbench-level2-cpu-40-seed7:../KernelBench   all of these, in this order; -mini likewise

What follows the colon is a path. The longest part of it that is a checkout is the checkout; the rest, where
there is any, names a task. Tasks themselves are called `kernelbench-cpu/level1/19_ReLU`, on every machine.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.loaders.loader import Loaded, Loader
from kernelwright.tasks.scale import scaled
from kernelwright.tasks.subsets import mini, subset
from kernelwright.tasks.task import Task

_FORM = re.compile(
    r"(?:-level(?P<level>\d{1,2}))?(?P<cpu>-cpu)?"
    r"(?:-(?P<mini>mini)|-(?P<size>[1-9]\d{0,5})-seed(?P<seed>\d{1,9}))?"
)


@dataclass(frozen=True)
class Foreign:
    """What a name means: the loader, the checkout, the form, and the task where it is one."""

    loader: Loader
    root: Path
    form: str = ""
    """What follows the loader's name: `-level1-cpu`, or nothing."""
    task: str = ""

    def load(self) -> Loaded:
        """The tasks of that form, and what was refused. Raises TaskError where there is none."""
        found = self.loader.load(self.root)
        asked = _FORM.fullmatch(self.form)
        assert asked is not None
        tasks, refused = found.tasks, found.refused
        if asked["level"]:
            level = int(asked["level"])
            tasks = tuple(t for t in tasks if t.meta.level == level)
            refused = tuple(r for r in refused if f"level{level}" in r.name.split("/"))
        suite = found.suite
        if asked["cpu"]:
            suite += "-cpu"
            tasks = tuple(scaled(t, t.name.replace(found.suite, suite, 1)) for t in tasks)
        tasks = self._part(tasks, asked)
        name = f"{self.loader.name}{'-cpu' if asked['cpu'] else ''}"
        tasks = tuple(
            replace(t, spec=f"{name}:{self.root}/{t.name.partition('/')[2]}") for t in tasks
        )
        return Loaded(suite, tasks, refused)

    def one(self) -> Task:
        """The task that is named. Raises TaskError for one that is refused, and for no such task."""
        found = self.load()
        for task in found.tasks:
            if task.name.partition("/")[2] == self.task:
                return task
        for refusal in found.refused:
            if refusal.name == self.task:
                raise TaskError(f"{self.root}: {refusal.name} is not loaded: {refusal.reason}")
        names = [task.name.partition("/")[2] for task in found.tasks]
        close = difflib.get_close_matches(self.task, names, n=3, cutoff=0.4)
        hint = f" (close: {', '.join(close)})" if close else ""
        raise TaskError(
            f"{self.loader.name}{self.form}:{self.root} has no task {self.task!r}{hint}"
        )

    def _part(self, tasks: tuple[Task, ...], asked: re.Match[str]) -> tuple[Task, ...]:
        if asked["mini"]:
            return tuple(mini(tasks))
        if asked["size"] is None:
            return tasks
        size = int(asked["size"])
        if size > len(tasks):
            raise TaskError(
                f"{self.loader.name}{self.form}: the suite has {len(tasks)} tasks, not {size}"
            )
        return tuple(subset(tasks, size, int(asked["seed"])))


def find(spec: str) -> Foreign | None:
    """What a name means; None where it names nothing of others.

    Raises TaskError for the name of a loader with a path that is no checkout of its suite, or with a
    form that there is not.
    """
    head, colon, path = spec.partition(":")
    if colon:
        loader = _named(head)
        return None if loader is None else _at(loader, head.removeprefix(loader.name), path, spec)
    root = Path(spec).expanduser()
    if not root.is_dir():
        return None
    *known, plain = _loaders()
    able = [loader for loader in known if loader.recognises(root)]
    if not able and plain.recognises(root):
        able = [plain]
    if len(able) > 1:
        names = " or ".join(f"{loader.name}:{spec}" for loader in able)
        raise TaskError(f"{spec} could be of several suites: say {names}")
    return Foreign(able[0], root) if able else None


def _at(loader: Loader, form: str, path: str, spec: str) -> Foreign:
    if not _FORM.fullmatch(form):
        raise TaskError(
            f"{spec}: no form {form!r} of {loader.name}: -level1, -cpu, then -mini or -40-seed7"
        )
    if not path:
        raise TaskError(f"{spec}: say where the checkout lies: {loader.name}:PATH")
    whole = Path(path).expanduser()
    for root in (whole, *whole.parents):
        if root.is_dir() and loader.recognises(root):
            rest = whole.relative_to(root).as_posix()
            return Foreign(loader, root, form, "" if rest == "." else rest.removesuffix(".py"))
    what = "is no checkout" if whole.exists() else "does not exist, nor is a folder above it one"
    raise TaskError(f"{path} {what} of {loader.name}")


def _named(head: str) -> Loader | None:
    """The loader whose name, the longest that fits, a suite's name begins with."""
    fitting = [
        loader for loader in _loaders() if re.fullmatch(rf"{re.escape(loader.name)}(-.*)?", head)
    ]
    return max(fitting, key=lambda loader: len(loader.name), default=None)


def _loaders() -> Sequence[Loader]:
    from kernelwright.tasks.loaders.known import LOADERS  # they read tasks, as we do

    return LOADERS
