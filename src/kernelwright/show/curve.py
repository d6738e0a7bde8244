"""The best so far over the evaluations, drawn with characters."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.text import Text

from kernelwright.agents.archive import fitness, speedup
from kernelwright.show.story import Try

ROWS = 11
_AXIS = 8
"""Columns for the figures on the left."""
_POINT, _WRONG, _EAGER = "·", "✗", "┄"
_STYLE = {_POINT: "dim", _WRONG: "red", _EAGER: "dim"}


def curve(tries: Sequence[Try], width: int) -> list[Text]:
    """Lines of the drawing, at most `width` columns wide; none where nothing was judged."""
    if not tries:
        return []
    columns = max(10, width - _AXIS - 1)
    values = [speedup(one.attempt) for one in tries]
    steps = _steps(tries)
    scale = _Scale([v for v in (*values, *steps) if v is not None])
    grid = [[" "] * columns for _ in range(ROWS)]
    grid[scale.row(1.0)] = [_EAGER] * columns
    for index, value in enumerate(values):
        column = _column(index, len(tries), columns)
        if value is None:
            grid[ROWS - 1][column] = _WRONG
        else:
            grid[scale.row(value)][column] = _POINT
    _draw_steps(grid, steps, scale)
    lines = [_line(row, scale.label(i)) for i, row in enumerate(grid)]
    lines.append(Text(f"{'':{_AXIS}}└{'─' * columns}", "dim"))
    ends = f"1{len(tries):>{columns - 1}}" if len(tries) > 1 else "1"
    lines.append(Text(f"{'':{_AXIS}} {ends}", "dim"))
    return lines


def legend() -> Text:
    """What the signs mean."""
    return Text.assemble(
        ("─", "bold green"),
        " best so far (low end of its interval)  ",
        ("·", "dim"),
        " median  ",
        (_WRONG, "red"),
        " rejected  ",
        (_EAGER, "dim"),
        " PyTorch eager",
    )


def _steps(tries: Sequence[Try]) -> list[float | None]:
    """After each evaluation the best low end of an interval against eager."""
    best: float | None = None
    steps = []
    for one in tries:
        value = fitness(one.attempt)
        if value is not None:
            best = value if best is None else max(best, value)
        steps.append(best)
    return steps


class _Scale:
    """Speedups on a logarithmic axis; 1 is always on it."""

    def __init__(self, values: Sequence[float]) -> None:
        self._low = math.log(min([1.0, *values]))
        high = math.log(max([1.0, *values]))
        self._span = max(high - self._low, math.log(1.1))

    def row(self, value: float) -> int:
        """From the top; the lowest row is for what was rejected."""
        share = (math.log(value) - self._low) / self._span
        return round((1 - share) * (ROWS - 2))

    def label(self, row: int) -> str:
        """The figure at a row, for every other one."""
        if row > ROWS - 2 or (row % 2 and row != self.row(1.0)):
            return ""
        value = math.exp(self._low + (1 - row / (ROWS - 2)) * self._span)
        return f"{value:.2f}x" if value < 100 else f"{value:.0f}x"


def _column(index: int, count: int, columns: int) -> int:
    return 0 if count == 1 else round(index * (columns - 1) / (count - 1))


def _draw_steps(grid: list[list[str]], steps: Sequence[float | None], scale: _Scale) -> None:
    """A line that goes right until a better one is found, then up."""
    columns = len(grid[0])
    rows: list[int | None] = [None] * columns
    for index, value in enumerate(steps):
        if value is not None:
            first = _column(index, len(steps), columns)
            rows[first:] = [scale.row(value)] * (columns - first)
    before: int | None = None
    for column, row in enumerate(rows):
        if row is None:
            continue
        if before is None or before == row:
            grid[row][column] = "─"
        else:
            grid[before][column], grid[row][column] = "╯", "╭"
            for between in range(row + 1, before):
                grid[between][column] = "│"
        before = row


def _line(row: Sequence[str], label: str) -> Text:
    line = Text(f"{label:>{_AXIS - 1}} │", "dim")
    for sign in row:
        line.append(sign, _STYLE.get(sign, "bold green" if sign != " " else ""))
    return line
