"""compute-sanitizer over a candidate on a GPU, for what would be promoted.

Each tool runs `once.py` once, with PyTorch's pool of memory switched off, so that an access beyond a tensor
is one beyond an allocation. It is a check of honest kernels: the tool shares the candidate's process. What it
finds in kernels of libraries is no fault of the candidate. Format: Compute Sanitizer manual, chapters 3 to 6.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kernelwright.harness.fault import plain
from kernelwright.harness.gpu.nsight import Own, text_of
from kernelwright.harness.gpu.tool_room import Done, ToolRoom
from kernelwright.harness.verdict import Finding

Tool = Literal["memcheck", "racecheck", "initcheck", "synccheck"]
TOOLS: tuple[Tool, ...] = ("memcheck", "racecheck", "initcheck", "synccheck")
SECONDS = 300.0
"""Of each tool: some make a kernel a hundred times slower."""
_FOUND = 86
"""Exit status that the tool is told to end with when it found something."""
_MOST_FINDINGS = 8
ABSENT = (
    "no compute-sanitizer here: it comes with the CUDA toolkit (the wheel nvidia-cuda-sanitizer-api lacks"
    " its launcher); put it on the PATH or set CUDA_HOME"
)
_PREFIX = re.compile(r"^=========(?: |$)")
_SUMMARY = re.compile(r"(?:ERROR|RACECHECK) SUMMARY: (\d+) (?:error|hazard)")
_INVALID = re.compile(r"^Invalid (__\w+__) (read|write|atomic)[^\n]*? of size (\d+)")
_RACE = re.compile(r"^(Error|Warning): (?:Potential )?(?:Race reported|(?:RAW|WAR|WAW) hazard)")
_UNSET = re.compile(r"^Uninitialized (__\w+__) memory read")
_BARRIER = re.compile(r"^Barrier error detected\. *([^\n]*)")
_EXCEPTION = re.compile(
    r"^Program hit (?:cudaError|CUDA_ERROR_)"
    r"(IllegalAddress|ILLEGAL_ADDRESS|Misaligned|MISALIGNED|LaunchFailure|LAUNCH_FAILED|Assert|ASSERT|"
    r"HardwareStack|HARDWARE_STACK|IllegalInstruction|ILLEGAL_INSTRUCTION|InvalidPc|INVALID_PC)"
)
"""Errors of a running kernel; libraries try calls that fail, and go on."""
_PLACE = re.compile(
    r"(?:access )?at (?:0x[0-9a-f]+ in )?(?P<kernel>[^\n]+?)(?:\+0x[0-9a-f]+)?"
    r"(?: in (?P<file>[^\s:]+):(?P<line>\d+))?(?=$|\s+\[|\s+and )",
    re.M,
)
_FRAME = re.compile(
    r"Device Frame: ?(?P<kernel>[^\n]+?)\+0x[0-9a-f]+(?: in (?P<file>[^\s:]+):(?P<line>\d+))?"
)
_THREAD = re.compile(r"by thread \((\d+,\d+,\d+)\) in block \((\d+,\d+,\d+)\)")


@dataclass(frozen=True)
class Report:
    """One thing that a tool found."""

    tool: Tool
    code: str
    message: str
    kernel: str = ""
    """As the tool prints it; empty where it names none."""
    lines: tuple[int, ...] = ()
    """Of the candidate's own CUDA source; of both accesses for a race."""
    thread: str = ""
    block: str = ""
    warning: bool = False

    def finding(self) -> Finding:
        """As a verdict has it."""
        at = " and ".join(f"CUDA line {line}" for line in self.lines)
        where = ", ".join(
            part for part in (f"kernel {self.kernel}" if self.kernel else "", at) if part
        )
        who = f" (thread {self.thread} of block {self.block})" if self.thread else ""
        detail: dict[str, Any] = {
            "tool": self.tool,
            "kernel": self.kernel,
            "lines": list(self.lines),
        }
        return Finding(
            self.code,
            f"{self.tool}: {where + ': ' if where else ''}{self.message}{who}",
            "warning" if self.warning else "error",
            detail,
        )


def tool() -> str | None:
    """Where compute-sanitizer is."""
    homes = [os.environ[name] for name in ("CUDA_HOME", "CUDA_PATH") if os.environ.get(name)]
    folders = [
        f"{home}/{part}"
        for home in [*homes, "/usr/local/cuda"]
        for part in ("bin", "compute-sanitizer", "extras/compute-sanitizer")
    ]
    name = "compute-sanitizer"
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join(folders))


def inspect(
    room: ToolRoom, own: Own, sanitizer: str | None = None, tools: Sequence[Tool] = TOOLS
) -> tuple[Finding, ...]:
    """Errors that reject, and notes on what was not looked at. Raises nothing.

    An error is one in the candidate's own kernels, or one that ended the program.
    """
    sanitizer = sanitizer or tool()
    if sanitizer is None:
        return (_note(ABSENT),)
    found: list[Finding] = []
    for name in tools:
        log = room.folder / f"{name}.log"
        log.unlink(missing_ok=True)
        done = room.run(
            command(sanitizer, name, log, room.command),
            SECONDS,
            {"PYTORCH_NO_CUDA_MEMORY_CACHING": "1"},
        )
        found += judged(name, text_of(log), done, own)
        if any(f.severity == "error" for f in found):
            break  # what follows of it says nothing new
    return tuple(found)


def command(sanitizer: str, name: Tool, log: Path, program: Sequence[str]) -> list[str]:
    """One tool over one run of the program."""
    own = {
        "memcheck": ["--report-api-errors", "no"],
        "racecheck": ["--racecheck-report", "analysis"],
    }.get(name, [])
    return [
        sanitizer, "--tool", name, *own, "--log-file", str(log), "--error-exitcode", str(_FOUND),
        "--print-limit", "100", "--show-backtrace", "device", "--target-processes", "application-only",
        *program,
    ]  # fmt: skip


def judged(name: Tool, log: str, done: Done, own: Own) -> list[Finding]:
    """What one tool's log says. A log without a summary is none."""
    if "not supported" in log and not _SUMMARY.search(log):
        return [_note(f"{name}: {plain(_first(log))[:200]}")]
    if done.status is None:
        return [
            _note(f"{name} took more than {SECONDS:.0f} s, or could not be run: {_last(done.text)}")
        ]
    if not _SUMMARY.search(log):
        return [
            _note(f"{name} ended with status {done.status} and no summary: {_why(log, done.text)}")
        ]
    told = reports(name, log)
    mine = [r for r in told if not r.kernel or own(r.kernel)]
    found = [r.finding() for r in _distinct(mine)][:_MOST_FINDINGS]
    foreign = sorted({r.kernel for r in told if r not in mine})
    if foreign:
        found.append(_note(f"{name}: kernels of libraries are not judged ({foreign[0][:80]})"))
    if not told and done.status:
        found.append(_note(f"{name} ended with status {done.status}: {_last(done.text)}"))
    return found


def reports(name: Tool, log: str) -> list[Report]:
    """Each thing that a log tells of."""
    blocks: list[list[str]] = [[]]
    for line in log.splitlines():
        if not _PREFIX.match(line):
            continue
        text = line.removeprefix("=========")
        if not text.startswith("  ") and not text.strip().startswith("and "):
            blocks.append([])  # what belongs to a report is indented
        blocks[-1].append(text.strip())
    return [r for block in blocks if (r := _report(name, block)) is not None]


def _report(name: Tool, block: Sequence[str]) -> Report | None:
    head = block[0] if block else ""
    kind = next(((make, m) for shape, make in _KINDS if (m := shape.search(head))), None)
    if kind is None:
        return None
    code, message, warning = kind[0](kind[1], "\n".join(block))
    text = "\n".join(block)
    places = [*_PLACE.finditer(text)] if name == "racecheck" else [*_FRAME.finditer(text)][-1:]
    places = places or [*_PLACE.finditer("\n".join(block[1:]))][:1]
    kernel = next((p["kernel"] for p in places if p["kernel"]), "")
    thread = _THREAD.search(text)
    return Report(
        name,
        code,
        message,
        plain(_bare(kernel))[:100],
        tuple(dict.fromkeys(int(p["line"]) for p in places if p["line"])),
        thread.group(1) if thread else "",
        thread.group(2) if thread else "",
        warning,
    )


def _invalid(m: re.Match[str], text: str) -> tuple[str, str, bool]:
    code = "misaligned" if "misaligned" in text else "out_of_bounds"
    what = "is misaligned" if code == "misaligned" else "lies outside of every allocation"
    return code, f"a {m[2]} of {m[3]} bytes in {m[1].strip('_')} memory {what}", False


def _race(m: re.Match[str], text: str) -> tuple[str, str, bool]:
    kinds = re.findall(r"\b(Read|Write) access", text)[:2]
    who = " and a ".join(kind.lower() for kind in kinds) or "two accesses"
    return "race", f"a {who} of shared memory are not ordered by a barrier", m[1] == "Warning"


def _unset(m: re.Match[str], text: str) -> tuple[str, str, bool]:
    return (
        "uninitialised_memory",
        f"{m[1].strip('_')} memory is read before anybody wrote it",
        False,
    )


def _barrier(m: re.Match[str], text: str) -> tuple[str, str, bool]:
    return (
        "barrier_divergence",
        f"a barrier is used wrongly: {m[1].rstrip('. ') or 'unknown'}",
        False,
    )


def _exception(m: re.Match[str], text: str) -> tuple[str, str, bool]:
    return "device_exception", f"the device ended it: {text.splitlines()[0]}"[:300], False


_KINDS: tuple[
    tuple[re.Pattern[str], Callable[[re.Match[str], str], tuple[str, str, bool]]], ...
] = (
    (_INVALID, _invalid),
    (_RACE, _race),
    (_UNSET, _unset),
    (_BARRIER, _barrier),
    (_EXCEPTION, _exception),
)


def _distinct(told: Sequence[Report]) -> list[Report]:
    """One for each place, the errors first: thousands of threads do the same."""
    seen = {(r.code, r.kernel, r.lines): r for r in reversed(told)}
    return sorted(seen.values(), key=lambda r: r.warning)


def _bare(kernel: str) -> str:
    """The name without its arguments: `void softmax<(int)4>(float *)` is `softmax`."""
    text = kernel.strip().removeprefix("void ")
    return re.split(r"[<(+]", text, maxsplit=1)[0].strip()


def _note(message: str) -> Finding:
    return Finding("not_sanitized", message, "note")


def _first(log: str) -> str:
    lines = [_PREFIX.sub("", line).strip() for line in log.splitlines()]
    return next((line for line in lines if "not supported" in line), "not supported")


def _why(log: str, text: str) -> str:
    """What the program said last, else the tool's first error."""
    errors = [line for line in log.splitlines() if "Error:" in line]
    return _last(text) if text.strip() else _last(_PREFIX.sub("", errors[0]) if errors else log)


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return plain(lines[-1])[:300] if lines else "no message"
