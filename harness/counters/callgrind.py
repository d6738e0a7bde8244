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
_OBJECT = re.compile(r"(c?)ob=\((\d+)\)(?: (.+))?$")
_COST = re.compile(r"(?:\+\d+|-\d+|\*|\d+|0x[0-9a-f]+)(?: \d+)+$")
_NAME = re.compile(r"[A-Za-z_]\w{0,200}")


def unavailable() -> str | None:
    """Why nothing can be counted here; None where it can."""
    if shutil.which("valgrind") is None:
        return "no valgrind here: apt-get install valgrind"
    return None


def command(scratch: Path, functions: tuple[str, ...]) -> list[str]:
    """What runs the recorded calls of these functions under callgrind.

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
    ]


def counted(
    text: str,
    functions: tuple[str, ...],
    launches: int,
    places: Mapping[str, Mapping[str, int]] | None = None,
) -> Counters:
    """What these functions and all that they call cost, of a file that callgrind wrote.

    `places`: by the path of a library, where its functions begin; what callgrind sees no name of it calls by
    that. Raises ValueError for what is none.
    """
    events = re.search(r"^events: (.+)$", text, re.M)
    if events is None:
        raise ValueError("callgrind wrote no figures")
    names = events.group(1).split()
    known = {
        (path, f"0x{where:016x}")
        for path, own in (places or {}).items()
        for name, where in own.items()
        if name in functions
    }
    figures = dict(zip(names, _inclusive(text, functions, known, len(names)), strict=True))
    values = {
        name: Counter(figures[event], unit, _SOURCE)
        for event, (name, unit) in _UNITS.items()
        if event in figures
    }
    if not figures.get("Ir"):
        raise ValueError(
            "callgrind counted no instruction of these functions: it saw neither names nor places"
        )
    values |= _shares(figures)
    for line, cache in re.findall(r"^desc: (D1|LL) cache: (.+)$", text, re.M):
        values[f"simulated_{line.lower()}_cache"] = Counter(cache, "text", _SOURCE)
    kernel = KernelCounters(", ".join(functions), "cpu", values, launches)
    return Counters((kernel,))


def _inclusive(
    text: str, functions: tuple[str, ...], places: set[tuple[str, str]], width: int
) -> list[int]:
    """Sums of each event: lines of a function's own cost, and of what its calls cost with all below them.

    `functions` by name, or `places` of them by object and address.
    """
    names: dict[str, str] = {}
    objects: dict[str, str] = {}
    sums = [0] * width
    here, inside = "", False
    for line in text.splitlines():
        if found := _OBJECT.match(line):
            called, number, path = found.groups()
            if path:
                objects[number] = path
            if not called:
                here = objects.get(number, "")
        elif found := _FUNCTION.match(line):
            called, number, name = found.groups()
            if name:
                names[number] = name
            if not called:
                known = names.get(number, "")
                inside = known in functions or (here, known) in places
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


_REPLAY = r"""
import ctypes, json, sys
told = json.load(open(sys.argv[1]))
data = open(sys.argv[2], "rb").read()
memory = ctypes.create_string_buffer(len(data) + 64)
begin = (ctypes.addressof(memory) + 63) & ~63
ctypes.memmove(begin, data, len(data))
libraries = {}
for call in told["calls"]:
    path = call["library"]
    library = libraries.setdefault(path, ctypes.CDLL(path))
    function = library[call["function"]]
    result = call["result"]
    function.restype = getattr(ctypes, result) if result else None
    given = []
    for a in call["arguments"]:
        if "buffer" in a:
            given.append(ctypes.c_void_p(begin + a["buffer"] + a["offset"]))
        else:
            given.append(getattr(ctypes, a["type"])(a["value"]))
    function(*given)
"""
