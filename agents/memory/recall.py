"""Which lessons fit: edits of other tasks for such a kernel, telling ones first, no two alike.

What is never given, so that nothing leaks into a result:
- edits of the same task: the same source, or the same name but for numbers, versions and suite
  (`core/softmax`, `23_Softmax`), or a name that differs in a letter or two;
- edits of the same suite, where the caller says so: a benchmark does. Files without a suite are one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from typing import Any

from kernelwright.agents.memory.edits import suite_of
from kernelwright.agents.memory.store import Edit
from kernelwright.agents.roles import Lesson
from kernelwright.tasks.task import Task

MOST = 5
"""Lessons at the most: a prompt is read by somebody who pays for it."""
_OF_ONE_TASK = 2
_SAME_WORDS = 0.6
"""Two changes that share this much of their words are one."""
_SAME_NAME = 0.85
"""Two names that agree to this degree (`SequenceMatcher`) may be the same task."""
_NARROW = 0.05
"""That a change gave nothing is worth telling where the interval is this narrow, as a share."""
_UNKNOWN = ("unknown", "uncategorised", "")


@dataclass(frozen=True)
class Wanted:
    """What lessons are wanted for."""

    task: Task
    bottleneck: str
    same_suite: bool = True
    """Whether lessons may come from the task's own suite."""


def choose(edits: Iterable[Edit], wanted: Wanted, most: int = MOST) -> tuple[Lesson, ...]:
    """At most `most` lessons: by category and bottleneck, then by category, then by bottleneck.

    `edits` come most telling first. The last place is kept for a change that made things slower.
    """
    known = [e for e in edits if _may_be_told(e, wanted) and _says_something(e)]
    known = sorted((e for e in known if _fit(e, wanted)), key=lambda e: -_fit(e, wanted))
    chosen: list[Edit] = []
    for edit in known:
        if len(chosen) < most and _is_new(edit, chosen):
            chosen.append(edit)
    if len(chosen) == most and all(e.gain >= 1 for e in chosen):
        slower = next((e for e in known if e.high < 1 and _is_new(e, chosen[:-1])), None)
        chosen[-1] = slower or chosen[-1]
    return tuple(_lesson(edit) for edit in chosen)


def lessons_json(lessons: Iterable[Lesson]) -> dict[str, Any]:
    """For the event `recall:N`."""
    return {"lessons": [asdict(lesson) for lesson in lessons]}


def lessons_from(data: Mapping[str, Any]) -> tuple[Lesson, ...]:
    """The inverse of `lessons_json`."""
    return tuple(Lesson(**lesson) for lesson in data["lessons"])


def same_task(a: str, b: str) -> bool:
    """Whether two names may well mean the same operator."""
    one, other = _plain(a), _plain(b)
    return one == other or SequenceMatcher(None, one, other).ratio() >= _SAME_NAME


def _plain(name: str) -> str:
    """`23_Softmax_v2.py` -> `softmax`."""
    words = re.findall(r"[a-z]+|\d+", name.rpartition("/")[2].lower().removesuffix(".py"))
    return " ".join(word for word in words if word.isalpha() and word != "v") or name


def _may_be_told(edit: Edit, wanted: Wanted) -> bool:
    own = wanted.task
    if edit.task_hash == own.hash or same_task(edit.task, own.name):
        return False
    return wanted.same_suite or edit.suite != suite_of(own.name)


def _says_something(edit: Edit) -> bool:
    return bool(edit.change) and (edit.telling > 0 or edit.high / edit.low - 1 <= _NARROW)


def _fit(edit: Edit, wanted: Wanted) -> int:
    """3: category and bottleneck agree, 2: the category, 1: the bottleneck, 0: neither."""
    category = edit.category == wanted.task.meta.category and edit.category not in _UNKNOWN
    bound = edit.bottleneck == wanted.bottleneck and edit.bottleneck not in _UNKNOWN
    return 2 * category + bound


def _is_new(edit: Edit, chosen: Iterable[Edit]) -> bool:
    chosen = list(chosen)
    if sum(other.task == edit.task for other in chosen) >= _OF_ONE_TASK:
        return False
    return not any(_alike(edit, other) for other in chosen)


def _alike(a: Edit, b: Edit) -> bool:
    """The same way to go with the same outcome, or the same words."""
    if a.strategy and a.strategy == b.strategy and (a.gain >= 1) == (b.gain >= 1):
        return True
    one, other = (set(re.findall(r"[a-z]{3,}", e.change.lower())) for e in (a, b))
    return len(one & other) >= _SAME_WORDS * max(1, len(one | other))


def _lesson(edit: Edit) -> Lesson:
    change = edit.change if edit.parent else f"{edit.change} (against PyTorch eager)"
    return Lesson(
        task=edit.task,
        category=edit.category,
        bottleneck=edit.bottleneck,
        language=edit.language,
        change=change,
        gain=edit.gain,
        low=edit.low,
        high=edit.high,
        strategy=edit.strategy,
        shift=edit.shift,
    )
