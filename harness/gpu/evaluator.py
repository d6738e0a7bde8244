"""Evaluator on a GPU: the cascade of `evaluate.py`, its calls on the device, and what only a device
can tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

from kernelwright.harness.candidate import Candidate
from kernelwright.harness.comparison import compare
from kernelwright.harness.device import DeviceFacts
from kernelwright.harness.errors import HarnessError
from kernelwright.harness.evaluate import Evaluator, Trial
from kernelwright.harness.fault import Fault
from kernelwright.harness.forms import Form
from kernelwright.harness.gpu.contest import GpuContest
from kernelwright.harness.gpu.crew import GpuCrew
from kernelwright.harness.gpu.device import Device
from kernelwright.harness.gpu.track import GpuProfile
from kernelwright.harness.gpu.worker import GpuWorker
from kernelwright.harness.parse import language_of
from kernelwright.harness.repeats import check_retouched, check_state_follows
from kernelwright.harness.starting import Start
from kernelwright.harness.target import Target, target
from kernelwright.harness.verdict import Finding
from kernelwright.harness.worker import Worker
from kernelwright.tasks.task import Task

_REPLAYS = 20
_NOISE, _NOISE_S = 1.5, 20e-6
"""Two measurements of one thing may differ by so much before it is said."""


class GpuEvaluator(Evaluator):
    """Judges candidates for one task on `device`. A context manager; not for several threads."""

    def __init__(
        self,
        task: Task,
        device: Device,
        *,
        threads: int | None = None,
        seed: int | None = None,
    ) -> None:
        super().__init__(task, threads=threads, seed=seed)
        self._device = device
        self.device = device.kind
        self._profile = GpuProfile.source("")

    def _crew_for(self, own: Form) -> GpuCrew:
        self._gpu_crew = GpuCrew(self._device, self.task, own, self._further, self.threads)
        return self._gpu_crew

    def _measured_facts(self, *, again: bool = False) -> DeviceFacts:
        return self._device.facts(self.threads, again=again)

    def _contest(self) -> GpuContest:
        self._gpu_contest = GpuContest(self._gpu_crew, self.oracle, lambda: self._profile)
        return self._gpu_contest

    def _started(self) -> Start | None:
        if self.task.start is not None and language_of(self.task.start) == "cpp":
            candidate = Candidate(self.task.start, "cpp")
            return Start(candidate, "the start kernel is C++: it runs on the processor")
        return super()._started()

    @cached_property
    def target(self) -> Target:
        """What there is to gain on the device."""
        own = self.oracle.own
        told = target(lambda: None, self.floor, self._work, own)
        return replace(told, eager_ms=self._gpu_contest.eager_ms())

    def _instead(self, candidate: Candidate) -> Evaluator | None:
        return None

    def _stage_integrity(self, trial: Trial) -> None:
        """Calls repeat, leave earlier answers alone, and nothing runs beside them."""
        trial.running.lockdown()
        self._ordered(trial.running)
        self._checks.held(trial.running)
        check_retouched(trial.running, self.oracle, self._checks.call)
        check_state_follows(trial.running, self.oracle, self._checks.call)
        if trial.effort == "final":
            trial.note(*self._gpu_crew.sanitized(trial.candidate))

    def _ordered(self, worker: Worker) -> None:
        """Work is ordered behind what its stream was given before, and before what follows. Raises Fault."""
        own = self.oracle.own
        if own.gradients is not None or self.oracle.train:
            return
        assert isinstance(worker, GpuWorker)
        wrong = compare(own.without_buffers, worker.call_late(own.inputs))
        if wrong is not None:
            raise Fault(
                "unordered",
                "its work does not wait for the stream that was current, or that stream not for it:"
                f" where inputs come late in the stream, {wrong.message}",
            )

    def _further_rivals(self, reasons: dict[str, str]) -> Mapping[str, Worker]:
        rivals = self._gpu_crew.rivals
        found = rivals.workers()
        reasons.update({f"speedup.{name}": why for name, why in rivals.reasons.items()})
        return found

    def _stage_timing(self, trial: Trial) -> None:
        """As on the processor; then what graph replay, a warm cache and all streams say of the same call."""
        self._profile = GpuProfile.source(trial.candidate.source)
        super()._stage_timing(trial)
        trial.note(*self._gpu_contest.watch.findings())
        seen = self._gpu_contest.latest
        if seen is not None and seen.beside > (_NOISE - 1) * seen.device_s + _NOISE_S:
            trial.note(
                Finding(
                    "work_beside",
                    f"the device was at work for {seen.busy_s * 1e6:.0f} us of a call that its stream"
                    f" has {seen.device_s * 1e6:.0f} us for: work on other streams",
                    "warning",
                )
            )
        if trial.effort == "final":
            self._further_times(trial)

    def _further_times(self, trial: Trial) -> None:
        """Time in a warm cache and as a graph."""
        worker = trial.running
        assert isinstance(worker, GpuWorker)
        times: dict[str, float | None] = dict(trial.verdict.time_ms)
        reasons = dict(trial.verdict.reasons)
        times["candidate_warm"] = self._gpu_contest.warm_ms(worker)
        graph, why = self._graph_ms(trial, worker)
        times["candidate_graph"] = graph
        if why:
            reasons["time_ms.candidate_graph"] = why
        trial.verdict = replace(trial.verdict, time_ms=times, reasons=reasons)
        measured = times.get("candidate")
        if graph and measured and graph > _NOISE * measured + _NOISE_S * 1e3:
            trial.note(
                Finding(
                    "times_disagree",
                    f"a call takes {measured:.3f} ms, its graph {graph:.3f} ms: calls were timed that did"
                    " less than what the graph holds",
                    "warning",
                )
            )

    def _graph_ms(self, trial: Trial, worker: GpuWorker) -> tuple[float | None, str | None]:
        """Milliseconds of a call replayed as a CUDA graph over new inputs; or why there is none."""
        if self.oracle.own.gradients is not None or self.oracle.train:
            return None, "graphs of backward passes and of training are not captured"
        case = self.oracle.own
        try:
            # In a process of its own: a capture that fails may leave the device's context unusable.
            with_graph = self._checks.again(trial.candidate)
        except Fault as fault:
            return None, f"no process to capture in: {fault.message}"[:300]
        try:
            assert isinstance(with_graph, GpuWorker)
            with_graph.pause()
            with_graph.capture(case.inputs)
            once, outputs = with_graph.replay(case.inputs, 1)
            wrong = compare(case, outputs)
            if wrong is not None:
                return None, f"replayed over other values of the same inputs, {wrong.message}"[:300]
            seconds = min(with_graph.replay(case.inputs, _REPLAYS)[0] for _ in range(3))
            return max(seconds - once, 0.0) / (_REPLAYS - 1) * 1e3 or None, None
        except (Fault, HarnessError) as error:
            return None, f"it cannot be captured: {error}"[:300]
        finally:
            with_graph.close()
