"""What a worker is given: inputs and parameters, as they lie in the memory that it shares with us."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from kernelwright.harness import guarded
from kernelwright.harness.arena import ALIGN, footprint, place
from kernelwright.harness.errors import HarnessError
from kernelwright.harness.fault import Fault
from kernelwright.harness.memories import Memory
from kernelwright.harness.wire import Region

Value = torch.Tensor | int | float | bool


@dataclass(frozen=True)
class Given:
    """Arguments of some calls: how a worker is told of them, where they lie, and what they are."""

    message: dict[str, Any]
    regions: list[Region]
    values: list[torch.Tensor]


class Tray:
    """Writes to the arena, at addresses that nobody can foresee, and sees who else does."""

    def __init__(self, arena: Memory) -> None:
        self._arena = arena
        self._random = random.SystemRandom()

    def place(
        self,
        calls: Sequence[Sequence[Value]],
        gradients: Sequence[torch.Tensor] | None,
        skew: int,
        guard: guarded.Side | None = None,
        *,
        steady: bool = False,
    ) -> Given:
        """Choose places for arguments, at an address that varies unless `steady`; nothing is written.

        Raises HarnessError when they do not fit.
        """
        tensors = [v for inputs in calls for v in inputs if isinstance(v, torch.Tensor)]
        everything = [*tensors, *(gradients or ())]
        room = self._arena.size - footprint(everything) - skew * 16 * len(everything)
        start = ALIGN * self._random.randrange(8) if room > ALIGN * 8 and not steady else 0
        regions, end = place(everything, start, skew=skew, guard=guard)
        if end > self._arena.size:
            raise HarnessError("the inputs do not fit into the worker's arena")
        places = iter(regions)
        described = [
            [next(places).to_json() if isinstance(v, torch.Tensor) else v for v in inputs]
            for inputs in calls
        ]
        given = None if gradients is None else [r.to_json() for r in places]
        return Given({"calls": described, "gradients": given}, regions, everything)

    def fill(self, regions: Sequence[Region], values: Sequence[torch.Tensor]) -> None:
        """Write values to their places."""
        for region, value in zip(regions, values, strict=True):
            self._arena.write(region, value)

    def state(self, state: Sequence[tuple[str, torch.Tensor]]) -> list[list[Any]]:
        """Write parameters and buffers; names, and where the values lie."""
        regions, _ = place([tensor for _, tensor in state])
        self.fill(regions, [tensor for _, tensor in state])
        return [[n, r.to_json()] for (n, _), r in zip(state, regions, strict=True)]

    def check(self, regions: Sequence[Region], values: Sequence[torch.Tensor]) -> None:
        """Raises Fault when something else than these values lies there."""
        for region, tensor in zip(regions, values, strict=True):
            if not same_bytes(self._arena.read(region), tensor):
                raise Fault("input_modified", "the candidate changed one of its inputs")

    def check_one(self, regions: Sequence[Region], values: Sequence[torch.Tensor]) -> None:
        """`check` of one of them, drawn at random: comparing all could cost more than the calls."""
        if regions:
            drawn = self._random.randrange(len(regions))
            self.check(regions[drawn : drawn + 1], values[drawn : drawn + 1])


def same_bytes(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether two tensors of one shape and dtype hold the same bits (NaN equals NaN)."""
    if a.numel() == 0:
        return True
    flat_a, flat_b = (t.contiguous().view(-1).view(torch.uint8) for t in (a, b))
    return torch.equal(flat_a, flat_b)
