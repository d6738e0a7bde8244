"""What a call costs: `prices.json`, a kept table with its sources and their dates.

A price that is not kept is unknown, never 0.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from pathlib import Path

from kernelwright.agents.models.base import Usage
from kernelwright.agents.roles import Spend

_DATED = re.compile(r"-(?:20\d{2}-\d{2}-\d{2}|20\d{6}|latest)$")


@dataclass(frozen=True)
class Price:
    """US dollars per million tokens. None: not sold, or not known."""

    input: float
    output: float
    cached: float | None = None
    cache_written: float | None = None
    max_input: int | None = None
    """Above so many input tokens another price holds, which is not kept."""

    def usd(self, usage: Usage) -> float | None:
        """Cost of a call in dollars; None where a count or its price is unknown."""
        if usage.input is None or usage.output is None:
            return None
        if self.max_input is not None and usage.input > self.max_input:
            return None
        cached, written = usage.cached or 0, usage.cache_written or 0
        parts = (
            (max(0, usage.input - cached - written), self.input),
            (cached, self.cached),
            (written, self.cache_written),
            (usage.output, self.output),
        )
        total = 0.0
        for tokens, price in parts:
            if tokens and price is None:
                return None
            total += tokens * (price or 0.0)
        return total / 1e6


def spend(model: str, usage: Usage) -> Spend:
    """What a call of a provider's own service cost."""
    price = price_of(model)
    return Spend(price.usd(usage) if price else None, usage.input, usage.output)


def price_of(model: str) -> Price | None:
    """The kept price of a model; a dated name (`-2026-03-17`, `-20251001`) is its family's."""
    table = _table()
    return table.get(model) or table.get(_DATED.sub("", model))


@functools.cache
def _table() -> dict[str, Price]:
    data = json.loads(Path(__file__).with_name("prices.json").read_text())
    return {
        name: Price(**{key: value for key, value in entry.items() if key != "source"})
        for name, entry in data["models"].items()
    }
