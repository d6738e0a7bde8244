"""C++ inside a Python file: `cpp(source)` builds it and gives its functions, `tuned(...)` its numbers.

Candidates import both from `kernelwright.inline`. This file needs only the standard library and
torch, and nothing else of kernelwright, because a published champion carries a copy of it.

The system compiler builds a shared library, ctypes calls it: a third of a second, against 40 for
`torch.utils.cpp_extension.load_inline`. Libraries are cached by the content of source, flags and
compiler. Under the harness `BUILDER` is replaced: there, a build happens outside the candidate's process.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

FLAGS = (
    "-std=c++17",
    "-O3",
    "-march=native",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-ffp-contract=fast",
    "-fno-semantic-interposition",
    "-fopenmp",
    "-fPIC",
    "-shared",
)
_CTYPES: Mapping[str, Any] = {
    "int": ctypes.c_int,
    "unsigned": ctypes.c_uint,
    "unsigned int": ctypes.c_uint,
    "unsigned long": ctypes.c_ulong,
    "unsigned long long": ctypes.c_ulonglong,
    "short": ctypes.c_short,
    "unsigned short": ctypes.c_ushort,
    "char": ctypes.c_char,
    "signed char": ctypes.c_byte,
    "unsigned char": ctypes.c_ubyte,
    "int8_t": ctypes.c_int8,
    "uint8_t": ctypes.c_uint8,
    "int16_t": ctypes.c_int16,
    "uint16_t": ctypes.c_uint16,
    "int32_t": ctypes.c_int32,
    "uint32_t": ctypes.c_uint32,
    "long": ctypes.c_long,
    "long long": ctypes.c_longlong,
    "int64_t": ctypes.c_int64,
    "uint64_t": ctypes.c_uint64,
    "size_t": ctypes.c_size_t,
    "float": ctypes.c_float,
    "double": ctypes.c_double,
    "bool": ctypes.c_bool,
    "void": None,
}
_PROTOTYPE = re.compile(r'extern\s+"C"\s+([\w\s]+?\**)\s*\b(\w+)\s*\(([^()]*)\)\s*\{')
_BLOCK = re.compile(r'extern\s+"C"\s*\{')
_IN_BLOCK = re.compile(r"^\s*((?:const\s+)?\w[\w ]*?\**)\s+(\w+)\s*\(([^()]*)\)\s*\{", re.M)


class BuildError(RuntimeError):
    """The compiler refused the source; the message holds what it said."""


def cpp(
    source: str,
    *,
    flags: Sequence[str] = (),
    defines: Mapping[str, int | float | str] | SimpleNamespace | None = None,
) -> Library:
    """Build C++ source and return its `extern "C"` functions.

    `defines` become `-DNAME=VALUE`; the result of `tuned` may be given as it is. Tensors pass as
    pointers to their first element, numbers as the types that the prototypes declare. Raises
    BuildError when the compiler refuses the source.
    """
    return Library(BUILDER(source, build_flags(flags, defines)), source)


def build_flags(
    flags: Sequence[str], defines: Mapping[str, int | float | str] | SimpleNamespace | None
) -> list[str]:
    """What the compiler is told beside the usual `FLAGS`."""
    named = vars(defines) if isinstance(defines, SimpleNamespace) else dict(defines or {})
    return [*flags, *(f"-D{name}={value}" for name, value in sorted(named.items()))]


def tuned(**space: Sequence[int | float | str]) -> SimpleNamespace:
    """Declare a tuning space; the first value of each name is the one in force."""
    return SimpleNamespace(**{name: values[0] for name, values in space.items()})


class Library:
    """A loaded shared library; its functions are attributes."""

    def __init__(self, path: str | Path, source: str) -> None:
        self._dll = ctypes.CDLL(str(path))
        self._prototypes = prototypes(source)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__") or name not in self._prototypes:
            raise AttributeError(f'no extern "C" function {name} with a body in the source')
        restype, argtypes = self._prototypes[name]
        function = self._dll[name]
        function.restype = restype
        function.argtypes = argtypes

        def call(*args: Any) -> Any:
            return function(*[a.data_ptr() if isinstance(a, torch.Tensor) else a for a in args])

        setattr(self, name, call)
        return call


def prototypes(source: str) -> dict[str, tuple[Any, list[Any]]]:
    """Return and argument types of the `extern "C"` functions defined in the source.

    Raises BuildError for a type that has no ctypes counterpart.
    """
    text = re.sub(r"//[^\n]*|/\*.*?\*/", " ", source, flags=re.S)
    found = [m.groups() for m in _PROTOTYPE.finditer(text)]
    for block in _BLOCK.finditer(text):
        found += [m.groups() for m in _IN_BLOCK.finditer(_body(text, block.end()))]
    return {
        name: (_ctype(kind), [_ctype(a, named=True) for a in _split(arguments)])
        for kind, name, arguments in found
        if kind.split()[0] not in {"else", "return", "static", "inline", "template"}
    }


def _body(text: str, start: int) -> str:
    """The text from `start` to the brace that closes the block it lies in."""
    depth = 1
    for i, letter in enumerate(text[start:], start):
        depth += (letter == "{") - (letter == "}")
        if depth == 0:
            return text[start:i]
    return text[start:]


def _split(arguments: str) -> list[str]:
    parts = [part.strip() for part in arguments.split(",")]
    return [] if parts in ([""], ["void"]) else parts


def _ctype(declaration: str, *, named: bool = False) -> Any:
    if "*" in declaration or "[" in declaration:
        return ctypes.c_void_p
    words = [w for w in declaration.split() if w not in {"const", "restrict", "__restrict__"}]
    if named and len(words) > 1 and words[-1] not in _CTYPES:
        words.pop()
    kind = " ".join(words).removeprefix("std::")
    if kind not in _CTYPES:
        raise BuildError(f"cannot pass {declaration!r} through ctypes: use a pointer or a number")
    return _CTYPES[kind]


def compiler() -> str:
    """Path of the system's C++ compiler: `$CXX`, else g++, else clang++. Raises BuildError."""
    for name in (os.environ.get("CXX"), "g++", "clang++", "c++"):
        path = name and shutil.which(name)
        if path:
            return path
    raise BuildError("no C++ compiler: install g++ (Debian: apt-get install g++) or set CXX")


@functools.cache
def compiler_version(path: str) -> str:
    """First line of `--version`: part of the cache's key."""
    return subprocess.run(
        [path, "--version"], capture_output=True, text=True, check=True
    ).stdout.splitlines()[0]


@functools.cache
def openmp_runtime() -> str | None:
    """The OpenMP runtime that torch brings along, or None.

    A library linked to the system's runtime instead would start a second pool of threads, and the
    two would spin against each other.
    """
    root = Path(torch.__file__).parent
    for folder in (root / "lib", root.parent / "torch.libs"):
        for library in sorted(folder.glob("libgomp*.so*")):
            return str(library)
    return None


def command(cxx: str, source: Path, library: Path, flags: Sequence[str], links: Path) -> list[str]:
    """The compiler's command line. `links` is a folder where a link to torch's runtime may be put."""
    runtime = openmp_runtime()
    search: list[str] = []
    if runtime:
        link = links / "libgomp.so"
        if not link.exists():
            link.symlink_to(runtime)
        search = [f"-L{links}"]
    return [cxx, *FLAGS, *search, *flags, str(source), "-o", str(library)]


def content_key(source: str, flags: Sequence[str], cxx: str) -> str:
    """SHA-256 over everything that decides what a build gives, hex."""
    parts = [source, *FLAGS, *flags, compiler_version(cxx), openmp_runtime() or "", _cpu()]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@functools.cache
def _cpu() -> str:
    """What `-march=native` depends on."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor()
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.M)
    return found.group(1) if found else platform.machine()


def build_here(source: str, flags: Sequence[str]) -> str:
    """Build in this process's own cache folder (`$KERNELWRIGHT_CACHE` or ~/.cache/kernelwright)."""
    default = Path.home() / ".cache" / "kernelwright"
    folder = Path(os.environ.get("KERNELWRIGHT_CACHE") or default) / "inline"
    cxx = compiler()
    library = folder / f"{content_key(source, flags, cxx)}.so"
    if library.exists():
        return str(library)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        text, built = Path(scratch, "kernel.cpp"), Path(scratch, "kernel.so")
        text.write_text(source)
        done = subprocess.run(
            command(cxx, text, built, flags, Path(scratch)), capture_output=True, text=True
        )
        if done.returncode:
            raise BuildError(done.stderr.replace(str(text), "kernel.cpp"))
        built.replace(library)
    return str(library)


BUILDER: Callable[[str, Sequence[str]], str] = build_here
"""Turns source and extra flags into the path of a shared library."""
