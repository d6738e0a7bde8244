"""`optimize`: the whole search for one task, from an empty folder or a killed run to a champion."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kernelwright.agents.budget import INTERRUPTED, Remaining, Spent, Stop
from kernelwright.agents.events import EventLog, read
from kernelwright.agents.graph import Search, run
from kernelwright.agents.journal import Journal
from kernelwright.agents.ledger.metered import metered
from kernelwright.agents.models.base import Cancelled, ModelError, OverBudget
from kernelwright.agents.models.prices import Quote
from kernelwright.agents.ports import Evaluator, Observer, Quiet
from kernelwright.agents.roles import Attempt, Coder, Judge
from kernelwright.agents.run_state import RunState, holds
from kernelwright.agents.settings import BUILTIN_MINUTES, Settings
from kernelwright.harness.verdict import Verdict
from kernelwright.tasks.errors import TaskError, UsageError
from kernelwright.tasks.task import Task

__all__ = [
    "BUILTIN_MINUTES",
    "Champion",
    "Evaluator",
    "Observer",
    "Outcome",
    "Quiet",
    "Remaining",
    "Settings",
    "Spent",
    "Stop",
    "load",
    "optimize",
]


@dataclass(frozen=True)
class Champion:
    """What may be published: an attempt, with the verdict of its final confirmation."""

    attempt: Attempt
    verdict: Verdict


@dataclass(frozen=True)
class Outcome:
    """How a run ended. No champion means: nothing better was found, or `stop` says what failed."""

    folder: Path
    champion: Champion | None
    stop: Stop
    attempts: tuple[Attempt, ...]
    spent: Spent

    @property
    def accepted(self) -> int:
        """How many candidates the harness accepted."""
        return sum(a.verdict.accepted for a in self.attempts)


def optimize(
    task: Task,
    evaluator: Evaluator,
    coder: Coder,
    judge: Judge,
    settings: Settings,
    folder: Path,
    observer: Observer | None = None,
    resume: bool = False,
    stop: threading.Event | None = None,
    quotes: Sequence[Quote] = (),
) -> Outcome:
    """Search for a faster kernel and confirm the best one found.

    `folder` holds `run.db` (the event log) and `checkpoints.db`. With `resume` a run that is there
    goes on: it keeps its seed and language, and takes its budgets from `settings`; time and money
    of its earlier sessions count. Set `stop` to end at the next step; everything so far is kept and
    the champion of that moment is confirmed. `quotes` are the prices to bill models at; a model that
    the run has called before keeps its price, and one that has none here has the library's.

    Raises UsageError when the folder cannot be used, holds another task's run or none to resume, or
    the model refuses the first call; TaskError when the harness finds the task at fault.
    """
    watcher = observer or Quiet()
    if resume and not (folder / "run.db").is_file():
        raise UsageError(f"nothing to resume in {folder}: start without --resume")
    with EventLog(folder) as log:
        journal = Journal(log, evaluator, settings, watcher, stop or threading.Event())
        settings = _take_up(journal, task, settings, folder, resume, quotes)
        coder = metered(coder, journal.ledger, "coder")
        judge = metered(judge, journal.ledger, "judge")
        search = Search(task, evaluator.facts, coder, judge, settings, journal, watcher)
        ended = _search(search, folder / "checkpoints.db")
        journal.record("stopped", ended.reason, {"message": ended.message})
        watcher.stopped(ended)
        if ended.reason == "task_error":
            raise TaskError(ended.message)
        champion, trouble = _confirm(journal, settings)
        state = journal.state
        return Outcome(folder, champion, trouble or ended, tuple(state.attempts), journal.spent())


def _take_up(
    journal: Journal,
    task: Task,
    settings: Settings,
    folder: Path,
    resume: bool,
    quotes: Sequence[Quote],
) -> Settings:
    """Begin or resume the run. Returns the settings in force."""
    state = journal.state
    if not state.run:
        asked = {"task": task.name, "task_hash": task.hash}
        fixed = {"seed": settings.seed, "language": settings.language}
        journal.record("run", "run", {**asked, **fixed})
    elif not resume:
        raise UsageError(f"{folder} holds a run already: --resume continues it")
    elif state.run["task_hash"] != task.hash:
        raise UsageError(
            f"the run in {folder} is for another version of task {state.run['task']}: "
            "start a new run, or put the task file back"
        )
    kept = replace(settings, seed=state.run["seed"], language=state.run["language"])
    journal.record("session", str(state.sessions + 1), {"settings": kept.to_json()})
    for quote in quotes:
        known = state.account.quotes.get(quote.spec)
        if known is None or (known.price is None and quote.price):
            journal.record("price", quote.spec, quote.to_json())
    return kept


def _search(search: Search, checkpoints: Path) -> Stop:
    """Run the loop until it stops, and say why it did."""
    try:
        run(search, checkpoints)
    except Cancelled:
        return INTERRUPTED
    except OverBudget as error:
        return Stop("budget_usd" if error.budget == "usd" else "budget_tokens", str(error))
    except ModelError as error:
        if error.at_fault == "user" and not search.journal.state.attempts:
            raise UsageError(str(error)) from error
        return Stop("model_failed", str(error))
    assert search.ended is not None, "the loop ends by a stop rule only"
    return search.ended


def _confirm(journal: Journal, settings: Settings) -> tuple[Champion | None, Stop | None]:
    """The best candidate that its final verdict bears out, and what kept one from being judged.

    A machine that fails twice in a row is given up; the candidate can be confirmed by a resume.
    """
    for _ in range(settings.confirmations):
        best = next(iter(journal.state.contenders()), None)
        if best is None:
            break
        verdict = journal.confirm(best)
        if verdict.verdict == "harness_error":
            verdict = journal.confirm(best)
        if verdict.verdict == "harness_error":
            said = verdict.findings[0].message if verdict.findings else "no reason given"
            return None, Stop("harness_error", f"the confirmation failed: {said}")
        if holds(verdict):
            return Champion(best, verdict), None
    return None, None


def load(folder: Path) -> RunState:
    """The state of a run that may be under way, for reports. Raises UsageError."""
    events, stored = read(folder / "run.db")
    return RunState.from_events(events, stored)
