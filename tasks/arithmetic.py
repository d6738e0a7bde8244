"""Arithmetic expressions over named constants, such as `"2 * M * N * K"`, without `eval`."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping

Number = int | float

_BINARY: Mapping[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: math.pow,  # In floating point: a huge integer power would take all memory.
}


def parse_expression(text: str) -> ast.expr:
    """The tree of an expression of numbers, names, + - * / // % ** and parentheses.

    Raises ValueError, in one line, for anything else.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise ValueError(f"{text!r} is not an arithmetic expression") from error
    for node in ast.walk(tree):
        if not _allowed(node):
            raise ValueError(f"{text!r} may hold only numbers, constants and + - * / // % **")
    return tree


def evaluate(text: str, constants: Mapping[str, Number]) -> int:
    """The value of an expression, rounded up to a whole number.

    Raises ValueError for what is not arithmetic, an unknown name, or a value that is not a finite
    number of at least 0.
    """
    tree = parse_expression(text)
    try:
        value = _value(tree, constants)
    except KeyError as error:
        raise ValueError(
            f"{text!r} names {error.args[0]}, which is not a number of the file"
        ) from None
    except (ArithmeticError, ValueError) as error:
        raise ValueError(f"{text!r}: {error}") from error
    if not 0 <= value < math.inf:
        raise ValueError(f"{text!r} is {value}: it must be a finite number of at least 0")
    return math.ceil(value)


def _allowed(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, int | float) and not isinstance(node.value, bool)
    return isinstance(node, ast.Name | ast.Load | ast.BinOp | ast.UnaryOp | ast.USub) or (
        type(node) in _BINARY
    )


def _value(node: ast.expr, constants: Mapping[str, Number]) -> Number:
    if isinstance(node, ast.Constant):
        assert isinstance(node.value, int | float)
        return node.value
    if isinstance(node, ast.Name):
        return constants[node.id]
    if isinstance(node, ast.UnaryOp):
        return -_value(node.operand, constants)
    assert isinstance(node, ast.BinOp)
    left, right = _value(node.left, constants), _value(node.right, constants)
    return _BINARY[type(node.op)](left, right)
