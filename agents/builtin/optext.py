"""C++ text of single operations on scalars and vectors."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from kernelwright.agents.builtin.expr import Expr, Kind

SCALAR: Mapping[Kind, str] = {
    "f32": "float",
    "f64": "double",
    "i32": "int32_t",
    "i64": "int64_t",
    "b": "bool",
}
VECTOR: Mapping[Kind, str] = {
    "f32": "kw::F",
    "f64": "kw::D",
    "i32": "kw::I",
    "i64": "kw::L",
    "b": "kw::I",
}
ELEMENT: Mapping[torch.dtype, str] = {
    torch.float32: "float",
    torch.float64: "double",
    torch.bfloat16: "kw::bf16",
    torch.float16: "kw::fp16",
    torch.int64: "int64_t",
    torch.int32: "int32_t",
    torch.int16: "int16_t",
    torch.int8: "int8_t",
    torch.uint8: "uint8_t",
    torch.bool: "bool",
}
"""C++ type of an element in memory."""

_INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/", "shl": "<<", "shr": ">>"}
_COMPARE = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
_PLAIN = ("sqrt", "rsqrt", "floor", "ceil", "round", "trunc", "log", "log1p", "sin", "cos", "abs")
_TUNED = {"exp": "EXP_DEGREE", "expm1": "6", "tanh": "6", "sigmoid": "EXP_DEGREE", "erf": "5"}


def literal(value: float | int | bool, kind: Kind) -> str:
    """A constant."""
    if kind == "b":
        return "true" if value else "false"
    if kind in ("i32", "i64"):
        if kind == "i64" and value == -(2**63):
            return "INT64_MIN"
        if kind == "i32" and value == -(2**31):
            return "INT32_MIN"
        return f"{int(value)}" + ("L" if kind == "i64" else "")
    suffix = "f" if kind == "f32" else ""
    value = float(value)
    if math.isnan(value):
        return f'__builtin_nan{suffix}("")'
    if math.isinf(value):
        return ("-" if value < 0 else "") + f"__builtin_inf{suffix}()"
    if kind == "f32" and abs(value) > 3.4028235677973366e38:
        return ("-" if value < 0 else "") + "__builtin_inff()"
    return (
        f"{value!r}{suffix}" if "e" in repr(value) or "." in repr(value) else f"{value!r}.{suffix}"
    )


def neutral(reduces: str, kind: Kind) -> str:
    """The value that changes nothing in a reduction."""
    if reduces == "sum":
        return literal(0, kind)
    if reduces == "prod":
        return literal(1, kind)
    if reduces == "any":
        return "false"
    if reduces == "all":
        return "true"
    lowest = reduces in ("max", "argmax")
    if kind in ("f32", "f64"):
        return literal(-math.inf if lowest else math.inf, kind)
    if kind == "b":
        return "false" if lowest else "true"
    bits = 31 if kind == "i32" else 63
    return literal(-(2**bits) if lowest else 2**bits - 1, kind)


def combine(reduces: str, kind: Kind) -> str:
    """Name of the function of two accumulators."""
    if kind == "b":
        return {"any": "kw::either", "max": "kw::either"}.get(reduces, "kw::both")
    return {"sum": "kw::add", "prod": "kw::mul", "max": "kw::max", "min": "kw::min"}[reduces]


def operation(node: Expr, args: list[str], vector: bool) -> str:
    """The text of a pointwise node; with `vector`, all arguments are vectors."""
    name, kind = node.op, node.kind
    source = node.args[0].kind
    if name == "cast":
        return _cast(args[0], source, kind, vector)
    if name == "sub" and kind == "f32" and _product(node.args[0]) and _product(node.args[1]):
        return f"{args[0]} - kw::rounded({args[1]})"
    if name in _INFIX:
        return f"{args[0]} {_INFIX[name]} {args[1]}"
    if name in _COMPARE:
        if source == "b" and not vector:
            return f"{args[0]} {_COMPARE[name]} {args[1]}"
        if source == "b":
            # -1 and 0: the order of truth values is turned round
            turned = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
            return f"{args[0]} {turned.get(_COMPARE[name], _COMPARE[name])} {args[1]}"
        text = f"{args[0]} {_COMPARE[name]} {args[1]}"
        return f"kw::lanes32({text})" if vector else text
    if name in ("and", "or", "xor"):
        if kind == "b" and not vector:
            return f"{args[0]} {({'and': '&&', 'or': '||', 'xor': '!='})[name]} {args[1]}"
        return f"{args[0]} {({'and': '&', 'or': '|', 'xor': '^'})[name]} {args[1]}"
    if name == "not":
        return f"!{args[0]}" if kind == "b" and not vector else f"~{args[0]}"
    if name == "neg":
        return f"-{args[0]}"
    if name == "where":
        return f"kw::where({args[0]}, {args[1]}, {args[2]})"
    if name in ("max", "min"):
        if kind == "b":
            return f"{args[0]} {'|' if name == 'max' else '&'} {args[1]}"
        return f"kw::{name}({args[0]}, {args[1]})"
    if name in _PLAIN:
        return (
            args[0] if kind in ("i32", "i64") and name in _PLAIN[2:6] else f"kw::{name}({args[0]})"
        )
    if name in _TUNED:
        return f"kw::{name}<{_TUNED[name]}>({args[0]})"
    if name == "pow":
        return f"kw::pow({args[0]}, {args[1]})"
    if name == "wrap":
        return _wrap(args[0], node.attr, vector)
    if name in ("floordiv", "rem", "truncdiv", "truncrem"):
        return _integer(name, args, kind, vector)
    if name == "libm":
        return _libm(node.attr, args, kind, vector)
    raise AssertionError(f"no text for {name}")


def _product(node: Expr) -> bool:
    """Whether a value is a product, perhaps one of two cases."""
    if node.op == "where":
        return any(_product(a) for a in node.args[1:])
    return node.op == "mul"


def _cast(x: str, source: Kind, kind: Kind, vector: bool) -> str:
    if kind == "b":
        zero = literal(0, source)
        if not vector:
            return f"{x} != {zero}"
        return f"kw::lanes32({x} != {zero})" if source in ("f64", "i64") else f"{x} != {zero}"
    if not vector:
        return f"({SCALAR[kind]})({x})"
    if source == "b":
        one, none = literal(1, kind), literal(0, kind)
        v = VECTOR[kind]
        return f"kw::where({x}, kw::set<{v}>({one}), kw::set<{v}>({none}))"
    return f"kw::to<{SCALAR[kind]}>({x})"


def _wrap(x: str, dtype: torch.dtype, vector: bool) -> str:
    small = ELEMENT[dtype]
    return f"kw::to<int32_t>(kw::to<{small}>({x}))" if vector else f"(int32_t)({small})({x})"


def _integer(name: str, args: list[str], kind: Kind, vector: bool) -> str:
    scalar = SCALAR[kind]
    if not vector:
        return f"kw::{name}<{scalar}>({args[0]}, {args[1]})"
    return (
        f"kw::gather<{VECTOR[kind]}>(kw::Full(), [&](long l) "
        f"{{ return kw::{name}<{scalar}>({args[0]}[l], {args[1]}[l]); }})"
    )


def _libm(function: str, args: list[str], kind: Kind, vector: bool) -> str:
    name = f"__builtin_{function}" + ("f" if kind == "f32" else "")
    if not vector:
        return f"{name}({', '.join(args)})"
    inside = ", ".join(f"{a}[l]" for a in args)
    return f"kw::gather<{VECTOR[kind]}>(kw::Full(), [&](long l) {{ return {name}({inside}); }})"
