"""A log in memory, a model of a known price, and prices."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from search_fakes import TASK, FakeEvaluator, kernel

from kernelwright.agents.events import Event
from kernelwright.agents.ledger.account import Account
from kernelwright.agents.ledger.ledger import Caps, Ledger
from kernelwright.agents.llm_roles import ModelCoder, ModelJudge
from kernelwright.agents.models.base import (
    UNMETERED,
    Reply,
    Usage,
    size_of,
)
from kernelwright.agents.models.prices import Price, Quote, Tier
from kernelwright.agents.optimize import Settings, optimize

PRICES = {
    "plain": Price((Tier(1.0, 5.0),), "test", "2026-01-01"),
    "cached": Price((Tier(0.25, 2.0, cached=0.025, cache_written=0.3125),), "test", "2026-01-01"),
    "tiered": Price(
        (Tier(0.1, 0.5, 0.01, 0.125), Tier(0.5, 2.5, 0.05, 0.625, above=9_000)),
        "test",
        "2026-01-01",
    ),
}


class Killed(BaseException):
    """The process is gone."""


class Log:
    """An event log in memory. Once `dead` nothing is written any more, as in a dead process."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.dead = False

    def session(self, caps: Caps) -> tuple[Ledger, Account]:
        """A process that takes up the run."""
        self.dead = False
        account = Account()
        for event in self.events:
            account.apply(event)

        def record(kind: str, key: str, data: object) -> None:
            if self.dead:
                raise Killed
            event = Event(len(self.events) + 1, 0.0, kind, key, data)  # type: ignore[arg-type]
            self.events.append(event)
            account.apply(event)

        record("session", str(len(self.events)), {})
        for name, price in PRICES.items():
            if name not in account.quotes:
                record("price", name, Quote(name, price).to_json())
        return Ledger(record, account, caps), account


def answered(usage: Usage, text: str = "answer") -> Callable[[int | None], Reply]:
    return lambda limit: Reply(text, usage=usage)


class Metered:
    """A model of a price, that writes a faster kernel each time. Counts its requests."""

    spec = "plain"

    def __init__(self, usage: Usage = Usage(2_000, output=1_000), dies_at: int = 0) -> None:  # noqa: B008
        self.requests = 0
        self.limits: list[int | None] = []
        self._usage = usage
        self._dies_at = dies_at

    def ask(self, messages, *, label, schema=None, meter=UNMETERED):
        return meter.charged(
            self.spec, size_of(messages), 8_000, lambda limit: self._ask(label, limit)
        )

    def _ask(self, label: str, limit: int | None) -> Reply:
        self.requests += 1
        self.limits.append(limit)
        if self.requests == self._dies_at:
            raise Killed
        if label.startswith("judge"):
            said = '{"cause": "slow", "change": "be faster"}'
        else:
            said = f"```python\n{kernel(1 + int(label.partition(':')[2]) / 10)}```"
        return Reply(said, usage=self._usage)


def search(folder: Path, model: Metered, resume: bool = False, **settings: float):
    return optimize(
        TASK, FakeEvaluator(), ModelCoder(model), ModelJudge(model),
        replace(Settings(tune_trials=0, budget_evals=8, islands=1), **settings), folder, resume=resume,
        quotes=(Quote("plain", PRICES["plain"]),),
    )  # fmt: skip
