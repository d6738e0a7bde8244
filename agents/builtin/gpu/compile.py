"""From a task to a candidate in Triton or CUDA: trace, build, plan, write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kernelwright.agents.builtin.build import build
from kernelwright.agents.builtin.compile import LONGEST, Compiled
from kernelwright.agents.builtin.cuda import source as cuda
from kernelwright.agents.builtin.gpu.product import with_products
from kernelwright.agents.builtin.plan import Choices, Planner
from kernelwright.agents.builtin.python_file import unfit, write_file
from kernelwright.agents.builtin.python_forward import Form, shape_name
from kernelwright.agents.builtin.trace import OTHER_MODEL, Traced
from kernelwright.agents.builtin.triton import source as triton
from kernelwright.agents.roles import NoIdea

SPACES: dict[str, dict[str, tuple[int, ...]]] = {
    "triton": {
        "BLOCK": (1024, 512, 2048),
        "CHUNK": (2048, 1024, 4096),
        "WARPS": (4, 8),
        "BM": (64, 128),
        "BN": (64, 128),
        "BK": (32, 16),
        "STAGES": (3, 4),
    },
    "cuda": {"BLOCK": (256, 128, 512)},
}
"""Tuning spaces, the best guess first."""

PLAIN = Choices()


@dataclass(frozen=True)
class GpuStrategy:
    """A name, what it does in one line, and what makes it."""

    name: str
    says: str
    products: bool = True
    holds: bool = True
    """Whole rows in registers, where the language can."""
    choices: Choices = PLAIN


FUSED = GpuStrategy("gpu-fused", "rows in registers, products with what follows them in one kernel")
STRATEGIES: tuple[GpuStrategy, ...] = (
    FUSED,
    replace(
        FUSED, name="gpu-library", says="products by the library, the rest fused", products=False
    ),
    replace(FUSED, name="gpu-chunks", says="rows in chunks, read again for each pass", holds=False),
    GpuStrategy(
        "gpu-separate", "reductions in kernels of their own", choices=Choices(share_rows=False)
    ),
)
"""The most promising first."""


def gpu_order(directive: Mapping[str, Any]) -> Iterator[GpuStrategy]:
    """Strategies to try, one that the Judge names first, without those that it drops."""
    drop, wanted = set(directive.get("drop", ())), directive.get("strategy")
    for strategy in sorted(STRATEGIES, key=lambda s: s.name != wanted):
        if strategy.name not in drop:
            yield strategy


def compile_gpu(
    traced: Traced, strategy: GpuStrategy, language: str, note: str, others: Sequence[Traced] = ()
) -> Compiled:
    """A candidate for the task's own shape and the others that it declares.

    Raises NoIdea where the own one cannot be planned; another shape that cannot be is left out.
    """
    own = _form(traced, strategy, language, 0)
    forms, left_out = [own], []
    for number, other in enumerate(others, 1):
        reason = unfit(other, [form.traced for form in forms])
        try:
            if reason is None:
                forms.append(_form(other, strategy, language, number))
        except NoIdea as none:
            reason = str(none)
        if reason is not None:
            left_out.append(f"{shape_name(other.shape)}: {reason}")
    used = {name for form in forms for name in form.source.traits}
    space = {
        name: values if name in own.source.traits else values[:1]
        for name, values in SPACES[language].items()
        if name in used
    }
    text = write_file(forms, space, note, language)
    return Compiled(text, own.plan, own.source, tuple(left_out))


def _form(traced: Traced, strategy: GpuStrategy, language: str, number: int) -> Form:
    """One shape: build, plan, write."""
    plan = Planner(build(traced), strategy.choices).run()
    if strategy.products:
        plan.stages = with_products(plan.stages)
    if language == "triton":
        stem = f"s{number}_k" if number else "k"
        source = triton.write_source(plan, stem, holds=strategy.holds)
    else:
        source = cuda.write_source(plan)
    if len(source.text) > LONGEST:
        raise NoIdea(f"written out this is {len(source.text):,} characters; {OTHER_MODEL}")
    return Form(traced, plan, source)
