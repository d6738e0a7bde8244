"""Whose work an emulated kernel's answers are: what remains of a call when its launches do nothing.

An emulator is far slower than libraries, so shares of its time say nothing. But where launches are idle
(`idle_launches.py`), all that a call still does is done by libraries and the interpreter. If the answer is
right all the same, no kernel has to do with it. Else the time that libraries take then, seen from outside
(`sampling.py`), is held against that of eager for the whole: who has PyTorch do the work and a kernel copy
the result needs as much.

A candidate that looks whether its launches do anything can leave the library out when they do not.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import torch

from kernelwright.harness.comparison import compare
from kernelwright.harness.oracle import Oracle
from kernelwright.harness.provenance import CUSTOM_BELOW, LIBRARY_ABOVE
from kernelwright.harness.sampling import Sampler
from kernelwright.harness.verdict import Track
from kernelwright.harness.worker import Ambush, Value, Worker

_LEGS, _LEAST_LEGS, _SECONDS, _STOPS = 12, 3, 3.0, 12


def track(idle: Worker, eager: Worker, oracle: Oracle, calls: int, free_s: float) -> Track:
    """The track of the candidate in `idle`, from legs of so many calls. Raises Fault.

    What libraries take for `free_s` of a call is free (`allowance.py`).
    """
    own = oracle.own
    outputs = idle.call(own.inputs, own.gradients, most_bytes=own.output_bytes)
    if compare(own, outputs) is None:
        return "library"
    share = _share(idle, eager, oracle, calls, free_s)
    if share < CUSTOM_BELOW:
        return "custom"
    return "library" if share > LIBRARY_ABOVE else "mixed"


def _share(idle: Worker, eager: Worker, oracle: Oracle, calls: int, free_s: float) -> float:
    """Time of libraries in a call of `idle`, what is free taken off, as a share of eager's."""
    sampler = Sampler(idle.pid, idle.own_folders)
    upstream, end = oracle.own.upstream, time.monotonic() + _SECONDS
    ours, theirs = [], []
    for leg in range(_LEGS):
        if leg >= _LEAST_LEGS and time.monotonic() > end:
            break
        given, spare = ([oracle.fresh_arguments() for _ in range(calls)] for _ in range(2))
        ours.append(idle.batch(given, upstream).seconds / calls)
        theirs.append(eager.batch(given, upstream).seconds / calls)
        idle.batch(spare, upstream, _looks(ours[-1] * calls, given, sampler))
    seconds = sampler.profile().seconds
    total = sum(spent for kind, spent in seconds.items() if kind != "threads")
    library = seconds.get("library", 0.0) / total if total else 0.0
    beyond = library * statistics.median(ours) - free_s
    return max(0.0, beyond) / statistics.median(theirs)


def _looks(seconds: float, spare: Sequence[Sequence[Value]], sampler: Sampler) -> Ambush:
    """Looks at moments drawn from a leg that lasts about so long."""
    moments = torch.rand(_STOPS).sort().values.tolist()
    gaps = [seconds * (b - a) for a, b in zip([0.0, *moments], moments, strict=False)]
    return Ambush(gaps, spare, sampler)
