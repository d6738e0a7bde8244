"""Prompt files, and how figures are written in prompts."""

from __future__ import annotations

import math
from pathlib import Path
from string import Template

from kernelwright.harness.verdict import Speedup

PROMPTS = Path(__file__).parents[1] / "prompts"


def prompt(name: str, **values: str) -> str:
    """The text of `agents/prompts/NAME.md` with its `$names` filled in."""
    text = (PROMPTS / f"{name}.md").read_text()
    return Template(text).substitute(values) if values else text


def languages() -> list[str]:
    """The languages that there is a format description for."""
    return sorted(path.stem for path in (PROMPTS / "languages").glob("*.md"))


def section(head: str, *lines: str) -> str:
    """A section with its heading; nothing where no line says anything."""
    body = "\n".join(line for line in lines if line)
    return f"# {head}\n\n{body}\n\n" if body.strip() else ""


def code(source: str, language: str = "python") -> str:
    """A fenced block that no line of the source can end."""
    mark = "```"
    while mark in source:
        mark += "`"
    return f"{mark}{language}\n{source.strip()}\n{mark}"


def measured(speedup: Speedup) -> str:
    """A speedup with its interval."""
    return f"{speedup.median:.2f}x (95% interval {speedup.low:.2f} to {speedup.high:.2f})"


def amount(value: float) -> str:
    """A large number with its prefix: `16.8 M`."""
    for power, prefix in ((12, "T"), (9, "G"), (6, "M"), (3, "k")):
        if abs(value) >= 10**power:
            return f"{value / 10**power:.3g} {prefix}"
    return f"{value:.3g}"


def size(count: float) -> str:
    """Bytes as KiB or MiB."""
    return f"{count / 2**20:.3g} MiB" if count >= 2**20 else f"{count / 2**10:.3g} KiB"


def milliseconds(value: float) -> str:
    """A time, in microseconds where it is short."""
    if not math.isfinite(value) or value >= 0.1:
        return f"{value:.4g} ms"
    return f"{value * 1e3:.3g} us"


def choices(chosen: object) -> str:
    """A choice of the tuner: `V=8 T=2`."""
    return " ".join(f"{k}={v}" for k, v in chosen.items()) if isinstance(chosen, dict) else ""
