"""What a Tester and an Auditor said of a candidate, line by line with the style it is shown in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from kernelwright import text

_TRIED = {
    "stood": "stood",
    "broke": "broke it",
    "noted": "failed where it may",
    "discarded": "discarded",
}


def tested(said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Of the event `tester:ID`; nothing where no Tester was asked."""
    if not said:
        return
    results = Counter(str(outcome.get("result")) for outcome in said.get("outcomes", ()))
    counts = ", ".join(f"{n} {_TRIED.get(name, name)}" for name, n in sorted(results.items()))
    written = said.get("written", sum(results.values()))
    yield f"{_counted(written, 'case')}{f': {counts}' if counts else ''}{_note(said)}", ""
    for broken in said.get("broken", ()):
        why = str(broken.get("probe", {}).get("why") or "a case of its own")
        message = text.first_line(str(broken.get("finding", {}).get("message", "")))
        yield f"{why}: {message}", "red"


def audited(said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Of the event `audit:ID`; nothing where no Auditor was asked. Hints, never a verdict."""
    if not said:
        return
    findings = said.get("findings", ())
    hints = _counted(len(findings), "suspicion") if findings else "no suspicion"
    yield f"{hints}{_note(said)}", ""
    for finding in findings:
        yield f"{finding['code']}: {text.first_line(finding['message'])}", "yellow"


def _counted(count: int, what: str) -> str:
    return f"1 {what}" if count == 1 else f"{count} {what}s"


def _note(said: Mapping[str, Any]) -> str:
    note = str(said.get("note") or "")
    return f"; {note}" if note else ""
