"""Answers that change a file in place of writing it anew: unified diffs, and search/replace blocks.

Line numbers that a model writes are not believed: a hunk belongs where its old lines stand, and it
has to be one place. What does not fit leads to no file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_HUNK = re.compile(r"^@@.*$", re.M)
_SEARCH = re.compile(
    r"^<{5,9} ?SEARCH[^\n]*\n(?P<old>.*?)^={5,9}[ ]*\n(?P<new>.*?)^>{5,9} ?REPLACE", re.M | re.S
)
_HEADERS = ("--- ", "+++ ", "diff ", "index ", "\\ No newline")
MOST_HUNKS = 200


def patched(base: str, text: str) -> str | None:
    """`base` with the changes in `text`; None where there are none, or one does not fit."""
    if not 0 < text.count("\n@@") + text.startswith("@@") + text.count("< SEARCH") <= MOST_HUNKS:
        return None
    changes = list(_search_replace(text)) or list(_unified(text))
    if not changes:
        return None
    lines = base.splitlines()
    for old, new in changes:
        at = _only_place(lines, old)
        if at is None:
            return None
        lines[at : at + len(old)] = new
    return "\n".join(lines) + "\n"


def misfit(base: str, text: str) -> str | None:
    """Why the search/replace blocks of an answer do not fit `base`; None where there are none, or all do."""
    if not base:
        return None
    lines = base.splitlines()
    for old, new in list(_search_replace(text))[:MOST_HUNKS]:
        at = _only_place(lines, old)
        if at is None:
            first = next((line.strip() for line in old if line.strip()), "(nothing)")
            return (
                f"the lines to search for that begin with {first[:100]!r} do not stand exactly once in the"
                " parent"
            )
        lines[at : at + len(old)] = new
    return None


Change = tuple[list[str], list[str]]
"""The lines before and after."""


def _search_replace(text: str) -> Iterator[Change]:
    for found in _SEARCH.finditer(text):
        yield found["old"].splitlines(), found["new"].splitlines()


def _unified(text: str) -> Iterator[Change]:
    """The hunks of a diff. Text before the first hunk and headers are left out."""
    starts = list(_HUNK.finditer(text))
    ends = [*(start.start() for start in starts[1:]), len(text)]
    for start, end in zip(starts, ends, strict=False):
        old: list[str] = []
        new: list[str] = []
        for line in text[start.end() : end].strip("\n").split("\n"):
            if line.startswith(_HEADERS):
                continue
            mark, rest = line[:1], line[1:]
            if mark != "+":
                old.append(rest)
            if mark != "-":
                new.append(rest)
        yield old, new


def _only_place(lines: list[str], old: list[str]) -> int | None:
    """Where `old` stands, trailing blanks aside; None if nowhere or in several places."""
    wanted = [line.rstrip() for line in old]
    if not any(wanted):
        return None
    have = [line.rstrip() for line in lines]
    places = [
        at
        for at in range(len(have) - len(wanted) + 1)
        if have[at] == wanted[0] and have[at : at + len(wanted)] == wanted
    ]
    return places[0] if len(places) == 1 else None
