"""Products in Triton: tiles of the result, in groups that share panels in L2, and their epilogue."""

from __future__ import annotations

import torch

from kernelwright.agents.builtin.gpu.form import Form
from kernelwright.agents.builtin.gpu.product import Operand, Product
from kernelwright.agents.builtin.gpu.text import Block
from kernelwright.agents.builtin.kernel import Kernel, Store
from kernelwright.agents.builtin.source import Run
from kernelwright.agents.builtin.triton.kernels import TritonText

TILES = {"BM": None, "BN": None, "BK": None}


class _Tile(TritonText):
    """The epilogue: every store is of a whole tile, also where the result has one row or column."""

    def store(self, store: Store, block: Block) -> None:
        """Write a tile."""
        value = self.value(store.expr, block)
        self.touch(store.buffer, written=True)
        _, i, j = self.form.lanes
        whole = [f"{self.vars[v]} * 0" for v in (i, j) if v.extent == 1]
        at = " + ".join([self.place(store.index, block), *whole])
        block.lines.append(self.write(store, at, value, [self.lanes[i], self.lanes[j]]))


def product_kernel(product: Product, name: str) -> tuple[str, Run, set[str]]:
    """The kernel, its launch, and the names of the tuning space that it needs. Raises NoIdea."""
    b, i, j = product.place
    text = _Tile(Kernel("", [], []), Form(False, product.place, ()))
    text.vars |= {b: "b", i: "i", j: "j"}
    text.lanes |= {i: "mi", j: "mj"}
    text.touch(product.left.buffer)
    text.touch(product.right.buffer)
    top = Block(None, frozenset(product.place), {product.read: "acc"})
    for store in product.stores:
        text.store(store, top)
    left = _tile(product.left, "i", "k[None, :]", "mi", "mk[None, :]", "b")
    right = _tile(product.right, "k[:, None]", "j", "mk[:, None]", "mj", "b")
    rounded = {torch.float16: "tl.float16", torch.bfloat16: "tl.bfloat16"}
    kind = rounded.get(product.left.buffer.dtype)
    lines = [
        f"across, down = tl.cdiv({product.columns}, BN), tl.cdiv({product.rows}, BM)",
        "tile = tl.program_id(0)",
        "first = tile // (8 * across) * 8",
        "height = tl.minimum(down - first, 8)",
        "i = ((first + tile % (8 * across) % height) * BM + tl.arange(0, BM))[:, None]",
        "j = ((tile % (8 * across)) // height * BN + tl.arange(0, BN))[None, :]",
        f"mi, mj = i < {product.rows}, j < {product.columns}",
        *(["b = tl.program_id(1)"] if product.batch > 1 else []),
        "acc = tl.zeros((BM, BN), dtype=tl.float32)",
        f"for start in range(0, {product.inner}, BK):",
        "    k = start + tl.arange(0, BK)",
        f"    mk = k < {product.inner}",
        f"    left = {left}",
        f"    right = {right}",
        '    acc = tl.dot(left, right, acc, input_precision="ieee")',
        # what a library's product would have been rounded to, before anything is done with it
        *([f"acc = tl.cast(tl.cast(acc, {kind}), tl.float32)"] if kind else []),
        *top.lines,
    ]
    given = [*(buffer.name for buffer in text.buffers), *(f"{t}: tl.constexpr" for t in TILES)]
    source = "\n".join(
        ["@triton.jit", f"def {name}({', '.join(given)}):", *(f"    {x}" for x in lines)]
    )
    grid = f"triton.cdiv({product.rows}, P.BM) * triton.cdiv({product.columns}, P.BN)"
    more = ", ".join([*(f"{t}=P.{t}" for t in TILES), "num_stages=P.STAGES, num_warps=P.WARPS"])
    buffers = tuple(text.buffers)
    run = Run(name, buffers, False, f"[({grid}, {product.batch})]", more)
    return source + "\n\n", run, {*TILES, "STAGES", "WARPS"}


def _tile(operand: Operand, row: str, column: str, in_row: str, in_column: str, batch: str) -> str:
    """A block of an operand, zero outside of it."""
    steps, name = operand.steps, operand.buffer.name
    parts = [
        name,
        *([str(operand.offset)] if operand.offset else []),
        *([f"{batch} * {steps[0]}"] if steps[0] else []),
        _times(row, steps[1]),
        _times(column, steps[2]),
    ]
    return f"tl.load({' + '.join(parts)}, mask={in_row} & {in_column}, other=0)"


def _times(text: str, step: int) -> str:
    return text if step == 1 else f"{text} * {step}"
