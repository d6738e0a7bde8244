"""A champion as a file that runs on its own: the candidate, a header, and what it imports of ours.

A candidate imports `cpp` and `tuned` from `kernelwright.inline`. The published file tries that
first, so that the harness can build it in its own way, and otherwise uses the copy it carries.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kernelwright.harness.candidate import Candidate

_MODULE = "kernelwright.inline"


@dataclass(frozen=True)
class Champion:
    """Published kernel. `lacking` says why it needs kernelwright, None: it does not."""

    text: str
    lacking: str | None = None


def standalone(candidate: Candidate, header: Sequence[str]) -> Champion:
    """The candidate's source with `header` as comments on top and the inline builder carried along.

    Raises SyntaxError for a candidate that is not Python.
    """
    source = candidate.source
    tree = ast.parse(source)
    futures = {"annotations"}
    edits: list[tuple[ast.stmt, str]] = []
    for node in tree.body:
        if not isinstance(node, ast.ImportFrom) or not _stands_alone(source, node):
            continue
        if node.module == "__future__":
            futures |= {name.name for name in node.names}
            edits.append((node, ""))
        elif node.module == _MODULE and not any(alias.name == "*" for alias in node.names):
            edits.append((node, _import_or_carry(node)))
    carried = any(text for _, text in edits)
    lacking = _lacking(tree, [node for node, text in edits if text])
    comments = "".join(f"# {line}".rstrip() + "\n" for line in header)
    if not carried:
        return Champion(f"{comments}\n{source.lstrip()}", lacking)
    for node, text in reversed(edits):
        source = _replace(source, node, text)
    future = f"from __future__ import {', '.join(sorted(futures))}\n"
    return Champion(f"{comments}\n{future}\n{source.lstrip()}", lacking)


def _import_or_carry(node: ast.ImportFrom) -> str:
    """`try: import, except ImportError: the same from the text of inline_cpp.py`."""
    names = [alias.name for alias in node.names]
    bound = [alias.asname or alias.name for alias in node.names]
    body = textwrap.indent(_inline_source(), "        ")
    return (
        f"try:\n    {ast.unparse(node)}\n"
        "except ImportError:  # kernelwright is not installed: use the copy that follows\n\n"
        f"    def _carried_inline():\n{body}\n        return {', '.join(names)},\n\n"
        f"    {', '.join(bound)}, = _carried_inline()\n"
    )


def _inline_source() -> str:
    """The text of `kernelwright/harness/inline_cpp.py`, fit for the body of a function."""
    from kernelwright.harness import inline_cpp

    source = Path(inline_cpp.__file__).read_text(encoding="utf-8")
    for node in reversed(ast.parse(source).body):
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            source = _replace(source, node, "")
    return re.sub(r"\n{4,}", "\n\n\n", source.strip())


def _lacking(tree: ast.Module, replaced: Sequence[ast.stmt]) -> str | None:
    """Which import of kernelwright is left in the file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level and node not in replaced:
            modules = [node.module or ""]
        else:
            continue
        for module in modules:
            if module.partition(".")[0] == "kernelwright":
                return f"line {node.lineno} of the candidate imports {module} in another way"
    return None


def _stands_alone(source: str, node: ast.stmt) -> bool:
    """Whether nothing else stands on the lines of a statement, so that it can be replaced."""
    assert node.end_lineno is not None
    lines = source.encode().splitlines()[node.lineno - 1 : node.end_lineno]
    rest = lines[-1][node.end_col_offset :].decode().strip()
    return node.col_offset == 0 and (not rest or rest.startswith("#"))


def _replace(source: str, node: ast.stmt, text: str) -> str:
    """The source with one statement replaced; `ast` counts columns in bytes of UTF-8."""
    lines = source.encode().splitlines(keepends=True)
    assert node.end_lineno is not None and node.end_col_offset is not None
    head = b"".join(lines[: node.lineno - 1]) + lines[node.lineno - 1][: node.col_offset]
    tail = lines[node.end_lineno - 1][node.end_col_offset :] + b"".join(lines[node.end_lineno :])
    return (head + text.encode() + tail).decode()
