"""Reads what `ncu --csv` prints: launches with their metrics and units.

Two forms are known: one line for each metric (`--page details`, column "Metric Name"), and one line for each
launch with a line of units below the head (`--page raw`). Before and between stand lines of ncu's own and of
the program, which are passed over. Source: Nsight Compute CLI, "Output pages".
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

_UNITS = {
    "nsecond": ("s", 1e-9), "ns": ("s", 1e-9), "usecond": ("s", 1e-6), "us": ("s", 1e-6),
    "msecond": ("s", 1e-3), "ms": ("s", 1e-3), "second": ("s", 1.0), "s": ("s", 1.0),
    "Kbyte": ("byte", 1e3), "Mbyte": ("byte", 1e6), "Gbyte": ("byte", 1e9), "Tbyte": ("byte", 1e12),
    "Kbyte/second": ("byte/s", 1e3), "Mbyte/second": ("byte/s", 1e6), "Gbyte/second": ("byte/s", 1e9),
    "Tbyte/second": ("byte/s", 1e12), "byte/second": ("byte/s", 1.0),
    "Kbyte/block": ("byte/block", 1e3), "byte/block": ("byte/block", 1.0),
}  # fmt: skip
"""What ncu calls units, scaled ones too: ours, and by how much to multiply."""
_NAME, _METRIC, _UNIT, _VALUE = "Kernel Name", "Metric Name", "Metric Unit", "Metric Value"
_SIZE = re.compile(r"\d+")


@dataclass(frozen=True)
class Launch:
    """One launch: kernel, blocks, threads of a block, and by metric its value and unit."""

    number: str
    kernel: str
    grid: tuple[int, ...] = ()
    block: tuple[int, ...] = ()
    metrics: dict[str, tuple[float, str]] = field(default_factory=dict)


def launches(text: str) -> tuple[Launch, ...]:
    """In their order. Raises ValueError where there is no table."""
    lines = text.splitlines()
    head = next((i for i, line in enumerate(lines) if line.startswith('"') and _NAME in line), None)
    if head is None:
        raise ValueError("ncu printed no table")
    rows = list(csv.reader(line for line in lines[head:] if line.startswith('"')))
    columns, body = rows[0], [row for row in rows[1:] if len(row) == len(rows[0])]
    found: dict[str, Launch] = {}
    for row in _long(columns, body) if _METRIC in columns else _wide(columns, body):
        launch = found.setdefault(row.number, row)
        launch.metrics.update(row.metrics)
    return tuple(found.values())


def _long(columns: Sequence[str], body: Sequence[Sequence[str]]) -> Iterator[Launch]:
    for row in body:
        cells = dict(zip(columns, row, strict=True))
        yield _launch(cells, {cells[_METRIC]: (cells[_VALUE], cells.get(_UNIT, ""))})


def _wide(columns: Sequence[str], body: Sequence[Sequence[str]]) -> Iterator[Launch]:
    if not body:
        return
    units = dict(zip(columns, body[0], strict=True))
    for row in body[1:]:
        cells = dict(zip(columns, row, strict=True))
        told = {name: (cells[name], units[name]) for name in columns if "__" in name}
        yield _launch(cells, told)


def _launch(cells: Mapping[str, str], told: Mapping[str, tuple[str, str]]) -> Launch:
    metrics = {}
    for name, (text, unit) in told.items():
        value = _number(text)
        if value is not None:
            ours, factor = _UNITS.get(unit, (unit, 1.0))
            metrics[name] = (value * factor, ours)
    sizes = [
        tuple(map(int, _SIZE.findall(cells.get(name, "")))) for name in ("Grid Size", "Block Size")
    ]
    return Launch(cells.get("ID", ""), cells[_NAME], sizes[0], sizes[1], metrics)


def _number(text: str) -> float | None:
    """With commas between thousands; None for `n/a` and its like."""
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return None
