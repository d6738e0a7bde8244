"""Hardening: the champion is attacked by a Tester before it is believed, and read by an Auditor.

All work is done through the journal: `tester:ID` and `audit:ID` are finished events, `counterexample:HASH` is
decided for what broke a candidate, with the verdict that it falls by. So a resumed run does none of it twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kernelwright.agents.auditor import Auditor
from kernelwright.agents.events import Data
from kernelwright.agents.journal import Journal, Result
from kernelwright.agents.kept import spend_json
from kernelwright.agents.models.base import ModelError
from kernelwright.agents.ports import Evaluator, Observer, Probing
from kernelwright.agents.roles import Attempt
from kernelwright.agents.tester import Challenge, Tester
from kernelwright.harness import casebook
from kernelwright.harness.counterexample import Probe
from kernelwright.harness.errors import HarnessError
from kernelwright.harness.probing import Outcome
from kernelwright.harness.verdict import Finding, Verdict
from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.task import Task


@dataclass
class Hardening:
    """Tests champions, at most `calls` of them a run, for `seconds` each; reads what is confirmed.

    Who judges may know nothing of probes: then nothing is tested.
    """

    task: Task
    journal: Journal
    evaluator: Evaluator
    observer: Observer
    folder: Path
    tester: Tester | None = None
    auditor: Auditor | None = None
    calls: int = 4
    seconds: float = 3.0
    seed: int = 0
    _given_up: bool = field(default=False, init=False)

    def take_up(self) -> None:
        """Hold against every candidate what broke one in an earlier session."""
        if isinstance(self.evaluator, Probing):
            known = [Probe.from_json(data["probe"]) for data in self._counterexamples()]
            self.evaluator.learn(known)

    def turn(self, brought: Iterable[Attempt]) -> None:
        """A turn is over: attack its champion, as long as one attack is left for the confirmation."""
        champion = self.journal.state.champion
        if champion is not None and champion in brought and self._made() < self.calls - 1:
            self.attack(champion)

    def attack(self, attempt: Attempt) -> bool:
        """Whether the attempt still stands after a Tester has tried to break it."""
        key = f"tester:{attempt.candidate.id}"
        known = key in self.journal.state.done
        if not known:
            if (
                self.tester is None
                or not isinstance(self.evaluator, Probing)
                or self._given_up
                or self._made() >= self.calls
            ):
                return True
            try:
                said = self.journal.once(key, {}, lambda: self._attacked(key, attempt))
            except ModelError:  # it is in the log; who cannot be asked breaks nothing
                self._given_up = True
                return True
        else:
            said = self.journal.state.done[key]
        for broken in said["broken"]:
            self._fall(attempt, broken)
        return not said["broken"]

    def audited(self, attempt: Attempt, verdict: Verdict) -> Verdict:
        """The verdict with an Auditor's suspicions as notes; nothing else of it changes."""
        key = f"audit:{attempt.candidate.id}"
        if self.auditor is None:
            return verdict
        try:
            said = self.journal.once(key, {}, lambda: self._read(key, attempt))
        except ModelError:
            return verdict
        notes = [Finding(f["code"], f["message"], "note", f["detail"]) for f in said["findings"]]
        return replace(verdict, findings=(*verdict.findings, *notes))

    def _attacked(self, key: str, attempt: Attempt) -> Result:
        assert self.tester is not None and isinstance(self.evaluator, Probing)
        self.observer.working("tester", key)
        prober = self.evaluator.prober
        challenge = Challenge(self.task, attempt.candidate, prober.inputs, prober.shapes, self.seed)
        attack = self.tester.attack(challenge)
        outcomes: tuple[Outcome, ...] = ()
        note = attack.note
        try:
            outcomes = self.evaluator.probe(attempt.candidate, attack.probes, seconds=self.seconds)
        except (HarnessError, TaskError) as error:  # says nothing of the candidate
            note = f"could not be put to it: {error}"
        return {
            "spend": spend_json(attack.spend),
            "note": note,
            "written": len(attack.probes),
            "outcomes": [_told(o) for o in outcomes],
            "broken": [
                {"probe": o.probe.to_json(), "finding": _finding_json(o.finding)}
                for o in outcomes
                if o.result == "broke" and o.finding
            ],
        }, ()

    def _read(self, key: str, attempt: Attempt) -> Result:
        assert self.auditor is not None
        self.observer.working("audit", key)
        audit = self.auditor.audit(self.task, attempt.candidate)
        findings = [_finding_json(s.finding) for s in audit.suspicions]
        return {"spend": spend_json(audit.spend), "note": audit.note, "findings": findings}, ()

    def _fall(self, attempt: Attempt, broken: Data) -> None:
        """Record the counterexample, and make it a test of the task from now on."""
        probe = Probe.from_json(broken["probe"])
        finding = broken["finding"]
        verdict = replace(
            attempt.verdict,
            verdict="rejected",
            stage="correctness",
            findings=(
                Finding(finding["code"], finding["message"], detail=finding["detail"]),
                *(f for f in attempt.verdict.findings if f.severity != "error"),
            ),
        )
        about = {"candidate": attempt.candidate.id, **broken, "verdict": verdict.to_json()}
        self.journal.decide(f"counterexample:{probe.id}", lambda: about)
        casebook.keep(self.task, [probe])
        self._write()
        self.take_up()

    def _write(self) -> None:
        """`counterexamples.json` beside the log, for people; the log is the truth."""
        probes = [Probe.from_json(data["probe"]) for data in self._counterexamples()]
        casebook.write(self.folder / "counterexamples.json", self.task, probes)

    def _counterexamples(self) -> list[Data]:
        done = self.journal.state.done
        return [data for key, data in done.items() if key.startswith("counterexample:")]

    def _made(self) -> int:
        """Attacks of this run so far."""
        return sum(key.startswith("tester:") for key in self.journal.state.done)


def _told(outcome: Outcome) -> dict[str, Any]:
    told: dict[str, Any] = {"probe": outcome.probe.to_json(), "result": outcome.result}
    if outcome.reason:
        told["reason"] = outcome.reason
    if outcome.finding:
        told["message"] = outcome.finding.message
    return told


def _finding_json(finding: Finding | None) -> dict[str, Any]:
    assert finding is not None
    data = {"code": finding.code, "message": finding.message, "detail": dict(finding.detail)}
    return dict(json.loads(json.dumps(data)))
