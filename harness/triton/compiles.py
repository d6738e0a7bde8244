"""Whether the Triton kernels that a candidate launches compile: the interpreter takes more than the compiler.

One call runs in a process of its own in which launches are compiled for one GPU, and not run
(`ahead_once.py`). It is a check of honest kernels: what that process says is a claim.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kernelwright.harness.counters.sm_limits import LIMITS
from kernelwright.harness.errors import HarnessError
from kernelwright.harness.fault import Fault, plain
from kernelwright.harness.oracle import Case
from kernelwright.harness.triton import ahead
from kernelwright.harness.triton.ahead_once import TARGET
from kernelwright.harness.verdict import Finding
from kernelwright.harness.worker import Worker

_LARGEST = 1 << 20


def check(start: Callable[[], Worker], case: Case) -> tuple[Finding, ...]:
    """A note where nothing could be compiled. `start` starts a worker prepared by `ahead_once.py`.

    Raises Fault `does_not_compile` with the compiler's words, `launch` for what no GPU of the kind takes.
    """
    reason = ""
    try:
        worker = start()
    except (Fault, HarnessError) as error:
        return (_note(str(error)),)
    with contextlib.closing(worker):
        try:
            worker.call(case.inputs, case.gradients, most_bytes=case.output_bytes)
        except Fault as fault:  # the kernels wrote nothing, and the host may have looked at it
            reason = fault.message
        launches = _launches(worker.folder / "tmp" / ahead.LAUNCHES)
    for told in launches:
        _judge(told)
    return () if launches else (_note(reason or "no launch was compiled"),)


def _judge(told: Mapping[str, Any]) -> None:
    kernel = plain(str(told.get("kernel")))[:100]
    if "error" in told:
        line = told.get("line")
        where = f" (line {line})" if isinstance(line, int) else ""
        message = plain(str(told["error"]))[:4000]
        raise Fault("does_not_compile", f"kernel {kernel} for {TARGET}: {message}{where}")
    shared, most = told.get("shared"), LIMITS[90].shared_block
    if isinstance(shared, int) and shared > most:
        raise Fault(
            "launch",
            f"kernel {kernel} needs {shared:,} bytes of shared memory: {TARGET} has {most:,}",
        )


def _launches(path: Path) -> list[Mapping[str, Any]]:
    """What was compiled, as that process tells it; nothing where it tells nothing."""
    try:
        if path.is_symlink() or path.stat().st_size > _LARGEST:
            return []
        told = json.loads(path.read_text(errors="replace"))
    except (OSError, ValueError):
        return []
    return [t for t in told if isinstance(t, dict)] if isinstance(told, list) else []


def _note(reason: str) -> Finding:
    return Finding("not_compiled", f"not compiled ahead of time: {plain(reason)[:500]}", "note")
