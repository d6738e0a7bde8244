"""Compiles launches for one GPU only: whether they compile at all (`compiles.py`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kernelwright.harness.triton import ahead

MODULE = __name__
TARGET = "sm_90"


def prepare(scratch: str) -> Callable[[], Mapping[str, Any]]:
    """Make this process one in which launches are compiled for the one target."""
    return ahead.prepare(scratch, (TARGET,))
