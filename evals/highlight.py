"""Syntax highlighting at build time: a source as lines of text with runs of token classes.

No markup is made. The page puts each piece of text into the document as text, so that a kernel full of
tags and scripts stays what it is. Pygments does the reading of Python and C++; C++ inside a Python string,
as `kernelwright.inline` has it, is read as C++.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from pygments.lexers.c_cpp import CppLexer
from pygments.lexers.python import PythonLexer
from pygments.token import (
    Comment,
    Keyword,
    Literal,
    Name,
    Number,
    Operator,
    String,
    _TokenType,
)

_EMBEDDED = ("#include", 'extern "C"', "__global__", "#pragma")
_TRIPLE = ('"""', "'''")
_LARGEST = 400_000
"""Characters. Longer sources are shown plain: reading them would take seconds."""
_CLASSES: tuple[tuple[_TokenType, str], ...] = (
    (Comment.Preproc, "p"),
    (Comment.PreprocFile, "s"),
    (Comment, "c"),
    (Keyword.Type, "t"),
    (Keyword, "k"),
    (Operator.Word, "k"),
    (Name.Function, "f"),
    (Name.Class, "f"),
    (Name.Decorator, "p"),
    (Name.Builtin, "t"),
    (Number, "m"),
    (String, "s"),
    (Literal, "s"),
)


class Line(NamedTuple):
    """A line without its end, and its runs: `k6_1f8` is six units of keyword, one plain, eight of name.

    Units are those of JavaScript's strings (UTF-16). What follows the last run is plain.
    """

    text: str
    runs: str


Token = tuple[_TokenType, str]


@lru_cache(maxsize=2048)
def lines(source: str) -> tuple[Line, ...]:
    """The lines of a candidate: Python, with C++ in its strings."""
    text = source.replace("\r\n", "\n").replace("\r", "\n")
    if len(text) > _LARGEST:
        return tuple(Line(line, "") for line in text.split("\n"))
    return tuple(_split(_tokens(text)))


def _tokens(source: str) -> Iterator[Token]:
    """Tokens of Python; strings that hold C++ are taken apart."""
    strings: list[Token] = []
    for _, kind, text in PythonLexer().get_tokens_unprocessed(source):
        if kind in String:
            strings.append((kind, text))
            continue
        yield from _string(strings)
        strings = []
        yield kind, text
    yield from _string(strings)


def _string(parts: list[Token]) -> Iterator[Token]:
    """A string as it is, or its inside as C++ where it holds some."""
    text = "".join(piece for _, piece in parts)
    quote = next((q for q in _TRIPLE if q in text), None)
    if quote is None or not any(sign in text for sign in _EMBEDDED):
        yield from parts
        return
    start, end = text.index(quote) + len(quote), text.rindex(quote)
    yield String, text[:start]
    for _, kind, piece in CppLexer().get_tokens_unprocessed(text[start:end]):
        yield kind, piece
    yield String, text[max(start, end) :]


def _split(tokens: Iterable[Token]) -> Iterator[Line]:
    text, runs = "", list[tuple[str, int]]()
    for kind, piece in tokens:
        name = _class(kind)
        for number, part in enumerate(piece.split("\n")):
            if number:
                yield Line(text, _written(runs))
                text, runs = "", []
            if part:
                text += part
                if runs and runs[-1][0] == name:
                    runs[-1] = (name, runs[-1][1] + _units(part))
                else:
                    runs.append((name, _units(part)))
    if text:
        yield Line(text, _written(runs))


@lru_cache(maxsize=1024)
def _class(kind: _TokenType) -> str:
    return next((name for group, name in _CLASSES if kind in group), "_")


def _units(text: str) -> int:
    return len(text) + sum(ord(sign) > 0xFFFF for sign in text)


def _written(runs: list[tuple[str, int]]) -> str:
    while runs and runs[-1][0] == "_":
        runs = runs[:-1]
    return "".join(f"{name}{length}" for name, length in runs)
