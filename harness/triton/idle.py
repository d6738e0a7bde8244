"""A worker in which launches of Triton kernels do nothing (`idle_launches.py`)."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from kernelwright.harness import idle_launches
from kernelwright.harness.triton import interpret

MODULE = __name__


def prepare(scratch: str) -> Callable[[], None]:
    """Make this process one in which Triton's launches are idle. Raises ImportError without Triton."""
    makers = idle_launches.makers_now()
    interpret.prepare(scratch)
    importlib.import_module(
        "triton.runtime.interpreter"
    ).GridExecutor.__call__ = idle_launches.nothing
    return idle_launches.prepare(scratch, makers)  # not those of the interpreter, which keep books
