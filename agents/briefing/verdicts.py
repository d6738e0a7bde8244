"""An attempt in words: its source, and what the harness measured or refused."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping

from kernelwright.agents.archive import origin
from kernelwright.agents.bottleneck import bottleneck
from kernelwright.agents.briefing.diagnostics import FINDING_LENGTH, UNTOLD, rejection
from kernelwright.agents.briefing.text import choices, code, measured, milliseconds
from kernelwright.agents.roles import Attempt, Brief
from kernelwright.agents.wording import clip, shorten
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.counters.counters import Counters
from kernelwright.harness.verdict import Verdict

MOST_COUNTERS = 12
MOST_DIFF = 8000
"""Characters of a difference that is shown in place of a whole source."""
TELLING = (
    "time", "occupancy", "warps_active", "registers", "spill", "local", "dram", "l2", "lts", "l1", "hit_rate",
    "stalled", "issue", "pipe_tensor", "pipe_fp32", "throughput", "ipc", "cycles", "instructions",
    "cache_miss", "branch_miss", "bank_conflict", "limit",
)  # fmt: skip
"""Parts of the names of counters that correlate with run time across tasks (CudaForge, arXiv
2511.01884, table 8, and their counterparts on a CPU), the most telling first."""


def attempt_section(attempt: Attempt, head: str = "", *, brief: Brief | None = None) -> str:
    """A kernel with what the harness says of it."""
    head = head or f"Kernel `{attempt.candidate.id}`"
    said = verdict(
        attempt.verdict,
        source=attempt.candidate.source,
        full_counters=brief is not None and brief.full_counters,
    )
    tuned = _tuned(attempt, brief)
    return f"# {head}\n\n{code(attempt.candidate.source)}\n\n{said}\n{tuned}\n"


def verdict(verdict: Verdict, *, source: str = "", full_counters: bool = False) -> str:
    """A verdict in a few lines: measurements, or where and why it failed."""
    if not verdict.accepted:
        return rejection(verdict, source)
    precision = f", precision class {verdict.precision}" if verdict.precision else ""
    lines = [f"Accepted, track `{verdict.track}`{precision}."]
    for name, gained in verdict.speedup.items():
        if gained:
            lines.append(f"- against {name}: {measured(gained)}")
    times = [f"{k} {milliseconds(ms)}" for k, ms in verdict.time_ms.items() if ms is not None]
    if times:
        lines.append(f"- time of a call: {', '.join(times)}")
    if verdict.roofline:
        share = f"{verdict.roofline.fraction:.0%} of the {verdict.roofline.bound} roofline"
        lines.append(f"- reaches {share}; by these figures it is bound by {bottleneck(verdict)}")
    lines += counters(verdict.counters, full=full_counters)
    if not verdict.counters and "counters" in verdict.reasons:
        lines.append(f"- counters: none ({verdict.reasons['counters']})")
    lines += [
        f"- {f.severity} {f.code}: {shorten(f.message, FINDING_LENGTH)}"
        for f in verdict.findings
        if f.code not in UNTOLD
    ]
    return "\n".join(lines)


def counters(values: Mapping[str, object], *, full: bool = False) -> list[str]:
    """The telling counters, a line each; every one with `full`."""
    if "kernels" in values:
        kept = Counters.from_json(values)
        return [f"- {line}" for line in kept.lines(None if full else MOST_COUNTERS)]
    plain = dict(_flat(values))
    shown = list(plain)
    if not full:
        shown = sorted(shown, key=_rank)[:MOST_COUNTERS]
    return [f"- {name}: {_figure(plain[name])}" for name in shown]


def _flat(values: Mapping[str, object], before: str = "") -> Iterator[tuple[str, object]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        elif isinstance(value, int | float | str):
            yield f"{before}{name}", value


def _rank(name: str) -> int:
    lower = name.lower()
    return next((i for i, part in enumerate(TELLING) if part in lower), len(TELLING))


def _figure(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else clip(str(value), 200)


def _tuned(attempt: Attempt, brief: Brief | None) -> str:
    """What the tuner chose, and among what: the source of a tuned member holds the chosen values only."""
    if not attempt.choice:
        return ""
    written = next(
        (
            a.candidate
            for a in (brief.history if brief else ())
            if a.candidate.id == origin(attempt)
        ),
        None,
    )
    space = written.space if written else {}
    among = ", ".join(f"{name} among {list(values)}" for name, values in space.items())
    return (
        f"- its numbers are the tuner's: {choices(dict(attempt.choice))}{f', {among}' if among else ''}."
        " Declare lists again where your change may move them\n"
    )


def difference(before: Candidate, after: Candidate, most: int = MOST_DIFF) -> str | None:
    """The lines that differ, as a fenced diff; None where that is no shorter than the source, or long."""
    lines = difflib.unified_diff(
        before.source.strip().splitlines(), after.source.strip().splitlines(), "", "", "", "", 2, ""
    )
    text = "\n".join(list(lines)[2:])
    if not text or len(text) > min(most, 0.7 * len(after.source)):
        return None
    return code(text, "diff")
