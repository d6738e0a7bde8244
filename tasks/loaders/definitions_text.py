"""The text of a task made of a definition: its reference, its axes as constants, its inputs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from kernelwright.tasks.loaders.definitions_inputs import expression
from kernelwright.tasks.loaders.definitions_schema import (
    DTYPES,
    Definition,
    Malformed,
    Workload,
    bound_names,
)
from kernelwright.tasks.loaders.definitions_sizes import Sizes

_OURS = frozenset({"Model", "ModelNew", "get_inputs", "get_init_inputs", "TASK", "nn"})
_DIVISION = re.compile(r"(?<!/)/(?!/)|\*\*")


def why_not(definition: Definition) -> str | None:
    """Why no task can be made of a definition, in one line; None where one can."""
    names = bound_names(definition.reference)
    if "run" not in names:
        return "its reference defines no run()"
    taken = sorted(names & (_OURS | set(definition.axes)) - {"nn"})
    if taken:
        return f"its reference binds {taken[0]} at its top level, which the task needs"
    for tensor in (*definition.inputs, *definition.outputs):
        if tensor.dtype not in DTYPES:
            return (
                f"{tensor.name} is of {tensor.dtype}, which neither a CPU nor the judge computes in"
            )
    if all(tensor.shape is None for tensor in definition.inputs):
        return "none of its inputs is a tensor"
    if definition.custom_inputs and definition.custom_inputs not in names:
        return f"its reference defines no {definition.custom_inputs}(), which makes its inputs"
    return None


def task_text(definition: Definition, sizes: Sizes, carried: Sequence[Workload]) -> str:
    """A task file: plain Python that anybody can read and change."""
    lines = [definition.reference.rstrip(), "", "", "from torch import nn  # noqa: E402", ""]
    if not re.search(r"^import torch\b", definition.reference, re.MULTILINE):
        lines.insert(3, "import torch  # noqa: E402")
    lines += [f"{name} = {_axis(definition, sizes, name)}" for name in definition.axes]
    lines += ["", *_metadata(definition, sizes), "", *_source(definition, carried, sizes), "", ""]
    lines += [*_inputs(definition, sizes.workload), "", "", *_model(definition)]
    return "\n".join(lines) + "\n"


def _axis(definition: Definition, sizes: Sizes, name: str) -> str:
    if name not in definition.expressions:
        return str(sizes.own[name])
    text = definition.expressions[name]
    return f"int({text})" if _DIVISION.search(text) else text


def _metadata(definition: Definition, sizes: Sizes) -> list[str]:
    floats = [t.dtype for t in definition.outputs if t.dtype.startswith(("float", "bfloat"))]
    entries: dict[str, object] = {
        "title": definition.name,
        "category": definition.kind or "uncategorised",
        "dtypes": floats[:1] or [definition.outputs[0].dtype],
    }
    if sizes.shapes:
        entries["shapes"] = [dict(shape) for shape in sizes.shapes]
    if sizes.full is not None:
        entries["full"] = [dict(sizes.full)]
    return [
        "TASK = {",
        *(f"    {key!r}: {value!r},".replace("'", '"') for key, value in entries.items()),
        "}",
    ]


def _source(definition: Definition, carried: Sequence[Workload], sizes: Sizes) -> list[str]:
    """Comments: what the source says beside, for who compares."""
    found = [f"# Made of definition {definition.name}."]
    if sizes.cut:
        cut = ", ".join(f"{name} = {value}" for name, value in sizes.cut.items())
        found.append(f"# Cut down; in the source {cut}.")
    stated = {_said(w.tolerance) for w in carried if w.tolerance}
    found += [
        f"# Tolerance of the source, which is not the judge's: {text}" for text in sorted(stated)
    ]
    return found


def _said(tolerance: Mapping[str, object]) -> str:
    return ", ".join(f"{key} {value}" for key, value in sorted(tolerance.items()))


def _inputs(definition: Definition, workload: Workload) -> list[str]:
    lines = ["def get_inputs():"]
    if "custom" in workload.kinds.values():
        axes = ", ".join(f'"{name}": {name}' for name in definition.axes)
        scalars = ", ".join(f'"{name}": {value!r}' for name, value in workload.scalars.items())
        given = ", ".join(text for text in (axes, scalars) if text)
        lines.append(f'    made = {definition.custom_inputs}({{{given}}}, torch.device("cpu"))')
    lines.append("    return [")
    for tensor in definition.inputs:
        kind = workload.kinds.get(tensor.name, "random")
        if kind == "scalar":
            made = repr(workload.scalars[tensor.name])
        elif kind == "custom":
            made = f'made["{tensor.name}"]'
        elif tensor.shape is None:
            raise Malformed(
                f"{tensor.name} is a plain number, and workload {workload.id} gives none"
            )
        else:
            made = expression(tensor)
        lines.append(f"        {made},  # {tensor.name}")
    return [*lines, "    ]"]


def _model(definition: Definition) -> list[str]:
    names = ", ".join(tensor.name for tensor in definition.inputs)
    order = ", ".join(f'found["{tensor.name}"]' for tensor in definition.outputs)
    return [
        "class Model(nn.Module):",
        f"    def forward(self, {names}):",
        f"        found = run({names})",
        "        if isinstance(found, dict):",
        f"            return ({order},)",
        "        return found",
    ]
