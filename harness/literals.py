"""What a Python file says outright: values that are read off its text, without running it.

A name counts as literal if the whole file binds it once, at module level, to an expression over literals,
and if nothing can change what it holds: text and numbers cannot be changed; lists, tables and the result
of `tuned` may be used by the calls of interest only (of `tuned`, single numbers by all).
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any

_INLINE = "kernelwright.inline"


class NotLiteral(Exception):
    """The value of an expression cannot be read off the text."""


class Literals:
    """The literal names of one module. The calls of interest are those of `cpp`."""

    def __init__(self, tree: ast.Module) -> None:
        bound = Counter(_bindings(tree))
        once = {name for name, count in bound.items() if count == 1 and "*" not in bound}
        self._imported = _imported(tree, once)
        self._assigned = _assigned(tree, once)
        nodes = list(ast.walk(tree))
        inside = {id(n) for call in nodes if self.is_call(call, "cpp") for n in ast.walk(call)}
        numbers = {
            id(node.value)
            for node in nodes
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
        }
        self._elsewhere = loads(n for n in nodes if id(n) not in inside)
        """How often names are read outside of the calls of interest."""
        self._whole = loads(n for n in nodes if id(n) not in inside | numbers)
        """The same, without `name.attribute`."""

    def is_call(self, node: ast.AST, function: str) -> bool:
        """Whether this calls `function` of `kernelwright.inline`, surely that one."""
        return (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and self._imported.get(node.func.id) == function
        )

    def is_literal(self, name: str) -> bool:
        """Whether the value of this name can be read off the text."""
        try:
            self.value(ast.Name(name, ast.Load()))
        except NotLiteral:
            return False
        return True

    def value(self, node: ast.expr) -> Any:
        """The value of an expression: text, number, list, tuple, table, or what `tuned` gives.

        Raises NotLiteral.
        """
        match node:
            case ast.Constant(value=str() | int() | float() as value):
                return value
            case ast.Name(id=name) if name in self._assigned:
                return self._unchanged(name, self.value(self._assigned[name]))
            case ast.Attribute(value=ast.Name() as name, attr=attribute):
                owner = self.value(name)
                if not isinstance(owner, SimpleNamespace) or attribute not in vars(owner):
                    raise NotLiteral
                return vars(owner)[attribute]
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
                return -value
            case ast.BinOp(op=ast.Add(), left=left, right=right):
                both = self.value(left), self.value(right)
                if not all(isinstance(part, str) for part in both):
                    raise NotLiteral
                return "".join(both)
            case ast.JoinedStr(values=pieces):
                return "".join(str(self.value(_plain(piece))) for piece in pieces)
            case ast.Tuple(elts=items):
                return tuple(self.value(item) for item in items)
            case ast.List(elts=items):
                return [self.value(item) for item in items]
            case ast.Dict(keys=keys, values=values):
                pairs = zip(keys, values, strict=True)
                return {self._key(k): self.value(v) for k, v in pairs}
            case ast.Call(args=[], keywords=words) if self.is_call(node, "tuned"):
                return self._tuned(words)
            case _:
                raise NotLiteral

    def _unchanged(self, name: str, value: Any) -> Any:
        if isinstance(value, str | int | float):
            return value
        if (self._whole if isinstance(value, SimpleNamespace) else self._elsewhere)[name]:
            raise NotLiteral
        return value

    def _key(self, node: ast.expr | None) -> str:
        if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
            raise NotLiteral
        return node.value

    def _tuned(self, words: Iterable[ast.keyword]) -> SimpleNamespace:
        """The first value of each name is the one in force."""
        first = {}
        for word in words:
            values = self.value(word.value)
            if word.arg is None or not isinstance(values, list | tuple) or not values:
                raise NotLiteral
            first[word.arg] = values[0]
        return SimpleNamespace(**first)


def loads(nodes: Iterable[ast.AST]) -> Counter[str]:
    """How often each name is read."""
    return Counter(n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load))


def _plain(piece: ast.expr) -> ast.expr:
    """The expression in a part of an f-string that says nothing of its form."""
    if not isinstance(piece, ast.FormattedValue):
        return piece
    if piece.conversion != -1 or piece.format_spec is not None:
        raise NotLiteral
    return piece.value


def _assigned(tree: ast.Module, once: set[str]) -> dict[str, ast.expr]:
    """Expressions that stand behind `name =` at module level."""
    found = {}
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in once:
                found[name] = value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value) if name in once:
                found[name] = value
            case _:
                continue
    return found


def _imported(tree: ast.Module, once: set[str]) -> dict[str, str]:
    """Names under which functions of `kernelwright.inline` are known, to what they are there."""
    return {
        alias.asname or alias.name: alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module == _INLINE
        for alias in node.names
        if (alias.asname or alias.name) in once
    }


def _bindings(tree: ast.Module) -> Iterator[str]:
    """Every name that is bound or unbound anywhere, once for each place."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.ClassDef(name=name) | ast.arg(arg=name):
                yield name
            case ast.alias(name=name, asname=other):
                yield other or name.partition(".")[0]
            case ast.ExceptHandler(name=str(name)) | ast.MatchMapping(rest=str(name)):
                yield name
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield name
            case _:
                continue
