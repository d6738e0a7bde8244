"""The structural strategies that the Coder goes through, most promising first."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from kernelwright.agents.builtin.plan import Choices
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.device import DeviceFacts

_HEAD = re.compile(r'^"""Built-in model, strategy ([\w-]+)')


@dataclass(frozen=True)
class Strategy:
    """A name, what it does in one line, and the choices that make it."""

    name: str
    says: str
    choices: Choices
    exp_degrees: tuple[int, ...] = (5, 6, 4)


BASE = Choices(attention=True, products=True, one_pass_variance=True)
STRATEGIES: tuple[Strategy, ...] = (
    Strategy("fused", "rows and products with all that follows them in one kernel", BASE),
    Strategy(
        "library",
        "products and convolutions by the library, what follows them fused",
        replace(BASE, attention=False, products=False),
    ),
    Strategy(
        "library-products",
        "products by the library, attention in one pass",
        replace(BASE, products=False),
    ),
    Strategy(
        "two-pass-variance", "variances in two passes", replace(BASE, one_pass_variance=False)
    ),
    Strategy(
        "separate-reductions", "reductions in kernels of their own", replace(BASE, share_rows=False)
    ),
)
PRECISE = Strategy(
    "precise",
    "exponentials of the full degree, variances in two passes",
    replace(BASE, one_pass_variance=False),
    (6,),
)


def order(directive: Mapping[str, Any]) -> Iterator[Strategy]:
    """Strategies to try, those that the Judge asks for first.

    Directives: `strategy` names one; `drop` lists names to leave out; `precise` asks for accuracy.
    """
    drop = set(directive.get("drop", ()))
    wanted = directive.get("strategy")
    if directive.get("precise"):
        yield PRECISE
    for strategy in sorted(STRATEGIES, key=lambda s: s.name != wanted):
        if strategy.name not in drop:
            yield strategy


def space(strategy: Strategy, device: DeviceFacts) -> dict[str, tuple[int, ...]]:
    """The tuning space: the best guess first."""
    lanes = 16 if any("avx512" in name for name in device.isa) else 8
    vec = (16, 8) if lanes == 16 else (8, 16)
    threads = (device.threads, 1) if device.threads > 1 else (1,)
    return {
        "VEC": vec,
        "UNROLL": (4, 2, 1),
        "THREADS": threads,
        "EXP_DEGREE": strategy.exp_degrees,
        "STASH": (1, 0),
        "KC": (256, 512, 128),
        "NC": (256, 512, 128),
        "KEYS": (128, 64, 256),
        "QUERIES": (64, 32, 128),
    }


def name_of(candidate: Candidate) -> str | None:
    """The strategy that a candidate of the built-in model was written with."""
    found = _HEAD.match(candidate.source)
    return found.group(1) if found else None
