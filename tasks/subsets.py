"""Variants of a suite, by name: a small stratified part, a sample by seed, the sizes of its sources.

  core-mini          two tasks of each category (one in a suite of less than a hundred tasks)
  core-40-seed7      forty tasks, every category with its share, drawn with seed 7
  papers-full        each task at the sizes of its source, where the suite's own are cut down to a CPU

Equal names give equal tasks as long as the suite's content is the same (`versions.py`). Who is drawn
depends on names and seed alone, so a task that is added moves few others.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.resize import resized
from kernelwright.tasks.task import Task

_LARGE = 100
_SAMPLE = re.compile(r"(?P<suite>.+)-(?P<size>[1-9][0-9]{0,5})-seed(?P<seed>[0-9]{1,9})")


@dataclass(frozen=True)
class Variant:
    """What the name of a variant says: the suite, and which of its tasks in which form."""

    suite: str
    kind: str
    """`mini`, `sample` or `full`."""
    size: int = 0
    seed: int = 0

    def of(self, tasks: Sequence[Task], name: str) -> list[Task]:
        """The variant's tasks, sorted by name. Raises TaskError where the suite has none such."""
        if self.kind == "full":
            found = [_full(task, name) for task in tasks if task.meta.full]
            if not found:
                raise TaskError(
                    f"no task of {self.suite!r} declares other sizes: there is no {name}"
                )
            return found
        if self.kind == "mini":
            return mini(tasks)
        if self.size > len(tasks):
            raise TaskError(f"{name}: {self.suite!r} has {len(tasks)} tasks, not {self.size}")
        return subset(tasks, self.size, self.seed)


def parse(name: str) -> Variant | None:
    """The variant that a name means; None where it is no name of one."""
    for kind in ("mini", "full"):
        suite = name.removesuffix(f"-{kind}")
        if suite and suite != name:
            return Variant(suite, kind)
    found = _SAMPLE.fullmatch(name)
    if found is None:
        return None
    return Variant(found["suite"], "sample", int(found["size"]), int(found["seed"]))


def subset(tasks: Sequence[Task], size: int, seed: int) -> list[Task]:
    """`size` of the tasks, drawn with `seed`, every category with its share; sorted by name.

    A share is the category's part of the suite, rounded by largest remainders; each category gets one
    first, where `size` allows. Raises ValueError for a size that is not from 1 to `len(tasks)`.
    """
    if not 1 <= size <= len(tasks):
        raise ValueError(f"a subset of {len(tasks)} tasks cannot have {size}")
    strata: dict[str, list[Task]] = defaultdict(list)
    for task in tasks:
        strata[task.meta.category].append(task)
    shares = _shares({kind: len(members) for kind, members in strata.items()}, size, seed)
    drawn = [
        task
        for kind, members in strata.items()
        for task in sorted(members, key=lambda t: _lot(seed, t.name))[: shares[kind]]
    ]
    return sorted(drawn, key=lambda task: task.name)


def mini(tasks: Sequence[Task]) -> list[Task]:
    """Two tasks of each category, or one where the suite is small, drawn with seed 0; sorted by name."""
    each = 2 if len(tasks) >= _LARGE else 1
    strata: dict[str, list[Task]] = defaultdict(list)
    for task in tasks:
        strata[task.meta.category].append(task)
    drawn = [
        task
        for members in strata.values()
        for task in sorted(members, key=lambda t: _lot(0, t.name))[:each]
    ]
    return sorted(drawn, key=lambda task: task.name)


def _shares(sizes: dict[str, int], size: int, seed: int) -> dict[str, int]:
    """How many of each category. They add up to `size`, and none is more than there are."""
    total = sum(sizes.values())
    exact = {kind: size * count / total for kind, count in sizes.items()}
    least = 1 if size >= len(sizes) else 0
    shares = {kind: max(least, int(part)) for kind, part in exact.items()}
    while sum(shares.values()) != size:
        missing = 1 if sum(shares.values()) < size else -1
        able = [k for k in sizes if least <= shares[k] + missing <= sizes[k]]
        nearest = max(able, key=lambda k: (missing * (exact[k] - shares[k]), _lot(seed, k)))
        shares[nearest] += missing
    return shares


def _lot(seed: int, name: str) -> str:
    return hashlib.sha256(f"{seed} {name}".encode()).hexdigest()


def _full(task: Task, suite: str) -> Task:
    return resized(task, task.meta.full[0], f"{suite}/{task.name.rpartition('/')[2]}")
