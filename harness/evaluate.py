"""Evaluator: one task, many candidates, one verdict each.

The cascade is `STAGES` at the end of this file: cheap before dear, and it stops at the first failure.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Literal

import torch

from kernelwright.harness import roofline, tenants
from kernelwright.harness.answers import known_weak, refuse_weak
from kernelwright.harness.arena import Board
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.comparison import TimedCheck, compare
from kernelwright.harness.crew import LARGEST_LEG, MOST_CALLS, Crew
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
from kernelwright.harness.sampling import Sampler, can_sample
from kernelwright.harness.sandbox import level
from kernelwright.harness.timing import Plan, Timings, measure, wake_up_seconds
from kernelwright.harness.verdict import Finding, Speedup, Stage, Verdict
from kernelwright.harness.worker import Value, Worker
from kernelwright.tasks.errors import UsageError
from kernelwright.tasks.task import Task

Effort = Literal["loop", "final"]
_PLANS = {"loop": Plan(rounds=16, seconds=0.35), "final": Plan(rounds=40, seconds=8.0, least=12)}
_LEG_SECONDS = 4e-3
_POOL = 1 << 30


class Rejected(Exception):
    """A candidate failed a stage."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.finding = Finding(code, message)


@dataclass
class _Trial:
    """One candidate on its way through the stages, and what has been found out so far."""

    candidate: Candidate
    effort: Effort
    champion: Candidate | None
    worker: Worker | None = None
    verdict: Verdict = field(default_factory=lambda: Verdict("accepted", "parse"))
    timings: Timings | None = None

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
        self._pool: list[tuple[Value, ...]] = []

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
        for other in self._further:
            other.oracle.cases(QUICK)
        own = self.oracle.own
        eager = self._crew.eager()
        self._overhead = wake_up_seconds(eager)
        seconds = min(eager.batch([own.inputs], own.gradients).seconds for _ in range(5))
        most = min(MOST_CALLS, LARGEST_LEG // max(self._crew.call_bytes, 1))
        most = min(most, Board.SLOTS // max(len(own.expected), 1))
        self.calls = max(1, min(most, round(_LEG_SECONDS / max(seconds, 1e-6))))
        model = self.reference.build(0)
        self.floor = roofline.floor(
            self.facts,
            self.reference.operations(own.inputs),
            self.reference.bytes_moved(own.inputs, self.reference.run(model, own.inputs), model),
        )

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
        threads = torch.get_num_threads()
        failure: Finding | None = None
        try:
            for name, clock in STAGES:
                trial.verdict = replace(trial.verdict, stage=name)
                begin = time.perf_counter()
                try:
                    getattr(self, f"_stage_{name}")(trial)
                except Rejected as error:
                    failure = error.finding
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
            torch.set_num_threads(threads)
            if trial.worker is not None:
                trial.worker.close()

    # -- stages -----------------------------------------------------------------------------------

    def _stage_parse(self, trial: _Trial) -> None:
        """Is it Python that defines ModelNew? Nothing is run."""
        problem = parse_problem(trial.candidate.source)
        if problem:
            raise Rejected(*problem)

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
        names = {"candidate": trial.running, "eager": self._crew.eager()}
        reasons = dict(trial.verdict.reasons)
        if trial.effort == "final":
            compiled = self._crew.compiled()
            if compiled is None:
                reasons["speedup.compile"] = str(self._crew.compile_reason)
            else:
                names["compile"] = compiled
        else:
            reasons["speedup.compile"] = "measured only when a champion is confirmed"
        rival = trial.champion
        with contextlib.ExitStack() as stack:
            if rival is not None and rival.id != trial.candidate.id:
                names["champion"] = self._crew.champion(rival)
                stack.callback(names["champion"].close)
            trial.running.pause()
            pids = [worker.pid for worker in names.values()]
            before = tenants.snapshot(pids)
            blind = can_sample(trial.running.pid)
            sampler = Sampler(trial.running.pid, trial.running.own_folders)
            trial.timings = self._measure(names, trial.effort, sampler)
            others = tenants.cores_of_others(before, tenants.snapshot(pids))
        trial.running.check_alone()
        timings = trial.timings
        seconds = timings.median_ms("candidate") * 1e-3
        if self.floor.impossible(seconds):
            raise Rejected(
                "faster_than_possible",
                f"{seconds * 1e6:.1f} us a call is far below the physical floor of"
                f" {(self.floor.seconds or 0) * 1e6:.1f} us",
            )
        speedup: dict[str, Speedup | None] = {"eager": timings.speedup("eager"), "compile": None}
        for name in ("compile", "champion"):
            if name in names:
                speedup[name] = timings.speedup(name)
        times: dict[str, float | None] = {"compile": None}
        track = None if blind else sampler.profile().track(seconds)
        times.update({name: timings.median_ms(name) for name in names})
        trial.verdict = replace(
            trial.verdict,
            time_ms=times,
            speedup=speedup,
            roofline=self.floor.reached(seconds),
            precision=self.oracle.own.precision,
            track=track,
            findings=(*trial.verdict.findings, *_noise(others, self.threads)),
            reasons={
                **reasons,
                **({} if track else {"track": blind or "no call could be looked at"}),
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
            except Rejected:
                pass
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
            raise Rejected("output_is_input", "an output lies in the memory of an input")
        if wrong is not None:
            raise Rejected(wrong.code, wrong.message)
        shared = overlap_problem(worker.latest, eager.latest, case.returned)
        if shared is not None:
            raise Rejected("overlapping_output", shared)

    def _check_form(self, trial: _Trial, form: Form) -> None:
        """Another shape or mode, in a process of its own."""
        cases = form.oracle.cases(None if trial.effort == "final" else QUICK)
        try:
            with contextlib.closing(self._crew.candidate(trial.candidate, form)) as worker:
                for case in cases:
                    self._check(worker, case)
        except Rejected as error:
            found = error.finding
            raise Rejected(found.code, f"in {form.name}: {found.message}") from error
        except Fault as error:
            raise Rejected(error.code, f"in {form.name}: {error.message}") from error

    def _try_other_batch(self, trial: _Trial) -> None:
        """A smaller batch, which nobody has declared: a kernel made for one shape is named as such."""
        case = self.oracle.other_batch()
        if case is None:
            return
        try:
            with contextlib.closing(self._crew.candidate(trial.candidate)) as worker:
                self._check(worker, case)
        except (Rejected, Fault) as error:
            message = f"made for the task's own shape: with {case.name}, which the reference takes, {error}"
            trial.verdict = replace(
                trial.verdict,
                findings=(*trial.verdict.findings, Finding("fixed_shape", message, "warning")),
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
            raise Rejected(
                "reused_output", "a later call overwrote the output that an earlier one returned"
            )

    def _measure(self, names: dict[str, Worker], effort: Effort, sampler: Sampler) -> Timings:
        timed = TimedCheck(self.oracle.own)

        def check(ours: Sequence[torch.Tensor], theirs: Sequence[torch.Tensor]) -> None:
            if not timed.right(ours, theirs):
                raise Rejected(
                    "stale_output",
                    "the output of a timed call is wrong for that call's inputs, though checked"
                    " calls were right",
                )

        plan = replace(_PLANS[effort], calls=self.calls)
        supply = self._pooled() if effort == "loop" else iter(self.oracle.fresh_inputs, None)
        torch.set_num_threads(1)  # our own threads would spin beside the contestants
        return measure(
            names,
            lambda: next(supply),
            check,
            plan,
            overhead=self._overhead,
            gradients=self.oracle.own.gradients,
            sampler=sampler,
        )

    def _pooled(self) -> Iterator[tuple[Value, ...]]:
        """Inputs for timed calls, drawn once and shown to every candidate (a new process) once."""
        most = max(1, _POOL // max(self._crew.call_bytes, 1))
        index = 0
        while True:
            if index >= len(self._pool):
                if len(self._pool) >= most:
                    yield self.oracle.fresh_inputs()
                    continue
                self._pool.append(self.oracle.fresh_inputs())
            yield self._pool[index]
            index += 1

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
