"""What there is to gain in a task on this machine, in figures for those who write kernels."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # roles know this noun, and the command line must answer without torch
    import torch

    from kernelwright.harness.oracle import Case
    from kernelwright.harness.precision import Expected
    from kernelwright.harness.roofline import Floor
    from kernelwright.tasks.reference import Reference

_CALLS, _SECONDS = 5, 0.5
_MOST_OUTPUTS = 3


@dataclass(frozen=True)
class Target:
    """What there is to gain: the task in figures. None: not known."""

    eager_ms: float | None = None
    """A call of the reference, roughly: a verdict's own time is measured beside its candidate."""
    floor_ms: float | None = None
    """Physical floor of a call on this device."""
    bound: str | None = None
    """What sets the floor: `memory` or `compute`."""
    operations: float | None = None
    bytes_moved: float | None = None
    budget: str | None = None
    """The error budget in a line: absolute and relative, at the scale of the outputs."""


def target(
    call: Callable[[], object], floor: Floor, work: tuple[int | None, int | None], own: Case
) -> Target:
    """The target of a task. `call` runs the reference once, `work` is its operations and bytes."""
    seconds = floor.seconds
    reached = floor.reached(seconds) if seconds else None
    return Target(
        eager_ms=_median_ms(call),
        floor_ms=seconds * 1e3 if seconds else None,
        bound=reached.bound if reached else None,
        operations=work[0],
        bytes_moved=work[1],
        budget=error_budget(own),
    )


def eager_call(reference: Reference, model: torch.nn.Module, own: Case) -> Callable[[], object]:
    """One call of the reference on inputs of its own, with the backward pass where the task has one."""
    import torch

    if own.gradients is not None:
        return partial(reference.run, model, own.inputs, own.gradients)
    inputs = [v.clone() if isinstance(v, torch.Tensor) else v for v in own.inputs]

    @torch.no_grad()
    def call() -> None:
        model(*inputs)

    return call


def error_budget(own: Case) -> str:
    """How far an element may be off under the task's own inputs."""
    several = len(own.expected) > 1
    said = [
        (f"{own.labels[i] if own.labels else f'output {i}'}: " if several else "") + _allowance(e)
        for i, e in enumerate(own.expected[:_MOST_OUTPUTS])
    ]
    more = len(own.expected) - len(said)
    rest = f"; {more} more alike" if more > 0 else ""
    return f"class {own.precision}, {'; '.join(said)}{rest}; every element counts"


def _allowance(expected: Expected) -> str:
    tolerance, value = expected.tolerance, expected.value
    if tolerance is None:
        return "must be equal"
    if not tolerance.numel():
        return "no elements"
    rms = float(value.double().nan_to_num(0.0, 0.0, 0.0).square().mean().sqrt())
    least, most = float(tolerance.min()), float(tolerance.max())
    middle = float(tolerance.reshape(-1).median())
    between = (
        f"{least:.1e}" if least == most else f"{least:.1e} to {most:.1e} (median {middle:.1e})"
    )
    return f"|error| at most {between} where the outputs have a root mean square of {rms:.2g}"


def _median_ms(call: Callable[[], object]) -> float:
    """Milliseconds of a call, after one that warms up."""
    call()
    taken: list[float] = []
    end = time.monotonic() + _SECONDS
    while not taken or (len(taken) < _CALLS and time.monotonic() < end):
        begin = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken) * 1e3
