"""Where NVIDIA's binary utilities are, if anywhere: on the PATH, in a toolkit, or in a Python wheel."""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

Tool = Literal["cuobjdump", "nvdisasm", "ptxas"]


@functools.cache
def find(tool: Tool) -> str | None:
    """Path of the tool; None where it is not installed."""
    if found := shutil.which(tool):
        return found
    for folder in _folders():
        path = folder / tool
        if path.is_file() and os.access(path, os.X_OK):
            return str(path)
    return None


def absent(tool: Tool) -> str:
    """Why there is nothing from it, and what to do."""
    return f"no {tool} here: pip install triton, or install the CUDA toolkit"


def _folders() -> Iterator[Path]:
    for name in ("CUDA_HOME", "CUDA_PATH"):
        if os.environ.get(name):
            yield Path(os.environ[name], "bin")
    yield Path("/usr/local/cuda/bin")
    yield from (package / "backends/nvidia/bin" for package in _packages("triton"))
    for package in _packages("nvidia"):  # wheels nvidia-cuda-nvcc, -cuobjdump and -nvdisasm
        yield from sorted(package.glob("*/bin"))


def _packages(name: str) -> Iterator[Path]:
    """Folders of a package, which is not imported."""
    spec = importlib.util.find_spec(name)
    yield from (Path(folder) for folder in (spec.submodule_search_locations or () if spec else ()))
