"""Account: what the event log says of calls and their cost. A fold, and nothing but a fold.

A call stands in the log twice: `reserved` before it is made, with the most that it can cost, and
`settled` after, with what it did cost. In between, and for ever where its process was killed or its
provider does not say, it counts as the most that it can have cost.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from kernelwright.agents.models.base import Usage
from kernelwright.agents.models.prices import Quote
from kernelwright.agents.roles import Spend

if TYPE_CHECKING:
    from kernelwright.agents.events import Event


DIGITS = 10
"""Of dollars in JSON: a token costs no less than a hundred-millionth of a dollar."""


@dataclass(frozen=True)
class Share:
    """A candidate's part of what the calls of its round came to. None: unknown."""

    usd: float | None
    tokens: float | None
    wall_s: float


@dataclass(frozen=True)
class Line:
    """What calls came to, together. None: not known of at least one of them."""

    calls: int = 0
    usd: float | None = 0.0
    usd_at_most: float | None = 0.0
    """With the most that calls of unknown cost can have come to; None where nobody knows that."""
    input: int | None = 0
    cached: int | None = 0
    cache_written: int | None = 0
    output: int | None = 0
    reasoning: int | None = 0
    tokens_at_most: int | None = 0
    """Like `usd_at_most`, for input and output together."""
    wall_s: float = 0.0
    """Seconds spent waiting for answers; calls that ran side by side are all counted."""

    @property
    def tokens(self) -> int | None:
        """Input and output together."""
        return None if self.input is None or self.output is None else self.input + self.output

    def shared(self, parts: int) -> Share:
        """One of so many equal parts."""
        usd = None if self.usd is None else self.usd / parts
        tokens = None if self.tokens is None else self.tokens / parts
        return Share(usd, tokens, self.wall_s / parts)

    def to_json(self) -> dict[str, Any]:
        """For `--json`: with `tokens`, without bounds where the truth is known."""
        data = {**asdict(self), "tokens": self.tokens, "wall_s": round(self.wall_s, 3)}
        for name in ("usd", "usd_at_most"):
            data[name] = None if data[name] is None else round(data[name], DIGITS)
        if self.usd is not None:
            del data["usd_at_most"]
        if self.tokens is not None:
            del data["tokens_at_most"]
        return data


def total(lines: Iterable[Line]) -> Line:
    """All of them together."""
    lines = list(lines)

    def amount(values: Iterable[float | None]) -> float | None:
        known = list(values)
        return None if None in known else math.fsum(v for v in known if v is not None)

    def count(values: Iterable[int | None]) -> int | None:
        known = list(values)
        return None if None in known else sum(v for v in known if v is not None)

    return Line(
        calls=sum(line.calls for line in lines),
        usd=amount(line.usd for line in lines),
        usd_at_most=amount(line.usd_at_most for line in lines),
        input=count(line.input for line in lines),
        cached=count(line.cached for line in lines),
        cache_written=count(line.cache_written for line in lines),
        output=count(line.output for line in lines),
        reasoning=count(line.reasoning for line in lines),
        tokens_at_most=count(line.tokens_at_most for line in lines),
        wall_s=math.fsum(line.wall_s for line in lines),
    )


@dataclass(frozen=True)
class Call:
    """One request. `role` and `model` are None where a role reported a cost by itself."""

    role: str
    model: str | None
    label: str
    """`propose:3`, `judge:3:repair`."""
    line: Line
    open: bool = False
    """Not settled, and its session goes on: an answer may still come."""


class Running:
    """What lines came to so far: `total`, kept up to date, so that a long run is not added up anew.

    Sums are exact (whole numbers of the smallest float), and rounded once, as `math.fsum` does.
    """

    _EXACT = ("usd", "usd_at_most", "wall_s")

    def __init__(self) -> None:
        self._sums: dict[str, int | None] = {f.name: 0 for f in fields(Line)}

    def add(self, line: Line) -> None:
        """Take in one more."""
        for name, held in self._sums.items():
            value = getattr(line, name)
            if held is None or value is None:
                self._sums[name] = None
            else:
                self._sums[name] = held + (_exact(value) if name in self._EXACT else value)

    def line(self) -> Line:
        """All of them together."""
        made: dict[str, Any] = {
            name: float(Fraction(held, 1 << _SMALLEST))
            if name in self._EXACT and held is not None
            else held
            for name, held in self._sums.items()
        }
        return Line(**made)


_SMALLEST = 1074
"""Every float is a whole number of 2^-1074."""


def _exact(value: float) -> int:
    """That number."""
    above, below = value.as_integer_ratio()
    return above << (_SMALLEST + 1 - below.bit_length())


@dataclass
class Account:
    """All calls of a run, all its sessions, and the prices that they are billed at."""

    calls: dict[str, Call] = field(default_factory=dict)
    quotes: dict[str, Quote] = field(default_factory=dict)
    _open: set[str] = field(default_factory=set)
    """Keys of the calls under way."""
    _closed: Running = field(default_factory=Running)
    _unknown: int = 0
    _rounds: dict[str, list[Line]] = field(default_factory=dict)
    """Lines of the calls that are not under way, by round."""

    def apply(self, event: Event) -> None:
        """Take in the next event; those of other kinds say nothing of calls."""
        data = event.data
        match event.kind:
            case "price":
                self.quotes[event.key] = Quote.from_json(data)
            case "reserved":
                line = _unknown(data["usd"], data["tokens"])
                role, model, label = data["role"], data["model"], data["label"]
                self.calls[event.key] = Call(role, model, label, line, open=True)
                self._open.add(event.key)
            case "settled":
                usage = Usage(**data["usage"])
                line = Line(
                    calls=1,
                    usd=data["usd"],
                    usd_at_most=data["usd_at_most"],
                    input=usage.input,
                    cached=usage.cached,
                    cache_written=usage.cache_written,
                    output=usage.output,
                    reasoning=usage.reasoning,
                    tokens_at_most=data["tokens_at_most"],
                    wall_s=data["wall_s"],
                )
                self._close(event.key, line)
            case "session":
                for key in sorted(self._open):
                    self._close(key, self.calls[key].line)

    def charge(self, role: str, label: str, spend: Spend) -> None:
        """Take in what a role says that it cost, beside what went through the ledger."""
        if spend != Spend():
            line = Line(
                1,
                spend.usd,
                spend.usd,
                spend.input_tokens,
                None,
                None,
                spend.output_tokens,
                None,
                spend.tokens,
            )
            key = f"{label}#{len(self.calls) + 1}"
            self.calls[key] = Call(role, None, label, line, open=True)
            self._close(key, line)

    def _close(self, key: str, line: Line) -> None:
        """A call is not under way any more, and what it came to is known for good."""
        assert self.calls[key].open, f"{key} was settled before"
        call = self.calls[key] = replace(self.calls[key], line=line, open=False)
        self._open.discard(key)
        self._closed.add(line)
        self._unknown += line.usd is None
        self._rounds.setdefault(_round(call), []).append(line)

    def committed(self) -> Line:
        """All calls, those under way with the most that they may cost."""
        return total([self._closed.line(), *(self.calls[key].line for key in sorted(self._open))])

    def settled(self) -> Line:
        """All calls but those under way."""
        return self._closed.line()

    def unknown(self) -> int:
        """How many calls, not under way, have an unknown cost."""
        return self._unknown

    def by_role(self) -> dict[str, Line]:
        """Coder and Judge apart."""
        return self._by(lambda call: call.role)

    def by_model(self) -> dict[str, Line]:
        """By the spec of what was billed."""
        return self._by(lambda call: call.model or "other")

    def by_candidate(self, brought: Mapping[int, Sequence[str]]) -> dict[str, Share]:
        """What each candidate cost to come by: the calls of its round, shared equally.

        `brought`: the new candidates of each round. What a round without any cost is in none.
        """
        rounds = self.by_round()
        return {
            candidate: rounds[number].shared(len(found))
            for number, found in brought.items()
            if number in rounds
            for candidate in found
        }

    def of_round(self, number: int) -> Line:
        """What one round's calls came to, those under way left out."""
        return total(self._rounds.get(str(number), ()))

    def by_round(self) -> dict[int, Line]:
        """What each round's advice and proposal cost."""
        return {int(key): total(lines) for key, lines in self._rounds.items() if key}

    def _by(self, group: Callable[[Call], str]) -> dict[str, Line]:
        groups: dict[str, list[Line]] = {}
        for call in self.calls.values():
            if not call.open:
                groups.setdefault(group(call), []).append(call.line)
        return {name: total(lines) for name, lines in groups.items()}


def _round(call: Call) -> str:
    """The round in a label; empty where there is none."""
    number = call.label.split(":")[1:2]
    return number[0] if number and number[0].isdecimal() else ""


def _unknown(usd_at_most: float | None, tokens_at_most: int | None) -> Line:
    """A call of which nothing is known but a bound."""
    return Line(1, None, usd_at_most, None, None, None, None, None, tokens_at_most)
