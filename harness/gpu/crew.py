"""The processes that judge one task on a device: as `harness/crew.py`, each with its tensors there."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace

from kernelwright.harness.candidate import Candidate
from kernelwright.harness.counters.counters import Counters
from kernelwright.harness.crew import MOST_CALLS, Crew, bytes_of_call
from kernelwright.harness.fault import Fault
from kernelwright.harness.forms import Form
from kernelwright.harness.gpu import baselines, counting
from kernelwright.harness.gpu.arena import ALIGN, after
from kernelwright.harness.gpu.baselines import Baseline
from kernelwright.harness.gpu.device import CUDA_RUNTIME, Device
from kernelwright.harness.gpu.rivals import Rivals
from kernelwright.harness.gpu.worker import GpuWorker
from kernelwright.harness.nursery import Nursery
from kernelwright.harness.process import Setup
from kernelwright.harness.verdict import Finding
from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.task import Task

_LARGEST_LEG = 256 << 20
"""Bytes of inputs, and of outputs, a leg at the most, unless one call needs more:
every process has so much of the device's memory for itself."""
_STRIDES = 4
"""Outputs may span so many times as much as they hold, with room for strides (`Case.output_bytes`)."""


class GpuCrew(Crew):
    """Starts workers on equal terms, all on `device`. Raises BuildError without a compiler."""

    def __init__(
        self, device: Device, task: Task, own: Form, further: Sequence[Form], threads: int
    ) -> None:
        self._device = device
        super().__init__(task, own, further, threads)
        self._outputs = max(_outputs_bytes(form) for form in (own, *further))
        largest = max(bytes_of_call(form) for form in (own, *further))
        self.room = 2 * largest + self.most_calls * self.call_bytes
        self._caught = max(
            _STRIDES * self._outputs + (1 << 20), self.most_calls * after(0, self._outputs)
        )

    @property
    def most_calls(self) -> int:
        """Calls a leg at the most."""
        largest = max(self.call_bytes, self._outputs, 1)
        return max(1, min(MOST_CALLS, _LARGEST_LEG // largest))

    def _prewarmed(self, threads: int) -> Nursery:
        return Nursery(threads=threads, environment=self._device.environment)

    def candidate(
        self, candidate: Candidate, form: Form | None = None, *, writable: bool = False
    ) -> GpuWorker:
        """A new caged process with the candidate loaded, as it runs on the device. Raises Fault."""
        return self._start(self._setup(candidate.source, "ModelNew", form or self._own))

    def counters(self, candidate: Candidate) -> Counters:
        """What can be counted of one call on the task's own inputs; costs seconds."""
        return counting.collect(
            candidate,
            self._own,
            self._nursery,
            self._device.needs,
            capability=self._device.facts(self._threads).capability or "",
            which=self.number,
        )

    @property
    def number(self) -> int | str:
        """Of the device, as NVML knows it: its UUID, for CUDA may number devices in another order."""
        uuid = self._device.facts(self._threads).uuid
        if uuid:
            return uuid
        visible = self._device.environment.get("CUDA_VISIBLE_DEVICES", "0")
        return int(visible) if visible.isdigit() else visible

    @functools.cached_property
    def rivals(self) -> Rivals:
        """Beside eager and torch.compile; none where the device is not a GPU."""
        real = self._device.spec["module"] == CUDA_RUNTIME
        known = baselines.baselines(self._task) if real else ()
        return Rivals(known, self._another)

    def _another(self, baseline: Baseline) -> GpuWorker:
        setup = self._setup(baseline.source or "", baselines.ENTRY, self._own)
        worker = self._start(replace(setup, caged=False))
        try:
            self._warm(worker, baseline.seconds)
        except BaseException:
            worker.close()
            raise
        self.callback(worker.close)
        return worker

    def sanitized(self, candidate: Candidate) -> tuple[Finding, ...]:
        """What compute-sanitizer says of it: notes. Raises Fault."""
        return counting.sanitized(candidate, self._own, self._nursery, self._device.needs)

    def eager(self) -> GpuWorker:
        """The eager baseline on the device. Raises TaskError when it cannot run."""
        found = super().eager()
        assert isinstance(found, GpuWorker)
        return found

    def nothing(self) -> GpuWorker | None:
        """A worker of ours that only has outputs like the reference's caught, ready to be timed.

        None where the outputs cannot be made without their values.
        """
        layout = self._oracle.own.layout
        if self._oracle.own.gradients is not None or self._oracle.buffers:
            return None
        made = ", ".join(
            f"torch.zeros({list(shape)}, dtype={dtype}, device=x.device)" for dtype, shape in layout
        )
        source = _NOTHING.format(made=made)
        setup = replace(
            self._setup(source, "Nothing", self._own),
            state=(),
            init=([], {"dict": []}),
            caged=False,
        )
        try:
            worker = self._start(setup)
            self._warm(worker)
        except Fault as fault:
            raise TaskError(f"task {self._task.name}: {fault.message}") from fault
        return worker

    def _start(self, setup: Setup, nursery: Nursery | None = None) -> GpuWorker:
        return GpuWorker(
            nursery or self._nursery,
            self._builder,
            setup,
            device=self._device,
            inputs_bytes=self.room,
            outputs_bytes=self._caught,
            timeout=self._timeout,
        )


_NOTHING = """
import torch


class Nothing:
    held = None

    def __call__(self, *arguments):
        if self.held is None:
            x = next(a for a in arguments if isinstance(a, torch.Tensor))
            self.held = [{made}]
        return self.held
"""
"""Always the same outputs, which were there before."""


def _outputs_bytes(form: Form) -> int:
    """Of the expected outputs of one call, each in a place of its own."""
    case = form.oracle.own
    total = 0
    for dtype, shape in case.layout:
        count = 1
        for size in shape:
            count *= size
        total = after(total, count * dtype.itemsize + ALIGN)
    return total
