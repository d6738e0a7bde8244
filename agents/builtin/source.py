"""A plan as the C++ source of one candidate, and the calls that run it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files

from kernelwright.agents.builtin.cgen import KernelText
from kernelwright.agents.builtin.expr import Buffer
from kernelwright.agents.builtin.fuse import LOOPS, TemplateCall
from kernelwright.agents.builtin.kernel import Kernel
from kernelwright.agents.builtin.lazy import LibraryCall
from kernelwright.agents.builtin.optext import ELEMENT
from kernelwright.agents.builtin.plan import Plan
from kernelwright.agents.builtin.templates import header

BLOCKING = frozenset({"KC", "NC", "MC", "MR", "NR", "KEYS", "QUERIES"})
"""Names that mean something for one template only."""
KEPT = ("THREADS", "EXP_DEGREE")
"""Names that the tuning space gives: templates have no defaults of their own for all of them."""
VECTORS_FILE, LOOPS_FILE = "vec.h", "loops.h"


@dataclass(frozen=True)
class Run:
    """One C++ function of the candidate: consecutive kernels, called with these buffers."""

    name: str
    buffers: tuple[Buffer, ...]
    checks: bool
    """Whether it returns 1 for an index outside of its tensor."""
    grid: str = ""
    """How a GPU kernel is launched: what stands between its name and the buffers."""
    more: str = ""
    """Its further arguments."""


@dataclass(frozen=True)
class Source:
    """C++ text, its calls in order, and the names of the tuning space that matter."""

    headers: tuple[str, ...]
    """Files that the kernels need, in order."""
    text: str
    """The kernels alone."""
    calls: tuple[Run | LibraryCall, ...]
    traits: frozenset[str]
    kernels: int


def write_source(plan: Plan) -> Source:
    """The C++ of every kernel of a plan."""
    functions: list[str] = []
    calls: list[Run | LibraryCall] = []
    traits: set[str] = set()
    open_run: list[KernelText] = []
    headers: list[str] = []
    kernels = templates = 0

    def close() -> None:
        if open_run:
            calls.append(_run(len(calls), open_run, functions))
            open_run.clear()

    for stage in plan.stages:
        if isinstance(stage, LibraryCall):
            close()
            calls.append(stage)
            continue
        if isinstance(stage, TemplateCall):
            close()
            for name in stage.headers:
                if name not in headers:
                    headers.append(name)
            functions.append(stage.text + _undefined(stage.text))
            calls.append(Run(stage.name, tuple(b for b, _ in stage.buffers), False))
            traits |= stage.traits
            templates += 1
            continue
        text = KernelText(stage)
        body = text.write()
        traits |= text.traits
        functions.append(_function(stage, text, body))
        open_run.append(text)
        kernels += 1
    close()
    if templates > 1:
        traits -= BLOCKING
    own = [LOOPS_FILE] if kernels or LOOPS in traits else []
    names = (VECTORS_FILE, *own, *headers)
    return Source(names, "\n".join(functions), tuple(calls), frozenset(traits - {LOOPS}), kernels)


def _undefined(text: str) -> str:
    """Forget the defaults of a template, which hold for its sizes alone.

    Names that the tuner sets stay: they come from the command line, and this text comes after.
    """
    names = re.findall(r"^#ifndef (\w+)$", text, re.M)
    return "\n".join(f"#undef {n}" for n in names if n not in KEPT) + "\n"


def _parameters(text: KernelText) -> str:
    return ", ".join(
        f"{'' if written else 'const '}{ELEMENT[buffer.dtype]} *{buffer.name}"
        for buffer, written in text.buffers.items()
    )


def _function(kernel: Kernel, text: KernelText, body: str) -> str:
    return f"static void {kernel.name}({_parameters(text)}) {{\n{body}\n}}"


def _run(number: int, members: list[KernelText], functions: list[str]) -> Run:
    """An exported function that calls kernels one after the other."""
    written: dict[Buffer, bool] = {}
    for text in members:
        for buffer, out in text.buffers.items():
            written[buffer] = written.get(buffer, False) or out
    name = f"run{number}"
    parameters = ", ".join(
        f"{'' if out else 'const '}{ELEMENT[buffer.dtype]} *{buffer.name}"
        for buffer, out in written.items()
    )
    lines = [
        f"  {text.kernel.name}({', '.join(b.name for b in text.buffers)});" for text in members
    ]
    own = functions[-len(members) :]
    checks = any("kw::checked" in f for f in own)
    head, tail = ("int", ["  return kw_bad;"]) if checks else ("void", [])
    start = ["  kw::kw_bad = 0;"] if checks else []
    tail = [line.replace("kw_bad", "kw::kw_bad") for line in tail]
    functions.append(
        "\n".join([f'extern "C" {head} {name}({parameters}) {{', *start, *lines, *tail, "}"])
    )
    return Run(name, tuple(written), checks)


def headers_text(names: Iterable[str]) -> str:
    """The files one after the other, without comments."""
    return "\n".join(_header_text(name) for name in names)


def _header_text(name: str) -> str:
    if name == LOOPS_FILE:
        return bare(files(__package__).joinpath(name).read_text(encoding="utf-8"))
    if name.endswith(".cuh"):
        from kernelwright.agents.builtin.cuda.source import head

        return head()
    return bare(header(name))


def bare(text: str) -> str:
    """C++ without line comments and empty lines; `#pragma once` has no meaning in a candidate."""
    lines = [re.sub(r"\s*//.*$", "", line) for line in text.splitlines()]
    return "\n".join(line for line in lines if line.strip() and line != "#pragma once")
