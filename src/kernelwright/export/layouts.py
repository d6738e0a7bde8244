"""The files of an export, by layout. Nothing is written here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kernelwright.export import hub
from kernelwright.export.card_text import readme
from kernelwright.export.check_text import check_file
from kernelwright.export.python_text import Parts, init_file, package_file, single_file
from kernelwright.harness.verdict import Verdict

_PYPROJECT = """[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "{package}"
version = "0.1.0"
description = "A verified kernel for {task} as an operator of PyTorch"
readme = "README.md"
requires-python = ">=3.10"
dependencies = ["torch>=2.9"]

[tool.setuptools]
packages = ["{package}"]
"""


@dataclass(frozen=True)
class Export:
    """All that an export is made of."""

    parts: Parts
    card: Mapping[str, Any]
    verdict: Verdict | None
    """Of the exported file; None: `why_not` says why."""
    why_not: str | None
    notes: Sequence[str]

    @property
    def package(self) -> str:
        """The name of the package: the operator's namespace."""
        return self.parts.spec.name.partition("::")[0]

    def readme(self, use: Sequence[str]) -> str:
        """README.md; `use` says how it is installed and called."""
        return readme(self.parts, self.card, self.verdict, self.why_not, self.notes, use)


def files(export: Export, layout: str) -> dict[str, str]:
    """Path to text, in the layout of that name."""
    made = LAYOUTS[layout](export)
    verdict = export.verdict.to_json() if export.verdict else None
    reasons = {"exported": export.why_not} if export.why_not else {}
    about = {
        "operator": export.parts.spec.name,
        "layout": layout,
        **{
            name: export.card[name] for name in ("task", "kernel", "verdict", "environment", "made")
        },
        "search": {name: export.card["search"][name] for name in ("run", "model")},
        "exported": verdict,
        "reasons": reasons,
    }
    return {**made, "card.json": json.dumps(about, indent=2, ensure_ascii=False) + "\n"}


def _file(export: Export) -> dict[str, str]:
    op, module = export.parts.op, export.parts.module
    use = ["```python", f"from {op} import {module}, {op}  # needs torch alone", "```"]
    return {
        f"{op}.py": single_file(export.parts),
        f"test_{op}.py": check_file(export.parts, op),
        "README.md": export.readme(use),
    }


def _package(export: Export) -> dict[str, str]:
    package, parts = export.package, export.parts
    use = [
        "```sh",
        "pip install .",
        f"pytest tests/test_{parts.op}.py",
        "```",
        "",
        "```python",
        f"from {package} import {parts.module}, {parts.op}",
        "```",
    ]
    return {
        "pyproject.toml": _PYPROJECT.format(package=package, task=export.card["task"]["name"]),
        f"{package}/__init__.py": init_file(parts),
        f"{package}/op.py": package_file(parts),
        f"{package}/kernel.py": parts.kernel,
        f"{package}/reference.py": parts.reference,
        f"tests/test_{parts.op}.py": check_file(parts, package),
        "README.md": export.readme(use),
    }


def _hub(export: Export) -> dict[str, str]:
    made = hub.files(export.parts, export.package, export.card["environment"]["isa"])
    card = export.readme(hub.use(export.parts, export.package))
    return {**made, "README.md": card, "CARD.md": card}


LAYOUTS: Mapping[str, Callable[[Export], dict[str, str]]] = {
    "file": _file,
    "package": _package,
    "hf-kernels": _hub,
}
