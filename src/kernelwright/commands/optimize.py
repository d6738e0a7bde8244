"""`kernelwright optimize`: search for a faster kernel, and publish the best one found."""

from __future__ import annotations

import argparse
import contextlib
import shlex
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING, Any

from kernelwright import text
from kernelwright.card import spent_json
from kernelwright.commands.arguments import Subparsers, add_command, add_json, at_least_one
from kernelwright.commands.search_options import add_search_options, language_for
from kernelwright.console import Console, complain
from kernelwright.job import LATEST, Job, mailboxes, prepare
from kernelwright.progress import Title

if TYPE_CHECKING:
    from kernelwright.agents.models.halt import Halt
    from kernelwright.agents.optimize import Outcome
    from kernelwright.publish import Published


DEFAULT_OUT = "kernels_out"
DONE, NOTHING_BETTER, MACHINE_FAILED, INTERRUPTED = 0, 1, 3, 130
_FAILURES = ("model_failed", "harness_error")
"""Reasons to stop that are no result of the search."""
_BUDGETS = {"budget_usd": "--budget-usd", "budget_tokens": "--budget-tokens"}
"""What lets a run go on that its budget ended."""


def add_parser(commands: Subparsers) -> None:
    """Declare `optimize TASK`."""
    parser = add_command(commands, "optimize", "make an operator faster")
    parser.add_argument(
        "task", nargs="?", metavar="TASK", help="a task file, or a name from `tasks list`"
    )
    add_search_options(parser)
    parser.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="what the kernels are for (default: what --language is for)",
    )
    parser.add_argument(
        "--parallel",
        type=at_least_one,
        metavar="N",
        help="rounds in flight: so many candidates may be written at once, while one is timed "
        "(default: 1; always 1 with the built-in model, which needs the processor itself)",
    )
    parser.add_argument(
        "--out",
        default=DEFAULT_OUT,
        metavar="DIR",
        help=f"where the run's folder goes: DIR/<task>/<run> (default: {DEFAULT_OUT})",
    )
    parser.add_argument(
        "--resume",
        nargs="?",
        const=LATEST,
        metavar="RUN",
        help="go on with a run, by name or folder (default: the latest of this task)",
    )
    add_json(parser)
    parser.set_defaults(run=run)


@dataclass
class Interrupt:
    """How a signal reaches the search."""

    asked: threading.Event = field(default_factory=threading.Event)
    searching: bool = False
    """Before the search begins there is nothing to keep: the first signal ends it."""
    tell: Callable[[], None] = lambda: None


def run(args: argparse.Namespace, console: Console) -> int:
    """Search and publish; the status says how it ended."""
    args.language = language_for(args.language, args.device)
    job = prepare(args)
    for line in text.terms(job.quotes, job.settings.budget_usd, job.settings.budget_tokens):
        console.note(line)
    for line in job.notes:
        console.note(line)
    for folder in mailboxes(job.asked):
        console.note(f"questions come to {folder}; the README.md there says how to answer")
    try:
        with _interruptible(job.players.halt) as interrupt:
            outcome, published = _search(job, console, interrupt)
    except KeyboardInterrupt:
        job.players.halt.now()
        job.folder.discard_if_unused()
        complain(f"interrupted{_go_on(job)}")
        return INTERRUPTED
    except BaseException:
        job.folder.discard_if_unused()
        raise
    console.emit(_as_json(job, outcome, published))
    return _conclude(job, outcome, published, console)


@contextlib.contextmanager
def _interruptible(halt: Halt) -> Iterator[Interrupt]:
    """The first Ctrl-C (or SIGTERM) asks the search to stop, the second stops at once.

    Nobody waits for a model then; an answer that is coming in, and is paid for, may arrive.
    """
    interrupt = Interrupt()

    def handle(number: int, frame: FrameType | None) -> None:
        if interrupt.asked.is_set() or not interrupt.searching:
            raise KeyboardInterrupt
        interrupt.asked.set()
        halt.soon()
        interrupt.tell()

    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, handle) for number in signals]
    try:
        yield interrupt
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


def _search(job: Job, console: Console, interrupt: Interrupt) -> tuple[Outcome, Published | None]:
    """The search, from the first process to the last file."""
    from kernelwright.agents.optimize import load, optimize
    from kernelwright.display import display
    from kernelwright.evals.serving.choose import evaluator_for
    from kernelwright.publish import publish

    title = Title(job.task.name, job.asked.players, job.folder.name)
    with (
        display(title, console.stderr) as shown,
        evaluator_for(job.task, job.settings.language) as evaluator,
    ):
        if job.resume:
            shown.take_up(load(job.folder.path))
        interrupt.tell = shown.stopping
        interrupt.searching = True
        outcome = optimize(
            job.task,
            evaluator,
            job.players.coder,
            job.players.judge,
            job.settings,
            job.folder.path,
            observer=shown,
            resume=job.resume,
            stop=interrupt.asked,
            quotes=job.quotes,
            halt=job.players.halt,
            tester=job.players.tester,
            auditor=job.players.auditor,
        )
        shown.publishing()
        return outcome, publish(job.task, job.asked, job.folder, outcome, evaluator)


def _conclude(job: Job, outcome: Outcome, published: Published | None, console: Console) -> int:
    """Tell how it ended, and give the status."""
    if published:
        console.show(f"{text.speedups(published.verdict)}")
        for finding in published.verdict.findings:
            console.show(f"{finding.severity}: {text.first_line(finding.message)}")
        console.show(f"{published.folder.kernel}")
    elif outcome.unmeasured is not None:
        console.show("no champion can be confirmed: right, but of unknown speed")
        console.show(f"{job.folder.unmeasured}")
    elif outcome.stop.reason not in _FAILURES:
        console.show(f"nothing better found: {outcome.stop.message}")
    console.show(f"{job.folder.report}")
    if outcome.stop.reason == "interrupted":
        complain(f"interrupted{_go_on(job)}")
        return INTERRUPTED
    if outcome.stop.reason in _BUDGETS:
        option = _BUDGETS[outcome.stop.reason]
        console.note(f"{outcome.stop.message}{_go_on(job)} {option} MORE")
    if outcome.stop.reason in _FAILURES:
        complain(f"{outcome.stop.message}{_go_on(job)}")
        return DONE if published else MACHINE_FAILED
    return DONE if published else NOTHING_BETTER


def _go_on(job: Job) -> str:
    """The command that goes on with the run; empty where the search had not begun."""
    if not (job.folder.path / "run.db").exists():
        return ""
    words = ["kernelwright", "optimize", job.asked.task, "--resume", job.folder.name]
    if str(job.out) != DEFAULT_OUT:
        words += ["--out", str(job.out)]
    return f"; to go on: {shlex.join(words)}"


def _unmeasured_json(job: Job, outcome: Outcome) -> dict[str, Any] | None:
    """The best of those whose speed is unknown, where there is no champion."""
    if outcome.unmeasured is None:
        return None
    verdict = outcome.unmeasured.verdict
    return {
        "path": str(job.folder.unmeasured.resolve()),
        "candidate": outcome.unmeasured.attempt.candidate.id,
        "language": verdict.language,
        "reasons": dict(verdict.reasons),
    }


def _as_json(job: Job, outcome: Outcome, published: Published | None) -> dict[str, Any]:
    """The object of `optimize --json` (see docs/json.md)."""
    champion = None
    if published:
        verdict = published.verdict.to_json()
        champion = {
            "path": str(published.folder.kernel.resolve()),
            "card": str(published.folder.card.resolve()),
            "candidate": published.champion.attempt.candidate.id,
            "speedup": verdict["speedup"],
            "track": verdict["track"],
            "language": verdict["language"],
            "reasons": verdict["reasons"],
        }
    return {
        "task": job.task.name,
        "run": job.folder.name,
        "folder": str(job.folder.path.resolve()),
        "champion": champion,
        "unmeasured": _unmeasured_json(job, outcome),
        "candidates": len(outcome.attempts),
        "accepted": outcome.accepted,
        "stop": {"reason": outcome.stop.reason, "message": outcome.stop.message},
        "spent": spent_json(outcome.spent),
    }
