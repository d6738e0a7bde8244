"""Evaluator: one task, many candidates, one verdict each.

The cascade is `STAGES` at the end of this file: cheap before dear, and it stops at the first failure.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import TracebackType
from typing import Any

from kernelwright.harness import casebook, emulated_track, roofline, tenants, turnstile
from kernelwright.harness.answers import known_weak, refuse_weak
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.checks import Checks
from kernelwright.harness.contest import Contest, Effort
from kernelwright.harness.counterexample import Probe
from kernelwright.harness.crew import Crew
from kernelwright.harness.device import DeviceFacts
from kernelwright.harness.errors import HarnessError
from kernelwright.harness.fault import Fault
from kernelwright.harness.forms import QUICK, Form, further_forms, own_form
from kernelwright.harness.guarded import SIDES
from kernelwright.harness.inline_cpp import BuildError
from kernelwright.harness.parse import parse_problem
from kernelwright.harness.peaks import device_facts
from kernelwright.harness.probing import Outcome, Prober
from kernelwright.harness.repeats import check_retouched, check_state_follows
from kernelwright.harness.sandbox import level
from kernelwright.harness.starting import Start, started, wrong_language
from kernelwright.harness.target import Target, eager_call, target
from kernelwright.harness.timing import Timings
from kernelwright.harness.verdict import Finding, Samples, Speedup, Stage, Verdict
from kernelwright.harness.vetting import vet
from kernelwright.harness.without_gpu import Emulated, emulation, smaller
from kernelwright.harness.worker import Worker
from kernelwright.tasks.errors import TaskError, UsageError
from kernelwright.tasks.task import Task

_NAMES = {"champion": "champion", "start": "start kernel"}
_LEFT_TO_LIBRARIES = "libraries do the work: a translation is to do it itself"
_TOO_FEW_LOOKS = "too few calls could be looked at amid their work"
_DOUBTS = 3
"""Peaks are measured so many times again before a kernel is called faster than possible."""


@dataclass
class Trial:
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

    def note(self, *findings: Finding) -> None:
        """Say something that rejects nothing."""
        self.verdict = replace(self.verdict, findings=(*self.verdict.findings, *findings))


class Evaluator:
    """Judges candidates for one task on the CPU. A context manager; not for several threads.

    Raises TaskError when the task is at fault, UsageError without a compiler. Equal `seed` draws equal
    inputs; by default they are secret. Those of a batch work beside each other, and each times alone.
    """

    device = "cpu"
    """Kind of the device that verdicts hold for."""

    def __init__(
        self,
        task: Task,
        *,
        threads: int | None = None,
        seed: int | None = None,
        emulated: Emulated | None = None,
    ) -> None:
        """`emulated`: at which sizes kernels are emulated by this evaluator, which times none."""
        self.task = task
        self._emulated = emulated
        self._turnstile = turnstile.named()
        self.threads = threads or len(os.sched_getaffinity(0))
        self._seed = seed
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Evaluator:
        try:
            with self._place("check"):
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
        vet(self.task)
        form = own_form(self.task, self._seed)
        self.oracle = form.oracle
        self.reference = self.oracle.reference
        refuse_weak(self.oracle)
        self._known_weak = known_weak(self.task)
        self._further = further_forms(self.task, self._seed)
        try:
            self._crew = self._stack.enter_context(self._crew_for(form))
            self.facts = self._measured_facts()
        except BuildError as error:
            raise UsageError(str(error)) from error
        self._checks = Checks(self._crew, self.oracle)
        self.oracle.cases()  # made here, so that no candidate waits for them
        self.oracle.retouched()
        self.oracle.other_state()
        self.oracle.stepped_state()
        for other in self._further:
            other.oracle.cases(QUICK)
        own = self.oracle.own
        self.contest = self._contest()
        model = self._model = self.reference.build(0)
        self._work = (
            self.reference.operations(own.inputs),
            self.reference.bytes_moved(own.inputs, self.reference.run(model, own.inputs), model),
        )
        self.floor = roofline.floor(self.facts, *self._work, own.precision)
        self._start = self._started()
        self._prober = Prober(self._crew, (form, *self._further), self._checks.call)
        self._known: dict[str, Probe] = {}
        self.learn(casebook.known(self.task))

    # -- what differs by device -------------------------------------------------------------------

    def _crew_for(self, own: Form) -> Crew:
        """The processes that take part. Raises BuildError without a compiler."""
        return Crew(self.task, own, self._further, self.threads)

    def _measured_facts(self, *, again: bool = False) -> DeviceFacts:
        """What the device is and was measured to do."""
        return device_facts(self.threads, again=again)

    def _contest(self) -> Contest:
        """Who times. Asked for when the crew is there."""
        return Contest(self._crew, self.oracle)

    def _started(self) -> Start | None:
        """The task's start kernel, checked. Raises TaskError where it is wrong."""
        return started(self.task, self._checks, self.facts.kind, self._further)

    def _instead(self, candidate: Candidate) -> Evaluator | None:
        """Who judges this candidate, where we cannot. Raises HarnessError, TaskError."""
        if self._emulated is not None or emulation(candidate.source) is None:
            return None
        return self._on_gpu or self._emulator

    @cached_property
    def _on_gpu(self) -> Evaluator | None:
        """Judges GPU kernels on the GPU, opened for the first of them; None where there is none."""
        inner = on_gpu(self.task, threads=self.threads, seed=self._seed)
        return None if inner is None else self._stack.enter_context(inner)

    # -- public -----------------------------------------------------------------------------------

    @cached_property
    def target(self) -> Target:
        """What there is to gain, for those who write kernels."""
        own = self.oracle.own
        call = eager_call(self.reference, self._model, own)
        return target(call, self.floor, self._work, own)

    def evaluate(
        self,
        candidate: Candidate,
        *,
        effort: Effort = "loop",
        champion: Candidate | None = None,
        counters: bool = False,
    ) -> Verdict:
        """Judge one candidate.

        `loop` uses inputs that are drawn once for this evaluator, and times against eager (and the
        champion, where one is given). `final` draws everything anew, and times longer, against
        torch.compile as well. With `counters` an accepted one is counted too, which costs seconds.
        """
        trial = Trial(candidate, effort, champion)
        try:
            other = self._instead(candidate)
            if other is not None:
                rival = champion if champion and self._instead(champion) is other else None
                return other.evaluate(candidate, effort=effort, champion=rival, counters=counters)
        except (HarnessError, TaskError) as error:
            return Verdict(
                "harness_error",
                "build",
                (Finding("harness", str(error)),),
                language=candidate.language,
            )
        known = (*self._known_weak, *_weak_sandbox())
        trial.verdict = Verdict(
            "accepted", "parse", known, language=candidate.language, device=self.device
        )
        if effort == "final":
            for oracle in (self.oracle, *(form.oracle for form in self._further)):
                oracle.renew()
            self._prober.forget()
        seconds = {"build": 0.0, "check": 0.0, "time": 0.0}
        failure: Finding | None = None
        try:
            for name, clock in STAGES[:-1] if self._emulated else STAGES:
                trial.verdict = replace(trial.verdict, stage=name)
                begin = time.perf_counter()
                try:
                    with self._place(clock):
                        getattr(self, f"_stage_{name}")(trial)
                except Fault as error:
                    timed = name == "timing"
                    cause = self._crew.cause(candidate, error)
                    failure = self._checks.explained(candidate, cause, timed=timed)
                seconds[clock] += time.perf_counter() - begin
                if failure:
                    break
            trial.verdict = replace(trial.verdict, seconds=seconds)
            if self._emulated and failure and failure.code == "timeout":
                raise HarnessError(f"it cannot be emulated in bearable time: {failure.message}")
            if self._emulated:
                trial.verdict = self._emulated.unknown(trial.verdict, self.oracle.own.precision)
            if failure:
                return self._reject(trial, failure)
            if counters:
                trial.verdict = self.counted(trial.verdict, candidate)
            return replace(trial.verdict, stage="done")
        except HarnessError as error:
            trial.verdict = replace(trial.verdict, seconds=seconds)
            return self._reject(trial, Finding("harness", str(error)), "harness_error")
        finally:
            if trial.worker is not None:
                trial.worker.close()

    @cached_property
    def _emulator(self) -> Evaluator:
        """Judges GPU kernels where there is no GPU, opened for the first of them. Raises TaskError."""
        task, sizes = smaller(self.task)
        inner = Evaluator(task, threads=self.threads, seed=self._seed, emulated=Emulated(sizes))
        return self._stack.enter_context(inner)

    @property
    def counterexamples(self) -> tuple[Probe, ...]:
        """What every candidate has to stand beside the oracle's own cases."""
        return tuple(self._known.values())

    @property
    def prober(self) -> Prober:
        """What may be probed: `shapes` and `inputs`."""
        return self._prober

    def learn(self, probes: Iterable[Probe]) -> None:
        """Hold these counterexamples against every candidate from now on."""
        self._known.update((probe.id, probe) for probe in probes if not probe.advisory)

    def probe(
        self, candidate: Candidate, probes: Iterable[Probe], *, seconds: float | None = None
    ) -> tuple[Outcome, ...]:
        """Put probes to a candidate, in their order, until the time is up; later ones are left out.

        Nothing is kept: what `broke` it is made a lasting test by `learn` and `casebook.keep`. Raises
        HarnessError. A candidate that is wrong without any probe, or does not load, breaks by none.
        """
        found: list[Outcome] = []
        with contextlib.suppress(Fault), self._place("check"):
            for outcome in self._prober.probe(candidate, probes, seconds=seconds):
                found.append(outcome)
        return tuple(found)

    def fingerprint(self, candidate: Candidate) -> str | None:
        """Equal for candidates that run the same code; None where it cannot be told.

        Builds the candidate's C++, where its evaluation will find it, and runs none of it.
        """
        try:
            return self._crew.fingerprint(candidate)
        except HarnessError:
            return None  # the evaluation to come meets it too, and says so in its verdict

    # -- stages -----------------------------------------------------------------------------------

    def _stage_parse(self, trial: Trial) -> None:
        """Is it Python that defines ModelNew, in the language asked for? Nothing is run."""
        problem = parse_problem(trial.candidate.source)
        if problem:
            raise Fault(*problem)
        wrong = wrong_language(self.task, trial.candidate.source)
        if wrong:
            raise wrong

    def _stage_build(self, trial: Trial) -> None:
        """Load the candidate in a cage; its C++ is built on the way."""
        trial.worker = self._crew.candidate(trial.candidate)

    def _stage_run(self, trial: Trial) -> None:
        """One call on the task's own inputs, its answer checked."""
        self._checks.call(trial.running, self.oracle.own)

    def _stage_correctness(self, trial: Trial) -> None:
        """All distributions that the task allows, then its other shapes and modes."""
        checks, candidate, final = self._checks, trial.candidate, trial.effort == "final"
        for case in self.oracle.cases():
            checks.call(trial.running, case)
        latest_first = reversed(self.counterexamples)
        checks.known(candidate, trial.running, latest_first, self._prober, final=final)
        notes = [checks.form(candidate, form, final=final) for form in self._further]
        if final:
            notes.append(checks.other_batch(candidate))
        trial.note(*{note.message: note for note in notes if note}.values())

    def _stage_integrity(self, trial: Trial) -> None:
        """Calls repeat, leave earlier answers alone, and nothing runs beside them."""
        self._checks.watched(trial.running)
        trial.note(*self._crew.checked(trial.candidate))
        if self._emulated:
            trial.note(*self._crew.compiled_ahead(trial.candidate))
        trial.running.lockdown()
        for side in SIDES:
            self._checks.call(trial.running, self.oracle.own, guard=side)
        self._checks.held(trial.running)
        check_retouched(trial.running, self.oracle, self._checks.call)
        check_state_follows(trial.running, self.oracle, self._checks.call)
        self._checks.watched(trial.running)
        if trial.effort == "final" and not self._emulated:
            trial.note(*self._crew.inspector.inspect(trial.candidate))
        if self._emulated:
            self._whose_work(trial)

    def _whose_work(self, trial: Trial) -> None:
        """The track of a candidate that is emulated."""
        contest = self.contest
        try:
            with contextlib.closing(self._crew.idle(trial.candidate)) as idle:
                track = emulated_track.track(
                    idle, self._crew.eager(), self.oracle, contest.calls, contest.free_s()
                )
        except Fault as fault:  # nothing is wrong with it: its host code reads what kernels write
            reason = f"where launches do nothing, its calls fail: {fault.message}"
            reasons = {**trial.verdict.reasons, "track": reason}
            trial.verdict = replace(trial.verdict, reasons=reasons)
            return
        if track == "library" and self.task.meta.translate_to:
            raise Fault("wrong_language", _LEFT_TO_LIBRARIES)
        trial.verdict = replace(trial.verdict, track=track)

    def _further_rivals(self, reasons: dict[str, str]) -> Mapping[str, Worker]:
        """Beside eager, torch.compile and the champion; `reasons` get those that there are not."""
        return {}

    def _stage_timing(self, trial: Trial) -> None:
        """Interleaved pairs, timed outputs checked; then whose code it was, and the floor."""
        rivals: dict[str, Worker] = {}
        reasons = dict(trial.verdict.reasons)
        if trial.effort == "final":
            compiled = self._crew.compiled()
            if compiled is None:
                reasons["speedup.compile"] = str(self._crew.compile_reason)
            else:
                rivals["compile"] = compiled
            rivals |= self._further_rivals(reasons)
        else:
            reasons["speedup.compile"] = "measured only when a champion is confirmed"
        others = {"champion": trial.champion}
        if self._start is not None:
            others["start"] = None if self._start.untimed else self._start.candidate
        with contextlib.ExitStack() as stack:
            for name, rival in others.items():
                if rival is not None and rival.id != trial.candidate.id:
                    rivals[name] = self._crew.rival(rival, _NAMES[name])
                    stack.callback(rivals[name].close)
            outcome = self.contest.hold(
                trial.running, lambda: self._checks.again(trial.candidate), rivals, trial.effort
            )
        timings = outcome.timings
        seconds = timings.median_ms("candidate") * 1e-3
        for _ in range(_DOUBTS):
            if self.floor.impossible(seconds):
                self.facts = self._measured_facts(again=True)
                self.floor = roofline.floor(self.facts, *self._work, self.oracle.own.precision)
        if self.floor.impossible(seconds):
            raise Fault(
                "faster_than_possible",
                f"{seconds * 1e6:.1f} us a call is far below the physical floor of"
                f" {(self.floor.seconds or 0) * 1e6:.1f} us",
            )
        speedup: dict[str, Speedup | None] = {"eager": timings.speedup("eager"), "compile": None}
        times: dict[str, float | None] = {"compile": None}
        if self._start is not None and "start" not in rivals:
            speedup["start"] = times["start"] = None
            reasons["speedup.start"] = self._start.untimed or "it is the start kernel itself"
        speedup |= {name: timings.speedup(name) for name in rivals}
        track = outcome.profile.track(seconds) if outcome.profile else None
        if track == "library" and self.task.meta.translate_to:
            raise Fault("wrong_language", _LEFT_TO_LIBRARIES)
        times.update({name: timings.median_ms(name) for name in timings.seconds})
        trial.verdict = replace(
            trial.verdict,
            time_ms=times,
            speedup=speedup,
            roofline=self.floor.reached(seconds),
            precision=self.oracle.own.precision,
            track=track,
            own_time=outcome.profile.own_share(seconds) if outcome.profile else None,
            findings=(*trial.verdict.findings, *_noise(outcome.others, self.threads)),
            reasons={
                **reasons,
                **({} if track else {"track": outcome.blind or _TOO_FEW_LOOKS}),
                "counters": "not asked for: verify --counters",
            },
            samples=_samples(timings) if trial.effort == "final" else None,
        )

    def counted(self, verdict: Verdict, candidate: Candidate) -> Verdict:
        """The verdict with what can be counted of the candidate (docs/counters.md). Raises HarnessError."""
        other = self._instead(candidate)
        if other is not None:
            return other.counted(verdict, candidate)
        with self._place("check"):
            found = self._crew.counters(candidate)
        reasons = {name: text for name, text in verdict.reasons.items() if name != "counters"}
        return replace(verdict, counters=found.to_json(), reasons=reasons)

    # -- pieces -----------------------------------------------------------------------------------

    def _place(self, clock: str) -> contextlib.AbstractContextManager[None]:
        """The room to work in, others beside us, or to time in, alone."""
        if self._turnstile is None:
            return contextlib.nullcontext()
        return self._turnstile.alone() if clock == "time" else self._turnstile.working()

    def _reject(self, trial: Trial, finding: Finding, kind: Any = "rejected") -> Verdict:
        findings = (finding, *trial.verdict.findings)  # the reason first
        return replace(trial.verdict, verdict=kind, findings=findings)


def _samples(timings: Timings) -> Samples:
    seconds = {name: tuple(values) for name, values in timings.seconds.items()}
    return Samples(seconds, timings.starts)


def on_gpu(task: Task, *, threads: int | None = None, seed: int | None = None) -> Evaluator | None:
    """An evaluator that judges on the GPU of this machine; None where there is none that can."""
    from kernelwright.harness.gpu.cuda import found
    from kernelwright.harness.gpu.evaluator import GpuEvaluator

    device = found()
    return (
        None if isinstance(device, str) else GpuEvaluator(task, device, threads=threads, seed=seed)
    )


def evaluator_for(
    task: Task, candidate: Candidate, *, threads: int | None = None, seed: int | None = None
) -> Evaluator:
    """An evaluator for this one candidate: it emulates from the start where there is no GPU for it.

    Raises HarnessError where the candidate's language is not installed, TaskError for a task at fault.
    """
    if emulation(candidate.source) is None:
        return Evaluator(task, threads=threads, seed=seed)
    native = on_gpu(task, threads=threads, seed=seed)
    if native is not None:
        return native
    small, sizes = smaller(task)
    return Evaluator(small, threads=threads, seed=seed, emulated=Emulated(sizes))


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
    ("run", "build"),  # what is compiled at the first call is built then
    ("correctness", "check"),
    ("integrity", "check"),
    ("timing", "time"),
)
"""The cascade: stage and the clock that it is booked on. `Evaluator._stage_<name>` carries it out."""
