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
    matrix_gflops: Mapping[str, float] = field(default_factory=dict)
    """Measured rates of large products by type of the factors (`fp32`, `bf16`, `int8`), 2 operations each."""
    capability: str | None = None
    """Of a GPU: `sm_90`."""
    uuid: str | None = None
    """Of a GPU, the same for all that speak of it; their numbers differ."""
    multiprocessors: int | None = None
    memory_bytes: int | None = None
    """Of the device itself."""
    driver: str | None = None
    toolkit: str | None = None
    """CUDA release that torch is built for."""
    clocks_mhz: Mapping[str, int] = field(default_factory=dict)
    """The highest that the device may run at: `sm`, `memory`."""
    absent: Mapping[str, str] = field(default_factory=dict)
    """What could not be found out or measured, with its reason: `matrix fp8`, `clocks`."""
