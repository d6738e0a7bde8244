"""Expressions as C++ over a type V that is a vector or one float: the bodies of template epilogues."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from kernelwright.agents.builtin.expr import Buffer, Expr
from kernelwright.agents.builtin.index import Clamp, Div, Index, Mod, Value, Var
from kernelwright.agents.builtin.optext import ELEMENT, literal

FLOATS = (torch.float32, torch.bfloat16, torch.float16)
_INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
_COMPARE = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
_UNARY = ("abs", "sqrt", "rsqrt", "floor", "ceil", "round", "trunc", "log", "log1p", "sin", "cos")
_TUNED = {"exp": "EXP_DEGREE", "sigmoid": "EXP_DEGREE", "expm1": "6", "tanh": "6", "erf": "5"}


class Inexpressible(Exception):
    """The expression cannot be written for a V; the message says what is in the way."""


class LaneText:
    """Writes expressions line by line. `given` names values that exist already."""

    def __init__(self, names: Mapping[Var, str], lane: Var, given: Mapping[Expr, str]) -> None:
        self.names, self.lane = names, lane
        self.done: dict[Expr, str] = dict(given)
        self.lines: list[str] = []
        self.buffers: dict[Buffer, bool] = {}
        self.exp = False

    def value(self, node: Expr) -> str:
        """The name of a node's value, of type V or a mask of V. Raises Inexpressible."""
        if node not in self.done:
            text = self._text(node)
            name = f"e{len(self.done)}"
            self.lines.append(f"const {'auto' if node.kind == 'b' else 'V'} {name} = {text};")
            self.done[node] = name
        return self.done[node]

    def store(self, buffer: Buffer, where: Index, node: Expr) -> None:
        """Write the lanes of a node to memory. Raises Inexpressible."""
        if buffer.dtype not in FLOATS:
            raise Inexpressible(f"a result of {buffer.dtype}")
        self.buffers[buffer] = True
        text = self.value(node)
        step = where.coefficient(self.lane)
        if step is None or step == 0:
            raise Inexpressible("lanes that are scattered")
        at = f"{buffer.name} + {self.place(where)}"
        if step == 1:
            self.lines.append(f"kw::store({at}, {text});")
        else:
            self.lines.append(f"kw::store_strided({at}, {step}L, {text});")

    def place(self, i: Index) -> str:
        """C++ of an index at the first lane."""
        parts = []
        for atom, coefficient in i.terms:
            text = self._atom(atom)
            parts.append(text if coefficient == 1 else f"{coefficient}L * {text}")
        if i.constant or not parts:
            parts.append(f"{i.constant}L")
        return f"({' + '.join(parts)})"

    def _atom(self, atom: object) -> str:
        if isinstance(atom, Var):
            if atom not in self.names:
                raise Inexpressible("a loop of its own")
            return self.names[atom]
        if isinstance(atom, Value) or not isinstance(atom, Div | Mod | Clamp):
            raise Inexpressible("an index that is read from memory")
        if self.lane in atom.of.vars or atom.of.bounds[0] < 0:
            raise Inexpressible("an index that is no sum")
        of = self.place(atom.of)
        if isinstance(atom, Clamp):
            raise Inexpressible("a clamped index")
        return f"({of} / {atom.by}L)" if isinstance(atom, Div) else f"({of} % {atom.by}L)"

    def _text(self, node: Expr) -> str:
        name = node.op
        if node.kind not in ("f32", "b"):
            raise Inexpressible(f"{node.kind} values")
        if name == "const":
            if node.kind == "b":
                raise Inexpressible("a constant mask")
            return f"kw::set<V>({literal(node.attr, 'f32')})"
        if name == "load":
            return self._load(node)
        if name == "inrange":
            i, low, high = node.attr
            x = self._lanes(i)
            return f"({x} >= {low}.0f) & ({x} < {high}.0f)"
        if name == "cast":
            return self._cast(node)
        if name in _COMPARE and any(a.kind in ("i64", "i32") for a in node.args):
            a, b = (self._integer(x) for x in node.args)
            return f"{a} {_COMPARE[name]} {b}"
        args = [self.value(a) for a in node.args]
        if name in _INFIX:
            return f"{args[0]} {_INFIX[name]} {args[1]}"
        if name in _COMPARE and node.args[0].kind == "f32":
            return f"{args[0]} {_COMPARE[name]} {args[1]}"
        if name == "where" and node.kind == "f32":
            return f"kw::select({args[0]}, {args[1]}, {args[2]})"
        if name in ("and", "or"):
            return f"{args[0]} {'&' if name == 'and' else '|'} {args[1]}"
        if name == "not":
            return f"{args[0]} == 0"
        if name == "neg":
            return f"-{args[0]}"
        if name in ("max", "min", "pow") and node.kind == "f32":
            return f"kw::{name}({args[0]}, {args[1]})"
        if name in _UNARY:
            return f"kw::{name}({args[0]})"
        if name in _TUNED:
            self.exp = self.exp or name in ("exp", "sigmoid")
            return f"kw::{name}<{_TUNED[name]}>({args[0]})"
        raise Inexpressible(f"the operation {name}")

    def _load(self, node: Expr) -> str:
        buffer, where = node.attr
        if buffer.dtype not in (*FLOATS, torch.bool):
            raise Inexpressible(f"a tensor of {buffer.dtype}")
        self.buffers.setdefault(buffer, False)
        at = f"{buffer.name} + {self.place(where)}"
        step = where.coefficient(self.lane)
        if step is None:
            raise Inexpressible("lanes that are gathered")
        if step == 0:
            text = f"kw::set<V>(kw::load<float>({at}))"
        elif step == 1:
            text = f"kw::load<V>({at})"
        else:
            text = f"kw::load_strided<V>({at}, {step}L)"
        return f"{text} != 0.0f" if node.kind == "b" else text

    def _lanes(self, i: Index) -> str:
        """An index as floats, exact up to 2^24."""
        low, high = i.bounds
        step = i.coefficient(self.lane)
        if step is None or max(abs(low), abs(high)) >= 2**24:
            raise Inexpressible("an index that is no small sum")
        base = f"kw::set<V>((float){self.place(i)})"
        return base if step == 0 else f"({base} + kw::iota<V>() * {step}.0f)"

    def _integer(self, node: Expr) -> str:
        if node.op == "index":
            return self._lanes(node.attr)
        if node.op == "const" and abs(node.attr) < 2**24:
            return f"kw::set<V>({int(node.attr)}.0f)"
        raise Inexpressible("integer arithmetic")

    def _cast(self, node: Expr) -> str:
        source = node.args[0]
        if node.kind == "f32" and source.kind == "b":
            return f"kw::select({self.value(source)}, kw::set<V>(1.0f), kw::set<V>(0.0f))"
        if node.kind == "b" and source.kind == "f32":
            return f"{self.value(source)} != 0.0f"
        if node.kind == "f32" and source.op == "index":
            return self._lanes(source.attr)
        raise Inexpressible(f"a conversion from {source.kind} to {node.kind}")


def declaration(buffer: Buffer, written: bool) -> str:
    """The C++ parameter for a buffer."""
    return f"{'' if written else 'const '}{ELEMENT[buffer.dtype]}* {buffer.name}"
