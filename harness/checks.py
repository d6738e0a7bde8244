"""The checks of the cascade that ask a worker something: one call and its answer, forms, batches, probes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from dataclasses import dataclass

import torch

from kernelwright.harness import complaints
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.comparison import compare
from kernelwright.harness.counterexample import OWN, Probe
from kernelwright.harness.crew import Crew
from kernelwright.harness.fault import Fault
from kernelwright.harness.forms import QUICK, Form
from kernelwright.harness.guarded import Side
from kernelwright.harness.oracle import Case, Oracle
from kernelwright.harness.outputs import overlap_problem
from kernelwright.harness.probing import Prober
from kernelwright.harness.verdict import Finding
from kernelwright.harness.worker import Worker

_REFUSALS = ("exception", "build_failed")
"""How a kernel may say that it was not made for a size."""
_KNOWN_SECONDS = 1.0
"""What counterexamples may take in the loop; a final judgement takes all."""


@dataclass(frozen=True)
class Checks:
    """Checks candidates of one task. Each raises Fault for what is wrong with the candidate."""

    crew: Crew
    oracle: Oracle

    def call(
        self,
        worker: Worker,
        case: Case,
        *,
        hold: bool = False,
        guard: Side | None = None,
        steady: bool = False,
    ) -> None:
        """One call: its answer is right, and lies where it may."""
        outputs = worker.call(
            case.inputs,
            case.gradients,
            skew=case.skew,
            most_bytes=case.output_bytes,
            hold=hold,
            guard=guard,
            steady=steady,
        )
        wrong = compare(case, outputs)
        eager = self.crew.eager()
        if any(i < case.returned for i in worker.in_inputs - eager.in_inputs):
            raise Fault("output_is_input", "an output lies in the memory of an input")
        if wrong is not None:
            why = complaints.first(worker.seen)
            if why:
                raise Fault(why.code, f"{why.message}\nand so, {wrong.message}", wrong.detail)
            raise Fault(wrong.code, wrong.message + complaints.cause(worker.seen), wrong.detail)
        pages = worker.in_one_place - eager.in_one_place
        shared = overlap_problem(worker.latest, eager.latest, case.returned, pages)
        if shared is not None:
            raise Fault("overlapping_output", shared)

    def watched(self, worker: Worker) -> None:
        """An emulator, where one runs the kernels, has nothing to complain of."""
        why = complaints.first(worker.seen)
        if why:
            raise why

    def held(self, worker: Worker) -> None:
        """An answer must still be right after the next call: its memory is the caller's."""
        own, other = self.oracle.own, self.oracle.cases()[-1]
        self.call(worker, own)
        if worker.returns_input:
            return
        regions = worker.latest
        self.call(worker, other, hold=True)
        if compare(own.without_buffers, worker.reread(regions)) is not None:
            raise Fault(
                "reused_output", "a later call overwrote the output that an earlier one returned"
            )

    def again(self, candidate: Candidate) -> Worker:
        """The candidate in a new process, checked and locked."""
        worker = self.crew.candidate(candidate)
        try:
            self.call(worker, self.oracle.own)
            worker.lockdown()
            self.call(worker, self.oracle.own)
        except BaseException:
            worker.close()
            raise
        return worker

    def form(self, candidate: Candidate, form: Form, *, final: bool) -> Finding | None:
        """Another shape or mode, in a process of its own; a note where a hidden one is refused.

        What goes wrong in a shape that is not shown is said without a word of its sizes.
        """
        cases = form.oracle.cases(None if final else QUICK)
        try:
            with contextlib.closing(self.crew.candidate(candidate, form)) as worker:
                for case in cases:
                    self.call(worker, case)
                self.watched(worker)
        except Fault as fault:
            if not form.hidden:
                message = f"in {form.name}: {fault.message}"
                raise Fault(fault.code, message, fault.detail) from fault
            if fault.code not in _REFUSALS:
                message = (
                    f"{fault.code} at sizes that the task does not show: a kernel must be right at"
                    " any size that the reference takes, or raise an error"
                )
                raise Fault("hidden_shape", message) from fault
            said = "raises an error at sizes that the task does not show"
            return Finding("fixed_shape", said, "note")
        return None

    def other_batch(self, candidate: Candidate) -> Finding | None:
        """A smaller batch, which nobody has declared: a kernel made for one shape is named as such."""
        case = self.oracle.other_batch()
        if case is None:
            return None
        try:
            with contextlib.closing(self.crew.candidate(candidate)) as worker:
                self.call(worker, case)
        except Fault as fault:
            sizes = ", ".join(
                str(tuple(v.shape)) for v in self.oracle.own.inputs if isinstance(v, torch.Tensor)
            )
            message = f"made for {sizes}: with {case.name}, which the reference takes, {fault}"
            return Finding("fixed_shape", message, "note")
        return None

    def known(
        self,
        candidate: Candidate,
        worker: Worker,
        probes: Iterable[Probe],
        prober: Prober,
        *,
        final: bool,
    ) -> None:
        """Counterexamples to earlier candidates; in the loop only as many as take little time."""
        end = None if final else time.monotonic() + _KNOWN_SECONDS
        for probe in probes:
            if end is not None and (time.monotonic() > end or probe.shape != OWN):
                continue
            held = prober.held(probe)
            if held is None:
                continue
            form, case = held
            try:
                if form.oracle is self.oracle:
                    self.call(worker, case)
                    continue
                with contextlib.closing(self.crew.candidate(candidate, form)) as other:
                    self.call(other, case)
            except Fault as fault:
                detail = {**fault.detail, "counterexample": probe.to_json()}
                said = fault.message if probe.words in fault.message else f"{probe.words}: {fault}"
                raise Fault(fault.code, said, detail) from fault

    def explained(self, candidate: Candidate, fault: Fault, *, timed: bool) -> Finding:
        """The finding of a fault. A crash may be an attempt to write to an input: try it where it can."""
        if fault.code == "crash" and "SIGSEGV" in fault.message:
            own = self.oracle.own
            try:
                with contextlib.closing(self.crew.candidate(candidate, writable=True)) as worker:
                    for _ in range(3):
                        self.call(worker, own)
                        if timed:
                            worker.batch([self.oracle.fresh_arguments()], own.upstream)
            except Fault as second:
                if second.code == "input_modified":
                    fault = second
        return Finding(fault.code, fault.message, detail=fault.detail)
