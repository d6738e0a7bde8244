"""DeviceFacts: what the machine is and what it was measured to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class DeviceFacts:
    """One device. Measured figures are None until measured; `isa` names vector extensions."""

    kind: str
    """`cpu` or `cuda`."""
    name: str
    threads: int
    """Threads that baseline and candidate may use."""
    isa: tuple[str, ...] = ()
    l2_bytes: int | None = None
    l3_bytes: int | None = None
    bandwidth_gbs: Mapping[int, float] = field(default_factory=dict)
    """Copy bandwidth in GB/s by working-set size in bytes."""
    peak_gflops: float | None = None
    """Measured fp32 multiply-add rate over all threads, 2 operations each, in GFLOP/s."""
    l1_bytes: int | None = None
    """Data cache of one core."""
