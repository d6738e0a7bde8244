"""What an emulated launch did wrong: read from the library, told in a line, carried in a process's output.

In a worker the report is the last thing that the process prints before it ends with `STATUS`: no `except`
of a candidate's can swallow it. Whoever forges one only accuses itself.
"""

from __future__ import annotations

import ctypes
import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from kernelwright.harness.cuda_emulation.assemble import CANDIDATE

STATUS = 86
"""Exit status of a worker whose launch was found wrong."""
CODES = (
    *("out_of_bounds", "race", "barrier_divergence", "uninitialised_shared", "bad_mask", "bad_shuffle"),
    *("misaligned", "undefined_behaviour", "launch", "no_progress", "trap", "assertion", "memory"),
)  # fmt: skip
_MARK = "kernelwright: CUDA fault: "
_SECONDS = 20.0


class FaultRecord(ctypes.Structure):
    """`emu::Fault` of fault.h."""

    _fields_ = (
        ("set", ctypes.c_int),
        ("code", ctypes.c_char * 32),
        ("text", ctypes.c_char * 400),
        ("place", ctypes.c_uint64),
        ("other", ctypes.c_uint64),
        ("line", ctypes.c_int),
        ("other_line", ctypes.c_int),
    )


@dataclass(frozen=True)
class Report:
    """One fault of one launch. `lines` are of the CUDA source, the guilty one first; empty: unknown."""

    code: str
    text: str
    kernel: str
    lines: tuple[int, ...] = ()

    def message(self, source: str) -> str:
        """The fault in a line, with the text of the lines of `source` that it speaks of."""
        text = source.splitlines()
        where = [
            f"CUDA line {line}: {text[line - 1].strip()[:160]}"
            for line in self.lines
            if 0 < line <= len(text)
        ]
        return f"kernel {self.kernel}: {self.text}" + (f" ({'; '.join(where)})" if where else "")

    def printed(self, message: str) -> str:
        """The line that a worker prints last."""
        return f"\n{_MARK}{json.dumps({**asdict(self), 'message': message})}\n"


def read(record: FaultRecord, library: str, kernel: str) -> Report:
    """The report of a fault that `library` has recorded."""
    known = [line for line in (record.line, record.other_line) if line]
    places = [place for place in (record.place, record.other) if place]
    lines = dict.fromkeys([*known, *_lines(library, places)])
    code = record.code.decode(errors="replace")
    return Report(code, record.text.decode(errors="replace"), kernel, tuple(lines))


def told(output: str) -> tuple[str, str] | None:
    """Code and message of the fault that ended a process, from what it printed; None: there is none."""
    line = output.rpartition(_MARK)[2].partition("\n")[0] if _MARK in output else ""
    try:
        said = json.loads(line)
        code, message = str(said["code"]), str(said["message"])
    except (ValueError, KeyError, TypeError):
        return None
    return (code, message) if code in CODES else None


def _lines(library: str, places: Sequence[int]) -> list[int]:
    """Lines of the CUDA source at these return addresses; without binutils there are none."""
    tool = shutil.which("addr2line")
    if tool is None or not places:
        return []
    asked = [tool, "-i", "-a", "-e", library, *(hex(place - 1) for place in places)]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=_SECONDS)
    found: list[int] = []
    for answer in re.split(r"^0x[0-9a-f]+$", done.stdout, flags=re.M)[1:]:
        own = re.findall(rf"{re.escape(CANDIDATE)}:(\d+)", answer)
        found += [int(own[0])] if own else []
    return found
