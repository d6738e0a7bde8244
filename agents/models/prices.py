"""What a call costs: prices of the kept library `genai-prices`, or what the user says.

A price is taken once, when a run begins, and kept in it (`to_json`): what the run cost can be worked
out again when the library knows other prices. A price that nobody knows is unknown, never 0. Only
what truly costs nothing (the built-in model, replays) is free.

Not covered: discounts, batch and priority processing, surcharges for a region, taxes, and the cost
of tools; no request of ours asks for any of them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from kernelwright.agents.models.base import Usage
from kernelwright.agents.roles import Spend
from kernelwright.tasks.errors import UsageError

MILLION = 1_000_000
_ROUNDING = 1e-9
"""Share that is left free for the rounding of sums in floating point."""


@dataclass(frozen=True)
class Tier:
    """US dollars per million tokens, for calls with more than `above` input tokens.

    None: cached tokens have no price of their own and are billed as input.
    """

    input: float
    output: float
    cached: float | None = None
    cache_written: float | None = None
    above: int = 0

    def usd(self, usage: Usage) -> float | None:
        """Cost of a call in dollars; None where its counts are unknown."""
        if usage.input is None or usage.output is None:
            return None
        cached, written = usage.cached or 0, usage.cache_written or 0
        fresh = max(0, usage.input - cached - written)
        return (
            fresh * self.input
            + cached * (self.input if self.cached is None else self.cached)
            + written * (self.input if self.cache_written is None else self.cache_written)
            + usage.output * self.output
        ) / MILLION

    @property
    def most_input(self) -> float:
        """The most that an input token can cost, cached or not, per million."""
        return max(self.input, self.cached or 0.0, self.cache_written or 0.0)


@dataclass(frozen=True)
class Price:
    """The price of a model, and who says so."""

    tiers: tuple[Tier, ...]
    """By `above`, ascending from 0. The whole call is billed at the highest that it reaches."""
    source: str
    taken: str
    """The day on which it was looked up, UTC."""

    def usd(self, usage: Usage) -> float | None:
        """Cost of a call in dollars; None where its counts are unknown."""
        if usage.input is None:
            return None
        reached = [tier for tier in self.tiers if usage.input > tier.above] or self.tiers[:1]
        return reached[-1].usd(usage)

    def most_usd(self, size: int, output: int) -> float:
        """The most that a call of at most `size` input and `output` output tokens can cost."""
        return max(
            (size * tier.most_input + output * tier.output) / MILLION for tier in self._within(size)
        )

    def most_output(self, size: int, usd: float) -> int | None:
        """Output tokens that `usd` dollars surely pay for beside the input; negative: not even

        that; None: any number of them, for output is free.
        """
        usd *= 1 - _ROUNDING
        fits = []
        for tier in self._within(size):
            left = usd * MILLION - size * tier.most_input
            if left < 0:
                return -1
            if tier.output:
                fits.append(int(left / tier.output))
        return min(fits) if fits else None

    @property
    def free(self) -> bool:
        """Whether nothing is ever billed."""
        return not any(tier.most_input or tier.output for tier in self.tiers)

    def _within(self, size: int) -> list[Tier]:
        return [tier for tier in self.tiers if tier.above <= size]

    def to_json(self) -> dict[str, Any]:
        """For the event log and `run.json`."""
        tiers = [asdict(tier) for tier in self.tiers]
        return {
            "unit": "US dollars per million tokens",
            "tiers": tiers,
            "source": self.source,
            "taken": self.taken,
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Price:
        """The inverse of `to_json`."""
        return Price(tuple(Tier(**tier) for tier in data["tiers"]), data["source"], data["taken"])


@dataclass(frozen=True)
class Quote:
    """What is known of the price of one model."""

    spec: str
    price: Price | None
    reason: str | None = None
    """Why the price is unknown."""
    capped: bool = True
    """Whether a dollar cap is due unless the user asks for none: a provider sends the bill."""

    def to_json(self) -> dict[str, Any]:
        """For the event log and `run.json`."""
        price = self.price.to_json() if self.price else None
        return {"model": self.spec, "price": price, "reason": self.reason, "capped": self.capped}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Quote:
        """The inverse of `to_json`."""
        price = Price.from_json(data["price"]) if data["price"] else None
        return Quote(data["model"], price, data["reason"], data["capped"])


def quote(spec: str, told: Mapping[str, Tier] | None = None) -> Quote:
    """The price of the model that `spec` names. `told` holds the user's own prices by spec; the one

    under the empty name holds for every model that costs anything.
    """
    plain = spec.partition("?")[0]  # without the options of a call
    kind, _, rest = plain.partition(":")
    if kind in ("builtin", "replay"):
        return Quote(spec, Price((Tier(0.0, 0.0),), "free", _today()), capped=False)
    own = told or {}
    said = own.get(spec) or own.get(plain) or own.get("")
    if said:
        return Quote(spec, Price((said,), "--price", _today()))
    if kind in ("openai", "openai-chat", "anthropic"):
        return replace(_kept(rest, provider=kind.partition("-")[0]), spec=spec)
    if kind in ("http", "https"):
        url, _, name = plain.rpartition("#")
        if not _is_own(url):
            return replace(_kept(name, url=url), spec=spec)
        return Quote(spec, None, "a server of one's own has no kept price", capped=False)
    return Quote(spec, None, "nobody knows what this model costs", capped=False)


def read_price(text: str) -> tuple[str, Tier]:
    """`[SPEC=]IN,OUT[,CACHED]`: the model (empty: every one) and its price. Raises UsageError."""
    spec, _, numbers = text.rpartition("=")
    try:
        given = [float(number) for number in numbers.split(",")]
    except ValueError:
        given = []
    if len(given) not in (2, 3) or not all(0 <= number < MILLION for number in given):
        raise UsageError(
            f"price {text!r}: give IN,OUT or IN,OUT,CACHED in dollars per million tokens, "
            "for one model as MODEL=IN,OUT"
        )
    return spec, Tier(given[0], given[1], given[2] if len(given) == 3 else None)


def spend(model: str, usage: Usage) -> Spend:
    """What a call of a provider's own service costs at today's kept price."""
    price = price_of(model)
    return Spend(price.usd(usage) if price else None, usage.input, usage.output)


def price_of(model: str) -> Price | None:
    """The kept price of a model of OpenAI's or Anthropic's, by its name alone."""
    return _kept(model, provider="anthropic" if "claude" in model else "openai").price


@cache
def _kept(name: str, *, provider: str | None = None, url: str | None = None) -> Quote:
    """The library's price, from the data that it brings along: nothing is fetched."""
    from genai_prices import __version__ as version
    from genai_prices.data_snapshot import get_snapshot
    from genai_prices.types import ModelPrice, TimeOfDateConstraint

    source = f"genai-prices {version}"
    try:
        _, model = get_snapshot().find_provider_model(name, None, provider, url)
    except LookupError:
        return Quote(name, None, f"{source} does not know it")
    if isinstance(model.prices, list) and any(
        isinstance(item.constraint, TimeOfDateConstraint) for item in model.prices
    ):
        return Quote(name, None, f"its price changes with the time of day ({source})")
    rates: ModelPrice = model.get_prices(datetime.now(UTC))
    if rates.input_mtok is None or rates.output_mtok is None:
        return Quote(name, None, f"it is not sold by the token ({source})")
    if rates.requests_kcount or rates.output_reasoning_mtok:
        return Quote(name, None, f"it bills more than input and output tokens ({source})")
    kinds = {
        "input": rates.input_mtok,
        "output": rates.output_mtok,
        "cached": rates.cache_read_mtok,
        "cache_written": rates.cache_write_mtok,
    }
    starts = {0}.union(*(_starts(rate) for rate in kinds.values()))
    tiers = [
        Tier(**{kind: _rate(rate, start) for kind, rate in kinds.items()}, above=start)
        for start in sorted(starts)
    ]
    return Quote(name, Price(tuple(tiers), source, _today()))


def _starts(rate: Any) -> set[int]:
    return {tier.start for tier in getattr(rate, "tiers", ())}


def _rate(rate: Any, above: int) -> Any:
    """The rate for calls of more than `above` input tokens."""
    tiers = getattr(rate, "tiers", None)
    if tiers is not None:
        rate = [rate.base, *(tier.price for tier in tiers if tier.start <= above)][-1]
    return None if rate is None else float(rate)


def _is_own(url: str) -> bool:
    """Whether an address is on this machine or in a private network: nobody sends a bill."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".local", ".internal", ".lan", ".localhost"))


def _today() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d")
