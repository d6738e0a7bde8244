"""What the page shows of a task beside its figures: the kernel, its diff, attempts, the whole verdict.

Kernels of one writer share most of their lines, so each different line is kept once and sources name
lines by number, in runs: `[first, count, first, count, ...]`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import Any

from kernelwright.evals import highlight
from kernelwright.evals.board import Entry
from kernelwright.evals.highlight import Line
from kernelwright.evals.record import Kernel, TaskResult

_CONTEXT = 3
"""Lines around a change."""


@dataclass
class LineTable:
    """Every different line once."""

    lines: list[Line] = field(default_factory=list)
    _known: dict[Line, int] = field(default_factory=dict)

    def number(self, line: Line) -> int:
        """The line's number; a new one is added."""
        if line not in self._known:
            self._known[line] = len(self.lines)
            self.lines.append(line)
        return self._known[line]

    def numbers(self, lines: Iterable[Line]) -> list[int]:
        """Runs of consecutive numbers."""
        runs: list[int] = []
        for line in lines:
            number = self.number(line)
            if runs and number == runs[-2] + runs[-1]:
                runs[-1] += 1
            else:
                runs += [number, 1]
        return runs


def details(entries: Sequence[Entry], most_lines: int | None = None) -> dict[str, Any]:
    """`lines`, and `tasks` by entry and task. Sources are cut after `most_lines`; None: never."""
    table = LineTable()
    tasks = {
        entry.id: {r.task: _details(r, table, most_lines) for r in entry.results}
        for entry in entries
    }
    return {"lines": [list(line) for line in table.lines], "tasks": tasks}


def _details(result: TaskResult, table: LineTable, most: int | None) -> dict[str, Any]:
    attempts = result.attempts
    found: dict[str, Any] = {
        "rows": [row.model_dump(exclude_defaults=True) for row in attempts.rows],
        "curve": [[p.evaluation, p.best] for p in attempts.curve],
        "shapes": [
            {"name": s.name, "shown": s.shown, "eager": g and [g.median, g.low, g.high]}
            for s in result.shapes
            for g in [s.speedup.get("eager")]
        ],
    }
    if result.best:
        found |= _kernel(result.best, table, most)
    return found


def _kernel(best: Kernel, table: LineTable, most: int | None) -> dict[str, Any]:
    own = highlight.lines(best.source)
    parent = best.parent
    verdict = best.verdict.to_json()
    kept = {name: verdict[name] for name in ("findings", "counters", "seconds", "stage")}
    found: dict[str, Any] = {
        "source": table.numbers(own[:most]),
        "lines": len(own),
        "verdict": kept,
        "note": best.note,
    }
    if parent:
        rows = islice(_changes(parent.source, best.source), most)
        told = [[] if row is None else [*row[:3], table.number(row[3])] for row in rows]
        found |= {"parent": parent.id, "diff": told}
    return found


Change = tuple[str, int, int, Line]
"""Sign, number in the old and in the new text (0: not in it), and the line."""


@lru_cache(maxsize=2048)
def _changes(old_source: str, new_source: str) -> tuple[Change | None, ...]:
    """The rows of a diff; None between two hunks."""
    old, new = highlight.lines(old_source), highlight.lines(new_source)
    return tuple(_hunks(old, new))


def _hunks(old: Sequence[Line], new: Sequence[Line]) -> Iterator[Change | None]:
    matcher = difflib.SequenceMatcher(None, [x.text for x in old], [x.text for x in new])
    for place, group in enumerate(matcher.get_grouped_opcodes(_CONTEXT)):
        if place:
            yield None
        for tag, a, a_end, b, b_end in group:
            if tag == "equal":
                for i, j in zip(range(a, a_end), range(b, b_end), strict=True):
                    yield " ", i + 1, j + 1, new[j]
                continue
            for i in range(a, a_end):
                yield "-", i + 1, 0, old[i]
            for j in range(b, b_end):
                yield "+", 0, j + 1, new[j]
