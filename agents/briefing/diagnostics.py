"""Why a candidate was rejected: findings with what is telling in them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Any

from kernelwright.agents.wording import clip, shorten
from kernelwright.harness.verdict import Finding, Verdict

FINDING_LENGTH = 1500
COMPILER_ERRORS = 5
UNTOLD = ("weak_sandbox",)
"""Codes that concern the user's machine and no kernel."""
_ERROR = re.compile(r"error\b|undefined (?:reference|symbol)|multiple definition", re.I)
_SNIPPET = re.compile(r"\s*\d*\s*\|")
_PLACE = re.compile(r"kernel\.\w+[:(](?P<line>\d+)")
_RAISED_AT = re.compile(r"\(line (\d+)\)\s*\Z")


def rejection(verdict: Verdict, source: str = "") -> str:
    """Stage, and each error with its figures: places, patterns, the compiler's lines, the source's."""
    said: list[str] = []
    for finding in verdict.errors or verdict.findings:
        said += finding_lines(finding, source)
    return "\n".join([f"Rejected at stage `{verdict.stage}`:", *(said or ["- no finding"])])


def finding_lines(finding: Finding, source: str = "") -> list[str]:
    """One finding, the first line with its code."""
    text = finding.message
    if finding.code == "build_failed":
        text = compiler_lines(text, source)
    lines = [f"- {finding.code}: {shorten(text, FINDING_LENGTH)}"]
    lines += _figures(finding.detail)
    raised = _RAISED_AT.search(finding.message)
    if raised and finding.code == "exception":
        lines += _around(source, int(raised[1]))
    return lines


def compiler_lines(message: str, source: str = "") -> str:
    """The compiler's first errors, each with its line of the source; all it said where none is found."""
    lines = message.splitlines()
    told: list[str] = []
    errors = [i for i, line in enumerate(lines) if _ERROR.search(line)]
    for i in errors[:COMPILER_ERRORS]:
        told.append(clip(lines[i], 300))
        snippet = [line for line in lines[i + 1 : i + 3] if _SNIPPET.match(line)]
        told += [line[:200] for line in snippet] or _written(source, lines[i])
    if len(errors) > COMPILER_ERRORS:
        told.append(f"[{len(errors) - COMPILER_ERRORS} more errors]")
    return "\n".join(told) if told else message


def pattern_codes(finding: Finding) -> list[str]:
    """The codes of a finding's patterns."""
    return [p["code"] for p in _patterns(finding.detail)]


def _figures(detail: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    first, worst = detail.get("first"), detail.get("worst")
    if isinstance(worst, Mapping) and worst != first:
        lines.append(
            f"  - farthest off: at {worst.get('index')} got {_short(worst.get('got'))},"
            f" expected {_short(worst.get('expected'))}"
        )
    if isinstance(detail.get("share"), float):
        lines.append(f"  - share of wrong elements: {_share(detail['share'])}")
    lines += [f"  - pattern: {p['text']}" for p in _patterns(detail)]
    return lines


def _patterns(detail: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for pattern in detail.get("patterns", ()):
        if isinstance(pattern, Mapping) and "code" in pattern and "text" in pattern:
            yield pattern


def _share(share: float) -> str:
    return f"{share:.1%}" if share >= 1e-3 else f"{share:.1g}"


def _short(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _around(source: str, number: int, reach: int = 2) -> list[str]:
    """The lines of a source around one of them, numbered."""
    lines = source.splitlines()
    if not 1 <= number <= len(lines):
        return []
    first = max(1, number - reach)
    return [
        f"  {'>' if n == number else ' '} {n:4} | {lines[n - 1][:160]}"
        for n in range(first, min(len(lines), number + reach) + 1)
    ]


def _written(source: str, error: str) -> list[str]:
    """The line of the C++ or CUDA text that an error names, for compilers that do not show it."""
    place = _PLACE.search(error)
    if not place:
        return []
    number = int(place["line"])
    for text in _texts(source):
        lines = text.splitlines()
        if 1 <= number <= len(lines):
            return [f"{number:5} | {lines[number - 1][:160]}"]
    return []


def _texts(source: str) -> Iterator[str]:
    """The texts of other languages in a Python file, the longest first."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    found = (n.value for n in ast.walk(tree) if isinstance(n, ast.Constant))
    yield from sorted((t for t in found if isinstance(t, str) and "(" in t), key=len, reverse=True)
