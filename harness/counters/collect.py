"""Counts one candidate: compiled counters of its Triton and CUDA kernels, callgrind of its C++.

Nothing of it costs anything until it is asked for. A counter that cannot be had is missing with its reason;
no failure here changes a verdict.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from kernelwright.harness import inline_cpp
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.counters import callgrind, cuda_ahead, hardware, recording
from kernelwright.harness.counters.counters import Counters
from kernelwright.harness.errors import HarnessError
from kernelwright.harness.fault import Fault, plain
from kernelwright.harness.nursery import Nursery
from kernelwright.harness.oracle import Case
from kernelwright.harness.parse import language_of
from kernelwright.harness.sandbox import Cage
from kernelwright.harness.sandbox.cage import python_folders
from kernelwright.harness.triton import ahead, compiled
from kernelwright.harness.variants import Variant
from kernelwright.harness.worker import Worker

Start = Callable[[str, Variant], Worker]
"""Starts a worker with the candidate: the module that prepares it, and how its C++ is built."""
_LARGEST_OUTPUT = 64 << 20
_MORE_CALLS, _LEG_BYTES = 8, 128 << 20
"""Calls in the longer of two legs, and the bytes of their inputs at the most."""


def collect(candidate: Candidate, case: Case, start: Start, nursery: Nursery) -> Counters:
    """All that can be counted of one call with the inputs of `case`."""
    language = language_of(candidate.source)
    if language == "triton":
        return _compiled(case, start)
    if language == "cuda":
        reason = cuda_ahead.unavailable()
        if reason:
            return Counters((), {"compiled counters": reason})
        return _compiled(case, start, cuda_ahead.MODULE, cuda_ahead.read, cuda_ahead.SECONDS)
    if language == "cpp":
        return _callgrind(case, start, nursery).joined(_events(case, start))
    other = Counters((), {"kernels": f"nothing counts kernels in {language} here"})
    return other.joined(_events(case, start))


def _compiled(
    case: Case,
    start: Start,
    module: str = ahead.MODULE,
    read: Callable[[Path], Counters] = compiled.read,
    timeout: float | None = None,
) -> Counters:
    """One call in a process that `module` has prepared to compile launches for GPUs that are not here."""
    try:
        worker = start(module, "plain")
    except (Fault, HarnessError) as error:
        return Counters((), {"compiled counters": f"the candidate could not be loaded: {error}"})
    reason = ""
    try:
        worker.call(case.inputs, case.gradients, timeout=timeout, most_bytes=case.output_bytes)
    except Fault as fault:
        reason = fault.message  # what had been compiled until then is there all the same
    finally:
        folder = worker.folder
        found = read(folder / "tmp")
        worker.close()
    if reason and not found.kernels:
        return found.joined(Counters((), {"compiled counters": reason}))
    return found


def _callgrind(case: Case, start: Start, nursery: Nursery) -> Counters:
    reason = callgrind.unavailable()
    if reason:
        return Counters((), {"callgrind": reason})
    try:
        worker = start(recording.__name__, "counted")
    except (Fault, HarnessError) as error:
        said = f"it does not build or load for x86-64-v3, which valgrind knows: {error}"
        return Counters((), {"callgrind": said[:500]})
    try:
        for _ in range(2):  # the first one does what is done once
            worker.call(case.inputs, case.gradients, most_bytes=case.output_bytes)
        return _replayed(worker.folder, nursery)
    except (Fault, HarnessError, OSError, ValueError, KeyError, TypeError) as error:
        return Counters((), {"callgrind": plain(str(error))[:500]})
    finally:
        worker.close()


def _events(case: Case, start: Start) -> Counters:
    """Hardware events of one call, as it is timed: not replayed, not simulated."""
    reason = hardware.unavailable()
    if reason:
        return Counters((), {"hardware events": reason})
    size = sum(v.nbytes for v in case.arguments if isinstance(v, torch.Tensor))
    more = 1 + max(1, min(_MORE_CALLS, _LEG_BYTES // max(size, 1)))
    try:
        worker = start("", "plain")
    except (Fault, HarnessError) as error:
        return Counters((), {"hardware events": plain(str(error))[:500]})
    try:
        with hardware.Events(worker.pid) as events:  # before it starts threads of its own
            worker.call(case.inputs, case.gradients, most_bytes=case.output_bytes)

            def run(calls: int) -> None:
                worker.batch([case.arguments] * calls, case.upstream)

            run(1)
            return Counters((hardware.of_one_call(events, run, 1, more),))
    except (Fault, HarnessError, OSError, ValueError) as error:
        return Counters((), {"hardware events": plain(str(error))[:500]})
    finally:
        worker.close()


def _replayed(folder: Path, nursery: Nursery) -> Counters:
    """Run what was recorded under callgrind, in a cage. Raises ValueError, OSError and HarnessError."""
    scratch = folder / "tmp"
    told = json.loads((scratch / recording.CALLS).read_text())
    if told["problem"]:
        raise ValueError(plain(str(told["problem"])))
    functions = tuple(dict.fromkeys(str(call["function"]) for call in told["calls"]))
    if not functions:
        raise ValueError("the call reached no C++ function")
    read = (*python_folders(), str(folder / "builds"), str(Path(sys.executable).parent))
    cage = Cage(str(scratch), read, disk=None, cpu_seconds=callgrind.SECONDS, user=_owner(scratch))
    log = folder / "callgrind.log"
    caller = folder / "builds" / "caller.so"
    shutil.copyfile(inline_cpp.build_here(callgrind.CALLER, ()), caller)
    pid = nursery.run(cage, callgrind.command(scratch, functions, caller), log)
    end = nursery.reap(pid, callgrind.SECONDS)
    output = scratch / callgrind.OUTPUT
    if end.status != 0 or not output.is_file() or output.is_symlink():
        said = log.read_text(errors="replace").strip().splitlines()
        how = end.reason or ("it took too long" if end.status is None else f"status {end.status}")
        raise ValueError(
            f"valgrind ended early ({how}): {said[-1][:200] if said else 'no message'}"
        )
    if output.stat().st_size > _LARGEST_OUTPUT:
        raise ValueError("callgrind wrote too much")
    text = output.read_text(errors="replace")
    return callgrind.counted(text, functions, len(told["calls"]))


def _owner(scratch: Path) -> int | None:
    """The user that the folder was given to, who alone may write there; None: ours."""
    user = scratch.stat().st_uid
    return None if user == os.geteuid() else user
