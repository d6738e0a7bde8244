"""What a model is shown of a task: the file without the sizes that only the harness knows."""

from __future__ import annotations

import ast


def without_hidden(source: str) -> str:
    """The text of a task file without the entry `"hidden"` of its `TASK`; all else stays as it is.

    What is no Python, or hides nothing, comes back unchanged.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return source
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = getattr(node, "value", None)
        named = any(isinstance(t, ast.Name) and t.id == "TASK" for t in targets)
        if named and isinstance(value, ast.Dict):
            for key, entry in zip(value.keys, value.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "hidden":
                    return _cut(source, key, entry)
    return source


def _cut(source: str, key: ast.expr, entry: ast.expr) -> str:
    """The text without `key: entry`, the comma behind it, and its lines where nothing else is there."""
    data = source.encode()
    begin, end = _offset(data, key.lineno, key.col_offset), _end(data, entry)
    while data[end : end + 1].isspace() and data[end : end + 1] != b"\n":
        end += 1
    if data[end : end + 1] == b",":
        end += 1
    rest = data[end:].partition(b"\n")
    before = data[:begin].rpartition(b"\n")
    if not before[2].strip() and not rest[0].strip():
        return (before[0] + b"\n" + rest[2]).decode()
    return (data[:begin].rstrip(b" ") + data[end:]).decode()


def _end(data: bytes, node: ast.expr) -> int:
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return _offset(data, node.end_lineno, node.end_col_offset)


def _offset(data: bytes, line: int, column: int) -> int:
    """Bytes before a place; `line` counts from 1, `column` in bytes, as in the syntax tree."""
    return sum(len(text) for text in data.splitlines(keepends=True)[: line - 1]) + column
