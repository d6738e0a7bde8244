"""A loaded library as it lies in memory beside the file that it came from.

What a library says of itself (`exports.py`) can be wiped out by the process that has it loaded. So its file
is asked as well, and what differs between the two where nothing is ever written, or names that do not have
the sums that the linker noted of them, were altered by somebody who has something to hide.
Source of the layout: System V ABI, chapters 4 and 5; the GNU hash table as glibc's elf/dl-lookup.c reads it.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from kernelwright.harness import exports, memory
from kernelwright.harness.exports import LARGEST_IMAGE

_MAGIC = b"\x7fELF\x02"
_LOAD, _DYNAMIC, _WRITABLE = 1, 2, 2
_STRINGS, _SYMBOLS, _GNU_HASH = 5, 6, 0x6FFFFEF5


class _Line(NamedTuple):
    span: str
    start: int
    end: int
    inode: int


class _Segment(NamedTuple):
    kind: int
    flags: int
    offset: int
    address: int
    size: int


@dataclass(frozen=True)
class Image:
    """The parts of a library in memory, from the address `base` on; gaps are zero."""

    base: int
    content: bytes


def is_foreign(pid: int, name: str) -> bool:
    """Whether the library of that path in a stopped worker is none of a candidate's own, or was altered."""
    lines = _lines(pid, name)
    if not lines:
        return False
    file = _file(pid, name, lines) or b""
    if not (_is_library(pid, lines) or file.startswith(_MAGIC)):
        return False
    image = _in_memory(pid, lines)
    if exports.foreign(image.content, image.base) or altered_names(image):
        return True
    laid = laid_out(file)
    return bool(file) and (
        exports.foreign(file, 0)
        or exports.foreign(laid.content, laid.base)
        or altered_names(laid)
        or altered(image, file)
    )


def altered(image: Image, file: bytes) -> bool:
    """Whether what nobody may write to, in a library that lies in memory, differs from its file."""
    segments = _segments(file)
    first = min((s.address for s in segments if s.kind == _LOAD), default=0) & -4096
    for segment in segments:
        if segment.kind != _LOAD or segment.flags & _WRITABLE:
            continue
        start = segment.address - first
        here = image.content[start : start + segment.size]
        if here != file[segment.offset : segment.offset + segment.size][: len(here)]:
            return True
    return False


def laid_out(file: bytes) -> Image:
    """A library's file as the loader would lay it out, unrelocated."""
    loaded = [s for s in _segments(file) if s.kind == _LOAD]
    size = max((s.address + s.size for s in loaded), default=0)
    content = bytearray(min(size, LARGEST_IMAGE))
    for segment in loaded:
        part = file[segment.offset : segment.offset + segment.size]
        part = part[: max(0, len(content) - segment.address)]
        content[segment.address : segment.address + len(part)] = part
    return Image(0, bytes(content))


def altered_names(image: Image) -> bool:
    """Whether a name that the library exports has not the sum by which it is looked up."""
    try:
        return any(_sum_of(name) | 1 != noted | 1 for name, noted in _hashed(image))
    except (struct.error, ValueError, OverflowError, MemoryError):
        return False


def _hashed(image: Image) -> Iterator[tuple[bytes, int]]:
    """Exported names, and the sums that its hash table holds of them."""
    content = image.content
    table: dict[int, int] = {}
    for segment in _segments(content):
        if segment.kind == _DYNAMIC:
            entries = content[segment.address : segment.address + segment.size]
            table = dict(struct.iter_unpack("<QQ", entries[: len(entries) // 16 * 16]))
    if not {_STRINGS, _SYMBOLS, _GNU_HASH} <= table.keys():
        return
    # In memory the loader has turned offsets into addresses.
    strings, symbols, hashes = (
        table[kind] - (image.base if table[kind] >= image.base else 0)
        for kind in (_STRINGS, _SYMBOLS, _GNU_HASH)
    )
    buckets, first, blooms, _ = struct.unpack_from("<IIII", content, hashes)
    chains = hashes + 16 + 8 * blooms + 4 * buckets
    firsts = struct.unpack_from(f"<{buckets}I", content, chains - 4 * buckets)
    last = max(firsts, default=0)
    number = first
    while 0 < first <= number:
        (noted,) = struct.unpack_from("<I", content, chains + 4 * (number - first))
        (name,) = struct.unpack_from("<I", content, symbols + 24 * number)
        start = strings + name
        yield content[start : content.index(b"\0", start)], noted
        number += 1
        if noted & 1 and number > last:  # the end of the last chain
            return


def _sum_of(name: bytes) -> int:
    found = 5381
    for letter in name:
        found = (found * 33 + letter) & 0xFFFFFFFF
    return found


def _segments(content: bytes) -> list[_Segment]:
    if content[:5] != _MAGIC:
        return []
    try:
        (headers,) = struct.unpack_from("<Q", content, 32)
        size, count = struct.unpack_from("<HH", content, 54)
        rows = [struct.unpack_from("<IIQQQQQQ", content, headers + i * size) for i in range(count)]
    except (struct.error, OverflowError):
        return []
    return [_Segment(kind, flags, at, address, n) for kind, flags, at, address, _, n, _, _ in rows]


def _lines(pid: int, name: str) -> list[_Line]:
    found = []
    for line in memory.map_lines(pid):
        span, rights, _, _, inode, *path = line.split(None, 5)
        if path and path[0] == name and "r" in rights:
            start, end = (int(word, 16) for word in span.split("-"))
            found.append(_Line(span, start, end, int(inode)))
    return found


def _in_memory(pid: int, lines: list[_Line]) -> Image:
    base = min(line.start for line in lines)
    content = bytearray(min(max(line.end for line in lines) - base, LARGEST_IMAGE))
    for line in lines:
        with contextlib.suppress(memory.Unreadable):
            size = min(line.end - line.start, max(0, len(content) - (line.start - base)))
            found = memory.read_bytes(pid, line.start, size) if size else b""
            content[line.start - base : line.start - base + len(found)] = found
    return Image(base, bytes(content))


def _is_library(pid: int, lines: list[_Line]) -> bool:
    try:
        return memory.read_bytes(pid, min(line.start for line in lines), 5) == _MAGIC
    except memory.Unreadable:
        return False


def _file(pid: int, name: str, lines: list[_Line]) -> bytes | None:
    """What the file holds that is mapped there; None where it cannot be read.

    Root reads it through the mapping itself, whatever became of its name.
    """
    places = [f"/proc/{pid}/map_files/{line.span}" for line in lines[:1]]
    for place in (*places, f"/proc/{pid}/root{name}", name):
        try:
            descriptor = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            continue
        with os.fdopen(descriptor, "rb") as stream:
            if os.fstat(descriptor).st_ino == lines[0].inode:
                return stream.read(LARGEST_IMAGE)
    return None
