"""An evaluator elsewhere, used like one that is here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self

from kernelwright.agents.roles import Target
from kernelwright.evals.serving.messages import Channel, Lost, Opened, Request, What
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.counterexample import Probe
from kernelwright.harness.device import DeviceFacts
from kernelwright.harness.errors import HarnessError
from kernelwright.harness.probing import Outcome
from kernelwright.harness.realise import InputFacts
from kernelwright.harness.verdict import Finding, Verdict
from kernelwright.tasks.task import Task

TRIES = 3
"""How often a request is put to a new evaluator before its end is told as a fault of the harness."""


@dataclass(frozen=True)
class Probed:
    """What may be probed, as the evaluator told when it opened."""

    shapes: tuple[str, ...]
    inputs: tuple[InputFacts, ...]


class ServedEvaluator:
    """Judges candidates of one task through a channel. A context manager; not for several threads.

    Where the evaluator is lost another one is started, told what the lost one had learnt, and asked
    again. A candidate with which `TRIES` of them were lost has the verdict `harness_error`, which is never
    charged to it.
    """

    def __init__(
        self,
        task: Task,
        start: Callable[[], Channel],
        *,
        threads: int | None = None,
        seed: int | None = None,
    ) -> None:
        """`start` gives a channel to an evaluator that has no task yet. It may raise HarnessError."""
        self.task = task
        self._start = start
        self._request = Request("open", (task, threads, seed))
        self._channel: Channel | None = None
        self._learnt: dict[str, Probe] = {}
        self.opened: Opened

    def __enter__(self) -> Self:
        self._call(None)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the evaluator."""
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    @property
    def facts(self) -> DeviceFacts:
        """The device that the verdicts hold for."""
        return self.opened.facts

    @property
    def target(self) -> Target:
        """What there is to gain."""
        return self.opened.target

    @property
    def prober(self) -> Probed:
        """What may be probed."""
        return Probed(self.opened.shapes, self.opened.inputs)

    @property
    def environment(self) -> Mapping[str, str | None]:
        """Versions and names of the machine that measures."""
        return self.opened.environment

    @property
    def counterexamples(self) -> tuple[Probe, ...]:
        """What every candidate has to stand beside the oracle's own cases."""
        return (*self.opened.counterexamples, *self._learnt.values())

    def evaluate(
        self,
        candidate: Candidate,
        *,
        effort: Literal["loop", "final"] = "loop",
        champion: Candidate | None = None,
        counters: bool = False,
    ) -> Verdict:
        """Judge one candidate, as `Evaluator.evaluate` does."""
        try:
            verdict: Verdict = self._call("evaluate", candidate, effort, champion, counters)
        except HarnessError as error:
            return Verdict(
                "harness_error",
                "parse",
                (Finding("harness", str(error)),),
                language=candidate.language,
                device=self.opened.facts.kind,
            )
        return verdict

    def counted(self, verdict: Verdict, candidate: Candidate) -> Verdict:
        """The verdict with what can be counted, as `Evaluator.counted` gives it. Raises HarnessError."""
        found: Verdict = self._call("counted", verdict, candidate)
        return found

    def fingerprint(self, candidate: Candidate) -> str | None:
        """Equal for candidates that run the same code; None where it cannot be told."""
        try:
            found: str | None = self._call("fingerprint", candidate)
        except HarnessError:
            return None  # the evaluation to come meets it too, and says so in its verdict
        return found

    def probe(
        self, candidate: Candidate, probes: Iterable[Probe], *, seconds: float | None = None
    ) -> tuple[Outcome, ...]:
        """Put probes to a candidate, as `Evaluator.probe` does. Raises HarnessError."""
        found: tuple[Outcome, ...] = self._call("probe", candidate, tuple(probes), seconds)
        return found

    def learn(self, probes: Iterable[Probe]) -> None:
        """Hold these counterexamples against every candidate from now on."""
        known = tuple(probe for probe in probes if not probe.advisory)
        self._learnt.update((probe.id, probe) for probe in known)
        self._call("learn", known)

    def _call(self, what: What | None, *arguments: object) -> Any:
        """What the evaluator answers; with None it is only opened. Raises its fault, or HarnessError."""
        for left in reversed(range(TRIES)):
            try:
                channel = self._channel or self._open()
                return channel.call(Request(what, arguments)).result() if what else None
            except Lost as lost:
                self.close()
                if not left:
                    raise HarnessError(f"{TRIES} evaluators in a row were lost: {lost}") from lost
        return None

    def _open(self) -> Channel:
        """An evaluator that has taken up the task. Raises Lost, and what is wrong with the task."""
        self._channel = channel = self._start()
        try:
            self.opened = channel.call(self._request).result()
            channel.call(Request("learn", (tuple(self._learnt.values()),))).result()
        except BaseException:
            self.close()
            raise
        return channel
