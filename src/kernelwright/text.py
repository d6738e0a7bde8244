"""How figures and verdicts read, the same on a terminal, in a report and in a champion's header."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kernelwright.agents.budget import Spent
from kernelwright.agents.models.prices import Quote
from kernelwright.agents.roles import Attempt
from kernelwright.harness.counters.counters import Counters
from kernelwright.harness.verdict import Speedup, Verdict

BASELINES = {
    "eager": "PyTorch eager",
    "compile": "torch.compile",
    "champion": "the champion",
    "start": "start kernel",
}


def ratio(speedup: Speedup | None) -> str:
    """`2.20x [2.10, 2.30]`: the median and its 95% interval; `unknown` for None."""
    if speedup is None:
        return "unknown"
    return f"{_factor(speedup.median)}x [{_factor(speedup.low)}, {_factor(speedup.high)}]"


def _factor(value: float) -> str:
    """Two decimals, three below a half: 0.004x must not read 0.00x."""
    return f"{value:.2f}" if value >= 0.5 else f"{value:.3f}"


def speedups(verdict: Verdict) -> str:
    """Every measured speedup in one line; the reason where one is unknown; empty before timing."""
    parts = []
    for name, value in verdict.speedup.items():
        against = BASELINES.get(name, name)
        if value is not None:
            parts.append(f"{ratio(value)} against {against}")
        else:
            reason = first_line(verdict.reasons.get(f"speedup.{name}", "no reason given"))
            parts.append(f"unknown against {against} ({reason})")
    return ", ".join(parts)


def times(verdict: Verdict) -> str:
    """The median time of a call of each contestant in one line, the candidate first."""
    return ", ".join(
        f"{BASELINES.get(name, 'this kernel')} {milliseconds(time_ms)}"
        for name, time_ms in _candidate_first(verdict)
    )


def _candidate_first(verdict: Verdict) -> list[tuple[str, float | None]]:
    return sorted(verdict.time_ms.items(), key=lambda item: item[0] != "candidate")


def outcome(verdict: Verdict) -> str:
    """`accepted`, or at which stage it failed and the stable code of the first error."""
    if verdict.accepted:
        return "accepted"
    code = f": {verdict.errors[0].code}" if verdict.errors else ""
    kind = "" if verdict.verdict == "rejected" else f"{verdict.verdict.replace('_', ' ')} "
    return f"{kind}{verdict.stage}{code}"


def what(attempt: Attempt) -> str:
    """What a candidate is: the tuner's choice, or the Coder's own words."""
    if attempt.choice:
        return "tuned " + " ".join(f"{name}={value}" for name, value in attempt.choice.items())
    return attempt.note


def describe(verdict: Verdict) -> Iterator[str]:
    """A verdict for people, line by line."""
    known = [verdict.language, verdict.device, verdict.precision, verdict.track]
    facts = ", ".join(item for item in known if item)
    head = verdict.verdict.replace("_", " ")
    yield (head if verdict.accepted else f"{head} at {verdict.stage}") + f" ({facts})"
    for finding in verdict.findings:
        first, *rest = finding.message.splitlines() or [""]
        yield f"  {finding.severity}: {finding.code}: {first}"
        yield from (f"      {line}" for line in rest)
    for name, time_ms in _candidate_first(verdict):
        gain = verdict.speedup.get(name)
        said = f"   the kernel is {ratio(gain)} as fast ({gain.pairs} pairs)" if gain else ""
        if time_ms is None:
            reason = verdict.reasons.get(f"speedup.{name}", "no reason given")
            said = f"   {first_line(reason)}"
        yield f"  {BASELINES.get(name, 'this kernel'):14} {milliseconds(time_ms):>11}{said}"
    if verdict.roofline:
        yield (
            f"  roofline       {verdict.roofline.fraction:>11.0%}   of what "
            f"{'memory' if verdict.roofline.bound == 'memory' else 'the processor'} allows"
        )
    if "kernels" in verdict.counters:
        yield from (f"  {line}" for line in Counters.from_json(verdict.counters).lines())
    spent = ", ".join(f"{stage} {seconds(value)}" for stage, value in verdict.seconds.items())
    if spent:
        yield f"  took {spent}"


def milliseconds(value: float | None) -> str:
    """`0.412 ms`, or `unknown`."""
    if value is None:
        return "unknown"
    return f"{value:.3f} ms" if value < 10 else f"{value:.1f} ms"


def seconds(value: float) -> str:
    """`0.4 s`, `2 min 05 s`, `1 h 02 min`."""
    if value < 99.95:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def cost(spent: Spent) -> str:
    """`$0.12 of $5.00, 3,400 tokens`; `no cost` where nothing costs anything.

    A call of unknown cost makes the whole unknown: `at most $0.34 of $5.00`, or `price unknown`.
    """
    if spent.usd == 0 and spent.tokens == 0:
        return "no cost"
    if spent.usd is not None:
        usd = dollars(spent.usd)
    elif spent.usd_at_most is not None:
        usd = f"at most {dollars(spent.usd_at_most)}"
    else:
        usd = "price unknown"
    if spent.budget_usd is not None:
        usd += f" of {dollars(spent.budget_usd)}"
    tokens = "tokens unknown" if spent.tokens is None else f"{spent.tokens:,} tokens"
    if spent.budget_tokens is not None:
        tokens += f" of {spent.budget_tokens:,}"
    return f"{usd}, {tokens}"


def dollars(usd: float) -> str:
    """`$0.12`, with more digits for what is less than ten cents: `$0.0034`."""
    if usd == 0 or usd >= 0.1:
        return f"${usd:,.2f}"
    cents, rest = f"{usd:.4f}"[:4], f"{usd:.4f}"[4:].rstrip("0")
    return f"${cents}{rest}" if usd >= 0.001 else f"${usd:.2g}"


def terms(
    quotes: Sequence[Quote], budget_usd: float | None, budget_tokens: int | None
) -> Iterator[str]:
    """What is said before a run whose models may cost something: the prices and the budget."""
    billed = [quote for quote in quotes if not (quote.price and quote.price.free)]
    if not billed:
        return
    limits = [] if budget_usd is None else [f"at most {dollars(budget_usd)}"]
    limits += [] if budget_tokens is None else [f"at most {budget_tokens:,} tokens"]
    prices = "; ".join(f"{quote.spec}: {_price(quote)}" for quote in billed)
    yield f"budget: {' and '.join(limits) or 'no limit on dollars'}; {prices}"


def _price(quote: Quote) -> str:
    if quote.price is None:
        return f"price unknown ({quote.reason})"
    tier = quote.price.tiers[0]
    parts = [("in", tier.input), ("cached", tier.cached), ("out", tier.output)]
    rates = ", ".join(f"${rate:g} {name}" for name, rate in parts if rate is not None)
    more = f", more above {quote.price.tiers[1].above:,} in" if quote.price.tiers[1:] else ""
    source = f"{quote.price.source}, {quote.price.taken}"
    return f"{rates} per million tokens{more} ({source})"


def ledger(spent: Spent) -> Iterator[str]:
    """Markdown rows of what each role and each model cost."""
    groups = [*spent.by_role.items(), *spent.by_model.items()]
    if not groups:
        return
    yield "| | calls | input | cached | output | reasoning | dollars | waited |"
    yield "|---|--:|--:|--:|--:|--:|--:|--:|"
    for name, line in groups:
        if line.usd is not None:
            usd = dollars(line.usd)
        else:
            bound = line.usd_at_most
            usd = "unknown" if bound is None else f"at most {dollars(bound)}"
        counts = (line.calls, line.input, line.cached, line.output, line.reasoning)
        cells = ["unknown" if count is None else f"{count:,}" for count in counts]
        label = name.replace("|", "\\|")
        yield f"| {label} | {' | '.join(cells)} | {usd} | {seconds(line.wall_s)} |"


def first_line(message: str) -> str:
    """The first line of a message that says anything."""
    return next((line.strip() for line in message.splitlines() if line.strip()), "no message")
