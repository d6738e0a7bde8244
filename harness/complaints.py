"""What an emulator has to say of a candidate's accesses to memory, as a worker passes it on.

It lives in the candidate's process, so it is a claim: it finds bugs of honest kernels and stops nobody who
means to hide them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kernelwright.harness.fault import Fault, plain

_MOST = 8


def first(seen: Sequence[Any]) -> Fault | None:
    """The first complaint as a fault; the others stand in its message."""
    found = list(dict.fromkeys(_told(seen, "complaints")))
    if not found:
        return None
    code, message = found[0]
    more = [text for _, text in found[1:_MOST]]
    return Fault(code, "\n".join([message, *more]))


def cause(seen: Sequence[Any]) -> str:
    """What may explain a wrong answer, to be added to its message; empty where there is nothing."""
    found = list(dict.fromkeys(text for _, text in _told(seen, "undefined")))
    return "".join(f"\na likely cause: {text}" for text in found[:_MOST])


def _told(seen: Sequence[Any], key: str) -> Iterator[tuple[str, str]]:
    """Code and message of each, whatever the process has sent."""
    for said in seen:
        for item in said.get(key, ()) if isinstance(said, Mapping) else ():
            if isinstance(item, Mapping):
                line = item.get("line")
                where = f" (line {line})" if isinstance(line, int) else ""
                code = plain(str(item.get("code", "emulator")))[:40]
                yield code, plain(str(item.get("message", "")))[:1000] + where
