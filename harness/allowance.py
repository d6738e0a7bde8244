"""What it costs to have PyTorch allocate the outputs of a call: library time that no kernel can avoid.

It depends on the machine far more than on the kernel: after a rest of a millisecond the same three calls
were seen to take 2.5 us on one core and 35 us on another, where caches and page tables are cold.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import torch

_LEGS, _REST_S = 15, 1e-3
_TOUCHED = 1 << 18
"""Elements of an output that are written between two calls: what a kernel leaves in the caches."""
LEAST_S, MOST_S = 4e-6, 25e-6
_VIEWS = 2
"""Times as much altogether: inputs are asked whether they are contiguous, outputs where they lie."""


def allowance(outputs: Sequence[tuple[torch.dtype, tuple[int, ...]]], calls: int) -> float:
    """Seconds for the outputs of one call and a few views, in legs of so many calls, such as candidates are
    looked at in.

    Not less than on a fast machine, not more than can count as nothing.
    """
    spent = _VIEWS * statistics.median(_leg(outputs, calls) for _ in range(_LEGS))
    return min(MOST_S, max(LEAST_S, spent))


def _leg(outputs: Sequence[tuple[torch.dtype, tuple[int, ...]]], calls: int) -> float:
    time.sleep(_REST_S)
    kept, spent = [], 0.0
    for _ in range(calls):
        begin = time.perf_counter()
        made = [torch.empty(shape, dtype=dtype) for dtype, shape in outputs]
        spent += time.perf_counter() - begin
        for tensor in made:
            tensor.view(-1)[:_TOUCHED].zero_()
        kept.append(made)
    return spent / calls
