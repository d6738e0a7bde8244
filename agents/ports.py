"""What the search needs from outside: someone who judges, and someone who watches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from kernelwright.agents.roles import Attempt
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.device import DeviceFacts
from kernelwright.harness.verdict import Verdict

if TYPE_CHECKING:
    from kernelwright.agents.budget import Remaining, Spent, Stop


class Evaluator(Protocol):
    """Judges candidates for one task on one device (`harness/evaluate.py`)."""

    @property
    def facts(self) -> DeviceFacts:
        """The device that the verdicts hold for."""
        ...

    def evaluate(
        self,
        candidate: Candidate,
        *,
        effort: Literal["loop", "final"] = "loop",
        champion: Candidate | None = None,
    ) -> Verdict:
        """Run the cascade. `loop` times against eager, and against the champion when one is given;

        `final` works in a clean process with new seeds, and against torch.compile as well.
        """
        ...


class Observer(Protocol):
    """Is told what happens, for a display. It cannot change anything."""

    def round_started(self, round: int, parent: Attempt | None) -> None:
        """A round begins, from this parent."""
        ...

    def working(self, what: Literal["judge", "propose", "evaluate", "confirm"], key: str) -> None:
        """Work that takes time begins; `key` is its name in the event log."""
        ...

    def evaluated(self, attempt: Attempt) -> None:
        """A candidate has its verdict."""
        ...

    def new_best(self, attempt: Attempt) -> None:
        """This attempt is the champion now."""
        ...

    def spent(self, spent: Spent, remaining: Remaining) -> None:
        """What the run has cost, all sessions together, and what is left."""
        ...

    def stopped(self, stop: Stop) -> None:
        """The search ended; the confirmation of the champion follows."""
        ...


class Quiet:
    """An Observer that shows nothing."""

    def round_started(self, round: int, parent: Attempt | None) -> None:
        """Nothing."""

    def working(self, what: Literal["judge", "propose", "evaluate", "confirm"], key: str) -> None:
        """Nothing."""

    def evaluated(self, attempt: Attempt) -> None:
        """Nothing."""

    def new_best(self, attempt: Attempt) -> None:
        """Nothing."""

    def spent(self, spent: Spent, remaining: Remaining) -> None:
        """Nothing."""

    def stopped(self, stop: Stop) -> None:
        """Nothing."""
