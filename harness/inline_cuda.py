"""CUDA inside a Python file: `cuda(source)` builds it, `module.kernel[grid, block, shared](...)` launches.

Candidates import it from `kernelwright.inline`. The source holds raw `extern "C" __global__` kernels and no
host code. Where the tensors lie decides who runs them: on a GPU what NVRTC built, on torch's current stream
(`cuda_native.py`); on the CPU the emulator (`cuda_emulation/`). Builds are cached by content. Under the
harness, where `inline_cpp.BUILDER` is replaced, a build happens outside the candidate's process, and a launch
that is found wrong ends that process.
"""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import torch

from kernelwright.harness import inline_cpp
from kernelwright.harness.cuda_emulation import translate
from kernelwright.harness.cuda_emulation.library import Configuration, EmulatedLibrary
from kernelwright.harness.cuda_emulation.reports import STATUS, Report
from kernelwright.harness.cuda_native import NativeLibrary
from kernelwright.harness.inline_cpp import BuildError, build_flags

_ATTRIBUTES = re.compile(
    r"__launch_bounds__\s*\([^()]*\)|__(?:global|restrict|grid_constant|noinline)__|__maxnreg__\s*\([^()]*\)"
)
Number = int | float | bool


class KernelFault(RuntimeError):
    """An emulated launch did what no kernel may; the message says what and where."""

    def __init__(self, report: Report, message: str) -> None:
        super().__init__(f"{report.code}: {message}")
        self.report = report


def cuda(
    source: str,
    *,
    flags: Sequence[str] = (),
    defines: Mapping[str, int | float | str] | SimpleNamespace | None = None,
) -> Module:
    """Build CUDA source and return its `extern "C"` kernels.

    `flags` are the compiler's (`-DNAME=VALUE`, `--use_fast_math`, ...); `defines` become `-D` ones. Raises
    BuildError when the compiler refuses the source, or when it cannot be emulated where there is no GPU.
    """
    module = Module(source, build_flags(flags, defines))
    module.build("cuda" if torch.cuda.is_available() else "cpu")
    return module


class Module:
    """The kernels of one source; they are its attributes. Built once for each kind of device."""

    def __init__(self, source: str, flags: Sequence[str]) -> None:
        self._source = source
        self._flags = tuple(flags)
        self._signatures = signatures(source)
        self._built: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Kernel:
        if name.startswith("__") or name not in self._signatures:
            raise AttributeError(
                f'no extern "C" __global__ kernel {name} with a body in the source'
            )
        kernel = Kernel(self, name)
        setattr(self, name, kernel)
        return kernel

    def build(self, kind: str) -> Any:
        """The library for `cuda` or `cpu`. Raises BuildError."""
        if kind not in self._built:
            if kind == "cuda":
                self._built[kind] = NativeLibrary(self._source, self._flags)
            else:
                self._built[kind] = EmulatedLibrary(build(self._source, self._flags))
        return self._built[kind]

    def launch(self, name: str, how: Configuration, arguments: Sequence[Any]) -> None:
        """Run a kernel where its tensors lie. Raises TypeError for arguments that it does not take."""
        types = self._signatures[name]
        if len(types) != len(arguments):
            raise TypeError(f"kernel {name} takes {len(types)} arguments, not {len(arguments)}")
        values = [
            _argument(name, i, *pair) for i, pair in enumerate(zip(types, arguments, strict=True))
        ]
        devices = {value.device for value in values if isinstance(value, torch.Tensor)}
        if len(devices) > 1:
            raise TypeError(f"kernel {name}: tensors on {' and '.join(sorted(map(str, devices)))}")
        device = devices.pop() if devices else torch.device("cpu")
        report = self.build(device.type).launch(name, how, values)
        if report is not None:
            raise_fault(report, report.message(self._source))


class Kernel:
    """One kernel: `kernel[grid, block]` or `kernel[grid, block, shared_bytes]` says how to launch it."""

    def __init__(self, module: Module, name: str) -> None:
        self._module = module
        self._name = name

    def __getitem__(self, how: tuple[Any, ...]) -> Callable[..., None]:
        if not isinstance(how, tuple) or len(how) not in (2, 3):
            raise TypeError(
                f"launch as {self._name}[grid, block] or {self._name}[grid, block, bytes]"
            )
        chosen = Configuration(_three(how[0]), _three(how[1]), int(how[2]) if len(how) == 3 else 0)
        return lambda *arguments: self._module.launch(self._name, chosen, arguments)

    def __call__(self, *arguments: object) -> None:
        """Refused: a launch needs a grid and a block."""
        raise TypeError(f"launch as {self._name}[grid, block](...)")


def signatures(source: str) -> dict[str, list[Any]]:
    """Argument types of the kernels, as ctypes. Raises BuildError for one that cannot be passed."""
    text = translate.without_comments(source)
    known = inline_cpp.prototypes(_ATTRIBUTES.sub(" ", text))
    return {name: known[name][1] for name in translate.kernels(text) if name in known}


def _three(given: Any) -> tuple[int, int, int]:
    numbers = tuple(int(n) for n in (given if isinstance(given, Sequence) else (given,)))
    if not 1 <= len(numbers) <= 3 or min(numbers) < 0:
        raise TypeError(f"{given!r} is no grid or block: one to three whole numbers")
    x, y, z = (*numbers, 1, 1)[:3]
    return x, y, z


def _argument(name: str, index: int, kind: Any, given: Any) -> Any:
    """A tensor for a pointer, a number of the declared type for a number."""
    where = f"kernel {name}, argument {index + 1}"
    if kind is ctypes.c_void_p:
        if isinstance(given, torch.Tensor):
            return given
        if given is None:
            return ctypes.c_void_p(None)
        raise TypeError(f"{where}: a pointer takes a tensor, not {type(given).__name__}")
    if isinstance(given, torch.Tensor):
        raise TypeError(
            f"{where}: a number is declared and a tensor given: pass .item(), or use a pointer"
        )
    try:
        return kind(given)
    except TypeError as error:
        raise TypeError(f"{where}: {given!r} is no {kind.__name__.removeprefix('c_')}") from error


def build(source: str, flags: Sequence[str]) -> str:
    """The path of a library for the CPU. Raises BuildError."""
    if inline_cpp.BUILDER is inline_cpp.build_here:
        return build_here(source, flags)
    return inline_cpp.BUILDER(source, [translate.IS_CUDA, *flags])


def build_here(source: str, flags: Sequence[str], *, checked: bool = False) -> str:
    """Build for the CPU in this process's own cache folder. Raises BuildError."""
    text, flags = translate.prepared(source, flags, checked=checked)
    try:
        return inline_cpp.build_here(text, flags)
    except BuildError as error:
        raise BuildError(translate.said(str(error))) from error


def raise_fault(report: Report, message: str) -> None:
    """What a fault leads to: an exception; under the harness the end, which nobody can catch."""
    if inline_cpp.BUILDER is inline_cpp.build_here:
        raise KernelFault(report, message)
    os.write(2, report.printed(message).encode())
    os._exit(STATUS)
