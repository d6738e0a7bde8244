"""DeviceFacts of a GPU, asked of it and measured in another process (`peaks.py`)."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from kernelwright.harness.builds import cache_folder
from kernelwright.harness.device import DeviceFacts
from kernelwright.harness.errors import HarnessError

SECONDS = 300.0
"""For all of it, once; from the cache it takes as long as importing torch."""


def device_facts(
    threads: int, *, again: bool = False, environment: Mapping[str, str] | None = None
) -> DeviceFacts:
    """The GPU with its measured peaks. Raises HarnessError where there is none that answers.

    `again`: measure once more and keep what is better of both. `environment`: says which device is meant
    (`CUDA_VISIBLE_DEVICES`).
    """
    if again:
        _told.cache_clear()
    return facts_of(_told(again, tuple(sorted((environment or {}).items()))), threads)


def facts_of(told: Mapping[str, Any], threads: int) -> DeviceFacts:
    """From what `peaks.py` prints. Raises HarnessError for anything else."""
    try:
        rates = {str(name): float(rate) for name, rate in told["matrix_gflops"].items()}
        return DeviceFacts(
            "cuda",
            str(told["name"]),
            threads,
            isa=(str(told["capability"]),),
            l2_bytes=told["l2_bytes"],
            bandwidth_gbs={int(n): float(rate) for n, rate in told["bandwidth_gbs"].items()},
            peak_gflops=rates.get("fp32"),
            matrix_gflops=rates,
            capability=str(told["capability"]),
            uuid=told["uuid"],
            multiprocessors=told["multiprocessors"],
            memory_bytes=told["memory_bytes"],
            driver=told["driver"],
            toolkit=told["toolkit"],
            clocks_mhz={str(name): int(mhz) for name, mhz in told["clocks_mhz"].items()},
            absent={**told["absent"], **told["unmeasured"]},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise HarnessError(f"the facts of the GPU cannot be read: {error}") from None


@functools.cache
def _told(again: bool, environment: tuple[tuple[str, str], ...]) -> Mapping[str, Any]:
    argv = [sys.executable, "-m", "kernelwright.harness.gpu.peaks", str(cache_folder())]
    argv += ["--again"] * again
    try:
        done = subprocess.run(
            argv,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            env={**os.environ, **dict(environment)},
        )
    except subprocess.TimeoutExpired:
        raise HarnessError(f"measuring the GPU took more than {SECONDS:.0f} s") from None
    lines = done.stderr.strip().splitlines()
    if done.returncode:
        raise HarnessError(f"the GPU could not be measured: {lines[-1] if lines else 'no message'}")
    try:
        told = json.loads(done.stdout)
    except ValueError:
        raise HarnessError("measuring the GPU gave no JSON") from None
    if not isinstance(told, dict):
        raise HarnessError("measuring the GPU gave no JSON object")
    return told
