"""What a display knows of a search: an Observer that only remembers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kernelwright.agents.budget import Remaining, Spent, Stop
from kernelwright.agents.ports import Work as Work
from kernelwright.agents.roles import Attempt

if TYPE_CHECKING:
    from kernelwright.agents.run_state import RunState

DOING: dict[Work, str] = {
    "judge": "the Judge reads the last verdict",
    "propose": "the Coder writes a candidate",
    "evaluate": "evaluating a candidate",
    "confirm": "confirming the best in a clean process",
    "tester": "the Tester attacks the champion",
    "audit": "the Auditor reads the champion",
}
_ASKING = ("judge", "propose")
"""Work that goes on beside other work, where several rounds are in flight."""


@dataclass(frozen=True)
class Title:
    """What stands above a display."""

    task: str
    model: str
    run: str


@dataclass
class Progress:
    """The search so far, this session. `clock` gives seconds and never goes back."""

    clock: Callable[[], float] = time.monotonic
    round: int = 0
    phase: str = "preparing the task and its baselines"
    phase_began: float = 0.0
    doing: dict[str, tuple[Work, float]] = field(default_factory=dict)
    """Work under way, by its key: what, and since when."""
    attempts: list[Attempt] = field(default_factory=list)
    best: Attempt | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    """Wall time by stage of the cascade, summed over the attempts."""
    cost: Spent | None = None
    remaining: Remaining | None = None
    stop: Stop | None = None
    began: float = 0.0
    halting: bool = False
    """Whether a signal asked for the end."""

    def __post_init__(self) -> None:
        self.began = self.phase_began = self.clock()

    def round_started(self, round: int, parent: Attempt | None) -> None:
        """A round begins."""
        self.round = round

    def working(self, what: Work, key: str) -> None:
        """Work begins that takes time; any thread may say so."""
        self.doing[key] = what, self.clock()
        self._look()

    def done(self, key: str) -> None:
        """It is over; what else is under way comes to the front."""
        self.doing.pop(key, None)
        self._look()

    def _look(self) -> None:
        """The phase: what holds the device, else what was asked first, and what goes on beside it."""
        if self.halting and not any(what == "confirm" for what, _ in self.doing.values()):
            return
        under_way = list(self.doing.values())
        held = [work for work in under_way if work[0] not in _ASKING]
        asked = [work for work in under_way if work[0] in _ASKING]
        shown = held[-1:] or asked[:1]
        if shown:
            self.phase, self.phase_began = DOING[shown[0][0]], shown[0][1]
            beside = len(asked) - (not held)
            if beside:
                self.phase += (
                    f", {beside} more {'round' if beside == 1 else 'rounds'} being written"
                )

    def evaluated(self, attempt: Attempt) -> None:
        """One more attempt has its verdict."""
        self.attempts.append(attempt)
        for stage, spent in attempt.verdict.seconds.items():
            self.seconds[stage] = self.seconds.get(stage, 0.0) + spent

    def new_best(self, attempt: Attempt) -> None:
        """The champion is another one now."""
        self.best = attempt

    def spent(self, spent: Spent, remaining: Remaining) -> None:
        """What the run has cost and may still cost."""
        self.cost = spent
        self.remaining = remaining

    def stopped(self, stop: Stop) -> None:
        """The search is over; the confirmation follows."""
        self.stop = stop

    def take_up(self, state: RunState) -> None:
        """Know what earlier sessions of the run did."""
        self.attempts = list(state.attempts)
        self.best = state.champion
        self.round = state.round

    def stopping(self) -> None:
        """A signal asked for the end; the step under way is finished first."""
        self.halting = True
        self.phase = "stopping after this step; once more stops at once"

    def publishing(self) -> None:
        """The search is over, the files are written."""
        self.phase = "writing the champion and the report"
        self.phase_began = self.clock()

    @property
    def accepted(self) -> int:
        """How many attempts of this session were accepted."""
        return sum(attempt.verdict.accepted for attempt in self.attempts)

    def elapsed_s(self) -> float:
        """Seconds since this display began."""
        return self.clock() - self.began

    def phase_s(self) -> float:
        """Seconds since the present work began."""
        return self.clock() - self.phase_began
