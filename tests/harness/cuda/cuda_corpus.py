"""Kernels of the corpus: what a file's first lines say of how to run it.

// expect: CODE            (bugs) the code of the fault that must be found
// launch: GRID BLOCK BYTES
// arguments: randn 64x30, zeros 4, 1024
// check: EXPRESSION       (correct kernels) what must be zero, of the arguments a0, a1, ...
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from kernelwright.harness import inline_cuda
from kernelwright.harness.cuda_emulation.library import Configuration, EmulatedLibrary
from kernelwright.harness.cuda_emulation.reports import Report
from kernelwright.harness.cuda_emulation.translate import without_comments

HERE = Path(__file__).parent
_MAKERS = {
    "randn": lambda g, s: torch.randn(s, generator=g),
    "randn_h": lambda g, s: torch.randn(s, generator=g).half(),
    "randint": lambda g, s: torch.randint(0, 100, s, generator=g, dtype=torch.int32),
    "randbyte": lambda g, s: torch.randint(0, 256, s, generator=g, dtype=torch.uint8),
    "zeros": lambda g, s: torch.zeros(s),
    "zeros_h": lambda g, s: torch.zeros(s, dtype=torch.half),
    "zeros_i": lambda g, s: torch.zeros(s, dtype=torch.int32),
    "zerobyte": lambda g, s: torch.zeros(s, dtype=torch.uint8),
}


@dataclass(frozen=True)
class Sample:
    path: Path

    @property
    def name(self) -> str:
        return self.path.stem

    @cached_property
    def source(self) -> str:
        return self.path.read_text(encoding="utf-8")

    def said(self, what: str) -> str:
        found = re.search(rf"^// {what}: (.*)$", self.source, re.M)
        assert found, f"{self.path} has no {what}"
        return found.group(1)

    def how(self) -> Configuration:
        grid, block, shared = self.said("launch").split()
        return Configuration(_three(grid), _three(block), int(shared))

    def arguments(self) -> list[torch.Tensor | int]:
        generator = torch.Generator().manual_seed(1)
        made: list[torch.Tensor | int] = []
        for word in self.said("arguments").split(", "):
            maker, _, shape = word.partition(" ")
            if shape:
                made.append(_MAKERS[maker](generator, tuple(map(int, shape.split("x")))))
            else:
                made.append(int(word))
        return made

    def run(self, library: EmulatedLibrary, arguments: list[torch.Tensor | int]) -> Report | None:
        kinds = inline_cuda.signatures(self.source)[self.name]
        given = [
            a if isinstance(a, torch.Tensor) else k(a)
            for k, a in zip(kinds, arguments, strict=True)
        ]
        return library.launch(self.name, self.how(), given)

    def wrong(self, arguments: list[torch.Tensor | int]) -> float:
        names = {f"a{i}": a for i, a in enumerate(arguments)}
        off = eval(self.said("check"), {"torch": torch, **names})  # the corpus is our own
        return float(off.double().abs().max())


def samples(kind: str) -> list[Sample]:
    return [Sample(path) for path in sorted((HERE / kind).glob("*.cu"))]


def together(chosen: list[Sample], *, checked: bool) -> EmulatedLibrary:
    """All kernels in one library: one build for all of them."""
    source = "\n".join(without_comments(sample.source) for sample in chosen)
    return EmulatedLibrary(inline_cuda.build_here(source, (), checked=checked))


def _three(text: str) -> tuple[int, int, int]:
    x, y, z = (*map(int, text.split(",")), 1, 1)[:3]
    return x, y, z
