"""A driver for Triton where there is none: it names a target, and launches nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


def install(capability: int = 90, benchmark: Callable[..., Any] | None = None) -> None:
    """Make it Triton's active driver. Imports Triton.

    `benchmark` stands for the timing of `triton.autotune`: by default every configuration takes equally
    long and none is run, so the first one is chosen.
    """
    import triton.runtime
    import triton.testing
    from triton.backends.compiler import GPUTarget
    from triton.backends.driver import DriverBase

    target = GPUTarget("cuda", capability, 32)
    timer = benchmark or equally_long
    members: dict[str, object] = {
        "is_active": classmethod(lambda cls: True),
        "map_python_to_cpp_type": lambda self, kind: kind,
        "get_current_target": lambda self: target,
        "get_active_torch_device": lambda self: torch.device("cpu"),
        "get_current_device": lambda self: 0,
        "set_current_device": lambda self, device: None,
        "get_current_stream": lambda self, device: 0,
        "get_device_interface": lambda self: torch.cpu,
        "get_benchmarker": lambda self: timer,
        "clear_cache": lambda self, cache: None,
        "get_empty_cache_for_benchmark": lambda self: torch.empty(0),
    }
    triton.runtime.driver.set_active(type("NoGpu", (DriverBase,), members)())
    triton.testing.do_bench = timer


def equally_long(_: Callable[[], object], *, quantiles: Any = None, **_options: Any) -> Any:
    """A benchmark that runs nothing and says 1 ms."""
    return [1.0] * len(quantiles) if quantiles else 1.0
