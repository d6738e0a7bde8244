"""CUDA kernels on a GPU: machine code by NVRTC, loaded and launched by CuPy on torch's current stream.

Nothing here runs where there is no GPU. Machine code is cached by the content of source, flags, NVRTC's
version and architecture.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy
import torch

from kernelwright.harness.cuda_emulation.library import Configuration
from kernelwright.harness.inline_cpp import BuildError
from kernelwright.harness.nvrtc import nvrtc

_MOST_WITHOUT_ASKING = 48 << 10
"""Bytes of dynamic shared memory; a kernel must be told before it may have more."""


class NativeLibrary:
    """The kernels of one source on the current GPU. Raises BuildError."""

    def __init__(self, source: str, flags: Sequence[str]) -> None:
        try:
            cupy: Any = importlib.import_module("cupy")
        except ImportError as error:
            raise BuildError("no CuPy to launch with: pip install 'kernelwright[gpu]'") from error
        major, minor = torch.cuda.get_device_capability()
        code = cubin_file(source, flags, f"sm_{major}{minor}")
        self._cupy = cupy
        self._module: Any = cupy.RawModule(path=str(code))
        self._functions: dict[str, Any] = {}

    def launch(
        self,
        kernel: str,
        how: Configuration,
        arguments: Sequence[torch.Tensor | ctypes._SimpleCData[int]],
    ) -> None:
        """Queue a kernel. Tensors lie on the current GPU."""
        function = self._functions.get(kernel)
        if function is None:
            function = self._functions[kernel] = self._module.get_function(kernel)
        if how.shared > max(_MOST_WITHOUT_ASKING, function.max_dynamic_shared_size_bytes):
            function.max_dynamic_shared_size_bytes = how.shared
        stream = self._cupy.cuda.ExternalStream(torch.cuda.current_stream().cuda_stream)
        with stream:
            function(how.grid, how.block, tuple(map(_passed, arguments)), shared_mem=how.shared)


def cubin_file(source: str, flags: Sequence[str], arch: str) -> Path:
    """The machine code in the cache, compiled if it is not there. Raises BuildError."""
    compiler = nvrtc()
    parts = [source, *flags, arch, str(compiler.version)]
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    default = Path.home() / ".cache" / "kernelwright"
    folder = Path(os.environ.get("KERNELWRIGHT_CACHE") or default) / "inline"
    cached = folder / f"{key}.cubin"
    if not cached.exists():
        code, _ = compiler.cubin(source, arch, flags)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as part:
            part.write(code)
        Path(part.name).replace(cached)
    return cached


def _passed(argument: torch.Tensor | ctypes._SimpleCData[int]) -> Any:
    """As CuPy wants it: a NumPy scalar of the very width that the kernel declares."""
    if isinstance(argument, torch.Tensor):
        return numpy.uint64(argument.data_ptr())
    if isinstance(argument, ctypes.c_void_p):
        return numpy.uint64(argument.value or 0)
    return numpy.dtype(type(argument)).type(argument.value)
