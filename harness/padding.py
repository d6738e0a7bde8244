"""How much of executable memory is code, and how much only room for it.

A code cache reserves more than it will ever hold, and code that is aligned to large pages has gaps. A page
is room when it repeats a few bytes from its begin to its end: zeros, int3, or what an assembler fills gaps
with. What code lay in such a page it would be the same few instructions over and over.
"""

from __future__ import annotations

from collections.abc import Iterable

from kernelwright.harness import memory

_PAGE, _CHUNK = 4096, 1 << 20
_LONGEST_PERIOD = 16
"""Bytes: more than the longest instruction, which assemblers repeat to fill a gap."""
_MOST_READ = 64 << 20
"""Bytes that are read; in what is larger altogether, the rest counts as code."""


def code_bytes(pid: int, spans: Iterable[tuple[int, int]], enough: int) -> int:
    """Bytes of pages (4 KiB) in these spans of a stopped process that hold more than padding.

    Counts no further than just above `enough`. What cannot be read is code.
    """
    found = 0
    left = _MOST_READ
    for start, end in spans:
        for place in range(start, end, _CHUNK):
            size = min(_CHUNK, end - place)
            if found > enough:
                return found
            if left < size:
                found += size
                continue
            left -= size
            found += size - _padding(_read(pid, place, size))
    return found


def _read(pid: int, address: int, size: int) -> bytes:
    """What can be read from the begin of these bytes."""
    try:
        return memory.read_bytes(pid, address, size)
    except memory.Unreadable:
        return b""


def _padding(content: bytes) -> int:
    """Bytes of whole pages that are padding."""
    if not content.strip(b"\0"):
        return len(content)
    pages = (content[i : i + _PAGE] for i in range(0, len(content), _PAGE))
    return sum(len(page) for page in pages if _is_padding(page))


def _is_padding(page: bytes) -> bool:
    return any(page[period:] == page[:-period] for period in range(1, _LONGEST_PERIOD + 1))
