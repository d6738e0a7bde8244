"""Instructions, caches and branches of a C++ candidate, counted by callgrind: the same figures every time.

One call of the model is recorded (`recording.py`), and its C++ functions are called again alone, in a bare
Python under valgrind, on one thread; only what they execute is counted. The caches are simulated: two
levels, of this machine's sizes. Valgrind knows no AVX-512, so the library is the one built for x86-64-v3.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from kernelwright.harness.counters.counters import Counter, Counters, KernelCounters
from kernelwright.harness.counters.recording import BUFFERS, CALLS

SECONDS = 60
OUTPUT = "callgrind.out"
_SOURCE = "callgrind"
_UNITS: Mapping[str, tuple[str, str]] = {
    "Ir": ("instructions", "instructions"),
    "Dr": ("data_reads", "accesses"),
    "Dw": ("data_writes", "accesses"),
    "D1mr": ("l1_read_misses", "cache lines"),
    "D1mw": ("l1_write_misses", "cache lines"),
    "DLmr": ("last_level_read_misses", "cache lines"),
    "DLmw": ("last_level_write_misses", "cache lines"),
    "I1mr": ("l1_instruction_misses", "cache lines"),
    "Bc": ("conditional_branches", "branches"),
    "Bcm": ("branch_mispredictions", "branches"),
    "Bi": ("indirect_jumps", "branches"),
    "Bim": ("indirect_mispredictions", "branches"),
}
"""Callgrind's names of events: ours, and what is counted."""
_FUNCTION = re.compile(r"(c?)fn=\((\d+)\)(?: (.+))?$")
_COST = re.compile(r"(?:\+\d+|-\d+|\*|\d+|0x[0-9a-f]+)(?: \d+)+$")
_NAME = re.compile(r"[A-Za-z_]\w{0,200}")


def unavailable() -> str | None:
    """Why nothing can be counted here; None where it can."""
    if shutil.which("valgrind") is None:
        return "no valgrind here: apt-get install valgrind"
    return None


def command(scratch: Path, functions: tuple[str, ...], caller: Path) -> list[str]:
    """What runs the recorded calls of these functions under callgrind; `caller` is the library of `CALLER`.

    Raises ValueError for names that are none.
    """
    strange = [name for name in functions if not _NAME.fullmatch(name)]
    if strange:
        raise ValueError(f"{strange[0]!r} is no name of a function")
    return [
        str(shutil.which("valgrind")),
        "--tool=callgrind",
        "--vgdb=no",
        "--cache-sim=yes",
        "--branch-sim=yes",
        f"--callgrind-out-file={scratch / OUTPUT}",
        sys.executable,
        "-I",
        "-S",
        "-c",
        _REPLAY,
        str(scratch / CALLS),
        str(scratch / BUFFERS),
        str(caller),
    ]


def counted(text: str, functions: tuple[str, ...], launches: int) -> Counters:
    """What these functions and all that they call cost, of a file that callgrind wrote.

    Raises ValueError for what is none.
    """
    events = re.search(r"^events: (.+)$", text, re.M)
    if events is None:
        raise ValueError("callgrind wrote no figures")
    names = events.group(1).split()
    figures = dict(zip(names, _inclusive(text, functions, len(names)), strict=True))
    values = {
        name: Counter(figures[event], unit, _SOURCE)
        for event, (name, unit) in _UNITS.items()
        if event in figures
    }
    if not figures.get("Ir"):
        raise ValueError(
            "callgrind counted no instruction of these functions: it did not see their names"
        )
    values |= _shares(figures)
    for line, cache in re.findall(r"^desc: (D1|LL) cache: (.+)$", text, re.M):
        values[f"simulated_{line.lower()}_cache"] = Counter(cache, "text", _SOURCE)
    kernel = KernelCounters(", ".join(functions), "cpu", values, launches)
    return Counters((kernel,))


def _inclusive(text: str, functions: tuple[str, ...], width: int) -> list[int]:
    """Sums of each event: lines of a function's own cost, and of what its calls cost with all below them."""
    names: dict[str, str] = {}
    sums = [0] * width
    inside = False
    for line in text.splitlines():
        if found := _FUNCTION.match(line):
            called, number, name = found.groups()
            if name:
                names[number] = name
            if not called:
                inside = names.get(number) in functions
        elif inside and _COST.match(line):
            for i, figure in enumerate(line.split()[1 : width + 1]):
                sums[i] += int(figure)
    return sums


def _shares(figures: Mapping[str, int]) -> dict[str, Counter]:
    """What part of the accesses misses, and of the branches is mispredicted."""
    accesses = figures.get("Dr", 0) + figures.get("Dw", 0)
    parts = {
        "l1_miss_share": (figures.get("D1mr", 0) + figures.get("D1mw", 0), accesses),
        "last_level_miss_share": (figures.get("DLmr", 0) + figures.get("DLmw", 0), accesses),
        "branch_miss_share": (figures.get("Bcm", 0), figures.get("Bc", 0)),
    }
    return {
        name: Counter(part / whole, "share", _SOURCE)
        if whole
        else Counter(None, "share", _SOURCE, "there are none")
        for name, (part, whole) in parts.items()
    }


CALLER = r"""
#include <cstdint>
typedef int64_t I;
typedef double D;
extern "C" void call(void* function, const I* i, const D* d) {
  typedef void F(I, I, I, I, I, I, I, I, I, I, I, I, I, I, I, I, I, I, I, I, I, I, I, I,
                 D, D, D, D, D, D, D, D);
  reinterpret_cast<F*>(function)(i[0], i[1], i[2], i[3], i[4], i[5], i[6], i[7], i[8], i[9], i[10], i[11],
    i[12], i[13], i[14], i[15], i[16], i[17], i[18], i[19], i[20], i[21], i[22], i[23],
    d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7]);
}
"""
"""Calls a function for the replay: callgrind books what libffi calls on libffi, and so sees no function that
Python calls by ctypes. In the calling conventions of x86-64 and AArch64 integers and floating numbers are
passed apart from each other, so one signature with enough of both serves all."""
_REPLAY = r"""
import ctypes, json, struct, sys
told = json.load(open(sys.argv[1]))
data = open(sys.argv[2], "rb").read()
caller = ctypes.CDLL(sys.argv[3])
memory = ctypes.create_string_buffer(len(data) + 64)
begin = (ctypes.addressof(memory) + 63) & ~63
ctypes.memmove(begin, data, len(data))
libraries = {}
for call in told["calls"]:
    path = call["library"]
    library = libraries.setdefault(path, ctypes.CDLL(path))
    whole, floating = (ctypes.c_int64 * 24)(), (ctypes.c_double * 8)()
    i = f = 0
    for a in call["arguments"]:
        if "buffer" in a:
            whole[i], i = begin + a["buffer"] + a["offset"], i + 1
        elif a["type"] == "c_double":
            floating[f], f = a["value"], f + 1
        elif a["type"] == "c_float":
            floating[f], f = struct.unpack("d", struct.pack("ff", a["value"], 0.0))[0], f + 1
        else:
            whole[i], i = getattr(ctypes, a["type"])(a["value"]).value or 0, i + 1
    function = ctypes.cast(library[call["function"]], ctypes.c_void_p)
    caller.call(function, whole, floating)
"""
