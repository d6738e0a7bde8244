"""What the gallery keeps of a champion: the kernel, its task, its card, and a page for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from kernelwright import text
from kernelwright.harness.verdict import Verdict
from kernelwright.tasks.task import Task


def gallery_files(card: Mapping[str, Any], kernel: str, task: Task) -> dict[str, str]:
    """Path to text. The commands in the page work from its folder."""
    verdict = Verdict.from_json(card["verdict"])
    environment = card["environment"]
    rows = (
        ("speedup", text.speedups(verdict)),
        ("time", text.times(verdict)),
        ("track, precision", f"{verdict.track}, {verdict.precision}"),
        ("machine", f"{environment['device_name']}, {environment['threads']} threads"),
        ("with", f"torch {environment['torch']}, {environment['compiler'] or 'no compiler'}"),
        ("found by", f"model {card['search']['model']}, run {card['search']['run']}"),
        ("made", card["made"]),
    )
    page = [
        f"# {task.meta.title or task.name}",
        "",
        f"The champion of `{task.name}`, confirmed in a clean process on inputs drawn anew.",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {str(value).replace('|', '')} |" for name, value in rows),
        "",
        *(f"- {f.severity}: {text.first_line(f.message)}" for f in verdict.findings),
        *([""] if verdict.findings else []),
        "Intervals cover the scatter of that machine on that day. Judge it on yours:",
        "",
        "    kernelwright verify task.py kernel.py",
    ]
    return {
        "kernel.py": kernel,
        "task.py": task.source,
        **({task.meta.start: task.start} if task.meta.start and task.start else {}),
        "card.json": json.dumps(card, indent=2, ensure_ascii=False) + "\n",
        "README.md": "\n".join(page) + "\n",
    }
