"""Products in CUDA: 64 x 64 tiles through shared memory, 4 x 4 elements a thread, and their epilogue."""

from __future__ import annotations

import torch

from kernelwright.agents.builtin.cuda import words
from kernelwright.agents.builtin.cuda.kernels import CudaText
from kernelwright.agents.builtin.expr import Buffer
from kernelwright.agents.builtin.gpu.form import Form
from kernelwright.agents.builtin.gpu.product import Operand, Product
from kernelwright.agents.builtin.gpu.text import Block
from kernelwright.agents.builtin.kernel import Kernel
from kernelwright.agents.builtin.source import Run

TILE, STEP, EACH = 64, 16, 4
"""Rows and columns of a tile, the part of the inner dimension at a time, elements a thread each way."""
_LEFT_TILE = f"left[{STEP}][{TILE} + 1]"  # the odd row keeps neighbours in different banks


def product_kernel(product: Product, name: str) -> tuple[str, Run]:
    """The kernel and its launch. Raises NoIdea."""
    b, i, j = product.place
    text = CudaText(Kernel("", [], []), Form(False, product.place, ()))
    text.vars |= {b: "b", i: "i", j: "j"}
    text.lanes |= dict.fromkeys((i, j), "")
    text.touch(product.left.buffer)
    text.touch(product.right.buffer)
    top = Block(None, frozenset(product.place), {product.read: "acc"})
    for store in product.stores:
        text.store(store, top)
    rounded = product.left.buffer.dtype
    acc = "sums[m][n]"
    if rounded != torch.float32:  # as a library's product would be, before anything is done with it
        acc = f"{words.READ[rounded]}({words.WRITE[rounded]}({acc}))"
    down = product.left.steps[1] < product.left.steps[2]
    across = product.right.steps[2] <= product.right.steps[1]
    lines = [
        f"__shared__ float {_LEFT_TILE}, right[{STEP}][{TILE} + 1];",
        f"const int t = threadIdx.x, m0 = blockIdx.y * {TILE}, n0 = blockIdx.x * {TILE};",
        f"const int mt = t / {TILE // EACH}, nt = t % {TILE // EACH};",
        *(["const int b = blockIdx.z;"] if product.batch > 1 else []),
        f"float sums[{EACH}][{EACH}] = {{}};",
        f"for (int k0 = 0; k0 < {product.inner}; k0 += {STEP}) {{",
        f"  for (int e = t; e < {TILE * STEP}; e += blockDim.x) {{",
        f"    const int m = {_low(down)}, k = {_high(down)};",
        f"    left[k][m] = m0 + m < {product.rows} && k0 + k < {product.inner}"
        f" ? {_element(product.left, 'm0 + m', 'k0 + k')} : 0.0f;",
        "  }",
        f"  for (int e = t; e < {TILE * STEP}; e += blockDim.x) {{",
        f"    const int n = {_low(across)}, k = {_high(across)};",
        f"    right[k][n] = n0 + n < {product.columns} && k0 + k < {product.inner}"
        f" ? {_element(product.right, 'k0 + k', 'n0 + n')} : 0.0f;",
        "  }",
        "  __syncthreads();",
        f"  for (int k = 0; k < {STEP}; ++k) {{",
        f"    float x[{EACH}], y[{EACH}];",
        f"    for (int e = 0; e < {EACH}; ++e) {{",
        f"      x[e] = left[k][mt + e * {TILE // EACH}];",
        f"      y[e] = right[k][nt + e * {TILE // EACH}];",
        "    }",
        f"    for (int m = 0; m < {EACH}; ++m)",
        f"      for (int n = 0; n < {EACH}; ++n) sums[m][n] += x[m] * y[n];",
        "  }",
        "  __syncthreads();",
        "}",
        f"for (int m = 0; m < {EACH}; ++m) {{",
        f"  for (int n = 0; n < {EACH}; ++n) {{",
        f"    const int i = m0 + mt + m * {TILE // EACH}, j = n0 + nt + n * {TILE // EACH};",
        f"    if (i >= {product.rows} || j >= {product.columns}) continue;",
        f"    const float acc = {acc};",
        *(f"    {line}" for line in top.lines),
        "  }",
        "}",
    ]
    source = "\n".join([f"{signature(name, text.buffers)} {{", *(f"  {x}" for x in lines), "}"])
    grid = (-(-product.columns // TILE), -(-product.rows // TILE), product.batch)
    run = Run(name, tuple(text.buffers), False, f"[{grid!r}, {(TILE // EACH) ** 2}]")
    return source + "\n", run


def signature(name: str, buffers: dict[Buffer, bool]) -> str:
    """The head of a kernel."""
    given = ", ".join(
        f"{'' if written else 'const '}{words.ELEMENTS[b.dtype]}* {b.name}"
        for b, written in buffers.items()
    )
    return f'extern "C" __global__ void {name}({given})'


def _low(fast: bool) -> str:
    return f"e % {TILE}" if fast else f"e / {STEP}"


def _high(fast: bool) -> str:
    return f"e / {TILE}" if fast else f"e % {STEP}"


def _element(operand: Operand, row: str, column: str) -> str:
    steps = operand.steps
    parts = [
        *([str(operand.offset)] if operand.offset else []),
        *([f"b * {steps[0]}"] if steps[0] else []),
        f"({row}) * {steps[1]}",
        f"({column}) * {steps[2]}",
    ]
    text = f"{operand.buffer.name}[{' + '.join(parts)}]"
    read = words.READ.get(operand.buffer.dtype)
    return f"{read}({text})" if read else text
