"""A plan as CUDA kernels, and how they are launched."""

from __future__ import annotations

import math
from importlib.resources import files

from kernelwright.agents.builtin.cuda.kernels import CudaText
from kernelwright.agents.builtin.cuda.product import product_kernel, signature
from kernelwright.agents.builtin.gpu.form import forms
from kernelwright.agents.builtin.gpu.product import Product
from kernelwright.agents.builtin.kernel import Kernel
from kernelwright.agents.builtin.lazy import LibraryCall
from kernelwright.agents.builtin.plan import Plan
from kernelwright.agents.builtin.source import Run, Source, bare

FILE = "block.cuh"
_WARP = 32


def write_source(plan: Plan) -> Source:
    """The CUDA of every stage. Raises NoIdea."""
    functions: list[str] = []
    calls: list[Run | LibraryCall] = []
    traits: set[str] = set()
    for stage in plan.stages:
        if isinstance(stage, LibraryCall):
            calls.append(stage)
        elif isinstance(stage, Product):
            text, run = product_kernel(stage, f"k{len(functions)}")
            functions.append(text)
            calls.append(run)
        else:
            for form in forms(stage):
                text, run = _kernel(stage, CudaText(stage, form), f"k{len(functions)}")
                functions.append(text)
                calls.append(run)
                traits.add("BLOCK")
    names = (FILE,) if functions else ()
    return Source(names, "\n".join(functions), tuple(calls), frozenset(traits), len(functions))


def head() -> str:
    """What all kernels share, without comments."""
    own = files(__package__).joinpath(FILE).read_text(encoding="utf-8")
    return "#include <cuda_bf16.h>\n#include <cuda_fp16.h>\n" + bare(own)


def _kernel(kernel: Kernel, made: CudaText, name: str) -> tuple[str, Run]:
    lines = made.body()
    if made.form.rows:
        lines.insert(0, "const int row = blockIdx.x;")
        rows = math.prod(v.extent for v in kernel.prefix)
        longest = max(
            [_length(kernel), *(math.prod(v.extent for v in p.loops) for p in made.form.parts)]
        )
        enough = _WARP * max(1, -(-longest // (4 * _WARP)))
        block = "P.BLOCK" if enough >= 512 else f"min(P.BLOCK, {enough})"
        grid = f"[{rows}, {block}]"
    else:
        count = math.prod(v.extent for v in made.form.lanes)
        grid = f"[-(-{count} // P.BLOCK), P.BLOCK]"
    text = [f"{signature(name, made.buffers)} {{", *(f"  {line}" for line in lines), "}"]
    return "\n".join(text) + "\n", Run(name, tuple(made.buffers), False, grid)


def _length(kernel: Kernel) -> int:
    """Elements of the longest reduction."""
    found = [
        math.prod(v.extent for v in kernel.loops_of(n.attr[0]).loops)
        for n in kernel.everything(kernel.roots)
        if n.op == "red"
    ]
    return max(found, default=1)
