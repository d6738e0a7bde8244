"""CUDA's text of numbers and single operations."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from kernelwright.agents.builtin.expr import Expr, Kind, is_float
from kernelwright.agents.builtin.triton.words import neutral as neutral
from kernelwright.agents.roles import NoIdea

TYPES: Mapping[Kind, str] = {
    "f32": "float",
    "f64": "double",
    "i32": "int",
    "i64": "long long",
    "b": "bool",
}
ELEMENTS: Mapping[torch.dtype, str] = {
    torch.float32: "float",
    torch.float64: "double",
    torch.bfloat16: "__nv_bfloat16",
    torch.float16: "__half",
    torch.int64: "long long",
    torch.int32: "int",
    torch.int16: "short",
    torch.int8: "signed char",
    torch.uint8: "unsigned char",
    torch.bool: "bool",
}
"""Type of an element in memory."""
READ = {torch.bfloat16: "__bfloat162float", torch.float16: "__half2float"}
WRITE = {torch.bfloat16: "__float2bfloat16_rn", torch.float16: "__float2half_rn"}
FUNCTORS = {"sum": "Sum", "prod": "Prod", "max": "Max", "min": "Min", "any": "Any", "all": "All"}
_INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/", "shl": "<<", "shr": ">>"}
_COMPARE = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
_LOGIC = {"and": "&", "or": "|", "xor": "^"}
_MATHS = {
    "exp": "exp", "log": "log", "sqrt": "sqrt", "rsqrt": "rsqrt", "floor": "floor", "ceil": "ceil",
    "abs": "fabs", "sin": "sin", "cos": "cos", "erf": "erf", "tanh": "tanh", "expm1": "expm1",
    "log1p": "log1p", "round": "rint", "trunc": "trunc", "pow": "pow",
}  # fmt: skip
_LIBM = (
    "tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh", "erfc", "exp2", "log2",
    "log10", "atan2", "hypot", "copysign", "lgamma", "fmod",
)  # fmt: skip


def literal(value: float | int | bool, kind: Kind) -> str:
    """A number."""
    if kind == "b":
        return "true" if value else "false"
    if kind == "i32":
        return "(-2147483647 - 1)" if value == -(2**31) else str(int(value))
    if kind == "i64":
        least = -(2**63)
        return "(-9223372036854775807LL - 1)" if value == least else f"{int(value)}LL"
    value = float(value)
    end = "f" if kind == "f32" else ""
    if value != value:
        return f"({TYPES[kind]})NAN"
    if abs(value) > (3.4028235677973366e38 if kind == "f32" else 1.7976931348623157e308):
        return f"({TYPES[kind]}){'' if value > 0 else '-'}INFINITY"
    return f"{value!r}{end}"


def combined(reduces: str, kind: Kind, a: str, b: str) -> str:
    """Two running values as one."""
    if reduces == "sum":
        return f"{a} + {b}"
    if reduces == "prod":
        return f"{a} * {b}"
    if reduces in ("any", "all"):
        return f"{a} {'||' if reduces == 'any' else '&&'} {b}"
    return f"{FUNCTORS[reduces]}()({a}, {b})"


def operation(node: Expr, args: list[str]) -> str:
    """A pointwise node. Raises NoIdea for what there is no word for."""
    name, kind = node.op, node.kind
    if name == "cast":
        zero = literal(0, node.args[0].kind)
        return f"{args[0]} != {zero}" if kind == "b" else f"({TYPES[kind]}){args[0]}"
    if name == "div" and not is_float(kind):
        raise NoIdea("the built-in model writes no division of whole numbers for a GPU")
    if name == "sub" and kind == "f32" and all(a.op == "mul" for a in node.args):
        return (
            f"__fsub_rn({args[0]}, {args[1]})"  # a fused product would be rounded unlike the other
        )
    if name in _INFIX:
        return f"{args[0]} {_INFIX[name]} {args[1]}"
    if name in _COMPARE:
        return f"{args[0]} {_COMPARE[name]} {args[1]}"
    if name in _LOGIC:
        return f"{args[0]} {_LOGIC[name]} {args[1]}"
    if name == "not":
        return f"!{args[0]}" if kind == "b" else f"~{args[0]}"
    if name == "neg":
        return f"-{args[0]}"
    if name == "where":
        return f"{args[0]} ? {args[1]} : {args[2]}"
    if name in ("max", "min"):
        return f"{FUNCTORS[name]}()({args[0]}, {args[1]})"
    if not is_float(kind) and name in ("floor", "ceil", "round", "trunc"):
        return args[0]
    if name == "abs" and not is_float(kind):
        return f"{args[0]} < 0 ? -{args[0]} : {args[0]}"
    end = "f" if kind == "f32" else ""
    if name == "sigmoid":
        one = literal(1, kind)
        return f"{one} / ({one} + exp{end}(-{args[0]}))"
    if name in _MATHS and is_float(kind):
        return f"{_MATHS[name]}{end}({', '.join(args)})"
    if name == "libm" and node.attr in _LIBM:
        return f"{node.attr}{end}({', '.join(args)})"
    if name == "wrap":
        return f"(int)({ELEMENTS[node.attr]}){args[0]}"
    raise NoIdea(f"the built-in model has no CUDA for {node.attr or name}")
