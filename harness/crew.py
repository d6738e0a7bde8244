"""The processes that take part in judging one task: the candidate, the champion, the baselines."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Sequence
from dataclasses import replace

from kernelwright.harness import checked_emulation, idle_launches
from kernelwright.harness.arena import footprint
from kernelwright.harness.builds import Builder
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.counters.collect import collect
from kernelwright.harness.counters.counters import Counters
from kernelwright.harness.cuda_emulation import reports
from kernelwright.harness.errors import HarnessError
from kernelwright.harness.fault import Fault
from kernelwright.harness.fingerprint import fingerprint
from kernelwright.harness.forms import Form
from kernelwright.harness.inspection import Inspector
from kernelwright.harness.nursery import Nursery
from kernelwright.harness.oracle import tensors
from kernelwright.harness.parse import language_of
from kernelwright.harness.triton import ahead_once, compiles
from kernelwright.harness.variants import Variant
from kernelwright.harness.verdict import Finding
from kernelwright.harness.without_gpu import emulation
from kernelwright.harness.worker import Setup, Worker
from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.task import Task

MOST_CALLS = 128
"""Calls a leg at the most."""
LARGEST_LEG = 1 << 30
"""Bytes of inputs a leg at the most, unless one call needs more."""
_COMPILE_SECONDS = 300.0
_LEAST_TIMEOUT, _SLOWEST = 20.0, 50.0
"""A call may take so many seconds, or so many times as long as eager, whichever is more."""


class Crew(contextlib.ExitStack):
    """Starts workers on equal terms, for the task as it stands (`own`) and its `further` forms.

    Raises BuildError when there is no compiler.
    """

    def __init__(self, task: Task, own: Form, further: Sequence[Form], threads: int) -> None:
        super().__init__()
        self.call_bytes = bytes_of_call(own)
        largest = max(bytes_of_call(form) for form in (own, *further))
        legs = min(self.call_bytes * MOST_CALLS, LARGEST_LEG)
        self.room = 2 * largest + max(legs, self.call_bytes)
        """Bytes that a worker has for inputs."""
        self._task = task
        self._own = own
        self._oracle = own.oracle
        self._timeout = _LEAST_TIMEOUT
        self._inspected = [form for form in (own, *further) if not form.hidden]
        self._threads = threads
        self._nursery = self.enter_context(self._prewarmed(threads))
        try:
            self._builder = Builder(self._nursery)
        except BaseException:
            self.close()
            raise
        self._eager: Worker | None = None
        self._compiled: Worker | None = None
        self.compile_reason: str | None = None
        """Why there is no torch.compile baseline."""

    @property
    def most_calls(self) -> int:
        """Calls a leg at the most."""
        return min(MOST_CALLS, LARGEST_LEG // max(self.call_bytes, 1))

    def _prewarmed(self, threads: int) -> Nursery:
        """The process that workers are forked from."""
        return Nursery(threads=threads)

    def candidate(
        self, candidate: Candidate, form: Form | None = None, *, writable: bool = False
    ) -> Worker:
        """A new caged process with the candidate loaded, for another form of the task if one is given.

        Inputs are `writable` to find out who writes. Raises Fault.
        """
        setup = self._setup(candidate.source, "ModelNew", form or self._own)
        emulated = emulation(candidate.source)
        before = emulated.before if emulated else None
        return self._start(replace(setup, writable=writable, before=before))

    def counters(self, candidate: Candidate) -> Counters:
        """What can be counted of one call on the task's own inputs; costs seconds."""

        def start(before: str, variant: Variant) -> Worker:
            setup = self._setup(candidate.source, "ModelNew", self._own)
            return self._start(
                replace(setup, before=before, variant=variant, threads=1, leaves=True)
            )

        return collect(candidate, self._oracle.own, start, self._nursery)

    def fingerprint(self, candidate: Candidate) -> str | None:
        """Whose code equals whose (`fingerprint.py`); None where that cannot be told."""
        return fingerprint(candidate, self._builder.library)

    @functools.cached_property
    def inspector(self) -> Inspector:
        """Sanitizers and repetition, for what would be promoted."""
        inspector = Inspector(self._other, self._inspected, self._threads, self._builder.compiler)
        return self.enter_context(inspector)

    def checked(self, candidate: Candidate) -> tuple[Finding, ...]:
        """Look at every access of CUDA kernels that are emulated; notes. Raises Fault."""
        if language_of(candidate.source) != "cuda":
            return ()

        def start(form: Form) -> Worker:
            return self._other(candidate, form, "checked", self._threads, None)

        return checked_emulation.check(start, self._inspected)

    def compiled_ahead(self, candidate: Candidate) -> tuple[Finding, ...]:
        """Compile the Triton kernels of a candidate that is emulated; notes. Raises Fault."""
        if language_of(candidate.source) != "triton":
            return ()

        def start() -> Worker:
            setup = self._setup(candidate.source, "ModelNew", self._own)
            return self._start(replace(setup, before=ahead_once.MODULE, threads=1, leaves=True))

        return compiles.check(start, self._oracle.own)

    def idle(self, candidate: Candidate) -> Worker:
        """A candidate that is emulated, in a process where its launches do nothing. Raises Fault."""
        triton = language_of(candidate.source) == "triton"
        before = "kernelwright.harness.triton.idle" if triton else idle_launches.MODULE
        worker = self._start(
            replace(self._setup(candidate.source, "ModelNew", self._own), before=before)
        )
        try:
            worker.lockdown()
        except BaseException:
            worker.close()
            raise
        return worker

    def cause(self, candidate: Candidate, fault: Fault) -> Fault:
        """What in an emulated kernel led to a wrong answer, where a checked build tells; else `fault`."""
        if fault.code not in checked_emulation.EFFECTS:
            return fault
        try:
            self.checked(candidate)
        except Fault as why:
            if why.code in reports.CODES:
                return Fault(why.code, f"{why.message}\nand so, {fault.message}", fault.detail)
        return fault

    def _other(
        self,
        candidate: Candidate | None,
        form: Form,
        variant: Variant,
        threads: int,
        nursery: Nursery | None,
    ) -> Worker:
        """A candidate (None: the reference) in another build or on other threads. Raises Fault."""
        if candidate is None:
            setup = replace(self._setup(self._task.source, "Model", form), caged=False)
        else:
            setup = self._setup(candidate.source, "ModelNew", form)
        return self._start(replace(setup, variant=variant, threads=threads), nursery)

    def rival(self, rival: Candidate, name: str) -> Worker:
        """The champion or the start kernel in a new process, ready to be timed.

        Raises HarnessError when it fails.
        """
        try:
            worker = self.candidate(rival)
            try:
                self._warm(worker)
            except BaseException:
                worker.close()
                raise
        except Fault as error:
            raise HarnessError(f"the {name} {rival.id} failed: {error.message}") from error
        return worker

    def eager(self) -> Worker:
        """The eager baseline, started anew where it has died. Raises TaskError when it cannot run."""
        if self._eager is None or not self._eager.alive:
            try:
                self._eager = self._baseline(compile_=False)
                self._warm(self._eager)
                own = self._oracle.own
                seconds = self._eager.batch([own.arguments], own.upstream).seconds
            except Fault as error:
                raise TaskError(f"task {self._task.name}: eager failed: {error.message}") from error
            self._timeout = max(_LEAST_TIMEOUT, _SLOWEST * seconds)
        return self._eager

    def restart_eager(self) -> None:
        """Have the next `eager` be a new process."""
        if self._eager is not None:
            self._eager.close()

    def compiled(self) -> Worker | None:
        """The torch.compile baseline, compiled once; None with `compile_reason` when it fails."""
        if self.compile_reason is None and (self._compiled is None or not self._compiled.alive):
            try:
                worker = self._baseline(compile_=True)
                self._warm(worker, _COMPILE_SECONDS)
                self._compiled = worker
            except Fault as error:
                self.compile_reason = f"torch.compile failed: {telling_line(error.message)}"
        return self._compiled

    def _warm(self, worker: Worker, timeout: float | None = None) -> None:
        """One call, from which the layout of the outputs is known, then rest."""
        own = self._oracle.own
        worker.call(own.inputs, own.gradients, timeout=timeout)
        worker.pause()

    def _baseline(self, *, compile_: bool) -> Worker:
        """The task's own code: it is the user's, and runs uncaged as it does in our own process."""
        setup = self._setup(self._task.source, "Model", self._own)
        worker = self._start(replace(setup, compile=compile_, caged=False))
        self.callback(worker.close)
        return worker

    def _setup(self, source: str, entry: str, form: Form) -> Setup:
        oracle = form.oracle
        return Setup(
            source,
            entry,
            form.init,
            tuple(oracle.state.items()),
            train=oracle.train,
            trained=oracle.trained,
            buffers=oracle.buffers,
        )

    def _start(self, setup: Setup, nursery: Nursery | None = None) -> Worker:
        nursery = nursery or self._nursery
        return Worker(nursery, self._builder, setup, inputs_bytes=self.room, timeout=self._timeout)


def bytes_of_call(form: Form) -> int:
    """Bytes of inputs, at the most."""
    return 2 * footprint(tensors(form.oracle.own))  # strided cases have gaps


def telling_line(message: str) -> str:
    """The line of a long compiler message that says most: its first error, else its first line."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    errors = [line for line in lines if " error" in line.lower() or line.startswith("ld:")]
    return (errors or lines or ["no message"])[0][:300]
