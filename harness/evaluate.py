"""Evaluator: one task, many candidates, one verdict each.

The cascade is `STAGES` at the end of this file: cheap before dear, and it stops at the first failure.
"""

from __future__ import annotations

import ast
import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Literal

import torch

from kernelwright.harness import roofline, wire
from kernelwright.harness.arena import footprint
from kernelwright.harness.builds import Builder
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.device import DeviceFacts
from kernelwright.harness.errors import HarnessError
from kernelwright.harness.inline_cpp import BuildError
from kernelwright.harness.nursery import Nursery
from kernelwright.harness.oracle import Case, Oracle, compare
from kernelwright.harness.peaks import device_facts
from kernelwright.harness.precision import RELATIVE
from kernelwright.harness.provenance import library_share, track
from kernelwright.harness.timing import Plan, Timings, measure, wake_up_seconds
from kernelwright.harness.verdict import Finding, Speedup, Stage, Verdict
from kernelwright.harness.worker import Fault, Setup, Value, Worker
from kernelwright.tasks.errors import TaskError, UsageError
from kernelwright.tasks.reference import Reference
from kernelwright.tasks.task import Task

Effort = Literal["loop", "final"]
_PLANS = {"loop": Plan(rounds=16, seconds=0.45), "final": Plan(rounds=40, seconds=8.0, least=12)}
_LEG_SECONDS = 2e-3
_MOST_CALLS = 24
_ARENA = 1 << 30
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
        self._compile_reason: str | None = None
        self._compiled: Worker | None = None

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
        self.reference = Reference(self.task)
        self.oracle = Oracle(self.reference, self._seed)
        if self.oracle.precision not in RELATIVE:
            raise TaskError(
                f"task {self.task.name}: unknown tolerance {self.oracle.precision!r}"
                f" (one of {', '.join(RELATIVE)})"
            )
        args, kwargs = self.reference.init_args()
        try:
            self._init = (wire.encode_value(list(args)), wire.encode_value(dict(kwargs)))
        except TypeError as error:
            raise TaskError(f"task {self.task.name}: get_init_inputs: {error}") from error
        self.facts: DeviceFacts
        self._nursery = self._stack.enter_context(Nursery(threads=self.threads))
        try:
            self._builder = Builder(self._nursery)
            self.facts = device_facts(self.threads)
        except BuildError as error:
            raise UsageError(str(error)) from error
        own = self.oracle.own
        self._leg_bytes = self._bytes(own)
        self._eager = self._baseline(compile_=False)
        self._eager.call(own.inputs, own.gradients, skew=own.skew)
        self._overhead = wake_up_seconds(self._eager)
        eager_s = min(self._eager.batch([own.inputs], own.gradients).seconds for _ in range(5))
        self.calls = max(1, min(_MOST_CALLS, round(_LEG_SECONDS / max(eager_s, 1e-6))))
        self.calls = max(1, min(self.calls, _ARENA // max(self._leg_bytes, 1)))
        outputs = self.reference.run(self.reference.build(0), own.inputs)
        model = self.reference.build(0)
        self.floor = roofline.floor(
            self.facts,
            self.reference.operations(own.inputs),
            self.reference.bytes_moved(own.inputs, outputs, model),
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
        trial.verdict = Verdict("accepted", "parse", language=candidate.language)
        if effort == "final":
            self.oracle.renew()
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
                    failure = Finding(error.code, error.message)
                seconds[clock] += time.perf_counter() - begin
                if failure:
                    break
            trial.verdict = replace(trial.verdict, seconds=seconds)
            return self._reject(trial, failure) if failure else replace(trial.verdict, stage="done")
        except HarnessError as error:
            return self._reject(trial, Finding("harness", str(error)), "harness_error")
        finally:
            torch.set_num_threads(threads)
            if trial.worker is not None:
                trial.worker.close()

    # -- stages -----------------------------------------------------------------------------------

    def _stage_parse(self, trial: _Trial) -> None:
        """Is it Python that defines ModelNew? Nothing is run."""
        try:
            tree = ast.parse(trial.candidate.source)
        except (SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None)
            raise Rejected("syntax_error", f"not Python: {error} (line {line})") from error
        if "ModelNew" not in _defined(tree):
            raise Rejected("no_model", "the candidate defines no ModelNew")

    def _stage_build(self, trial: _Trial) -> None:
        """Load the candidate in a cage; its C++ is built on the way."""
        trial.worker = self._candidate_worker(trial.candidate)

    def _stage_run(self, trial: _Trial) -> None:
        """One call on the task's own inputs, its answer checked."""
        own = self.oracle.own
        self._check(trial.running, own)

    def _stage_correctness(self, trial: _Trial) -> None:
        """All distributions that the task allows."""
        for case in self.oracle.cases():
            self._check(trial.running, case)

    def _stage_integrity(self, trial: _Trial) -> None:
        """Calls repeat, and nothing runs beside them."""
        trial.running.lockdown()
        own = self.oracle.own
        for _ in range(2):
            self._check(trial.running, own)

    def _stage_timing(self, trial: _Trial) -> None:
        """Interleaved pairs, timed outputs checked; then whose code it was, and the floor."""
        names = {"candidate": trial.running, "eager": self._eager}
        reasons = dict(trial.verdict.reasons)
        if trial.effort == "final":
            compiled = self._compile_worker()
            if compiled is None:
                reasons["speedup.compile"] = str(self._compile_reason)
            else:
                names["compile"] = compiled
        else:
            reasons["speedup.compile"] = "measured only when a champion is confirmed"
        rival = trial.champion
        with contextlib.ExitStack() as stack:
            if rival is not None and rival.id != trial.candidate.id:
                names["champion"] = self._candidate_worker(rival)
                stack.callback(names["champion"].close)
                own = self.oracle.own
                names["champion"].call(own.inputs, own.gradients)
            trial.running.pause()
            trial.timings = self._measure(names, trial.effort)
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
        times.update({name: timings.median_ms(name) for name in names})
        trial.verdict = replace(
            trial.verdict,
            time_ms=times,
            speedup=speedup,
            roofline=self.floor.reached(seconds),
            precision=self.oracle.precision,
            track=track(self._share(trial.running, seconds)),
            reasons={**reasons, "counters": "not collected on the CPU yet"},
        )

    # -- pieces -----------------------------------------------------------------------------------

    def _check(self, worker: Worker, case: Case) -> None:
        outputs = worker.call(case.inputs, case.gradients, skew=case.skew)
        wrong = compare(case, outputs)
        if wrong is not None:
            raise Rejected(wrong.code, wrong.message)

    def _measure(self, names: dict[str, Worker], effort: Effort) -> Timings:
        own = self.oracle.own
        budgets = _timed_budgets(own)

        def check(ours: Sequence[torch.Tensor], theirs: Sequence[torch.Tensor]) -> None:
            for found, eager, (absolute, relative) in zip(ours, theirs, budgets, strict=True):
                if not _close(found, eager, absolute, relative):
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
            gradients=own.gradients,
        )

    def _pooled(self) -> Iterator[tuple[Value, ...]]:
        """Inputs for timed calls, drawn once and shown to every candidate (a new process) once."""
        most = max(1, _POOL // max(self._leg_bytes, 1))
        index = 0
        while True:
            if index >= len(self._pool):
                if len(self._pool) >= most:
                    yield self.oracle.fresh_inputs()
                    continue
                self._pool.append(self.oracle.fresh_inputs())
            yield self._pool[index]
            index += 1

    def _share(self, worker: Worker, seconds: float) -> float:
        repeat = max(1, min(20, round(5e-3 / seconds)))
        operators, total_us = worker.profile(self.oracle.own.inputs, repeat)
        return library_share(operators, total_us)

    def _candidate_worker(self, candidate: Candidate) -> Worker:
        return self._worker(Setup(candidate.source, "ModelNew", self._init, self._state()))

    def _baseline(self, *, compile_: bool) -> Worker:
        setup = Setup(
            self.task.source, "Model", self._init, self._state(), compile=compile_, caged=False
        )
        worker = self._worker(setup)
        self._stack.callback(worker.close)
        return worker

    def _compile_worker(self) -> Worker | None:
        """The torch.compile baseline, compiled once; None with `_compile_reason` when it fails."""
        if self._compiled is None and self._compile_reason is None:
            try:
                worker = self._baseline(compile_=True)
                own = self.oracle.own
                worker.call(own.inputs, own.gradients, timeout=300.0)
                worker.pause()
                self._compiled = worker
            except Fault as error:
                self._compile_reason = f"torch.compile failed: {error.message[:300]}"
        return self._compiled

    def _worker(self, setup: Setup) -> Worker:
        return Worker(
            self._nursery,
            self._builder,
            setup,
            inputs_bytes=2 * self._leg_bytes * _MOST_CALLS
            if self._leg_bytes * _MOST_CALLS < _ARENA // 4
            else 2 * max(_ARENA // 2, self._leg_bytes),
            timeout=20.0,
        )

    def _state(self) -> tuple[tuple[str, torch.Tensor], ...]:
        return tuple(self.oracle.state.items())

    def _bytes(self, case: Case) -> int:
        tensors = [
            v for v in (*case.inputs, *(case.gradients or ())) if isinstance(v, torch.Tensor)
        ]
        return 2 * footprint(tensors)  # strided cases have gaps

    def _reject(self, trial: _Trial, finding: Finding, kind: Any = "rejected") -> Verdict:
        findings = (*trial.verdict.findings, finding)
        return replace(trial.verdict, verdict=kind, findings=findings)


def _defined(tree: ast.AST) -> set[str]:
    """Names that a module may define, by whatever statement."""
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                names.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
            case ast.alias(name=name, asname=other):
                names.add(other or name)
            case _:
                continue
    return names


def _timed_budgets(case: Case) -> list[tuple[float, float]]:
    """(absolute, relative) allowance between a candidate's and eager's outputs of a timed call.

    Both may be off by the budget, so it is doubled; its absolute part is the largest of the own case.
    """
    out = []
    for expected in case.expected:
        if expected.tolerance is None or expected.tolerance.numel() == 0:
            out.append((0.0, 0.0))
            continue
        out.append((2.0 * float(expected.tolerance.max()), 1e-4))
    return out


def _close(found: torch.Tensor, eager: torch.Tensor, absolute: float, relative: float) -> bool:
    if not eager.is_floating_point():
        return torch.equal(found, eager)
    if eager.element_size() < 4:
        found, eager = found.float(), eager.float()
    error = found.sub(eager).abs_()
    if bool((error <= absolute).all()):
        return True
    same = (found == eager) | (found.isnan() & eager.isnan())
    return bool(((error <= eager.abs() * relative + absolute) | same).all())


STAGES: tuple[tuple[Stage, str], ...] = (
    ("parse", "check"),
    ("build", "build"),
    ("run", "check"),
    ("correctness", "check"),
    ("integrity", "check"),
    ("timing", "time"),
)
"""The cascade: stage and the clock that it is booked on. `Evaluator._stage_<name>` carries it out."""
