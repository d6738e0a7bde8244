"""Occupancy: how many blocks of a kernel one multiprocessor holds at once, and what stands in the way."""

from __future__ import annotations

from dataclasses import dataclass

from kernelwright.harness.counters.sm_limits import WARP, SmLimits


@dataclass(frozen=True)
class Occupancy:
    """Blocks that fit, by each limit, and their warps as a share of what the multiprocessor holds."""

    blocks: int
    share: float
    """Resident warps over the most possible, in [0, 1]."""
    by_limit: dict[str, int]
    """Blocks that each limit alone allows: `registers`, `shared memory`, `warps`, `blocks`."""

    @property
    def limited_by(self) -> str:
        """The limits that allow the fewest blocks."""
        return " and ".join(n for n, blocks in self.by_limit.items() if blocks == self.blocks)


def occupancy(limits: SmLimits, *, registers: int, shared: int, threads: int) -> Occupancy:
    """For a block of `threads` with so many registers a thread and bytes of shared memory.

    The arithmetic of the CUDA Occupancy Calculator. Raises ValueError for a block without threads.
    """
    if threads < 1:
        raise ValueError(f"a block of {threads} threads")
    warps = -(-threads // WARP)
    by_registers = limits.blocks
    if registers:
        each = _up(registers * WARP, limits.registers_unit)
        fitting = limits.registers // limits.partitions // each * limits.partitions
        by_registers = fitting // warps
    taken = _up(shared + limits.shared_reserved, limits.shared_unit)
    by_shared = limits.blocks
    if taken:
        by_shared = limits.shared // taken if shared <= limits.shared_block else 0
    by_limit = {
        "registers": by_registers,
        "shared memory": by_shared,
        "warps": limits.warps // warps,
        "blocks": limits.blocks,
    }
    blocks = min(by_limit.values())
    return Occupancy(blocks, blocks * warps / limits.warps, by_limit)


def _up(value: int, unit: int) -> int:
    return -(-value // unit) * unit
