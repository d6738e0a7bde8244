"""What timed calls in training mode leave behind: running statistics and whatever else a model keeps.

Nobody asks a timed call for its buffers, so a kernel could leave them out there. After some legs, nobody
knows which, eager makes the same calls from the same buffers, and what both have then must agree.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from kernelwright.harness.comparison import close
from kernelwright.harness.fault import Fault
from kernelwright.harness.oracle import Oracle
from kernelwright.harness.worker import Worker


class Running:
    """The buffers of one task's models after timed calls."""

    def __init__(self, oracle: Oracle) -> None:
        self._oracle = oracle

    def load(self, eager: Worker, buffers: Sequence[torch.Tensor]) -> None:
        """Give eager the buffers that a candidate has. Raises Fault."""
        theirs = dict(zip(self._oracle.buffers, buffers, strict=True))
        eager.load_state({**self._oracle.state, **theirs}.items(), lasting=False)

    def check(
        self, found: Sequence[torch.Tensor], eager: Sequence[torch.Tensor], calls: int
    ) -> None:
        """Raises Fault where buffers differ by more than so many calls may be off."""
        expected = self._oracle.own.expected[-len(self._oracle.buffers) :]
        for name, mine, theirs, one in zip(
            self._oracle.buffers, found, eager, expected, strict=True
        ):
            off = 0.0
            if one.tolerance is not None and one.tolerance.numel():
                off = 2 * calls * float(one.tolerance.max())
            size = float(one.value.double().abs().max()) if one.value.numel() else 0.0
            if not close(mine, theirs, off, off / size if size else 0.0):
                raise Fault(
                    "stale_output",
                    f"after timed calls in training mode buffer {name} is wrong, though after checked"
                    " calls it was right: every call has to update it",
                )
