"""What a candidate changed, as a unified diff."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import OverflowMethod
from rich.text import Text

CONTEXT = 2
"""Unchanged lines around a change."""
_STYLES = {"+": "green", "-": "red", "@": "cyan"}


@dataclass(frozen=True)
class Diff:
    """Lines of a unified diff without its head, and how many were added and removed."""

    lines: tuple[str, ...]
    added: int
    removed: int


def diff(before: str, after: str) -> Diff:
    """From one source to the next."""
    lines = list(
        difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=CONTEXT)
    )[2:]
    return Diff(
        tuple(lines),
        sum(line.startswith("+") for line in lines),
        sum(line.startswith("-") for line in lines),
    )


def coloured(lines: Sequence[str], most: int | None, indent: str, *, cut: bool) -> list[Text]:
    """The lines, never wrapped; after `most` of them only how many are left.

    `cut`: at the width of the terminal, else they are as long as they are.
    """
    overflow: OverflowMethod = "ellipsis" if cut else "ignore"
    shown = lines if most is None or len(lines) <= most + 1 else lines[:most]
    found = [
        Text(f"{indent}{line}", _STYLES.get(line[:1], "dim"), no_wrap=True, overflow=overflow)
        for line in shown
    ]
    if len(shown) < len(lines):
        found.append(Text(f"{indent}… {len(lines) - len(shown)} more lines (--full)", "dim italic"))
    return found
