"""What one streaming multiprocessor of an NVIDIA GPU can hold, by compute capability.

Source: CUDA C++ Programming Guide 13.0, appendix Compute Capabilities, table "Technical Specifications
per Compute Capability"; units of allocation: the CUDA Occupancy Calculator (registers by warp in units
of 256, warps in groups of 4, one for each of the four partitions).
"""

from __future__ import annotations

from dataclasses import dataclass

WARP = 32
"""Threads."""


@dataclass(frozen=True)
class SmLimits:
    """Limits of one multiprocessor. Shared memory in bytes."""

    warps: int
    blocks: int
    shared: int
    """For all blocks together."""
    shared_block: int
    """For one block, opt-in for more than 48 KiB included."""
    shared_reserved: int
    """That the system takes of each block."""
    shared_unit: int
    registers: int = 65_536
    registers_unit: int = 256
    """A warp's registers are rounded up to a multiple."""
    partitions: int = 4


_KIB = 1024
_VOLTA = SmLimits(64, 32, 96 * _KIB, 96 * _KIB, 0, 256)
_TURING = SmLimits(32, 16, 64 * _KIB, 64 * _KIB, 0, 256)
_AMPERE = SmLimits(64, 32, 164 * _KIB, 163 * _KIB, _KIB, 128)
_AMPERE_CONSUMER = SmLimits(48, 16, 100 * _KIB, 99 * _KIB, _KIB, 128)
_ORIN = SmLimits(48, 16, 164 * _KIB, 163 * _KIB, _KIB, 128)
_ADA = SmLimits(48, 24, 100 * _KIB, 99 * _KIB, _KIB, 128)
_HOPPER = SmLimits(64, 32, 228 * _KIB, 227 * _KIB, _KIB, 128)
_BLACKWELL_CONSUMER = SmLimits(48, 24, 100 * _KIB, 99 * _KIB, _KIB, 128)

LIMITS: dict[int, SmLimits] = {
    70: _VOLTA,
    75: _TURING,
    80: _AMPERE,
    86: _AMPERE_CONSUMER,
    87: _ORIN,
    89: _ADA,
    90: _HOPPER,
    100: _HOPPER,
    103: _HOPPER,
    120: _BLACKWELL_CONSUMER,
}
"""By compute capability times ten."""
