"""How figures and verdicts read, the same on a terminal, in a report and in a champion's header."""

from __future__ import annotations

from collections.abc import Iterator

from kernelwright.agents.budget import Spent
from kernelwright.agents.roles import Attempt
from kernelwright.harness.verdict import Speedup, Verdict

BASELINES = {"eager": "PyTorch eager", "compile": "torch.compile", "champion": "the champion"}


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
    """`$0.12, 3,400 tokens`, `unknown` for what is not known, `no cost` for the built-in model."""
    if spent.usd == 0 and spent.tokens == 0:
        return "no cost"
    usd = "price unknown" if spent.usd is None else f"${spent.usd:.2f}"
    tokens = "tokens unknown" if spent.tokens is None else f"{spent.tokens:,} tokens"
    return f"{usd}, {tokens}"


def first_line(message: str) -> str:
    """The first line of a message that says anything."""
    return next((line.strip() for line in message.splitlines() if line.strip()), "no message")
