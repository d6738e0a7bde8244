"""How large a task's inputs and layers are, read off its text: nothing of it is run.

Understands what task files are made of: constants, sums of them, tuples, and `torch.rand(...)` and its kin in
`get_inputs`. Where an input's size is written any other way, it is not known.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

_MAKERS = frozenset(
    {"rand", "randn", "randint", "zeros", "ones", "empty", "full", "randperm", "arange", "eye"}
)
_OPERATORS: Mapping[type[ast.operator], Callable[[int, int], int | float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
}
_FUNCTIONS: Mapping[str, Callable[..., object]] = {"int": int, "max": max, "min": min, "len": len}


@dataclass(frozen=True)
class Estimate:
    """Sizes in elements. `elements` is None where an input's size is not known."""

    elements: int | None
    """Of all tensors that `get_inputs` makes."""
    largest: int
    """Number that the model is made with."""
    weights: int
    """Product of the two largest of those."""


class _Unknown(Exception):
    """An expression that is not understood."""


def estimate(source: str) -> Estimate:
    """Read the sizes off a file that is Python."""
    tree = ast.parse(source)
    known: dict[str, object] = {}
    for node in tree.body:
        _follow(node, known)
    functions = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef)}
    made = _elements(functions.get("get_inputs"), dict(known))
    numbers = sorted(_init_numbers(functions.get("get_init_inputs"), dict(known)), reverse=True)
    return Estimate(made, max(numbers, default=0), math.prod(numbers[:2]))


def _elements(function: ast.FunctionDef | None, known: dict[str, object]) -> int | None:
    if function is None:
        return None
    total = 0
    try:
        for node in function.body:
            _follow(node, known)
            for call in ast.walk(node):
                if isinstance(call, ast.Call) and _called(call) in _MAKERS:
                    total += _made(call, known)
    except _Unknown:
        return None
    return total or None


def _made(call: ast.Call, known: Mapping[str, object]) -> int:
    """Elements of the tensor that a call makes."""
    name = _called(call)
    sizes = [_value(argument, known) for argument in call.args if not _is_type(argument)]
    sizes += [_value(k.value, known) for k in call.keywords if k.arg == "size"]
    if name in ("randint", "full"):
        tuples = [size for size in sizes if isinstance(size, tuple)]
        sizes = list(tuples[0]) if tuples else []
    if name in ("arange", "randperm"):
        return max((s for s in sizes if isinstance(s, int)), default=1)
    if name == "eye":
        sizes *= 2
    return math.prod(_flat(sizes))


def _init_numbers(function: ast.FunctionDef | None, known: dict[str, object]) -> list[int]:
    if function is None:
        return []
    found: list[int] = []
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and node.id in known:
            found += [n for n in _integers(known[node.id]) if n > 0]
        elif isinstance(node, ast.Constant) and type(node.value) is int and node.value > 0:
            found.append(node.value)
    return found


def _follow(node: ast.stmt, known: dict[str, object]) -> None:
    """Note what an assignment binds, where it is understood."""
    if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
        return
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    try:
        value = _value(node.value, known)
    except _Unknown:
        for target in targets:
            known.pop(getattr(target, "id", ""), None)
        return
    for target in targets:
        if isinstance(target, ast.Name):
            known[target.id] = value
        elif isinstance(target, ast.Tuple) and isinstance(value, tuple):
            pairs = zip(target.elts, value, strict=False)
            known.update({t.id: v for t, v in pairs if isinstance(t, ast.Name)})


def _value(node: ast.expr, known: Mapping[str, object]) -> object:
    """The number, text or tuple that an expression means. Raises _Unknown."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name) and node.id in known:
        return known[node.id]
    if isinstance(node, ast.Tuple | ast.List):
        return tuple(v for item in node.elts for v in _items(item, known))
    if isinstance(node, ast.Starred):
        return tuple(_items(node, known))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_number(node.operand, known)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        left, right = _value(node.left, known), _value(node.right, known)
        if isinstance(left, tuple) and isinstance(right, tuple) and isinstance(node.op, ast.Add):
            return left + right
        try:
            return _OPERATORS[type(node.op)](_as_int(left), _as_int(right))
        except ZeroDivisionError as error:
            raise _Unknown from error
    if isinstance(node, ast.Subscript):
        return _item(_value(node.value, known), _value(node.slice, known))
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in _FUNCTIONS
    ):
        arguments = [_value(argument, known) for argument in node.args]
        try:
            return _FUNCTIONS[node.func.id](*arguments)
        except (TypeError, ValueError) as error:
            raise _Unknown from error
    raise _Unknown


def _items(node: ast.expr, known: Mapping[str, object]) -> Iterator[object]:
    if not isinstance(node, ast.Starred):
        yield _value(node, known)
        return
    inner = _value(node.value, known)
    if not isinstance(inner, tuple):
        raise _Unknown
    yield from inner


def _item(value: object, index: object) -> object:
    if isinstance(value, tuple) and isinstance(index, int) and -len(value) <= index < len(value):
        return value[index]
    raise _Unknown


def _flat(values: list[object]) -> Iterator[int]:
    for value in values:
        yield from _flat(list(value)) if isinstance(value, tuple) else (_as_int(value),)


def _integers(value: object) -> Iterator[int]:
    if isinstance(value, tuple):
        for item in value:
            yield from _integers(item)
    elif type(value) is int:
        yield value


def _number(node: ast.expr, known: Mapping[str, object]) -> int:
    return _as_int(_value(node, known))


def _as_int(value: object) -> int:
    if isinstance(value, int | float) and not isinstance(value, bool) and value == int(value):
        return int(value)
    raise _Unknown


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _is_type(node: ast.expr) -> bool:
    """Whether an argument is something like `torch.float16`, which is no size."""
    return isinstance(node, ast.Attribute)
