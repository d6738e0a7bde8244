"""Triton's text of numbers and single operations."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from kernelwright.agents.builtin.expr import Expr, Kind, is_float
from kernelwright.agents.roles import NoIdea

TYPES: Mapping[Kind, str] = {
    "f32": "tl.float32",
    "f64": "tl.float64",
    "i32": "tl.int32",
    "i64": "tl.int64",
    "b": "tl.int1",
}
_SMALL = {torch.int8: "tl.int8", torch.int16: "tl.int16", torch.uint8: "tl.uint8"}
_INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/", "shl": "<<", "shr": ">>"}
_COMPARE = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
_LOGIC = {"and": "&", "or": "|", "xor": "^"}
_CORE = ("exp", "log", "sqrt", "rsqrt", "floor", "ceil", "abs", "sin", "cos", "erf", "sigmoid")
_DEVICE = {"tanh": "tanh", "expm1": "expm1", "log1p": "log1p", "round": "rint", "trunc": "trunc"}
_LIBM = (
    "tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh", "erfc", "exp2", "log2",
    "log10", "atan2", "hypot", "copysign", "lgamma", "fmod",
)  # fmt: skip


def literal(value: float | int | bool, kind: Kind) -> str:
    """A number; one of 64 bits says so, for Triton takes numbers as fp32 and int32."""
    if kind == "b":
        return str(bool(value))
    if not is_float(kind):
        return str(int(value))
    value = float(value)
    if math.isnan(value):
        text = 'float("nan")'
    elif math.isinf(value) or (kind == "f32" and abs(value) > 3.4028235677973366e38):
        text = 'float("inf")' if value > 0 else 'float("-inf")'
    else:
        text = repr(value)
    return text if kind == "f32" else f"tl.full([], {text}, tl.float64)"


def neutral(reduces: str, kind: Kind) -> float | int | bool:
    """The value that changes nothing in a reduction."""
    if reduces in ("sum", "prod"):
        return 0 if reduces == "sum" else 1
    if reduces in ("any", "all"):
        return reduces == "all"
    lowest = reduces in ("max", "argmax")
    if is_float(kind):
        return -math.inf if lowest else math.inf
    if kind == "b":
        return not lowest
    bits = 31 if kind == "i32" else 63
    most: int = (1 << bits) - 1
    return -most - 1 if lowest else most


def combined(reduces: str, kind: Kind, a: str, b: str) -> str:
    """Two running values as one. A NaN stays."""
    if reduces in ("sum", "prod"):
        return f"{a} {'+' if reduces == 'sum' else '*'} {b}"
    if reduces in ("any", "all"):
        return f"{a} {'|' if reduces == 'any' else '&'} {b}"
    return larger(a, b, kind, largest=reduces == "max")


def larger(a: str, b: str, kind: Kind, *, largest: bool) -> str:
    """The larger (or smaller) of two values; NaN where one is."""
    if kind == "b":
        return f"{a} {'|' if largest else '&'} {b}"
    if not is_float(kind):
        return f"tl.{'maximum' if largest else 'minimum'}({a}, {b})"
    sign = ">" if largest else "<"
    return f"tl.where(({a} {sign} {b}) | ({a} != {a}), {a}, {b})"


def operation(node: Expr, args: list[str]) -> str:
    """A pointwise node. Raises NoIdea for what Triton has no word for."""
    name, kind = node.op, node.kind
    if name == "cast":
        source = node.args[0].kind
        if kind == "b":
            return f"{args[0]} != 0"
        number = f"tl.cast({args[0]}, tl.int32)" if source == "b" else args[0]
        return f"tl.cast({number}, {TYPES[kind]})"
    if name == "div" and not is_float(kind):
        raise NoIdea("the built-in model writes no division of whole numbers for a GPU")
    if name in _INFIX:
        return f"{args[0]} {_INFIX[name]} {args[1]}"
    if name in _COMPARE:
        if node.args[0].kind == "b":
            args = [f"tl.cast({a}, tl.int32)" for a in args]
        return f"{args[0]} {_COMPARE[name]} {args[1]}"
    if name in _LOGIC:
        return f"{args[0]} {_LOGIC[name]} {args[1]}"
    if name == "not":
        return f"{args[0]} == 0" if kind == "b" else f"~{args[0]}"
    if name == "neg":
        return f"-{args[0]}"
    if name == "where":
        return f"tl.where({', '.join(args)})"
    if name in ("max", "min"):
        return larger(args[0], args[1], kind, largest=name == "max")
    if name in ("floor", "ceil", "round", "trunc") and not is_float(kind):
        return args[0]
    if name in _CORE:
        return f"tl.{name}({args[0]})"
    if name in _DEVICE:
        return f"libdevice.{_DEVICE[name]}({args[0]})"
    if name == "pow" and is_float(kind):
        return f"libdevice.pow({args[0]}, {args[1]})"
    if name == "libm" and node.attr in _LIBM:
        return f"libdevice.{node.attr}({', '.join(args)})"
    if name == "wrap":
        return f"tl.cast(tl.cast({args[0]}, {_SMALL[node.attr]}), tl.int32)"
    raise NoIdea(f"the built-in model has no Triton for {node.attr or name}")
