"""What the search needs from outside: someone who judges, and someone who watches."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from kernelwright.agents.roles import Attempt, Target
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.device import DeviceFacts
from kernelwright.harness.verdict import Verdict

if TYPE_CHECKING:
    from kernelwright.agents.budget import Remaining, Spent, Stop
    from kernelwright.harness.counterexample import Probe
    from kernelwright.harness.probing import Outcome, Prober


Work = Literal["judge", "propose", "evaluate", "confirm", "tester", "audit"]
"""Kinds of work that take time."""


class Evaluator(Protocol):
    """Judges candidates for one task on one device (`harness/evaluate.py`)."""

    @property
    def facts(self) -> DeviceFacts:
        """The device that the verdicts hold for."""
        ...

    @property
    def target(self) -> Target:
        """What there is to gain. One who cannot say may lack this."""
        return Target()

    def fingerprint(self, candidate: Candidate) -> str | None:
        """Equal for candidates with equal compiled code; None: not known. May be lacking."""
        return None

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


@runtime_checkable
class Probing(Protocol):
    """An Evaluator that can also put probes to a candidate. Not every one can."""

    @property
    def prober(self) -> Prober:
        """What may be probed: `shapes` and `inputs`."""
        ...

    def probe(
        self, candidate: Candidate, probes: Iterable[Probe], *, seconds: float | None = None
    ) -> tuple[Outcome, ...]:
        """What came of each, as far as the time went."""
        ...

    def learn(self, probes: Iterable[Probe]) -> None:
        """Hold them against every candidate from now on."""
        ...


@runtime_checkable
class Counting(Protocol):
    """An Evaluator that can also count what an accepted candidate compiles to. Not every one can."""

    def counted(self, verdict: Verdict, candidate: Candidate) -> Verdict:
        """The verdict with its counters; costs seconds. Raises HarnessError."""
        ...


class Observer(Protocol):
    """Is told what happens, for a display. It cannot change anything."""

    def round_started(self, round: int, parent: Attempt | None) -> None:
        """A round was decided, from this parent; with several in flight, before earlier ones ended."""
        ...

    def working(self, what: Work, key: str) -> None:
        """Work that takes time begins; `key` is its name in the event log.

        Judges and Coders of several rounds may work at once, each in a thread of its own.
        """
        ...

    def done(self, key: str) -> None:
        """That work is over, whatever came of it."""
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

    def working(self, what: Work, key: str) -> None:
        """Nothing."""

    def done(self, key: str) -> None:
        """Nothing."""

    def evaluated(self, attempt: Attempt) -> None:
        """Nothing."""

    def new_best(self, attempt: Attempt) -> None:
        """Nothing."""

    def spent(self, spent: Spent, remaining: Remaining) -> None:
        """Nothing."""

    def stopped(self, stop: Stop) -> None:
        """Nothing."""
