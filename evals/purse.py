"""The budget of a whole batch, shared among its tasks as they begin.

A task that begins gets an equal part of what is left for those that have not begun, and may not spend
more; what it leaves goes back to the others. So all together never spend more than the total, in however
many sessions: what earlier ones spent is read from the tasks' own event logs.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from kernelwright.evals.pool import NotNow
from kernelwright.evals.record import Cost

Currency = Literal["usd", "tokens", "evals", "minutes"]
CURRENCIES: tuple[Currency, ...] = get_args(Currency)
Amounts = Mapping[Currency, float]
SPENT_UP = "the batch's budget is spent"
"""How the reason of a task begins that was not run for want of it."""
_WHOLE: tuple[Currency, ...] = ("tokens", "evals")
_LEAST: Amounts = {"usd": 1e-3, "tokens": 1.0, "evals": 1.0, "minutes": 0.1}
"""With less than this left no task begins."""
_UNITS: Mapping[Currency, str] = {
    "usd": "",
    "tokens": " tokens",
    "evals": " evaluations",
    "minutes": " minutes",
}
_SAID: Mapping[str, Currency] = {"usd": "usd", "tokens": "tokens", "evaluations": "evals"}
"""Names in what a running task tells (`progress_lines.py`)."""


@dataclass(frozen=True)
class Balance:
    """One currency of the batch: what may be spent, what was, what is left."""

    currency: Currency
    total: float
    spent: float

    @property
    def left(self) -> float:
        """Never below 0."""
        return max(0.0, self.total - self.spent)

    @property
    def words(self) -> str:
        """`$1.20 of $5.00 spent, $3.80 left`."""
        unit = _UNITS[self.currency]
        spent, total, left = (
            _number(self.currency, n) for n in (self.spent, self.total, self.left)
        )
        return f"{spent} of {total}{unit} spent, {left}{unit} left"


class Purse:
    """Totals, and who has what of them. Any thread may use it."""

    def __init__(
        self,
        totals: Amounts,
        most: Amounts,
        spent: Mapping[str, Cost],
        waiting: Sequence[str],
    ) -> None:
        """`most` that a single task may spend, whatever is left. `spent` so far by task, whether it

        is done or not; `waiting` are those that are still to begin.
        """
        self._totals = dict(totals)
        self._most = dict(most)
        self._spent = {task: amounts(cost) for task, cost in spent.items()}
        self._held: dict[str, Amounts] = {}
        """What each running task may have spent when it ends, earlier sessions included."""
        self._waiting = set(waiting)
        self._lock = threading.Lock()

    def take(self, task: str) -> Amounts:
        """What a task that begins may have spent when it ends. Raises NotNow when too little is left."""
        with self._lock:
            waiting = max(1, len(self._waiting | {task}))
            before = self._spent.get(task, {})
            held: dict[Currency, float] = {}
            for currency, total in self._totals.items():
                left, least = total - self._promised(currency), _LEAST[currency]
                if left < least:
                    words = self._balance(currency).words
                    raise NotNow(f"{SPENT_UP}: {words}; a larger --total-{currency} goes on")
                share = max(least, left / waiting)
                most = self._most.get(currency)
                if most is not None:
                    share = max(0.0, min(share, most - before.get(currency, 0.0)))
                share = float(int(share)) if currency in _WHOLE else share
                held[currency] = before.get(currency, 0.0) + share
            self._waiting.discard(task)
            self._held[task] = held
            return held

    def told(self, task: str, said: Mapping[str, Any]) -> None:
        """A running task says what it has spent, for those who look."""
        new = {
            _SAID[name]: float(said[name])
            for name in said.keys() & _SAID.keys()
            if said[name] is not None
        }
        with self._lock:
            self._spent[task] = {**self._spent.get(task, {}), **new}

    def settle(self, task: str, cost: Cost) -> None:
        """A task has ended: this is what it cost, all its sessions together."""
        with self._lock:
            self._held.pop(task, None)
            self._waiting.discard(task)
            self._spent[task] = amounts(cost)

    def balances(self) -> list[Balance]:
        """One for each currency that has a total."""
        with self._lock:
            return [self._balance(currency) for currency in self._totals]

    def _balance(self, currency: Currency) -> Balance:
        spent = sum(found.get(currency, 0.0) for found in self._spent.values())
        return Balance(currency, self._totals[currency], spent)

    def _promised(self, currency: Currency) -> float:
        """Spent by those that do not run, and the most that those that do may spend."""
        spent = sum(f.get(currency, 0.0) for t, f in self._spent.items() if t not in self._held)
        return spent + sum(held.get(currency, 0.0) for held in self._held.values())


def amounts(cost: Cost) -> Amounts:
    """What a task cost; dollars that nobody knows count as the most that they can be."""
    usd = cost.usd if cost.usd is not None else cost.usd_at_most
    found: dict[Currency, float] = {"evals": float(cost.evaluations)}
    known: tuple[tuple[Currency, float | None], ...] = (
        ("usd", usd),
        ("tokens", cost.tokens),
        ("minutes", None if cost.wall_s is None else cost.wall_s / 60),
    )
    return found | {name: float(value) for name, value in known if value is not None}


def budget_words(held: Amounts) -> Iterator[str]:
    """The options of `optimize` that keep a task to its part."""
    for currency, amount in held.items():
        yield f"--budget-{currency}"
        yield str(int(amount)) if currency in _WHOLE else f"{amount:.6f}"


def _number(currency: Currency, amount: float) -> str:
    match currency:
        case "usd":
            return f"${amount:.2f}"
        case "minutes":
            return f"{amount:.1f}"
        case _:
            return f"{amount:,.0f}"
