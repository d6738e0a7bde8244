"""Definitions and workloads of the FlashInfer Trace schema, as flashinfer-bench and SOL-ExecBench have it.

A definition names axes (constant, variable, computed), inputs and outputs over them, and holds the text of
a reference with a function `run`. A workload gives the variable axes values and says where inputs come
from. Facts of the schema: https://bench.flashinfer.ai/docs/flashinfer-trace and SOL-ExecBench's docs folder.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from kernelwright.tasks.arithmetic import evaluate

DTYPES = frozenset(
    {"float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "bool"}
)
Json = Mapping[str, object]
Scalar = int | float | bool


class Malformed(Exception):
    """What is wrong with a definition, a workload or a solution, in one line."""


@dataclass(frozen=True)
class Tensor:
    """An input or output. `shape` are names of axes; None: a plain number."""

    name: str
    shape: tuple[str, ...] | None
    dtype: str


@dataclass(frozen=True)
class Workload:
    """Values of the variable axes; `kinds` says of each input where it comes from (`random`, ...)."""

    id: str
    axes: Mapping[str, int]
    kinds: Mapping[str, str]
    scalars: Mapping[str, Scalar]
    tolerance: Mapping[str, object]


@dataclass(frozen=True)
class Definition:
    """One operator."""

    name: str
    kind: str
    """`op_type`: `rmsnorm`, `gemm`, ...; empty where it is not said."""
    constants: Mapping[str, int]
    variables: tuple[str, ...]
    expressions: Mapping[str, str]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    reference: str
    constraints: tuple[str, ...]
    custom_inputs: str | None
    """Name of the function in `reference` that makes the inputs of kind `custom`."""

    @property
    def axes(self) -> tuple[str, ...]:
        """All of them, computed ones last."""
        return (*self.constants, *self.variables, *self.expressions)

    def sizes(self, given: Mapping[str, int]) -> dict[str, int]:
        """Every axis with its value. Raises Malformed where one is missing or cannot be computed."""
        missing = [name for name in self.variables if name not in given]
        if missing:
            raise Malformed(f"a workload gives axis {missing[0]} no value")
        found = {**self.constants, **{k: v for k, v in given.items() if k in self.axes}}
        for name, expression in self.expressions.items():
            try:
                found[name] = evaluate(expression, found)
            except ValueError as error:
                raise Malformed(f"axis {name}: {error}") from error
        return found

    def elements(self, sizes: Mapping[str, int]) -> int:
        """Elements of all inputs and outputs together."""
        return sum(
            math.prod(sizes[axis] for axis in tensor.shape)
            for tensor in (*self.inputs, *self.outputs)
            if tensor.shape is not None
        )


def read_definition(data: Json) -> Definition:
    """A definition from its JSON. Raises Malformed."""
    name = _text(data, "name")
    axes = {key: _mapping(value, f"axis {key}") for key, value in _items(data, "axes")}
    kinds = {key: _text(axis, "type") for key, axis in axes.items()}
    odd = next((key for key, kind in kinds.items() if kind not in ("const", "var", "expr")), None)
    if odd is not None:
        raise Malformed(f"axis {odd} is of type {kinds[odd]!r}: known are const, var and expr")
    bad = next((key for key in axes if not key.isidentifier()), None)
    if bad is not None:
        raise Malformed(f"axis {bad!r} is no name")
    custom = data.get("custom_inputs_entrypoint")
    definition = Definition(
        name=name,
        kind=str(data.get("op_type") or ""),
        constants={k: _integer(axes[k], "value") for k, kind in kinds.items() if kind == "const"},
        variables=tuple(k for k, kind in kinds.items() if kind == "var"),
        expressions={
            k: _text(axes[k], "expression") for k, kind in kinds.items() if kind == "expr"
        },
        inputs=tuple(_tensor(key, value) for key, value in _items(data, "inputs")),
        outputs=tuple(_tensor(key, value) for key, value in _items(data, "outputs")),
        reference=_text(data, "reference"),
        constraints=tuple(str(c) for c in _list(data.get("constraints") or (), "constraints")),
        custom_inputs=str(custom) if custom else None,
    )
    for tensor in (*definition.inputs, *definition.outputs):
        stranger = next((axis for axis in tensor.shape or () if axis not in axes), None)
        if stranger is not None:
            raise Malformed(f"{tensor.name} has a dimension {stranger}, which is no axis")
    return definition


def read_workload(data: Json) -> Workload:
    """A workload from one line of JSON, bare or within a trace. Raises Malformed."""
    inner = data.get("workload", data)
    line = _mapping(inner, "a workload")
    inputs = {key: _mapping(value, f"input {key}") for key, value in _items(line, "inputs")}
    scalars: dict[str, Scalar] = {}
    for key, one in inputs.items():
        if one.get("type") == "scalar":
            value = one.get("value")
            if not isinstance(value, bool | int | float):
                raise Malformed(f"input {key}: a scalar must be a number, not {value!r}")
            scalars[key] = value
    return Workload(
        id=str(line.get("uuid") or ""),
        axes={key: _whole(value, key) for key, value in _items(line, "axes")},
        kinds={key: _text(one, "type") for key, one in inputs.items()},
        scalars=scalars,
        tolerance=_mapping(line.get("tolerance") or {}, "tolerance"),
    )


def bound_names(reference: str) -> set[str]:
    """Names that the text of a reference binds at its top level. Raises Malformed for no Python."""
    try:
        tree = ast.parse(reference)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Malformed(f"its reference is not Python: {error}") from error
    return set(_bound(tree.body))


def _bound(body: Sequence[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (a.asname or a.name.partition(".")[0] for a in node.names)
        else:
            yield from (
                n.id
                for n in ast.walk(node)
                if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
            )


def _tensor(name: str, value: object) -> Tensor:
    data = _mapping(value, name)
    if not name.isidentifier():
        raise Malformed(f"{name!r} is no name of an input or output")
    shape = data.get("shape")
    dims = None if shape is None else tuple(str(a) for a in _list(shape, f"the shape of {name}"))
    return Tensor(name, dims, _text(data, "dtype"))


def _items(data: Json, key: str) -> Iterator[tuple[str, object]]:
    yield from _mapping(data.get(key), repr(key)).items()


def _mapping(value: object, what: str) -> Json:
    if not isinstance(value, Mapping):
        raise Malformed(f"{what} is {'missing' if value is None else 'no object'}")
    return value


def _list(value: object, what: str) -> Sequence[object]:
    if not isinstance(value, list | tuple):
        raise Malformed(f"{what} must be a list")
    return value


def _text(data: Json, key: str) -> str:
    value = data.get(key)
    if not isinstance(value, str) or not value:
        raise Malformed(f"{key!r} must be a text")
    return value


def _integer(data: Json, key: str) -> int:
    return _whole(data.get(key), key)


def _whole(value: object, what: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Malformed(f"{what} must be a whole number, not {value!r}")
    return value
