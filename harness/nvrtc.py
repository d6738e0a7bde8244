"""NVRTC: CUDA source to machine code of one architecture, with no driver and no nvcc.

The library comes from the `nvidia-cuda-nvrtc` wheel or a system toolkit and is called through ctypes: a
fraction of a second, where nvcc takes some. It knows no C++ standard library; for the few headers that
kernels include out of habit there are stand-ins here. Source of the calls: nvrtc.h.
"""

from __future__ import annotations

import ctypes
import functools
import os
import re
import sysconfig
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from kernelwright.harness.inline_cpp import BuildError

NAME = "candidate.cu"
_INTEGERS = """
typedef signed char int8_t; typedef unsigned char uint8_t; typedef short int16_t;
typedef unsigned short uint16_t; typedef int int32_t; typedef unsigned int uint32_t;
typedef long long int64_t; typedef unsigned long long uint64_t;
typedef long long intptr_t; typedef unsigned long long uintptr_t;
"""
_LIMITS = """
#define INT_MAX 2147483647
#define INT_MIN (-2147483647 - 1)
#define UINT_MAX 4294967295u
#define FLT_MAX 3.402823466e+38f
#define FLT_MIN 1.175494351e-38f
#define FLT_EPSILON 1.192092896e-07f
#define DBL_MAX 1.7976931348623158e+308
"""
_MATHS = """
#ifndef INFINITY
#define INFINITY __int_as_float(0x7f800000)
#endif
#ifndef NAN
#define NAN __int_as_float(0x7fffffff)
#endif
"""
_ALWAYS = "kernelwright_always.h"
"""What nvcc includes unasked, and the emulator has too."""
_HEADERS = {
    **dict.fromkeys(("cstdint", "stdint.h"), _INTEGERS),
    **dict.fromkeys(("cfloat", "float.h", "climits", "limits.h"), _LIMITS),
    **dict.fromkeys(("cmath", "math.h", _ALWAYS), _MATHS),
    **dict.fromkeys(("cstddef", "stddef.h", "cstdio", "stdio.h", "algorithm", "cassert"), ""),
}
"""Stand-ins for system headers; guarded, since two names may share one text."""
_MISSING = (
    "no NVRTC: pip install 'kernelwright[gpu]' or nvidia-cuda-nvrtc, or install the CUDA toolkit and set"
    " CUDA_HOME"
)


class Nvrtc:
    """A loaded NVRTC. Raises BuildError when there is none on this machine."""

    def __init__(self) -> None:
        path = library_path()
        if path is None:
            raise BuildError(_MISSING)
        try:
            # NVRTC opens its companion by name only, which is found once it is loaded.
            for companion in sorted(path.parent.glob("libnvrtc-builtins.so.*")):
                ctypes.CDLL(str(companion), ctypes.RTLD_GLOBAL)
            self._dll = ctypes.CDLL(str(path))
        except OSError as error:
            raise BuildError(f"NVRTC at {path} cannot be loaded: {error}") from error
        self.path = path
        self._dll.nvrtcGetErrorString.restype = ctypes.c_char_p

    @functools.cached_property
    def version(self) -> tuple[int, int]:
        """Major and minor, those of the CUDA release it came with."""
        major, minor = ctypes.c_int(), ctypes.c_int()
        self._check(self._dll.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor)))
        return major.value, minor.value

    def cubin(self, source: str, arch: str, flags: Sequence[str] = ()) -> tuple[bytes, str]:
        """Machine code for `arch` (`sm_90`), and what the compiler said. Raises BuildError."""
        names = [name.encode() for name in _HEADERS]
        texts = [f"#pragma once\n{_guarded(text)}".encode() for text in _HEADERS.values()]
        count = len(names)
        program = ctypes.c_void_p()
        self._check(
            self._dll.nvrtcCreateProgram(
                ctypes.byref(program), source.encode(), NAME.encode(), count,
                (ctypes.c_char_p * count)(*texts), (ctypes.c_char_p * count)(*names),
            )
        )  # fmt: skip
        try:
            return self._compiled(program, arch, flags)
        finally:
            self._dll.nvrtcDestroyProgram(ctypes.byref(program))

    def _compiled(
        self, program: ctypes.c_void_p, arch: str, flags: Sequence[str]
    ) -> tuple[bytes, str]:
        given = [f"--gpu-architecture={arch}", "-lineinfo", f"--pre-include={_ALWAYS}"]
        given += _options(flags)
        given += [f"--include-path={folder}" for folder in include_folders(self.path)]
        encoded = (ctypes.c_char_p * len(given))(*[option.encode() for option in given])
        status = self._dll.nvrtcCompileProgram(program, len(given), encoded)
        log = self._text(program, "ProgramLog").decode(errors="replace").rstrip("\0")
        if status:
            reason = self._dll.nvrtcGetErrorString(status).decode()
            raise BuildError(said(log) or f"NVRTC: {reason} (for {arch}, CUDA {self.version[0]})")
        return self._text(program, "CUBIN"), log

    def _text(self, program: ctypes.c_void_p, what: str) -> bytes:
        size = ctypes.c_size_t()
        self._check(self._dll[f"nvrtcGet{what}Size"](program, ctypes.byref(size)))
        room = ctypes.create_string_buffer(size.value)
        self._check(self._dll[f"nvrtcGet{what}"](program, room))
        return room.raw

    def _check(self, status: int) -> None:
        if status:
            raise BuildError(f"NVRTC: {self._dll.nvrtcGetErrorString(status).decode()}")


@functools.cache
def nvrtc() -> Nvrtc:
    """The one of this process. Raises BuildError."""
    return Nvrtc()


def library_path() -> Path | None:
    """Where NVRTC lies: `$CUDA_HOME`, then wheels, then the usual folder; the latest one there."""
    for folder in _folders():
        found = sorted(
            path
            for path in folder.glob("libnvrtc.so.*")
            if re.fullmatch(r"libnvrtc\.so\.\d+(\.\d+)*", path.name)
        )
        if found:
            return found[-1]
    return None


def include_folders(library: Path) -> list[str]:
    """Folders with `cuda_fp16.h` and its like, those beside the library first."""
    roots = [library.parent.parent, *(folder.parent for folder in _folders())]
    found = [root / "include" for root in roots if (root / "include" / "cuda_fp16.h").is_file()]
    with_std = [folder / "cccl" for folder in found if (folder / "cccl").is_dir()]
    return list(dict.fromkeys(str(folder) for folder in [*found[:1], *with_std[:1]]))


def said(log: str) -> str:
    """The compiler's message, shortened, with the candidate's own lines named as such."""
    errors = re.findall(
        rf"^(?:{re.escape(NAME)}\((\d+)\)|[^\n(]*\((\d+)\)): (error: [^\n]+)", log, re.M
    )
    lines = [f"CUDA line {own}: {text}" if own else text for own, _, text in errors]
    own_first = sorted(lines, key=lambda line: not line.startswith("CUDA line "))
    return "\n".join(own_first[:5] or log.strip().splitlines()[:5])


def _folders() -> Iterator[Path]:
    home = os.environ.get("CUDA_HOME") or os.environ.get("CUDA_PATH")
    if home:
        yield from (Path(home) / "lib64", Path(home) / "lib")
    packages = Path(sysconfig.get_paths()["purelib"]) / "nvidia"
    if packages.is_dir():
        yield from sorted(packages.glob("*/lib"), reverse=True)
    yield from (Path("/usr/local/cuda/lib64"), Path("/usr/lib/x86_64-linux-gnu"))


def _options(flags: Sequence[str]) -> list[str]:
    """What NVRTC understands of nvcc's flags; optimisation levels are its own affair."""
    kept = [flag for flag in flags if not re.fullmatch(r"-O\d|-arch=.*|--gpu-architecture.*", flag)]
    standard = any(flag.startswith(("-std", "--std")) for flag in kept)
    return [*kept, *(() if standard else ("--std=c++17",))]


def _guarded(text: str) -> str:
    """`text` once only, under whichever name it is included."""
    if not text:
        return ""
    name = f"KERNELWRIGHT_{zlib.crc32(text.encode())}"
    return f"#ifndef {name}\n#define {name}\n{text}#endif\n"
