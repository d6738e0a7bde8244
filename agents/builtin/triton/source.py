"""A plan as Triton kernels, and how they are launched."""

from __future__ import annotations

import math

from kernelwright.agents.builtin.expr import Buffer
from kernelwright.agents.builtin.gpu.form import forms
from kernelwright.agents.builtin.gpu.product import Product
from kernelwright.agents.builtin.kernel import Kernel
from kernelwright.agents.builtin.lazy import LibraryCall
from kernelwright.agents.builtin.plan import Plan
from kernelwright.agents.builtin.source import Run, Source
from kernelwright.agents.builtin.triton.kernels import TritonText
from kernelwright.agents.builtin.triton.product import product_kernel

LONG_ROW = 4096
"""A held row of so many elements has eight warps."""
_TIMES = '@triton.jit\ndef _times(a, b):\n    """The product of two running values."""\n    return a * b\n\n'


def write_source(plan: Plan, stem: str, *, holds: bool) -> Source:
    """The Triton of every stage. `stem` begins the kernels' names. Raises NoIdea."""
    functions: list[str] = []
    calls: list[Run | LibraryCall] = []
    traits: set[str] = set()
    times = False
    for stage in plan.stages:
        if isinstance(stage, LibraryCall):
            calls.append(stage)
        elif isinstance(stage, Product):
            text, run, used = product_kernel(stage, f"{stem}{len(functions)}")
            functions.append(text)
            calls.append(run)
            traits |= used
        else:
            for form in forms(stage):
                made = TritonText(stage, form, holds=holds)
                text, run = _kernel(stage, made, f"{stem}{len(functions)}")
                functions.append(text)
                calls.append(run)
                traits |= {"WARPS", *made.constants}
                times |= made.times
    head = [_TIMES] if times else []
    return Source(
        (), "\n".join([*head, *functions]), tuple(calls), frozenset(traits), len(functions)
    )


def _kernel(kernel: Kernel, made: TritonText, name: str) -> tuple[str, Run]:
    body = made.body()
    debug = "(debug=True)" if made.asserts else ""
    head = ["row = tl.program_id(0)"] if made.form.rows else []
    text = [f"@triton.jit{debug}", signature(name, made.buffers, made.constants)]
    text += [f"    {line}" for line in (*head, *body)]
    if made.form.rows:
        grid = str(math.prod(v.extent for v in kernel.prefix))
    else:
        count = math.prod(v.extent for v in made.form.lanes)
        grid = f"triton.cdiv({count}, P.BLOCK)"
    warps = "8" if made.held >= LONG_ROW else "P.WARPS"
    more = [*(f"{c}=P.{c}" for c in made.constants), f"num_warps={warps}"]
    run = Run(name, tuple(made.buffers), False, f"[({grid},)]", ", ".join(more))
    return "\n".join(text) + "\n\n", run


def signature(name: str, buffers: dict[Buffer, bool], constants: dict[str, None]) -> str:
    """The first line of a kernel."""
    given = [b.name for b in buffers] + [f"{c}: tl.constexpr" for c in constants]
    return f"def {name}({', '.join(given)}):"
