"""Scalar expressions: what one element of a tensor is, as a graph of shared nodes.

Nodes are interned: equal structure is the same object, so that common subexpressions are found by
identity. A node has a kind of number that it is computed in (`f32`, `f64`, `i32`, `i64`, `b`);
half precisions are computed in `f32`, small integers in `i32` with an explicit wrap.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch

from kernelwright.agents.builtin.index import Index, Var, linear, strided

Kind = Literal["f32", "f64", "i32", "i64", "b"]

KINDS: Mapping[torch.dtype, Kind] = {
    torch.float32: "f32",
    torch.bfloat16: "f32",
    torch.float16: "f32",
    torch.float64: "f64",
    torch.int64: "i64",
    torch.int32: "i32",
    torch.int16: "i32",
    torch.int8: "i32",
    torch.uint8: "i32",
    torch.bool: "b",
}
"""In which kind of number elements of a dtype are computed."""

WEIGHTS: Mapping[str, int] = {
    "exp": 8, "log": 10, "log1p": 12, "expm1": 9, "tanh": 12, "sigmoid": 10, "erf": 14,
    "sin": 14, "cos": 14, "pow": 60, "div": 3, "sqrt": 4, "rsqrt": 6, "libm": 60, "floordiv": 10,
    "rem": 10, "red": 0, "scan": 0, "const": 0, "index": 0, "load": 1, "bound": 2,
}  # fmt: skip
"""Rough cost of an operation, in vector multiplications; 1 for those not named."""


@dataclass(eq=False)
class Buffer:
    """A tensor in memory. `role` says who makes it; `source` names it there."""

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]
    role: Literal["input", "state", "constant", "temporary", "output"]
    source: str = ""
    strides: tuple[int, ...] = ()
    """Steps in elements; empty means contiguous."""

    def index(self, place: tuple[Index, ...]) -> Index:
        """Position of an element in memory."""
        return strided(place, self.strides) if self.strides else linear(place, self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """Size in bytes."""
        return self.size * self.dtype.itemsize

    def __repr__(self) -> str:
        return self.name


class Expr:
    """A node. Made by `make`, never directly."""

    __slots__ = ("__weakref__", "args", "attr", "kind", "op", "vars")
    op: str
    args: tuple[Expr, ...]
    attr: Any
    kind: Kind
    vars: frozenset[Var]
    """Every loop variable that its value depends on."""

    def __repr__(self) -> str:
        inside = ", ".join([*map(repr, self.args), *([repr(self.attr)] if self.attr else [])])
        return f"{self.op}({inside})"


_table: weakref.WeakValueDictionary[tuple[Any, ...], Expr] = weakref.WeakValueDictionary()


def make(op: str, args: Iterable[Expr], kind: Kind, attr: Any = None) -> Expr:
    """The one node of this structure, unsimplified."""
    args = tuple(args)
    key = (op, args, kind, repr(attr) if op == "const" else attr)
    found = _table.get(key)
    if found is not None:
        return found
    node = Expr()
    node.op, node.args, node.kind, node.attr = op, args, kind, attr
    depends: set[Var] = set()
    for argument in args:
        depends |= argument.vars
    if op in ("index", "inrange"):
        depends |= (attr if op == "index" else attr[0]).vars
    elif op == "load":
        depends |= attr[1].vars
    elif op in ("red", "scan"):
        for index in attr[1]:
            depends |= index.vars
    node.vars = frozenset(depends)
    _table[key] = node
    return node


def is_float(kind: Kind) -> bool:
    """Whether it is a floating-point kind."""
    return kind in ("f32", "f64")


def number(value: float | int | bool, kind: Kind) -> Expr:
    """A constant."""
    if kind == "b":
        value = bool(value)
    elif is_float(kind):
        value = float(value)
    else:
        value = int(value)
    return make("const", (), kind, value)


def constant(node: Expr) -> float | int | bool | None:
    """The value of a constant node, else None."""
    return node.attr if node.op == "const" else None


def load(buffer: Buffer, index: Index) -> Expr:
    """An element of a buffer, converted to the kind that its dtype is computed in."""
    return make("load", (), KINDS[buffer.dtype], (buffer, index))


def index_value(index: Index) -> Expr:
    """An index as a number."""
    if not index.terms:
        return number(index.constant, "i64")
    return make("index", (), "i64", index)


def in_range(index: Index, low: int, high: int) -> Expr:
    """Whether low <= index < high; a constant where the range of the index decides it."""
    lo, hi = index.bounds
    if low <= lo and hi < high:
        return number(True, "b")
    if hi < low or lo >= high:
        return number(False, "b")
    return make("inrange", (), "b", (index, low, high))


def cast(node: Expr, kind: Kind) -> Expr:
    """Conversion between kinds, as C++ does it; to `b` it is `!= 0`."""
    if node.kind == kind:
        return node
    value = constant(node)
    if value is not None and (is_float(kind) or math.isfinite(value)):
        return number(value, kind)
    return make("cast", (node,), kind)


_FOLD: Mapping[str, Callable[[Any, Any], Any]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "max": max,
    "min": min,
}
_COMPARE = ("lt", "le", "gt", "ge", "eq", "ne")


def op(name: str, *args: Expr, attr: Any = None) -> Expr:
    """A pointwise operation on arguments of one kind, simplified where that changes nothing."""
    kind: Kind = "b" if name in _COMPARE else args[-1].kind
    values = [constant(a) for a in args]
    if name in _FOLD and all(v is not None and math.isfinite(v) for v in values):
        return number(_FOLD[name](*values), kind)
    if name == "neg" and values[0] is not None:
        return number(-values[0], kind)
    if len(args) == 2 and not isinstance(values[1], bool):
        first, second = args
        if (name in ("mul", "div") and values[1] == 1) or (
            name in ("add", "sub") and values[1] == 0
        ):
            return first
        if name == "mul" and values[0] == 1:
            return second
        if name == "add" and values[0] == 0 and kind != "b":
            return second
        if name == "div" and isinstance(values[1], float) and is_float(kind):
            inverse = 1 / values[1] if values[1] else math.inf
            if 1e-30 < abs(inverse) < 1e30:
                return op("mul", first, number(inverse, kind))
    if args[0].kind == "i64" and len(args) == 2:
        folded = _indices(name, *args)
        if folded is not None:
            return folded
    if name == "mul":
        for q, other in ((args[0], args[-1]), (args[-1], args[0])):
            # q log q of a softmax: exp(a) / s has the logarithm a - log(s), and 0 log 0 stays 0.
            if other.op == "log" and other.args[0] is q and q.op == "div" and q.args[0].op == "exp":
                a, s = q.args[0].args[0], q.args[1]
                return make("mul", (q, op("sub", a, op("log", s))), kind)
    if name == "where":
        if values[0] is not None:
            return args[1] if values[0] else args[2]
        if args[1] is args[2]:
            return args[1]
    if name in ("and", "or") and kind == "b":
        for mine, other in ((values[0], args[1]), (values[1], args[0])):
            if mine is not None:
                return other if mine == (name == "and") else number(mine, "b")
    if name == "not" and values[0] is not None:
        return number(not values[0], "b")
    return make(name, args, kind, attr)


def _index_of(node: Expr) -> Index | None:
    if node.op == "index":
        found: Index = node.attr
        return found
    return Index((), int(node.attr)) if node.op == "const" else None


def _indices(name: str, first: Expr, second: Expr) -> Expr | None:
    """An operation on positions as a position or a condition on one; None where it is none."""
    a, b = _index_of(first), _index_of(second)
    if a is None or b is None or not (a.terms or b.terms):
        return None
    away = a - b
    low, high = away.bounds
    ends = {"lt": (low, 0), "le": (low, 1), "gt": (1, high + 1), "ge": (0, high + 1), "eq": (0, 1)}
    if name in ends:
        return in_range(away, *ends[name]) if ends[name][0] < ends[name][1] else number(False, "b")
    if name == "ne":
        return op("not", in_range(away, 0, 1))
    if name in ("add", "sub"):
        return index_value(a + b if name == "add" else away)
    if name == "mul" and not (a.terms and b.terms):
        return index_value(a * b.constant if a.terms else b * a.constant)
    if name in ("floordiv", "rem") and not b.terms and b.constant > 0:
        return index_value(a // b.constant if name == "floordiv" else a % b.constant)
    return None


def substitute(roots: Iterable[Expr], mapping: Mapping[Var, Index]) -> list[Expr]:
    """Replace loop variables. Bodies of reductions need nothing: they follow their indices."""
    done: dict[Expr, Expr] = {}

    def go(node: Expr) -> Expr:
        if not node.vars & mapping.keys():
            return node
        if node in done:
            return done[node]
        attr = node.attr
        if node.op == "load":
            result = load(attr[0], attr[1].substitute(mapping, go))
        elif node.op == "index":
            result = index_value(attr.substitute(mapping, go))
        elif node.op == "inrange":
            result = in_range(attr[0].substitute(mapping, go), attr[1], attr[2])
        elif node.op in ("red", "scan"):
            where = tuple(i.substitute(mapping, go) for i in attr[1])
            result = make(node.op, (), node.kind, (attr[0], where))
        elif node.op == "cast":
            result = cast(go(node.args[0]), node.kind)
        else:
            args = [go(a) for a in node.args]
            result = op(node.op, *args, attr=attr)
        done[node] = result
        return result

    return [go(node) for node in roots]


def children(node: Expr) -> Iterator[Expr]:
    """Arguments, and expressions inside indices."""
    yield from node.args
    if node.op == "load":
        yield from _inside(node.attr[1])
    elif node.op == "index":
        yield from _inside(node.attr)
    elif node.op == "inrange":
        yield from _inside(node.attr[0])
    elif node.op in ("red", "scan"):
        for index in node.attr[1]:
            yield from _inside(index)


def _inside(index: Index) -> Iterator[Expr]:
    for atom, _ in index.terms:
        of = getattr(atom, "of", None)
        if of is not None:
            yield from _inside(of)
        elif hasattr(atom, "expr"):
            yield atom.expr


def walk(roots: Iterable[Expr]) -> list[Expr]:
    """Every node below the roots once, arguments before users."""
    seen: set[Expr] = set()
    order: list[Expr] = []
    stack: list[tuple[Expr, bool]] = [(root, False) for root in reversed(list(roots))]
    while stack:
        node, ready = stack.pop()
        if ready:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((child, False) for child in children(node) if child not in seen)
    return order
