"""The strategy catalogue: the short files of `agents/prompts/strategies/`, read as `Strategy`.

A file starts with two lines, `bottlenecks: ...` and `languages: ...`, each a list with commas, between
lines of three hyphens. Its text follows: what it is and when it pays, then how in each language, under
a heading `## NAME` of that language, then the pitfalls. A reader of one language is given its section only.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from kernelwright.agents.roles import Strategy

FOLDER = Path(__file__).parent / "prompts" / "strategies"
BOTTLENECKS = ("memory", "compute", "latency", "overhead")
"""What may bind a kernel: bytes; operations; waiting for either; cost that does not grow with the work."""
_FRONT = re.compile(r"---\n(?P<front>.*?)\n---\n(?P<text>.*)", re.S)
_SECTION = re.compile(r"^## (?P<name>\w+)\n(?P<body>.*?)(?=^## |\Z)", re.M | re.S)


class BadStrategy(ValueError):
    """A file of the catalogue is not in its format; the message names the file and the fault."""


def catalogue(language: str | None = None) -> tuple[Strategy, ...]:
    """Every strategy that can be written in the language, by name; all of them where none is given.

    The text holds the `how` of that language only. Raises BadStrategy for a file that is not in format.
    """
    found = (_read(path) for path in sorted(FOLDER.glob("*.md")))
    return tuple(
        strategy if language is None else _for(strategy, language)
        for strategy in found
        if language is None or not strategy.languages or language in strategy.languages
    )


def named(name: str, language: str | None = None) -> Strategy | None:
    """The strategy of that name, or None where the catalogue has none for the language."""
    return next((s for s in catalogue(language) if s.name == name), None)


@cache
def _read(path: Path) -> Strategy:
    parts = _FRONT.match(path.read_text())
    if parts is None:
        raise BadStrategy(f"{path}: no front matter between two lines of ---")
    fields: dict[str, tuple[str, ...]] = {}
    for line in parts["front"].splitlines():
        name, colon, values = line.partition(":")
        if not colon or name not in ("bottlenecks", "languages"):
            raise BadStrategy(f"{path}: {line!r} is neither bottlenecks: nor languages:")
        fields[name] = tuple(v.strip() for v in values.split(",") if v.strip())
    unknown = set(fields.get("bottlenecks", ())) - set(BOTTLENECKS)
    if unknown:
        raise BadStrategy(f"{path}: no bottleneck is called {', '.join(sorted(unknown))}")
    return Strategy(
        path.stem,
        parts["text"].strip(),
        fields.get("bottlenecks", ()),
        fields.get("languages", ()),
    )


def _for(strategy: Strategy, language: str) -> Strategy:
    """The strategy without the sections of other languages, and without headings."""
    others = {name for name in ("cpp", "cuda", "triton", *strategy.languages) if name != language}

    def kept(section: re.Match[str]) -> str:
        if section["name"] in others:
            return ""
        head = "How" if section["name"] == language else section["name"]
        return f"{head}:\n{section['body']}"

    text = _SECTION.sub(kept, strategy.text).strip()
    return Strategy(strategy.name, text, strategy.bottlenecks, strategy.languages)
