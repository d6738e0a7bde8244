"""The Python file of a candidate around its C++ source."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from kernelwright.agents.builtin.expr import Buffer
from kernelwright.agents.builtin.lazy import Lazy, LibraryCall
from kernelwright.agents.builtin.plan import Plan, view_of
from kernelwright.agents.builtin.source import Run, Source
from kernelwright.agents.builtin.trace import Given, Literally, State, Traced

Space = Mapping[str, Sequence[int | float | str]]


def write_file(traced: Traced, plan: Plan, source: Source, space: Space, note: str) -> str:
    """The whole text of a candidate."""
    built = plan.built
    constants = [(g, b) for g, b in built.sources if g.role == "constant"]
    states = [(g, b) for g, b in built.sources if g.role == "state"]
    used = _used(plan, source)
    names = ", ".join(f"{name}={list(values)!r}" for name, values in space.items())
    lines = [
        f'"""{note}"""',
        "",
        *(["import base64", "import zlib", ""] if constants else []),
        "import torch",
        "",
        "from kernelwright.inline import cpp, tuned",
        "",
        f"P = tuned({names})",
        'SOURCE = r"""',
        source.text,
        '"""',
        "lib = cpp(SOURCE, defines=P)",
        *(f"{c.name} = lib.{c.name}" for c in source.calls if isinstance(c, Run)),
        "",
        "",
        *(_CONSTANT if constants else []),
        "class ModelNew(torch.nn.Module):",
        "    def __init__(self, *args, **kwargs):",
        "        super().__init__()",
    ]
    lines += [
        f"        {line}" for line in _owned(traced.states, [s for s in states if s[1] in used])
    ]
    for given, buffer in constants:
        if buffer in used:
            lines.append(f"        self._{buffer.name} = {_literal(given)}")
    arguments = ", ".join(f"x{i}" for i in range(len(traced.inputs)))
    lines += ["", f"    def forward(self, {arguments}):"]
    body = _checks(traced, built.sources, used)
    body += [
        f"{buffer.name} = {_access(given.name, traced.states)}"
        for given, buffer in states
        if buffer in used
    ]
    body += [f"{b.name} = self._{b.name}" for _, b in constants if b in used]
    body += _steps(plan, source)
    body += [
        f"{_getter(n.rpartition('.')[0])}.{n.rpartition('.')[2]}.copy_({b.name})"
        for n, b in built.changes
    ]
    body.append(f"return {_returned(built.returns)}")
    lines += [f"        {line}" for line in body]
    return "\n".join(lines) + "\n"


_CONSTANT = [
    "def _constant(text, dtype, shape):",
    "    data = bytearray(zlib.decompress(base64.b85decode(text)))",
    "    return torch.frombuffer(data, dtype=dtype).reshape(shape)",
    "",
    "",
]


def _used(plan: Plan, source: Source) -> set[Buffer]:
    found: set[Buffer] = set()
    for call in source.calls:
        if isinstance(call, Run):
            found.update(call.buffers)
        else:
            for argument in call.arguments:
                view = view_of(argument)
                assert view is not None
                found.add(view.buffer)
    return found


def _path(name: str) -> tuple[str, str]:
    """Attribute that holds the dictionary of a state's owner, and the key in it."""
    owner, _, leaf = name.rpartition(".")
    return "_of_" + (owner.replace(".", "_") or "self"), leaf


def _access(name: str, states: Sequence[State]) -> str:
    """Expression for the tensor as it is now: the dictionary is kept, the tensor is not."""
    attribute, leaf = _path(name)
    parameter = next(s.parameter for s in states if s.name == name)
    return f"self.{attribute}{'_parameters' if parameter else '_buffers'}[{leaf!r}]"


def _owned(states: Sequence[State], used: Sequence[tuple[Given, Buffer]]) -> list[str]:
    """Statements that build parameters and buffers under the reference's names."""
    lines: list[str] = []
    made: set[str] = {""}
    kinds: dict[str, bool] = {}
    for state in states:
        kinds[state.name] = state.parameter
        owner, _, leaf = state.name.rpartition(".")
        parts = owner.split(".") if owner else []
        for depth in range(1, len(parts) + 1):
            path = ".".join(parts[:depth])
            if path not in made:
                made.add(path)
                parent = _getter(".".join(parts[: depth - 1]))
                lines.append(f"{parent}.add_module({parts[depth - 1]!r}, torch.nn.Module())")
        tensor = f"torch.zeros({list(state.shape)}, dtype={state.dtype})"
        target = _getter(owner)
        if state.parameter:
            grad = "" if state.dtype.is_floating_point else ", requires_grad=False"
            lines.append(
                f"{target}.register_parameter({leaf!r}, torch.nn.Parameter({tensor}{grad}))"
            )
        else:
            lines.append(f"{target}.register_buffer({leaf!r}, {tensor})")
    for given, _ in used:
        attribute, _leaf = _path(given.name)
        owner = given.name.rpartition(".")[0]
        table = "_parameters" if kinds[given.name] else "_buffers"
        line = f"self.{attribute}{table} = {_getter(owner)}.{table}"
        if line not in lines:
            lines.append(line)
    return lines


def _getter(path: str) -> str:
    return f"self.get_submodule({path!r})" if path else "self"


def _literal(given: Given) -> str:
    assert given.value is not None
    raw = given.value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    text = base64.b85encode(zlib.compress(raw, 9)).decode()
    return f"_constant({text!r}, {given.dtype}, {list(given.shape)})"


def _checks(
    traced: Traced, sources: Sequence[tuple[Given, Buffer]], used: set[Buffer]
) -> list[str]:
    lines: list[str] = []
    by_position = {int(g.name): b for g, b in sources if g.role == "input"}
    for i, value in enumerate(traced.inputs):
        if not isinstance(value, torch.Tensor):
            lines += [
                f"if x{i} != {value!r}:",
                f'    raise ValueError(f"made for {value!r} as input {i}, not {{x{i}!r}}")',
            ]
            continue
        shape, dtype = tuple(value.shape), value.dtype
        lines += [
            f"if x{i}.shape != {shape!r} or x{i}.dtype != {dtype} or not x{i}.is_cpu:",
            f'    raise ValueError(f"made for {dtype} {list(shape)} on the CPU as input {i}")',
        ]
        buffer = by_position[i]
        if buffer in used:
            contiguous = f"x{i}.contiguous()"
            lines.append(f"{buffer.name}_ = {contiguous}")
    # Names of buffers and of arguments may cross: assign them only when all are read.
    lines += [f"{b.name} = {b.name}_" for i, b in sorted(by_position.items()) if b in used]
    return lines


def _steps(plan: Plan, source: Source) -> list[str]:
    lines: list[str] = []
    made: set[Buffer] = {b for _, b in plan.built.sources}
    for call in source.calls:
        if isinstance(call, LibraryCall):
            arguments = [_view(a) for a in call.arguments]
            names = ", ".join(r.name for r in call.results)
            lines.append(f"{names} = {call.text.format(*arguments)}")
            for result in call.results:
                made.add(result)
                lines += _relaid(result)
            continue
        for buffer in call.buffers:
            if buffer not in made:
                made.add(buffer)
                over = plan.aliases.get(buffer)
                if over is None:
                    lines.append(_empty(buffer))
                elif over.shape == buffer.shape:
                    lines.append(f"{buffer.name} = {over.name}")
                else:
                    lines.append(f"{buffer.name} = {over.name}.view({buffer.shape!r})")
        text = f"{call.name}({', '.join(b.name for b in call.buffers)})"
        if call.checks:
            lines += [f"if {text}:", '    raise IndexError("index out of range")']
        else:
            lines.append(text)
    lines += [_empty(m.into) for m in plan.built.outputs if m.into not in made]
    return lines


def _relaid(result: Buffer) -> list[str]:
    """The library may lay a result out in another way than it said when it was traced."""
    strides = result.strides
    if not strides:
        return []
    return [
        f"if {result.name}.stride() != {strides!r}:",
        f"    {result.name} = torch.empty_strided({result.shape!r}, {strides!r}, "
        f"dtype={result.dtype}).copy_({result.name})",
    ]


def _empty(buffer: Buffer) -> str:
    return f"{buffer.name} = torch.empty({buffer.shape!r}, dtype={buffer.dtype})"


def _view(tensor: Lazy) -> str:
    view = view_of(tensor)
    assert view is not None
    name, buffer = view.buffer.name, view.buffer
    own = buffer.strides or _contiguous(buffer.shape)
    if view.offset == 0 and view.shape == buffer.shape and view.strides == own:
        return name
    turned = (view.shape[::-1], view.strides[::-1]) == (buffer.shape, own)
    if view.offset == 0 and len(view.shape) == 2 and turned:
        return f"{name}.t()"
    return f"{name}.as_strided({view.shape!r}, {_filled(view)!r}, {view.offset})"


def _contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    steps, step = [], 1
    for extent in reversed(shape):
        steps.append(step)
        step *= extent
    return tuple(reversed(steps))


def _filled(view: Any) -> tuple[int, ...]:
    """Strides as torch would have them for dimensions of one element (they do not matter to us)."""
    result = list(view.strides)
    step = 1
    for d in reversed(range(len(result))):
        if view.shape[d] == 1:
            result[d] = step
        step = max(step, result[d] * view.shape[d])
    return tuple(result)


def _returned(value: Any) -> str:
    if isinstance(value, Buffer):
        return value.name
    if isinstance(value, Literally):
        return repr(value.value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k!r}: {_returned(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_returned(v) for v in value) + "]"
    inside = ", ".join(_returned(v) for v in value)
    return f"({inside}{',' if len(value) == 1 else ''})"
