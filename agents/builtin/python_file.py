"""The Python file of a candidate around its C++ source.

One class for each shape of the task: `ModelNew` for the own one, which is timed, and `Shape1` and so on for
the others. Where shapes differ in the arguments of `Model`, those choose the class; where they differ in
inputs alone, a `forward` that does not find its own hands them on. The timed shape pays for neither.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from kernelwright.agents.builtin.python_forward import (
    Form,
    forward,
    getter,
    shape_name,
    state_path,
    wanted,
)
from kernelwright.agents.builtin.source import headers_text
from kernelwright.agents.builtin.trace import Given, State, Traced

Space = Mapping[str, Sequence[int | float | str]]


def write_file(forms: Sequence[Form], space: Space, note: str, language: str = "cpp") -> str:
    """The whole text of a candidate. The first form is the one that is timed."""
    own, *others = forms
    groups = _groups(forms)
    names = ", ".join(f"{name}={list(values)!r}" for name, values in space.items())
    constants = any(form.given("constant") for form in forms)
    lines = [
        f'"""{note}"""',
        "",
        *_imports(constants, language != "triton" and any(form.runs for form in others)),
        "import torch",
        *(_TRITON if language == "triton" else []),
        "",
        f"from kernelwright.inline import {'' if language == 'triton' else f'{language}, '}tuned",
        "",
        f"P = tuned({names})",
        *_sources(forms, language),
        *(f"{name} = lib.{name}" for name in dict.fromkeys(own.runs) if language != "triton"),
        "",
        "",
        *(_cached(language) if any(form.runs for form in others) else []),
        *(_CONSTANT if constants else []),
    ]
    for number, form in enumerate(forms):
        group = next(g for g in groups if form in g)
        chosen = number == 0 and len(groups) > 1
        lines += _class(forms, number, group, chosen=chosen, language=language)
    if len(groups) > 1:
        made = ", ".join(
            f"{_arguments(group[0].traced)!r}: {_class_name(forms.index(group[0]))}"
            for group in groups[1:]
        )
        lines += ["", "", f"MADE_WITH = {{{made}}}"]
    return "\n".join(lines) + "\n"


def unfit(traced: Traced, others: Sequence[Traced]) -> str | None:
    """Why this shape cannot be in one file with others (the first is the task's own), or None."""
    if not all(_plain(t.init) for t in (traced, *others)):
        return "Model is made with more than plain values"
    for other in others:
        if _arguments(other) != _arguments(traced):
            continue
        of = shape_name(other.shape) or "the task's own shape"
        if other.states != traced.states:
            return f"its weights are not those of {of}, but Model is made with the same arguments"
        if len(other.inputs) != len(traced.inputs):
            return f"it has more or fewer inputs than {of}"
        each = range(len(traced.inputs))
        if [wanted(other, i) for i in each] == [wanted(traced, i) for i in each]:
            return f"neither its inputs nor the arguments of Model tell it from {of}"
    return None


def _plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_plain(v) for v in value)
    if isinstance(value, dict):
        return all(_plain(v) for pair in value.items() for v in pair)
    return value is None or isinstance(value, bool | int | float | str | torch.dtype)


def _arguments(traced: Traced) -> str:
    """What tells the classes apart: how Python writes `(args, kwargs)`."""
    return repr(traced.init)


def _groups(forms: Sequence[Form]) -> list[list[Form]]:
    """Forms that `Model` is made for with the same arguments."""
    groups: dict[str, list[Form]] = {}
    for form in forms:
        groups.setdefault(_arguments(form.traced), []).append(form)
    return list(groups.values())


def _imports(constants: bool, cached: bool) -> list[str]:
    names = [*(["base64"] if constants else []), *(["functools"] if cached else [])]
    names += ["zlib"] if constants else []
    return [*(f"import {name}" for name in names), ""] if names else []


def _sources(forms: Sequence[Form], language: str) -> list[str]:
    """The source of each shape, what they have in common once, and the library of the own one."""
    own, *others = forms
    if language == "triton":
        return ["", "", *dict.fromkeys(form.source.text for form in forms)]
    headers = dict.fromkeys(name for form in forms for name in form.source.headers)
    if not others:
        whole = f"{headers_text(headers)}\n{own.source.text}"
        return ['SOURCE = r"""', whole, '"""', f"lib = {language}(SOURCE, defines=P)"]
    lines = ['COMMON = r"""', headers_text(headers), '"""', "# the task's own shape"]
    lines += ['SOURCE = r"""', own.source.text, '"""']
    for number, form in enumerate(others, 1):
        if form.runs:
            lines += [f"# {form.name}", f'SOURCE_{number} = r"""', form.source.text, '"""']
    return [*lines, f"lib = {language}(COMMON + SOURCE, defines=P)"]


_TRITON = [
    "import triton",
    "import triton.language as tl",
    "from triton.language.extra import libdevice",
]


def _cached(language: str) -> list[str]:
    if language == "triton":
        return []
    return [
        "@functools.cache",
        "def kernels(source):",
        '    """Of another shape: built when it is first used."""',
        f"    return {language}(COMMON + source, defines=P)",
        "",
        "",
    ]


_CONSTANT = [
    "def _constant(text, dtype, shape):",
    "    data = bytearray(zlib.decompress(base64.b85decode(text)))",
    "    return torch.frombuffer(data, dtype=dtype).reshape(shape)",
    "",
    "",
]


def _class_name(number: int) -> str:
    return f"Shape{number}" if number else "ModelNew"


def _class(
    forms: Sequence[Form], number: int, group: Sequence[Form], *, chosen: bool, language: str
) -> list[str]:
    """The class of one shape. `group` holds those that the same arguments make, this one too."""
    form, used = forms[number], forms[number].used()
    kept = [(g, b) for g, b in form.given("constant") if b in used]
    if number == 0:
        lines = ["class ModelNew(torch.nn.Module):"]
        lines += _CHOSEN if chosen else []
        lines += ["    def __init__(self, *args, **kwargs):", "        super().__init__()"]
    else:
        lines = ["", "", f"class {_class_name(number)}(ModelNew):", f'    """{form.name}."""', ""]
        lines += [f"    _{b.name} = {_literal(g)}" for g, b in kept]
        if form is group[0]:
            lines += (
                ["", "    def __init__(self, *args, **kwargs):"]
                if kept
                else ["    def __init__(self, *args, **kwargs):"]
            )
            lines += ["        torch.nn.Module.__init__(self)"]
    if form is group[0]:
        read = [g.name for f in group for g, b in f.given("state") if b in f.used()]
        lines += [f"        {line}" for line in _owned(form.traced.states, read)]
    if number == 0:
        lines += [f"        self._{b.name} = {_literal(g)}" for g, b in kept]
    if lines[-1]:
        lines.append("")
    arguments = ", ".join(f"x{i}" for i in range(len(form.traced.inputs)))
    lines.append(f"    def forward(self, {arguments}):")
    library = f"kernels(SOURCE_{number})" if number and language != "triton" else ""
    owner = _class_name(number) if number else "self"
    gpu = language != "cpp"
    body = forward(form, _otherwise(forms, form, group, gpu), library, owner, gpu=gpu)
    return lines + [f"        {line}" for line in body]


_CHOSEN = [
    "    def __new__(cls, *args, **kwargs):",
    "        return super().__new__(MADE_WITH.get(repr((args, kwargs)), cls))",
    "",
]


def _otherwise(forms: Sequence[Form], form: Form, group: Sequence[Form], gpu: bool) -> list[str]:
    """What to do when an input is another than the form's: the next form, or words."""
    count = len(form.traced.inputs)
    place = group.index(form)
    if place + 1 < len(group):
        following = _class_name(forms.index(group[place + 1]))
        arguments = ", ".join(["self", *(f"x{i}" for i in range(count))])
        return [f"return {following}.forward({arguments})"] * count
    lines = []
    for i in range(count):
        said = " or ".join(dict.fromkeys(wanted(f.traced, i) for f in group))
        if isinstance(form.traced.inputs[i], torch.Tensor):
            where = "" if gpu else " on the CPU"
            lines.append(f'raise ValueError(f"made for {said}{where} as input {i}")')
        else:
            lines.append(f'raise ValueError(f"made for {said} as input {i}, not {{x{i}!r}}")')
    return lines


def _owned(states: Sequence[State], used: Sequence[str]) -> list[str]:
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
                parent = getter(".".join(parts[: depth - 1]))
                lines.append(f"{parent}.add_module({parts[depth - 1]!r}, torch.nn.Module())")
        tensor = f"torch.zeros({list(state.shape)}, dtype={state.dtype})"
        target = getter(owner)
        if state.parameter:
            grad = "" if state.dtype.is_floating_point else ", requires_grad=False"
            lines.append(
                f"{target}.register_parameter({leaf!r}, torch.nn.Parameter({tensor}{grad}))"
            )
        else:
            lines.append(f"{target}.register_buffer({leaf!r}, {tensor})")
    for name in used:
        attribute, _leaf = state_path(name)
        owner = name.rpartition(".")[0]
        table = "_parameters" if kinds[name] else "_buffers"
        line = f"self.{attribute}{table} = {getter(owner)}.{table}"
        if line not in lines:
            lines.append(line)
    return lines


def _literal(given: Given) -> str:
    assert given.value is not None
    raw = given.value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    text = base64.b85encode(zlib.compress(raw, 9)).decode()
    return f"_constant({text!r}, {given.dtype}, {list(given.shape)})"
