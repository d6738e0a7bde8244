"""What is in a model's answer: files in code fences of every shape, and JSON objects.

Nothing here raises for any text: an answer that holds nothing usable gives nothing.
"""

from __future__ import annotations

import ast
import html
import itertools
import json
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kernelwright.agents.patches import patched
from kernelwright.agents.wording import clip

_FENCE = re.compile(r"^(?P<quote>[ \t>]*)(?P<mark>`{3,}|~{3,})(?P<info>[^`\n]*)$")
_ENTRY = re.compile(r"\bModelNew\b")
_NOTE = re.compile(r"\W{0,10}NOTE[*_]{0,3}:[*_]{0,3}(.+)", re.I)
NOTE_LENGTH = 400
_ESCAPED = re.compile(r"&(?:lt|gt|amp|quot|#39|#x27);")
MOST_OBJECTS = 50
MOST_ESCAPED = 1_000_000
MOST_FENCES = 40
"""Fences that are paired in every way; more than that is no answer to a request for a file."""


@dataclass(frozen=True)
class Block:
    """One fenced block. `closed` is False for one that the answer's end cut off."""

    text: str
    info: str
    closed: bool


def blocks(answer: str, *, nested: bool = True) -> list[Block]:
    """The fenced blocks, in order.

    A block ends at a bare fence of its own mark that is at least as long. A fence with a language
    inside a block opens an inner one (a docstring that shows code) if `nested`, else the next block
    (an author who forgot to close the first).
    """
    found: list[Block] = []
    lines: list[str] = []
    mark, info, quote, inner = "", "", "", 0
    for line in _lines(answer):
        fence = _FENCE.match(line)
        if fence and (not mark or (fence["info"].strip() and not nested)):
            if mark:
                found.append(Block(_body(lines, quote), info, True))
            mark, info, quote = fence["mark"], fence["info"].strip(), fence["quote"]
            lines, inner = [], 0
            continue
        if not mark:
            continue
        if fence and fence["mark"].startswith(mark):
            if fence["info"].strip():
                inner += 1
            elif inner:
                inner -= 1
            else:
                found.append(Block(_body(lines, quote), info, True))
                mark = ""
                continue
        lines.append(line)
    if mark:
        found.append(Block(_body(lines, quote), info, False))
    return found


def files(answer: str, limit: int = 1, *, base: str = "", whole_only: bool = False) -> list[str]:
    """The last `limit` different files that define `ModelNew`, in order of appearance.

    Where no block of the answer is such a file, any stretch between two fences may be one, and so
    may an answer without fences, strings of JSON, and changes to `base` (see `patches.py`). A file
    that is no Python is given only if there is no other, for then the harness can say what is wrong
    with it; with `whole_only` (an answer that was cut off) it is not.
    """
    answer = _clean(answer)
    flat = [b.text for b in blocks(answer, nested=False)]
    for texts in (
        [b.text for b in blocks(answer)],
        flat,
        _spans(answer),
        [answer],
        _in_json(answer),
        _changed(base, [*flat, answer]),
        _on_one_line(answer),
    ):
        whole = [text for text in map(_unescaped, texts) if defines(text)]
        if whole:
            return _last(whole, limit)
    if whole_only:
        return []
    return _last([text for text in flat if _ENTRY.search(text) and _misspelt(text)], 1)


def note(answer: str) -> str:
    """The line that starts with `NOTE:`, else the first line of prose; empty where there is none."""
    prose = list(_prose(answer))
    marked = (found[1] for found in map(_NOTE.match, prose) if found)
    line = next(marked, prose[0] if prose else "")
    return clip(" ".join(line.split()).strip("*_` "), NOTE_LENGTH)


def objects(answer: str) -> Iterator[dict[str, Any]]:
    """The JSON objects in the answer: the whole, those in fences, then those in the prose."""
    for text in (answer, *(b.text for b in blocks(answer))):
        value = _json(text)
        if value is not None:
            yield value
    decoder = json.JSONDecoder()
    start, tries = answer.find("{"), 0
    while start >= 0 and tries < 200:  # each try may read to the end
        tries += 1
        try:
            value, end = decoder.raw_decode(answer, start)
        except (ValueError, RecursionError):
            end = start + 1
        else:
            if isinstance(value, dict):
                yield value
        start = answer.find("{", end)


def defines(text: str) -> bool:
    """Whether the text is Python that defines a class or a name `ModelNew`."""
    if not _ENTRY.search(text):
        return False
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(
        (isinstance(node, ast.ClassDef) and node.name == "ModelNew")
        or (isinstance(node, ast.Assign) and any(_is_entry(t) for t in node.targets))
        for node in ast.walk(tree)
    )


def _is_entry(target: ast.expr) -> bool:
    return isinstance(target, ast.Name) and target.id == "ModelNew"


def _misspelt(text: str) -> bool:
    """Whether text is no Python because of an ordinary syntax error."""
    try:
        ast.parse(text)
    except SyntaxError:
        return "\0" not in text
    except (ValueError, RecursionError, MemoryError):
        return False
    return False


def _spans(answer: str) -> list[str]:
    """Every stretch between two fences, for files that hold fences themselves; longest last."""
    lines = _lines(answer)
    fences = [i for i, line in enumerate(lines) if _FENCE.match(line)][:MOST_FENCES]
    spans = [_body(lines[a + 1 : b], "") for a in fences for b in fences if b > a + 1]
    return sorted(spans, key=len)


def _clean(answer: str) -> str:
    """Without byte order marks, lines ended alike, and lone surrogates as question marks."""
    answer = answer.replace("\ufeff", "").replace("\r\n", "\n").replace("\r", "\n")
    return answer.encode("utf-8", "replace").decode()


def _unescaped(text: str) -> str:
    """A file that was escaped for HTML, as it was: it holds `&lt;` and no `<` of its own."""
    if _ESCAPED.search(text) and not re.search("[<>]", text):
        return html.unescape(text)
    return text


def _in_json(answer: str) -> list[str]:
    """What the strings of the answer's JSON hold: files, or answers with fences in them."""
    texts: list[str] = []
    for data in itertools.islice(objects(answer), MOST_OBJECTS):
        for text in _strings(data):
            texts += [b.text for b in blocks(text)] or [text]
    return texts


def _strings(data: Any, depth: int = 0) -> Iterator[str]:
    if isinstance(data, str) and _ENTRY.search(data):
        yield _clean(data)
    elif isinstance(data, dict | list) and depth < 8:
        for value in data.values() if isinstance(data, dict) else data:
            yield from _strings(value, depth + 1)


def _changed(base: str, texts: list[str]) -> list[str]:
    """`base` as the first of the texts changes it that can: all blocks together, then each alone.

    The last text is the whole answer; search/replace blocks are found there, fenced or not.
    """
    if not base:
        return []
    blocks_first = ("\n".join(texts[:-1]), *texts[-MOST_FENCES:])
    for text in texts[-1:] if "< SEARCH" in texts[-1] else blocks_first:
        changed = patched(base, text)
        if changed is not None:
            return [changed]
    return []


def _on_one_line(answer: str) -> list[str]:
    """A file whose line ends were written as the two characters `\\n`."""
    if answer.count("\\n") <= answer.count("\n") or len(answer) > MOST_ESCAPED:
        return []
    told = answer.replace("\\r", "").replace("\\n", "\n").replace("\\t", "\t").replace('\\"', '"')
    return [*(b.text for b in blocks(told)), told]


def _last(texts: list[str], limit: int) -> list[str]:
    different = dict.fromkeys(text.strip("\n") + "\n" for text in reversed(texts))
    return list(reversed(list(different)[:limit]))


def _lines(answer: str) -> list[str]:
    return answer.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _body(lines: list[str], quote: str) -> str:
    """The lines of a block without what stands before its fence (indentation, `>`)."""
    if ">" in quote:
        lines = [line.removeprefix(quote).removeprefix(quote.rstrip()) for line in lines]
    return textwrap.dedent("\n".join(lines))


def _json(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _prose(answer: str) -> Iterator[str]:
    """Lines outside fences that say something."""
    inside = ""
    for line in answer.splitlines():
        fence = _FENCE.match(line)
        if fence and not inside:
            inside = fence["mark"][0]
        elif fence and fence["mark"][0] == inside and not fence["info"].strip():
            inside = ""
        elif not inside and any(c.isalnum() for c in line) and not line.lstrip().startswith("#"):
            yield line
