"""The statements of one `forward`: checks of the inputs, calls of kernels and of the library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from kernelwright.agents.builtin.expr import Buffer
from kernelwright.agents.builtin.lazy import Lazy, LibraryCall
from kernelwright.agents.builtin.plan import Plan, view_of
from kernelwright.agents.builtin.source import Run, Source
from kernelwright.agents.builtin.trace import Given, Literally, State, Traced


@dataclass(frozen=True, eq=False)
class Form:
    """A candidate's share for one shape of the task."""

    traced: Traced
    plan: Plan
    source: Source

    @property
    def name(self) -> str:
        """The shape in words."""
        return shape_name(self.traced.shape)

    def given(self, role: str) -> list[tuple[Given, Buffer]]:
        """What comes from outside in this role."""
        return [(g, b) for g, b in self.plan.built.sources if g.role == role]

    def used(self) -> set[Buffer]:
        """The buffers that any call reads or writes."""
        found: set[Buffer] = set()
        for call in self.source.calls:
            if isinstance(call, Run):
                found.update(call.buffers)
            else:
                for argument in call.arguments:
                    view = view_of(argument)
                    assert view is not None
                    found.add(view.buffer)
        return found

    @property
    def runs(self) -> list[str]:
        """The names of its C++ functions."""
        return [c.name for c in self.source.calls if isinstance(c, Run)]


def shape_name(shape: Mapping[str, int]) -> str:
    """`ROWS=37, COLS=1001`."""
    return ", ".join(f"{name}={value}" for name, value in shape.items())


def forward(
    form: Form, otherwise: Sequence[str], library: str, owner: str, *, gpu: bool = False
) -> list[str]:
    """The body of a `forward` with the arguments x0, x1 ...

    `otherwise` holds what to do, for each input, when it is another than this shape's. Kernels are
    attributes of the expression `library`, or globals where it is empty; constants are attributes of `owner`.
    For a GPU tensors are made where the first one lies.
    """
    built, used, states = form.plan.built, form.used(), form.traced.states
    body = _checks(form.traced, built.sources, used, otherwise, gpu)
    body += [f"{b.name} = {_access(g.name, states)}" for g, b in form.given("state") if b in used]
    if gpu:
        first = next((b.name for g, b in built.sources if g.role != "constant" and b in used), None)
        body.append(f"device = {first}.device" if first else 'device = torch.device("cuda")')
    there = ".to(device)" if gpu else ""
    body += [f"{b.name} = {owner}._{b.name}{there}" for _, b in form.given("constant") if b in used]
    if library and form.runs:
        body.append(f"lib = {library}")
    body += _steps(form.plan, form.source, "lib." if library else "", gpu)
    body += [
        f"{getter(n.rpartition('.')[0])}.{n.rpartition('.')[2]}.copy_({b.name})"
        for n, b in built.changes
    ]
    body.append(f"return {_returned(built.returns)}")
    return body


def wanted(traced: Traced, i: int) -> str:
    """What input `i` has to be, in words."""
    value = traced.inputs[i]
    if isinstance(value, torch.Tensor):
        return f"{value.dtype} {list(value.shape)}"
    return repr(value)


def _checks(
    traced: Traced,
    sources: Sequence[tuple[Given, Buffer]],
    used: set[Buffer],
    otherwise: Sequence[str],
    gpu: bool,
) -> list[str]:
    lines: list[str] = []
    by_position = {int(g.name): b for g, b in sources if g.role == "input"}
    for i, value in enumerate(traced.inputs):
        if not isinstance(value, torch.Tensor):
            lines += [f"if x{i} != {value!r}:", f"    {otherwise[i]}"]
            continue
        shape, dtype = tuple(value.shape), value.dtype
        lines += [
            f"if x{i}.shape != {shape!r} or x{i}.dtype != {dtype}"
            f"{'' if gpu else f' or not x{i}.is_cpu'}:",
            f"    {otherwise[i]}",
        ]
        buffer = by_position[i]
        if buffer in used:
            contiguous = f"x{i}.contiguous()"
            lines.append(f"{buffer.name}_ = {contiguous}")
    # Names of buffers and of arguments may cross: assign them only when all are read.
    lines += [f"{b.name} = {b.name}_" for i, b in sorted(by_position.items()) if b in used]
    return lines


def _steps(plan: Plan, source: Source, prefix: str, gpu: bool) -> list[str]:
    lines: list[str] = []
    made: set[Buffer] = {b for _, b in plan.built.sources}
    for call in source.calls:
        if isinstance(call, LibraryCall):
            arguments = [_view(a) for a in call.arguments]
            names = ", ".join(r.name for r in call.results)
            lines.append(f"{names} = {call.text.format(*arguments)}")
            for result in call.results:
                made.add(result)
                lines += _relaid(result, gpu)
            continue
        for buffer in call.buffers:
            if buffer not in made:
                made.add(buffer)
                over = plan.aliases.get(buffer)
                if over is None:
                    lines.append(_empty(buffer, gpu))
                elif over.shape == buffer.shape:
                    lines.append(f"{buffer.name} = {over.name}")
                else:
                    lines.append(f"{buffer.name} = {over.name}.view({buffer.shape!r})")
        given = [b.name for b in call.buffers] + ([call.more] if call.more else [])
        text = f"{prefix}{call.name}{call.grid}({', '.join(given)})"
        if call.checks:
            lines += [f"if {text}:", '    raise IndexError("index out of range")']
        else:
            lines.append(text)
    lines += [_empty(m.into, gpu) for m in plan.built.outputs if m.into not in made]
    return lines


def _relaid(result: Buffer, gpu: bool) -> list[str]:
    """The library may lay a result out in another way than it said when it was traced."""
    strides = result.strides
    if not strides:
        return []
    return [
        f"if {result.name}.stride() != {strides!r}:",
        f"    {result.name} = torch.empty_strided({result.shape!r}, {strides!r}, "
        f"dtype={result.dtype}{', device=device' if gpu else ''}).copy_({result.name})",
    ]


def _empty(buffer: Buffer, gpu: bool) -> str:
    where = ", device=device" if gpu else ""
    return f"{buffer.name} = torch.empty({buffer.shape!r}, dtype={buffer.dtype}{where})"


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
    # Counted from where the tensor begins, which may itself be a slice of a larger one.
    start = f", {name}.storage_offset() + {view.offset}" if view.offset else ""
    return f"{name}.as_strided({view.shape!r}, {_filled(view)!r}{start})"


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


def state_path(name: str) -> tuple[str, str]:
    """Attribute that holds the dictionary of a state's owner, and the key in it."""
    owner, _, leaf = name.rpartition(".")
    return "_of_" + (owner.replace(".", "_") or "self"), leaf


def _access(name: str, states: Sequence[State]) -> str:
    """Expression for the tensor as it is now: the dictionary is kept, the tensor is not."""
    attribute, leaf = state_path(name)
    parameter = next(s.parameter for s in states if s.name == name)
    return f"self.{attribute}{'_parameters' if parameter else '_buffers'}[{leaf!r}]"


def getter(path: str) -> str:
    """Expression for the module of that name."""
    return f"self.get_submodule({path!r})" if path else "self"
