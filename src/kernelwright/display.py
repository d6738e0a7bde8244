"""Displays of a search: live on a terminal (`live.py`), plain lines elsewhere; both Observers."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from kernelwright import text
from kernelwright.agents.budget import Stop
from kernelwright.agents.models.keys import redact
from kernelwright.agents.roles import Attempt
from kernelwright.progress import DOING, Progress, Title, Work

if TYPE_CHECKING:
    from kernelwright.agents.run_state import RunState


@contextmanager
def display(title: Title, stream: TextIO) -> Iterator[Progress]:
    """The display that suits the stream, for as long as the search runs; in a batch, one that tells it."""
    from rich.console import Console

    from kernelwright.evals.pool import PROGRESS
    from kernelwright.live import live

    console = Console(file=stream)
    if PROGRESS in os.environ:
        from kernelwright.progress_lines import ToldDisplay

        yield ToldDisplay(title, stream, int(os.environ[PROGRESS]))
    elif console.is_terminal and not console.is_dumb_terminal:
        with live(title, console) as shown:
            yield shown
    else:
        yield PlainDisplay(title, stream)


class PlainDisplay(Progress):
    """One line for each thing that matters: for logs and pipes.

    The heading waits for the first of them: where a task turns out to be at fault, the line that
    says so stands alone.
    """

    def __init__(self, title: Title, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._turn = threading.Lock()
        self._heading: str | None = f"{title.task} with {title.model}, run {title.run}"

    def take_up(self, state: RunState) -> None:
        """Said in the heading."""
        super().take_up(state)
        if self._heading and state.attempts:
            best = state.champion.verdict.speedup.get("eager") if state.champion else None
            found = f", the best at {text.ratio(best)}" if best else ""
            self._heading += f", goes on after {len(state.attempts)} candidates{found}"

    def round_started(self, round: int, parent: Attempt | None) -> None:
        """A line with the parent."""
        super().round_started(round, parent)
        self._say(f"round {round}" + (f" from {parent.candidate.id}" if parent else ""))

    def working(self, what: Work, key: str) -> None:
        """A line for what may take long; evaluations are told of when they are done."""
        super().working(what, key)
        if what != "evaluate":
            several = f" for round {key.partition(':')[2]}" if len(self.doing) > 1 else ""
            self._say(f"  {DOING[what]}{several}")

    def evaluated(self, attempt: Attempt) -> None:
        """A line with the verdict."""
        super().evaluated(attempt)
        self._say(f"  {attempt.candidate.id}  {_result(attempt)}  {text.what(attempt)}".rstrip())

    def new_best(self, attempt: Attempt) -> None:
        """A line with the speedup."""
        super().new_best(attempt)
        self._say(f"  new best: {text.ratio(attempt.verdict.speedup.get('eager'))} against eager")

    def stopped(self, stop: Stop) -> None:
        """A line with the reason and the spend."""
        super().stopped(stop)
        spend = f"; {text.cost(self.cost)}" if self.cost else ""
        self._say(f"stopped: {stop.message}{spend}")

    def stopping(self) -> None:
        """A line, written past Python's buffers: this runs inside a signal handler."""
        super().stopping()
        os.write(self._stream.fileno(), f"{self.phase}\n".encode())

    def _say(self, line: str) -> None:
        with self._turn:
            heading, self._heading = self._heading, None
            for one in (heading, line) if heading else (line,):
                said = f"[{self.elapsed_s():6.1f} s] {redact(one)}"
                print(said, file=self._stream, flush=True)


def _result(attempt: Attempt) -> str:
    """The verdict with the speedup where one was measured."""
    eager = attempt.verdict.speedup.get("eager")
    gained = f"  {text.ratio(eager)}" if eager else ""
    return f"{text.outcome(attempt.verdict)}{gained}"
