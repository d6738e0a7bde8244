"""What a language model is told: a Brief as text. Lean: few attempts, short findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template

from kernelwright.agents.archive import origin, speedup
from kernelwright.agents.roles import Advice, Attempt, Brief
from kernelwright.harness.device import DeviceFacts
from kernelwright.harness.verdict import Speedup, Verdict
from kernelwright.tasks.errors import UsageError

SHOWN = 8
"""Attempts in the table of what was tried."""
FINDING_LENGTH = 1500
_PROMPTS = Path(__file__).parent / "prompts"


def prompt(name: str, **values: str) -> str:
    """The text of `agents/prompts/NAME.md` with its `$names` filled in."""
    text = (_PROMPTS / f"{name}.md").read_text()
    return Template(text).substitute(values) if values else text


def languages() -> list[str]:
    """The languages that there is a format description for."""
    return sorted(path.stem for path in (_PROMPTS / "languages").glob("*.md"))


def coder_turn(brief: Brief) -> str:
    """The Coder's turn: operator, machine, format, parent, advice, what was tried.

    Raises UsageError for a language without a format description.
    """
    asks = {
        None: "Write the first kernel.",
        False: "Mend the kernel: it was rejected. Keep what was good in it.",
        True: "Write a faster kernel. Start from the one above, or afresh if it is a dead end.",
    }
    parent = brief.parent
    if brief.language not in languages():
        raise UsageError(f"language {brief.language!r}: give one of {', '.join(languages())}")
    return prompt(
        "coder_turn",
        task=brief.task.name,
        source=brief.task.source.strip(),
        device=device(brief.device),
        language=prompt(f"languages/{brief.language}").strip(),
        parent=attempt_section(parent) if parent else "",
        advice=advice_section(brief.advice) if brief.advice else "",
        history=history_section(brief.history),
        ask=asks[parent.verdict.accepted if parent else None],
    )


def judge_turn(brief: Brief, attempt: Attempt) -> str:
    """The Judge's turn: operator, machine, the attempt, what was tried."""
    accepted = attempt.verdict.accepted
    return prompt(
        "judge_turn",
        task=brief.task.name,
        source=brief.task.source.strip(),
        device=device(brief.device),
        parent=attempt_section(attempt),
        history=history_section(brief.history),
        ask="What limits this kernel, and what is the one change to make?"
        if accepted
        else "Why was this kernel rejected, and what is the least change that mends it?",
    )


def device(facts: DeviceFacts) -> str:
    """The machine, one fact a line; what was not measured is left out."""
    lines = [f"- {facts.kind}: {facts.name}, {facts.threads} threads for each side"]
    if facts.isa:
        lines.append(f"- vector extensions: {', '.join(facts.isa)}")
    caches = (("L2", facts.l2_bytes), ("L3", facts.l3_bytes))
    lines += [f"- {name}: {size / 2**20:.3g} MiB" for name, size in caches if size]
    for size, rate in sorted(facts.bandwidth_gbs.items()):
        lines.append(
            f"- copy bandwidth at a working set of {size / 2**20:.3g} MiB: {rate:.0f} GB/s"
        )
    if facts.peak_gflops:
        lines.append(f"- fp32 multiply-add, all threads: {facts.peak_gflops:.0f} GFLOP/s")
    return "\n".join(lines)


def attempt_section(attempt: Attempt) -> str:
    """A kernel with what the harness says of it."""
    return (
        f"# Kernel `{attempt.candidate.id}`\n\n```python\n{attempt.candidate.source.strip()}\n```\n\n"
        f"{verdict(attempt.verdict)}\n\n"
    )


def advice_section(advice: Advice) -> str:
    """The Judge's advice; nothing where it had none."""
    if not advice.change:
        return ""
    gain = f" Expected: {advice.predicted_gain:.2f}x." if advice.predicted_gain else ""
    return f"# Advice\n\n{advice.cause}\n\nChange: {advice.change}{gain}\n\n"


def verdict(verdict: Verdict) -> str:
    """A verdict in a few lines: measurements, or where and why it failed."""
    if not verdict.accepted:
        said = [f"- {f.code}: {_short(f.message)}" for f in verdict.errors or verdict.findings]
        return "\n".join([f"Rejected at stage `{verdict.stage}`:", *(said or ["- no finding"])])
    lines = [f"Accepted, track `{verdict.track}`."]
    for name, measured in verdict.speedup.items():
        if measured:
            lines.append(f"- against {name}: {_interval(measured)}")
    times = [f"{name} {ms:.4g} ms" for name, ms in verdict.time_ms.items() if ms is not None]
    if times:
        lines.append(f"- time: {', '.join(times)}")
    if verdict.roofline:
        share = f"{verdict.roofline.fraction:.0%} of the {verdict.roofline.bound} roofline"
        lines.append(f"- reaches {share}")
    lines += _counters(verdict.counters)
    lines += [f"- {f.severity} {f.code}: {_short(f.message)}" for f in verdict.findings]
    return "\n".join(lines)


def history_section(history: Sequence[Attempt]) -> str:
    """A table of the last lines of descent and the best, each with its best tuned member."""
    best: dict[str, Attempt] = {}
    written = [a for a in history if not a.choice]
    for attempt in history:
        held = best.get(origin(attempt))
        if held is None or (speedup(attempt) or 0.0) > (speedup(held) or 0.0):
            best[origin(attempt)] = attempt
    fastest = sorted(written, key=lambda a: speedup(best[a.candidate.id]) or 0.0)[-2:]
    shown = [a for a in written if a in fastest or a in written[-SHOWN:]]
    if not shown:
        return ""
    rows = [
        f"| {a.round} | `{a.candidate.id}` | {f'`{a.parent}`' if a.parent else '-'} "
        f"| {_result(best[a.candidate.id])} | {_cell(a.note)} |"
        for a in shown
    ]
    head = ["| round | kernel | from | result | what |", "|---|---|---|---|---|"]
    return "\n".join(["# Tried so far", "", *head, *rows, "", ""])


def _result(attempt: Attempt) -> str:
    gained = speedup(attempt)
    tuned = " ".join(f"{name}={value}" for name, value in attempt.choice.items())
    if gained is not None:
        return f"{gained:.2f}x eager" + (f", tuned {tuned}" if tuned else "")
    if attempt.verdict.accepted:
        return "accepted, not timed"
    first = attempt.verdict.errors or attempt.verdict.findings
    return f"rejected at {attempt.verdict.stage}" + (f": {first[0].code}" if first else "")


def _interval(measured: Speedup) -> str:
    return f"{measured.median:.2f}x (95% interval {measured.low:.2f} to {measured.high:.2f})"


def _counters(counters: Mapping[str, object]) -> list[str]:
    plain = {k: v for k, v in counters.items() if isinstance(v, int | float | str)}
    return [f"- {name}: {value}" for name, value in list(plain.items())[:12]]


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "/").split())


def _short(message: str) -> str:
    """The head and the tail of a long message: compilers and tracebacks say it at either end."""
    message = message.strip()
    if len(message) <= FINDING_LENGTH:
        return message
    half = FINDING_LENGTH // 2
    return f"{message[:half]}\n[...]\n{message[-half:]}"
