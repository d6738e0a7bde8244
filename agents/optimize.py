"""`optimize`: the whole search for one task, from an empty folder or a killed run to a champion."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from kernelwright.agents.auditor import Auditor
from kernelwright.agents.budget import INTERRUPTED, Remaining, Spent, Stop
from kernelwright.agents.checkpoints import run
from kernelwright.agents.events import EventLog, read
from kernelwright.agents.graph import Search
from kernelwright.agents.hardening import Hardening
from kernelwright.agents.journal import Journal
from kernelwright.agents.ledger.metered import metered
from kernelwright.agents.models.base import Cancelled, ModelError, OverBudget, RecordingEnded
from kernelwright.agents.models.halt import Halt
from kernelwright.agents.models.prices import Quote
from kernelwright.agents.planner import Cast
from kernelwright.agents.ports import Evaluator, Observer, Quiet
from kernelwright.agents.proposals import Proposals
from kernelwright.agents.roles import Attempt, Brief, Coder, Judge, Lesson
from kernelwright.agents.run_state import START, RunState, holds
from kernelwright.agents.settings import BUILTIN_MINUTES, Settings
from kernelwright.agents.strategies import catalogue
from kernelwright.agents.tester import Tester
from kernelwright.agents.transcript import Transcript
from kernelwright.agents.turn_brief import brief_of
from kernelwright.agents.unmeasured import unmeasured
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.device import DeviceFacts
from kernelwright.harness.parse import language_of
from kernelwright.harness.verdict import Verdict
from kernelwright.tasks.errors import TaskError, UsageError
from kernelwright.tasks.task import Task

if TYPE_CHECKING:
    from kernelwright.agents.memory.memory import Memory

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
    unmeasured: Champion | None = None
    """Without a champion: the best of those that are right and whose speed is unknown."""

    @property
    def accepted(self) -> int:
        """How many candidates the harness accepted."""
        return sum(a.verdict.accepted for a in self.attempts)


def optimize(
    task: Task,
    evaluator: Evaluator,
    coder: Coder | Mapping[str, Coder],
    judge: Judge | Mapping[str, Judge],
    settings: Settings,
    folder: Path,
    observer: Observer | None = None,
    resume: bool = False,
    stop: threading.Event | None = None,
    quotes: Sequence[Quote] = (),
    halt: Halt | None = None,
    tester: Tester | None = None,
    auditor: Auditor | None = None,
) -> Outcome:
    """Search for a faster kernel and confirm the best one found.

    `folder` holds `run.db` (the event log) and `checkpoints.db`. With `resume` a run that is there
    goes on: it keeps its seed and language, and takes its budgets from `settings`; time and money
    of its earlier sessions count. Set `stop` to end at the next step; everything so far is kept and
    the champion of that moment is confirmed. `quotes` are the prices to bill models at; a model that
    the run has called before keeps its price, and one that has none here has the library's.

    Of several Coders or Judges, by name, a bandit chooses for each turn. `halt` is what stops their
    models: where turns are still in flight at the end, answers that come in may arrive (they are paid
    for, and kept for a resume), and nobody waits for more.

    The `tester` attacks champions, and what breaks falls; the `auditor` adds notes to what is published.

    Raises UsageError when the folder cannot be used, holds another task's run or none to resume, or
    the model refuses the first call; TaskError when the harness finds the task at fault.
    """
    watcher = observer or Quiet()
    if resume and not (folder / "run.db").is_file():
        raise UsageError(f"nothing to resume in {folder}: start without --resume")
    with EventLog(folder) as log:
        journal = Journal(log, evaluator, settings, watcher, stop or threading.Event())
        settings = _take_up(journal, task, evaluator.facts, settings, folder, resume, quotes)
        memory = _memory(settings)
        said = Transcript(folder)
        coders = {k: metered(c, journal.ledger, "coder", said) for k, c in _by_name(coder).items()}
        judges = {k: metered(j, journal.ledger, "judge", said) for k, j in _by_name(judge).items()}
        strategies = catalogue(settings.language)
        cast = Cast(tuple(coders), tuple(judges), strategies)
        journal.coders = ("",) if len(coders) == 1 else tuple(coders)

        def brief(number: int) -> Brief:
            lessons = _recalled(journal, memory, task, evaluator.facts, number)
            return brief_of(journal.state, settings, task, evaluator, number, strategies, lessons)

        asking = Proposals(journal, watcher, coders, judges, settings.parallel, brief)
        hardening = Hardening(
            task,
            journal,
            evaluator,
            watcher,
            folder,
            metered(tester, journal.ledger, "tester", said),
            metered(auditor, journal.ledger, "auditor", said),
            settings.tester_calls,
            settings.tester_seconds,
            settings.seed,
        )
        hardening.take_up()
        _judge_start(journal, task, settings)
        search = Search(settings, cast, journal, asking, watcher, hardening.turn)
        ended = _search(search, folder / "checkpoints.db", halt)
        journal.record("stopped", ended.reason, {"message": ended.message})
        watcher.stopped(ended)
        if ended.reason == "task_error":
            raise TaskError(ended.message)
        champion, trouble = _confirm(journal, settings, hardening)
        state = journal.state
        if memory:
            memory.remember(state, task, evaluator.facts)
        blind, blind_trouble = (None, None)
        if champion is None and trouble is None:
            blind, blind_trouble = _confirm_unmeasured(journal, settings)
        ended = trouble or blind_trouble or ended
        return Outcome(
            folder, champion, ended, tuple(state.attempts), journal.spent(), unmeasured=blind
        )


def _judge_start(journal: Journal, task: Task, settings: Settings) -> None:
    """Judge the kernel that the task starts from first: it is the parent of what follows.

    One in another language than the run's is no parent, nor is one that is to be translated: they are
    shown (`briefing`).
    """
    if task.start is None or task.meta.translate_to:
        return
    candidate = Candidate(task.start, language_of(task.start))
    if candidate.language == settings.language and not journal.must_stop():
        journal.evaluate(candidate, START, None, "the start kernel")


Player = TypeVar("Player")


def _by_name(players: Player | Mapping[str, Player]) -> Mapping[str, Player]:
    return players if isinstance(players, Mapping) else {"": players}


def _memory(settings: Settings) -> Memory | None:
    """What other runs have left, where the settings ask for it."""
    if settings.memory is None:
        return None
    from kernelwright.agents.memory.memory import Memory

    return Memory.of(settings)


def _recalled(
    journal: Journal, memory: Memory | None, task: Task, facts: DeviceFacts, number: int
) -> tuple[Lesson, ...]:
    """What the memory of other runs says to a turn, as it said it first."""
    if memory is None:
        return ()
    from kernelwright.agents.memory.recall import lessons_from

    # What failed was not timed: what bound the kernel that it comes of is what it is to relieve.
    parent = journal.state.ancestor(journal.state.turns.decided[number].parent)
    language = str(journal.state.run["language"])
    return lessons_from(
        journal.decide(f"recall:{number}", lambda: memory.recalled(task, parent, language, facts))
    )


def _take_up(
    journal: Journal,
    task: Task,
    facts: DeviceFacts,
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
    device = {"kind": facts.kind, "name": facts.name, "threads": facts.threads}
    about = {"settings": kept.to_json(), "device": device}
    journal.record("session", str(state.sessions + 1), about)
    for quote in quotes:
        known = state.account.quotes.get(quote.spec)
        if known is None or (known.price is None and quote.price):
            journal.record("price", quote.spec, quote.to_json())
    return kept


def _search(search: Search, checkpoints: Path, halt: Halt | None) -> Stop:
    """Run the loop until it stops, and say why it did."""
    journal, asking = search.journal, search.proposals
    try:
        stop = _stopped(search, checkpoints)
    except BaseException:
        asking.close(wait=False)
        raise
    if halt and journal.state.turns.open:
        halt.soon()
    asking.close(wait=True)
    return stop


def _stopped(search: Search, checkpoints: Path) -> Stop:
    try:
        run(search, checkpoints)
    except Cancelled:
        return INTERRUPTED
    except OverBudget as error:
        return Stop("budget_usd" if error.budget == "usd" else "budget_tokens", str(error))
    except RecordingEnded as error:
        return Stop("recording_ended", str(error))
    except ModelError as error:
        if error.at_fault == "user" and not search.journal.state.attempts:
            raise UsageError(str(error)) from error
        return Stop("model_failed", str(error))
    assert search.ended is not None, "the loop ends by a stop rule only"
    return search.ended


def _confirm(
    journal: Journal, settings: Settings, hardening: Hardening
) -> tuple[Champion | None, Stop | None]:
    """The best candidate that its final verdict bears out, and what kept one from being judged.

    A machine that fails twice in a row is given up; the candidate can be confirmed by a resume.
    """
    for _ in range(settings.confirmations):
        best = next(iter(journal.state.contenders()), None)
        while best is not None and not hardening.attack(best):
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
            return Champion(best, hardening.audited(best, verdict)), None
    return None, None


def _confirm_unmeasured(
    journal: Journal, settings: Settings
) -> tuple[Champion | None, Stop | None]:
    """The best of those whose speed is unknown, right on new inputs too; what kept one from being judged."""
    if journal.state.champion is not None:
        return None, None
    for best in unmeasured(journal.state.attempts)[: settings.confirmations]:
        verdict = journal.confirm(best)
        if verdict.verdict == "harness_error":
            said = verdict.findings[0].message if verdict.findings else "no reason given"
            return None, Stop("harness_error", f"the confirmation failed: {said}")
        if verdict.accepted:
            return Champion(best, verdict), None
    return None, None


def load(folder: Path) -> RunState:
    """The state of a run that may be under way, for reports. Raises UsageError."""
    events, stored = read(folder / "run.db")
    return RunState.from_events(events, stored)
