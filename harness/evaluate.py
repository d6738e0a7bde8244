"""Evaluator: one task, many candidates, one verdict each.

The cascade is `STAGES` at the end of this file: cheap before dear, and it stops at the first failure.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any

from kernelwright.harness import roofline, tenants
from kernelwright.harness.answers import known_weak, refuse_weak
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.comparison import compare
from kernelwright.harness.contest import Contest, Effort
from kernelwright.harness.crew import Crew
from kernelwright.harness.device import DeviceFacts
from kernelwright.harness.errors import HarnessError
from kernelwright.harness.fault import Fault
from kernelwright.harness.forms import QUICK, Form, further_forms, own_form
from kernelwright.harness.guarded import SIDES, Side
from kernelwright.harness.inline_cpp import BuildError
from kernelwright.harness.oracle import Case
from kernelwright.harness.outputs import overlap_problem
from kernelwright.harness.parse import parse_problem
from kernelwright.harness.peaks import device_facts
from kernelwright.harness.repeats import check_retouched, check_state_follows
from kernelwright.harness.sandbox import level
from kernelwright.harness.verdict import Finding, Speedup, Stage, Verdict
from kernelwright.harness.worker import Worker
from kernelwright.tasks.errors import UsageError
from kernelwright.tasks.task import Task

_DOUBTS = 3
"""Peaks are measured so many times again before a kernel is called faster than possible."""


@dataclass
class _Trial:
    """One candidate on its way through the stages, and what has been found out so far."""

    candidate: Candidate
    effort: Effort
    champion: Candidate | None
    worker: Worker | None = None
    verdict: Verdict = field(default_factory=lambda: Verdict("accepted", "parse"))

    @property
    def running(self) -> Worker:
        """The candidate's worker; it exists from the build stage on."""
        assert self.worker is not None
        return self.worker


class Evaluator:
    """Judges candidates for one task on the CPU. A context manager; not for several threads.

    Raises TaskError when the task is at fault, UsageError without a compiler. Equal `seed` draws equal
    inputs; by default they are secret.
    """

    def __init__(self, task: Task, *, threads: int | None = None, seed: int | None = None) -> None:
        self.task = task
        self.threads = threads or len(os.sched_getaffinity(0))
        self._seed = seed
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Evaluator:
        try:
            self._open()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _open(self) -> None:
        form = own_form(self.task, self._seed)
        self.oracle = form.oracle
        self.reference = self.oracle.reference
        refuse_weak(self.oracle)
        self._known_weak = known_weak(self.task)
        self._further = further_forms(self.task, self._seed)
        try:
            crew = Crew(self.task, form, self._further, self.threads)
            self._crew = self._stack.enter_context(crew)
            self.facts: DeviceFacts = device_facts(self.threads)
        except BuildError as error:
            raise UsageError(str(error)) from error
        self.oracle.cases()  # made here, so that no candidate waits for them
        self.oracle.retouched()
        self.oracle.other_state()
        for other in self._further:
            other.oracle.cases(QUICK)
        own = self.oracle.own
        self.contest = Contest(self._crew, self.oracle)
        model = self.reference.build(0)
        self._work = (
            self.reference.operations(own.inputs),
            self.reference.bytes_moved(own.inputs, self.reference.run(model, own.inputs), model),
        )
        self.floor = roofline.floor(self.facts, *self._work)

    # -- public -----------------------------------------------------------------------------------

    def evaluate(
        self,
        candidate: Candidate,
        *,
        effort: Effort = "loop",
        champion: Candidate | None = None,
    ) -> Verdict:
        """Judge one candidate.

        `loop` uses inputs that are drawn once for this evaluator, and times against eager (and the
        champion, where one is given). `final` draws everything anew, and times longer, against
        torch.compile as well.
        """
        trial = _Trial(candidate, effort, champion)
        known = (*self._known_weak, *_weak_sandbox())
        trial.verdict = Verdict("accepted", "parse", known, language=candidate.language)
        if effort == "final":
            for oracle in (self.oracle, *(form.oracle for form in self._further)):
                oracle.renew()
        seconds = {"build": 0.0, "check": 0.0, "time": 0.0}
        failure: Finding | None = None
        try:
            for name, clock in STAGES:
                trial.verdict = replace(trial.verdict, stage=name)
                begin = time.perf_counter()
                try:
                    getattr(self, f"_stage_{name}")(trial)
                except Fault as error:
                    failure = self._explained(trial, error)
                seconds[clock] += time.perf_counter() - begin
                if failure:
                    break
            trial.verdict = replace(trial.verdict, seconds=seconds)
            return self._reject(trial, failure) if failure else replace(trial.verdict, stage="done")
        except HarnessError as error:
            trial.verdict = replace(trial.verdict, seconds=seconds)
            return self._reject(trial, Finding("harness", str(error)), "harness_error")
        finally:
            if trial.worker is not None:
                trial.worker.close()

    # -- stages -----------------------------------------------------------------------------------

    def _stage_parse(self, trial: _Trial) -> None:
        """Is it Python that defines ModelNew? Nothing is run."""
        problem = parse_problem(trial.candidate.source)
        if problem:
            raise Fault(*problem)

    def _stage_build(self, trial: _Trial) -> None:
        """Load the candidate in a cage; its C++ is built on the way."""
        trial.worker = self._crew.candidate(trial.candidate)

    def _stage_run(self, trial: _Trial) -> None:
        """One call on the task's own inputs, its answer checked."""
        own = self.oracle.own
        self._check(trial.running, own)

    def _stage_correctness(self, trial: _Trial) -> None:
        """All distributions that the task allows, then its other shapes and modes."""
        for case in self.oracle.cases():
            self._check(trial.running, case)
        for form in self._further:
            self._check_form(trial, form)
        if trial.effort == "final":
            self._try_other_batch(trial)

    def _stage_integrity(self, trial: _Trial) -> None:
        """Calls repeat, leave earlier answers alone, and nothing runs beside them."""
        trial.running.lockdown()
        for side in SIDES:
            self._check(trial.running, self.oracle.own, guard=side)
        self._check_held(trial.running)
        check_retouched(trial.running, self.oracle, self._check)
        check_state_follows(trial.running, self.oracle, self._check)
        if trial.effort == "final":
            notes = self._crew.inspector.inspect(trial.candidate)
            trial.verdict = replace(trial.verdict, findings=(*trial.verdict.findings, *notes))

    def _stage_timing(self, trial: _Trial) -> None:
        """Interleaved pairs, timed outputs checked; then whose code it was, and the floor."""
        rivals: dict[str, Worker] = {}
        reasons = dict(trial.verdict.reasons)
        if trial.effort == "final":
            compiled = self._crew.compiled()
            if compiled is None:
                reasons["speedup.compile"] = str(self._crew.compile_reason)
            else:
                rivals["compile"] = compiled
        else:
            reasons["speedup.compile"] = "measured only when a champion is confirmed"
        rival = trial.champion
        with contextlib.ExitStack() as stack:
            if rival is not None and rival.id != trial.candidate.id:
                rivals["champion"] = self._crew.champion(rival)
                stack.callback(rivals["champion"].close)
            outcome = self.contest.hold(
                trial.running, lambda: self._again(trial.candidate), rivals, trial.effort
            )
        timings = outcome.timings
        seconds = timings.median_ms("candidate") * 1e-3
        for _ in range(_DOUBTS):
            if self.floor.impossible(seconds):
                self.facts = device_facts(self.threads, again=True)
                self.floor = roofline.floor(self.facts, *self._work)
        if self.floor.impossible(seconds):
            raise Fault(
                "faster_than_possible",
                f"{seconds * 1e6:.1f} us a call is far below the physical floor of"
                f" {(self.floor.seconds or 0) * 1e6:.1f} us",
            )
        speedup: dict[str, Speedup | None] = {"eager": timings.speedup("eager"), "compile": None}
        for name in ("compile", "champion"):
            if name in rivals:
                speedup[name] = timings.speedup(name)
        times: dict[str, float | None] = {"compile": None}
        track = outcome.profile.track(seconds) if outcome.profile else None
        times.update({name: timings.median_ms(name) for name in timings.seconds})
        trial.verdict = replace(
            trial.verdict,
            time_ms=times,
            speedup=speedup,
            roofline=self.floor.reached(seconds),
            precision=self.oracle.own.precision,
            track=track,
            findings=(*trial.verdict.findings, *_noise(outcome.others, self.threads)),
            reasons={
                **reasons,
                **({} if track else {"track": outcome.blind or "no call could be looked at"}),
                "counters": "not collected on the CPU yet",
            },
        )

    # -- pieces -----------------------------------------------------------------------------------

    def _explained(self, trial: _Trial, fault: Fault) -> Finding:
        """The finding of a fault. A crash may be an attempt to write to an input: try it where it can."""
        if fault.code == "crash" and "SIGSEGV" in fault.message and trial.worker is not None:
            own = self.oracle.own
            worker = None
            try:
                worker = self._crew.candidate(trial.candidate, writable=True)
                for _ in range(3):
                    self._check(worker, own)
                    if trial.verdict.stage == "timing":
                        worker.batch([self.oracle.fresh_inputs()], own.gradients)
            except Fault as second:
                if second.code == "input_modified":
                    fault = second
            finally:
                if worker is not None:
                    worker.close()
        return Finding(fault.code, fault.message)

    def _check(
        self,
        worker: Worker,
        case: Case,
        *,
        hold: bool = False,
        guard: Side | None = None,
        steady: bool = False,
    ) -> None:
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
        eager = self._crew.eager()
        if any(i < case.returned for i in worker.in_inputs - eager.in_inputs):
            raise Fault("output_is_input", "an output lies in the memory of an input")
        if wrong is not None:
            raise Fault(wrong.code, wrong.message)
        shared = overlap_problem(worker.latest, eager.latest, case.returned)
        if shared is not None:
            raise Fault("overlapping_output", shared)

    def _again(self, candidate: Candidate) -> Worker:
        """The candidate in a new process, checked and locked. Raises Fault."""
        worker = self._crew.candidate(candidate)
        try:
            self._check(worker, self.oracle.own)
            worker.lockdown()
            self._check(worker, self.oracle.own)
        except BaseException:
            worker.close()
            raise
        return worker

    def _check_form(self, trial: _Trial, form: Form) -> None:
        """Another shape or mode, in a process of its own."""
        cases = form.oracle.cases(None if trial.effort == "final" else QUICK)
        try:
            with contextlib.closing(self._crew.candidate(trial.candidate, form)) as worker:
                for case in cases:
                    self._check(worker, case)
        except Fault as error:
            raise Fault(error.code, f"in {form.name}: {error.message}") from error

    def _try_other_batch(self, trial: _Trial) -> None:
        """A smaller batch, which nobody has declared: a kernel made for one shape is named as such."""
        case = self.oracle.other_batch()
        if case is None:
            return
        try:
            with contextlib.closing(self._crew.candidate(trial.candidate)) as worker:
                self._check(worker, case)
        except Fault as error:
            message = f"made for the task's own shape: with {case.name}, which the reference takes, {error}"
            trial.verdict = replace(
                trial.verdict,
                findings=(*trial.verdict.findings, Finding("fixed_shape", message, "note")),
            )

    def _check_held(self, worker: Worker) -> None:
        """An answer must still be right after the next call: its memory is the caller's."""
        own, other = self.oracle.own, self.oracle.cases()[-1]
        self._check(worker, own)
        if worker.returns_input:
            return
        regions = worker.latest
        self._check(worker, other, hold=True)
        if compare(own.without_buffers, worker.reread(regions)) is not None:
            raise Fault(
                "reused_output", "a later call overwrote the output that an earlier one returned"
            )

    def _reject(self, trial: _Trial, finding: Finding, kind: Any = "rejected") -> Verdict:
        findings = (finding, *trial.verdict.findings)  # the reason first
        return replace(trial.verdict, verdict=kind, findings=findings)


def _weak_sandbox() -> tuple[Finding, ...]:
    weakness = level().warning()
    return (Finding("weak_sandbox", weakness, "warning"),) if weakness else ()


def _noise(others: float | None, threads: int) -> tuple[Finding, ...]:
    if others is None or others < tenants.WORTH_SAYING:
        return ()
    message = (
        f"other processes kept {others:.1f} cores busy while {threads} were timed: measure again"
    )
    return (Finding("busy_machine", message, "warning"),)


STAGES: tuple[tuple[Stage, str], ...] = (
    ("parse", "check"),
    ("build", "build"),
    ("run", "check"),
    ("correctness", "check"),
    ("integrity", "check"),
    ("timing", "time"),
)
"""The cascade: stage and the clock that it is booked on. `Evaluator._stage_<name>` carries it out."""
