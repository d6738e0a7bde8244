"""AddressSanitizer and UBSan: the environment of a process under them, and their reports in one line.

Covered: what `kernelwright.inline.cpp` builds, since only that is rebuilt (`variants.py`). All tensors lie in
heap blocks with red zones about them, and fresh memory is filled with NaN, which reaches whatever is computed
from it, whoever allocated it. Not covered: libraries that are not rebuilt (PyTorch's, those that
`load_inline` or Triton make) but for what they pass to `memcpy` and `free`; masked, gathering and scattering
vector instructions, which gcc does not watch (guarded buffers do, `guarded.py`); inline assembly.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from kernelwright.harness.variants import name_of

STATUS = 86
"""Exit status of a process that a sanitizer ended."""
_RUNTIMES = ("libasan.so", "libclang_rt.asan-x86_64.so", "libclang_rt.asan.so")
_ADDRESS = {
    "exitcode": STATUS,
    "abort_on_error": 0,
    "color": "never",
    "detect_leaks": 0,  # needs ptrace, and Python leaks by design
    "detect_odr_violation": 0,  # two kernels may define one name
    "alloc_dealloc_mismatch": 0,  # PyTorch's libraries mix them
    "detect_stack_use_after_return": 1,
    "allocator_may_return_null": 1,  # PyTorch raises then
    "max_malloc_fill_size": 1 << 30,
    "malloc_fill_byte": 0xFF,  # NaN in every floating type
    "quarantine_size_mb": 128,
    "print_legend": 0,
    "handle_abort": 0,
}
_UNDEFINED = {"exitcode": STATUS, "color": "never", "print_stacktrace": 0, "print_summary": 0}
_KINDS = {
    "heap-buffer-overflow": "out of bounds",
    "stack-buffer-overflow": "out of the bounds of a local variable",
    "stack-buffer-underflow": "out of the bounds of a local variable",
    "dynamic-stack-buffer-overflow": "out of the bounds of a local variable",
    "global-buffer-overflow": "out of the bounds of a global variable",
    "heap-use-after-free": "of memory that has been freed",
    "stack-use-after-return": "of a local variable whose function has returned",
    "stack-use-after-scope": "of a local variable whose block has ended",
    "attempting double-free": "second free of the same memory",
    "attempting free on address which was not malloc()-ed": "free of memory that malloc did not give",
    "SEGV": "at an address where no memory is",
}
_ERROR = re.compile(
    r"ERROR: AddressSanitizer: ([a-z-]+ ?[a-z-]*(?: on address which was not malloc\(\)-ed)?|SEGV)"
)
_ACCESS = re.compile(r"^(READ|WRITE) of size (\d+)|is caused by a (READ|WRITE) memory access", re.M)
_FRAME = re.compile(r"^\s*#\d+ .* in (.+?) (?:\S*/)?(kernel-[0-9a-f]{12}\.cpp):(\d+)", re.M)
_PLACE = re.compile(
    r"is located (\d+) bytes (?:to the )?(left|right|before|after|inside)(?: of)? (?:of )?(\d+)-byte region"
)
_VARIABLE = re.compile(r"'([^'\n]{1,80})'(?: \(line \d+\))? <== Memory access at offset")
_UNDEFINED_LINE = re.compile(r"(kernel-[0-9a-f]{12}\.cpp):(\d+):\d+: runtime error: ([^\n]{1,300})")


def environment(cxx: str) -> dict[str, str] | None:
    """What a process needs to run sanitized libraries of compiler `cxx`; None without a runtime."""
    runtime = next((path for name in _RUNTIMES if (path := _library(cxx, name))), None)
    if runtime is None:
        return None
    # The runtime looks for the C++ library's way to throw when it starts, and Python does not link to it.
    thrower = _library(cxx, "libstdc++.so.6")
    return {
        "LD_PRELOAD": " ".join(str(path) for path in (runtime, thrower) if path),
        "ASAN_OPTIONS": _options(_ADDRESS),
        "UBSAN_OPTIONS": _options(_UNDEFINED),
    }


def _library(cxx: str, name: str) -> Path | None:
    """Where the compiler has a library of its own."""
    asked = subprocess.run(
        [cxx, f"-print-file-name={name}"], capture_output=True, text=True, check=False
    )
    path = Path(asked.stdout.strip())
    return path.resolve() if path.is_absolute() and path.is_file() else None


def _options(values: Mapping[str, object]) -> str:
    return ":".join(f"{name}={value}" for name, value in values.items())


def told(report: str, sources: Sequence[str]) -> str | None:
    """What a sanitizer's report says, with the line of `sources` it speaks of; None: there is none."""
    undefined = _UNDEFINED_LINE.search(report)
    error = _ERROR.search(report)
    if undefined and (error is None or undefined.start() < error.start()):
        file, line, what = undefined.groups()
        return f"undefined behaviour: {what}{_line(file, int(line), sources)}"
    if error is None:
        return None
    body = report[error.end() :]
    frame = _FRAME.search(body)
    where = _line(frame.group(2), int(frame.group(3)), sources) if frame else ""
    return f"{_access(error.group(1).strip(), body)}{_distance(body)}{where}"


def _access(kind: str, body: str) -> str:
    known = next((text for name, text in _KINDS.items() if kind.startswith(name)), kind)
    found = _ACCESS.search(body)
    if found is None or known.startswith(("free", "second")):
        return known
    verb = "read" if "READ" in found.groups() else "write"
    size = f" of {found.group(2)} bytes" if found.group(2) else ""
    return f"{verb}{size} {known}"


def _distance(body: str) -> str:
    place, variable = _PLACE.search(body), _VARIABLE.search(body)
    if variable:
        return f", beside '{variable.group(1)}'"
    if place is None:
        return ""
    bytes_, side, size = place.groups()
    words = {"left": "before", "before": "before", "inside": "inside"}.get(side, "after the end of")
    return f", {bytes_} bytes {words} a block of {size} bytes"


def _line(file: str, number: int, sources: Sequence[str]) -> str:
    for source in sources:
        if name_of(source) == file:
            lines = source.splitlines()
            text = lines[number - 1].strip()[:200] if 0 < number <= len(lines) else ""
            return f" (C++ line {number}: {text})"
    return f" (C++ line {number})"
