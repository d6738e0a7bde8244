"""A shape that nobody declared: the own inputs with fewer rows, if the reference takes them."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from kernelwright.harness.worker import Value


def fewer_rows(inputs: Sequence[Value]) -> tuple[tuple[Value, ...], int, int] | None:
    """All inputs that share the first one's leading dimension, cut to an odd part of it.

    Returns them with the size before and after; None where there is nothing to cut.
    """
    before = next((len(v) for v in inputs if isinstance(v, torch.Tensor) and v.dim()), 0)
    after = (before // 2) | 1
    if after >= before:
        return None
    cut = tuple(
        v[:after].clone() if isinstance(v, torch.Tensor) and v.dim() and len(v) == before else v
        for v in inputs
    )
    return cut, before, after


def follows(
    own: Sequence[tuple[int, ...]], found: Sequence[tuple[int, ...]], before: int, after: int
) -> bool:
    """Whether shapes of outputs changed with the inputs' leading dimension, and in nothing else."""
    wanted = [(after, *s[1:]) if s and s[0] == before else s for s in own]
    return list(found) == wanted and (list(own) != wanted or () in own)
