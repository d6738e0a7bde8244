"""Writes what a run gives: the champion as a file of its own, its card, and the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kernelwright.agents.optimize import Champion, Evaluator, Outcome
from kernelwright.card import Found, card, header
from kernelwright.champion import standalone
from kernelwright.evals.serving.evaluator import ServedEvaluator
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.errors import HarnessError
from kernelwright.harness.verdict import Verdict
from kernelwright.machine import environment
from kernelwright.outputs import Asked, RunFolder
from kernelwright.report import report
from kernelwright.tasks.task import Task
from kernelwright.text import first_line


@dataclass(frozen=True)
class Published:
    """A champion on disk, and its final verdict."""

    folder: RunFolder
    champion: Champion

    @property
    def verdict(self) -> Verdict:
        """What its confirmation found."""
        return self.champion.verdict


def publish(
    task: Task, asked: Asked, folder: RunFolder, outcome: Outcome, evaluator: Evaluator
) -> Published | None:
    """Write the report, and the champion with its card where there is one.

    The file that is published carries a header and a builder that the confirmed candidate had not:
    so it is checked once more, as it is. Raises HarnessError when that fails or a file cannot be
    written.
    """
    if outcome.champion is None:
        for stale in (folder.kernel, folder.card):
            stale.unlink(missing_ok=True)
        if outcome.unmeasured is not None:
            folder.write(folder.unmeasured, unmeasured_text(outcome.unmeasured, task))
        folder.write(folder.report, report(task, asked.players, folder.name, outcome, None))
        return None
    champion = outcome.champion
    found = Found(
        task=task,
        task_spec=asked.task,
        model=asked.players,
        options=asked.player_options,
        run=folder.name,
        attempt=champion.attempt,
        verdict=champion.verdict,
        facts=evaluator.facts,
        environment=_environment(evaluator),
        spent=outcome.spent,
        stop=outcome.stop,
        evaluations=len(outcome.attempts),
        accepted=outcome.accepted,
    )
    made = standalone(champion.attempt.candidate, header(found))
    _check(Candidate(made.text, champion.attempt.candidate.language), evaluator)
    folder.write(folder.kernel, made.text)
    folder.write(folder.card, card(found, made.text, made.lacking))
    folder.write(folder.report, report(task, asked.players, folder.name, outcome, found))
    return Published(folder, champion)


def unmeasured_text(found: Champion, task: Task) -> str:
    """The candidate with comment lines on top that say what is known of it, and what is not."""
    reason = first_line(found.verdict.reasons.get("speedup", "speed was not measured"))
    lines = [
        f"{task.name}: ModelNew takes the place of Model.",
        f"Accepted, of unknown speed: {reason}.",
        f"Candidate {found.attempt.candidate.id}. On a GPU: kernelwright verify task.py unmeasured/kernel.py",
    ]
    return "".join(f"# {line}\n" for line in lines) + "\n" + found.attempt.candidate.source


def _environment(evaluator: Evaluator) -> Mapping[str, str | None]:
    """Of the machine that measured, which may be another one."""
    return evaluator.environment if isinstance(evaluator, ServedEvaluator) else environment()


def _check(candidate: Candidate, evaluator: Evaluator) -> None:
    verdict = evaluator.evaluate(candidate, effort="loop")
    if not verdict.accepted:
        said = first_line(verdict.findings[0].message) if verdict.findings else verdict.stage
        raise HarnessError(
            f"the champion was confirmed, but the file made of it is not accepted: {said}; "
            "nothing is lost: --resume tries again"
        )
