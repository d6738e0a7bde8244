"""Progress for a program that watches: one JSON object a line, on the pipe of a batch (`evals/pool.py`).

Keys, each of which may be missing: `state` (what is going on), `round`, `candidates`, `accepted`, `best`
(median speedup against eager), `evaluations`, `usd`, `tokens`, `left` (evaluations), `left_s` (seconds).
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING, Any, TextIO

from kernelwright.agents.budget import Remaining, Spent
from kernelwright.agents.roles import Attempt
from kernelwright.display import PlainDisplay
from kernelwright.progress import DOING, Title, Work

if TYPE_CHECKING:
    from kernelwright.agents.run_state import RunState


class ToldDisplay(PlainDisplay):
    """Plain lines for the log, and what matters on a pipe."""

    def __init__(self, title: Title, stream: TextIO, descriptor: int) -> None:
        super().__init__(title, stream)
        self._descriptor = descriptor

    def take_up(self, state: RunState) -> None:
        """Say what earlier sessions found."""
        super().take_up(state)
        best = state.champion.verdict.speedup.get("eager") if state.champion else None
        self._tell(candidates=len(state.attempts), best=best.median if best else None)

    def round_started(self, round: int, parent: Attempt | None) -> None:
        """Say the round."""
        super().round_started(round, parent)
        self._tell(round=round)

    def working(self, what: Work, key: str) -> None:
        """Say what is going on."""
        super().working(what, key)
        self._tell(state=DOING[what])

    def evaluated(self, attempt: Attempt) -> None:
        """Say how many there are, and how many were accepted."""
        super().evaluated(attempt)
        self._tell(candidates=len(self.attempts), accepted=self.accepted)

    def new_best(self, attempt: Attempt) -> None:
        """Say the speedup."""
        super().new_best(attempt)
        measured = attempt.verdict.speedup.get("eager")
        self._tell(best=measured.median if measured else None)

    def spent(self, spent: Spent, remaining: Remaining) -> None:
        """Say the figures."""
        super().spent(spent, remaining)
        self._tell(
            evaluations=spent.evaluations,
            usd=spent.usd,
            tokens=spent.tokens,
            left=remaining.evaluations,
            left_s=remaining.wall_s,
        )

    def publishing(self) -> None:
        """Say that it is nearly over."""
        super().publishing()
        self._tell(state=self.phase, left=0, left_s=0.0)

    def _tell(self, **said: Any) -> None:
        with contextlib.suppress(BrokenPipeError):  # nobody watches any more
            os.write(self._descriptor, (json.dumps(said) + "\n").encode())
