"""The ledger of a run: reserves what a request may cost before it is sent, and settles it after.

A request is sent only if all that was spent, all that is under way and the most that it can cost
itself stay within the budget together. The most is an upper bound: every byte that is sent counts as
a token at the dearest rate for input, and the output is limited to so many tokens. Two things are
beyond it, and are told in docs/ledger.md: a provider that bills more than it was asked for, and a
program (`command:`) that takes no limit.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from kernelwright.agents.events import Data
from kernelwright.agents.ledger.account import Account
from kernelwright.agents.models.base import ModelError, OverBudget, Reply, Usage
from kernelwright.agents.models.prices import Price, quote
from kernelwright.agents.roles import Spend
from kernelwright.tasks.errors import UsageError

MOST_OUTPUT = 32_000
"""Limit on output tokens for a model that sets none, where a budget needs one."""
LEAST_OUTPUT = 2_000
"""An answer with less room than this is not worth asking for: a kernel would be cut off."""

Record = Callable[[str, str, Data], object]
"""Appends an event (kind, key, data) to the log and takes it into the account."""


@dataclass(frozen=True)
class Caps:
    """Budgets of a run, all its sessions together. None: no limit."""

    usd: float | None = None
    tokens: int | None = None


@dataclass(frozen=True)
class _Reservation:
    key: str
    limit: int | None
    usd: float | None
    tokens: int | None
    price: Price | None
    size: int


class Ledger:
    """Books and caps. May be used from several threads."""

    def __init__(
        self,
        record: Record,
        account: Account,
        caps: Caps,
        lock: threading.RLock | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`lock` guards `account` and `record`; `clock` gives seconds."""
        self._record = record
        self._account = account
        self._caps = caps
        self._changed = threading.Condition(lock or threading.RLock())
        self._clock = clock
        self._under_way = 0

    def call(
        self,
        role: str,
        label: str,
        spec: str,
        size: int,
        most: int | None,
        call: Callable[[int | None], Reply],
    ) -> Reply:
        """One request, reserved and settled; see `Meter.charged`. The reply says what it cost.

        Raises OverBudget when the budget does not allow it, UsageError when a dollar budget cannot
        be kept because a price is unknown, and what `call` raises.
        """
        held = self._reserve(role, label, spec, size, most)
        began = self._clock()
        usage, outcome, error, said = Usage(), "broken off", None, 0
        try:
            reply = call(held.limit)
            usage, outcome = reply.usage, reply.stop
            said = len(f"{reply.text}{reply.reasoning}".encode("utf-8", "surrogatepass"))
        except ModelError as failure:
            usage, outcome, error = _billed(failure), "failed", str(failure)
            raise
        finally:
            spend = self._settle(held, usage, outcome, error, said, self._clock() - began)
        return replace(reply, spend=spend)

    def _reserve(
        self, role: str, label: str, spec: str, size: int, most: int | None
    ) -> _Reservation:
        with self._changed:
            price = self._price(spec)
            while True:
                limit, short = self._limit(price, spec, size, most)
                if short is None:
                    break
                if not self._under_way:
                    raise short
                self._changed.wait()  # what others have reserved may turn out to cost less
            usd = None
            if price and (limit is not None or price.free):
                usd = price.most_usd(size, limit or 0)
            tokens = None if limit is None else size + limit
            key = f"{label}#{len(self._account.calls) + 1}"
            about = {"role": role, "model": spec, "label": label, "size": size, "limit": limit}
            self._record("reserved", key, {**about, "usd": usd, "tokens": tokens})
            self._under_way += 1
            return _Reservation(key, limit, usd, tokens, price, size)

    def _limit(
        self, price: Price | None, spec: str, size: int, most: int | None
    ) -> tuple[int | None, OverBudget | None]:
        """How many output tokens the request may ask for, and why it cannot be made, if so."""
        spent = self._account.committed()
        room: list[tuple[int, Literal["usd", "tokens"]]] = []
        if self._caps.usd is not None and not (price and price.free):
            if price is None:
                raise UsageError(unpriced(spec))
            if spent.usd_at_most is None:
                raise UsageError(
                    "a call of this run has an unknown price, so a dollar budget cannot be kept: "
                    "go on with --no-dollar-cap"
                )
            fits = price.most_output(size, self._caps.usd - spent.usd_at_most)
            if fits is not None:
                room.append((fits, "usd"))
        if self._caps.tokens is not None:
            if spent.tokens_at_most is None:
                raise UsageError(
                    "a call of this run used an unknown number of tokens, so a token budget cannot "
                    "be kept: go on without it"
                )
            room.append((self._caps.tokens - spent.tokens_at_most - size, "tokens"))
        if not room:
            return most, None
        wanted = MOST_OUTPUT if most is None else most
        fits, budget = min(room)
        if fits >= wanted:
            return wanted, None
        least = min(LEAST_OUTPUT, wanted)
        if fits < least or self._under_way:
            return None, OverBudget(self._says(budget, price, spec, size, least), budget)
        return fits, None

    def _says(
        self,
        budget: Literal["usd", "tokens"],
        price: Price | None,
        spec: str,
        size: int,
        least: int,
    ) -> str:
        """Why no request of that size is made, not even for `least` tokens."""
        spent = self._account.committed()
        if budget == "usd" and price:
            cap = f"${self._caps.usd:g}"
            used, more = f"${spent.usd_at_most:,.4f}", f"${price.most_usd(size, least):,.4f}"
        else:
            cap = f"{self._caps.tokens:,} tokens"
            used, more = f"{spent.tokens_at_most:,}", f"{size + least:,}"
        return (
            f"the budget of {cap} is used up: {used} spent, and even a short answer of {spec} may "
            f"take {more}"
        )

    def _settle(
        self,
        held: _Reservation,
        usage: Usage,
        outcome: str,
        error: str | None,
        said: int,
        wall_s: float,
    ) -> Spend:
        """Write down what the request came to. `said`: bytes of the answer."""
        usd = held.price.usd(usage) if held.price else None
        if held.price and held.price.free:
            usd = 0.0
        spend = Spend(usd, usage.input, usage.output)
        usd_at_most, tokens_at_most = usd, spend.tokens
        if tokens_at_most is None and held.tokens is not None:
            tokens_at_most = max(held.tokens, held.size + said)
        if usd_at_most is None and held.usd is not None and held.price:
            usd_at_most = max(held.usd, held.price.most_usd(held.size, said))
        data: dict[str, Any] = {
            "usage": asdict(usage),
            "usd": usd,
            "usd_at_most": usd_at_most,
            "tokens_at_most": tokens_at_most,
            "wall_s": round(wall_s, 6),
            "outcome": outcome,
            "error": error,
        }
        with self._changed:
            self._under_way -= 1
            try:
                self._record("settled", held.key, data)
            finally:
                self._changed.notify_all()
        return spend

    def _price(self, spec: str) -> Price | None:
        """The run's own price of a model: the first that it had."""
        if spec not in self._account.quotes:
            self._record("price", spec, quote(spec).to_json())
        return self._account.quotes[spec].price


def unpriced(spec: str) -> str:
    """What to tell a user whose dollar budget meets an unknown price."""
    return (
        f"the price of {spec} is unknown: say --price IN,OUT (dollars per million tokens), "
        "or --no-dollar-cap"
    )


def _billed(error: ModelError) -> Usage:
    """What a failed request was billed for."""
    if error.usage is not None:
        return error.usage
    return Usage(0, 0, 0, 0, 0) if error.spend == Spend() else Usage()
