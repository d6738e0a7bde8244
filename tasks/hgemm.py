"""Half-precision matrix products on the grid of CUDA-L2 (arXiv:2512.02551): 1,000 sizes, four forms of each.

M, N and K are each one of ten sizes; those that the project has released kernels and results for
(https://github.com/deepreinforce-ai/CUDA-L2, `kernels/a100_F16F16F16F16/M_N_K.cu` and `eval_results`) are
exactly their combinations. Each comes in two layouts, as cuBLAS names them: NN has the right factor by rows
(K x N), TN by columns (N x K, read as its transpose). And with two accumulators: fp32, or fp16, where sums
may be kept in fp16 as tensor cores can.

Factors are drawn as normal numbers times K^-1/4, so that the product's elements are about one whatever K is:
CUDA-L2 draws them with variance one, and then sums of thousands of terms leave the range of fp16 under the
judge's larger inputs.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kernelwright.tasks.task import Task, TaskMeta

SIZES = (64, 128, 256, 512, 1024, 2048, 4096, 8192, 12288, 16384)
LAYOUTS = ("nn", "tn")
ACCUMULATORS = ("f16", "f32")
_NAME = re.compile(r"(nn|tn)_(f16|f32)_m(\d+)_n(\d+)_k(\d+)")
_HIDDEN = {"M": 48, "N": 80, "K": 96}
"""No size of the grid: a kernel for one size must refuse it, and not answer wrongly."""


@dataclass(frozen=True)
class Product:
    """One form of one product."""

    layout: str
    accumulator: str
    m: int
    n: int
    k: int

    @property
    def name(self) -> str:
        """As in `hgemm/tn_f32_m64_n4096_k1024`."""
        return f"{self.layout}_{self.accumulator}_m{self.m}_n{self.n}_k{self.k}"


@dataclass(frozen=True)
class Hgemm:
    """A suite: products of some of the sizes, timed in one way."""

    name: str
    sizes: Sequence[int]
    timing: str
    about: str

    def __len__(self) -> int:
        return len(LAYOUTS) * len(ACCUMULATORS) * len(self.sizes) ** 3

    def tasks(self) -> list[Task]:
        """All, sorted by name."""
        return sorted((self._task(one) for one in self._products()), key=lambda task: task.name)

    def task(self, name: str) -> Task | None:
        """The task of that name, where the grid has it."""
        found = _NAME.fullmatch(name)
        if found is None:
            return None
        m, n, k = (int(found[i]) for i in (3, 4, 5))
        one = Product(found[1], found[2], m, n, k)
        return self._task(one) if {m, n, k} <= set(self.sizes) and one.name == name else None

    def _products(self) -> Iterator[Product]:
        forms = itertools.product(LAYOUTS, ACCUMULATORS, self.sizes, self.sizes, self.sizes)
        yield from (Product(*form) for form in forms)

    def _task(self, one: Product) -> Task:
        return Task(
            f"{self.name}/{one.name}", text(one, self.timing), None, _meta(one, self.timing)
        )


SUITES = (
    Hgemm("hgemm", SIZES, "offline", "CUDA-L2's grid of half-precision products"),
    Hgemm("hgemm-server", SIZES, "server", "the same, each call alone after a pause"),
    Hgemm("hgemm-cpu", SIZES[:4], "offline", "the part of the grid up to 512, for a CPU"),
)


def text(one: Product, timing: str) -> str:
    """The task's file. What stands in `TASK` is what `_meta` says."""
    meta = _meta(one, timing)
    rows = one.layout == "nn"
    right = "(K, N)" if rows else "(N, K)"
    product = "left @ right" if rows else "left @ right.T"
    return f'''"""{meta.title}: a product of CUDA-L2's grid (arXiv:2512.02551)."""

import torch
from torch import nn

M = {one.m}
N = {one.n}
K = {one.k}

TASK = {{
    "title": "{meta.title}",
    "category": "{meta.category}",
    "level": 1,
    "tolerance": "{meta.tolerance}",
    "dtypes": ["float16"],
    "timing": "{meta.timing}",
    "hidden": [{{"M": {_HIDDEN["M"]}, "N": {_HIDDEN["N"]}, "K": {_HIDDEN["K"]}}}],
    "operations": "{meta.operations}",
    "bytes_moved": "{meta.bytes_moved}",
}}


class Model(nn.Module):
    def forward(self, left, right):
        return {product}


def get_inputs():
    return [
        (torch.randn(M, K) * K**-0.25).half(),
        (torch.randn{right} * K**-0.25).half(),
    ]
'''


def _meta(one: Product, timing: str) -> TaskMeta:
    form = f"{one.layout.upper()}, sums in {'fp16' if one.accumulator == 'f16' else 'fp32'}"
    return TaskMeta(
        title=f"HGEMM {form}",
        category=f"matmul {form}",
        level=1,
        tolerance=f"fp16-sums-of-{one.k}" if one.accumulator == "f16" else "fp16",
        dtypes=("float16",),
        timing=timing,
        hidden=(_HIDDEN,),
        operations="2 * M * N * K",
        bytes_moved="2 * (M * K + K * N + M * N)",
    )
