"""What a cubin says of its kernels: registers, stack, shared memory, barriers, code size. No tool is needed.

A cubin is a 64-bit little-endian ELF file (System V ABI, chapter 4). Where NVIDIA puts its figures is
not documented; it was read off files whose figures `cuobjdump --dump-resource-usage` prints, which the
tests compare. The file comes from a compiler that was fed a candidate's text, so nothing in it is
believed: what does not fit is a ValueError.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_ATTRIBUTE = struct.Struct("<BBH")
_PAIR = struct.Struct("<II")
_CUDA = 190
"""e_machine."""
_NO_BITS, _SYMBOL_TABLE = 8, 2
_SYMBOL = struct.Struct("<IBBHQQ")
_SIZED = 4
"""Format of an attribute that a payload of so many bytes follows."""
_FRAME_SIZE, _LEAST_STACK, _REGISTERS = 0x11, 0x12, 0x2F
"""EIATTR_FRAME_SIZE, EIATTR_MIN_STACK_SIZE and EIATTR_REGCOUNT: pairs of symbol and value."""
_BARRIERS = 0x4C
"""EIATTR_NUM_BARRIERS, of one kernel; older compilers have the number in the flags of its code instead."""
_INSTRUCTION_BYTES = 16
"""From compute capability 7.0 on."""
_LARGEST, _LONGEST_NAME = 64 << 20, 1 << 14


@dataclass(frozen=True)
class KernelFacts:
    """Of one kernel, as compiled. Sizes in bytes."""

    name: str
    registers: int
    """Of a thread."""
    stack: int
    """Of a thread, in local memory: arrays, spilled registers, calls."""
    shared: int
    """Static, of a block."""
    local: int
    constant: int
    """Bank 0: parameters and what the compiler put beside them."""
    barriers: int
    instructions: int
    """Slots of the code, padding at its end included."""


@dataclass(frozen=True)
class Cubin:
    """A cubin: what it was compiled for, and its kernels."""

    capability: int
    """Times ten: 90 for sm_90."""
    kernels: tuple[KernelFacts, ...]


@dataclass(frozen=True)
class _Section:
    name: str
    kind: int
    flags: int
    size: int
    link: int
    info: int
    data: memoryview


def read(data: bytes) -> Cubin:
    """Raises ValueError for what is no cubin."""
    if len(data) > _LARGEST:
        raise ValueError(f"a cubin of {len(data)} bytes, more than {_LARGEST}")
    try:
        return _read(data)
    except (struct.error, IndexError, OverflowError) as error:
        raise ValueError(f"not a cubin that can be read: {error}") from None


def _read(data: bytes) -> Cubin:
    ident, _, machine, *_, flags, _, _, _, _, _, _ = _HEADER.unpack_from(data)
    if ident[:6] != b"\x7fELF\x02\x01" or machine != _CUDA:
        raise ValueError("not a cubin: no 64-bit ELF file for CUDA")
    sections = {section.name: section for section in _sections(data)}
    numbers = _numbers(sections)
    kernels = []
    for name, section in sections.items():
        if not name.startswith(".text."):
            continue
        kernel = name.removeprefix(".text.")
        own = numbers.get(kernel, {})
        kernels.append(
            KernelFacts(
                kernel,
                own.get(_REGISTERS, section.info >> 24),
                own.get(_LEAST_STACK, own.get(_FRAME_SIZE, 0)),
                _size(sections, f".nv.shared.{kernel}"),
                _size(sections, f".nv.local.{kernel}"),
                _size(sections, f".nv.constant0.{kernel}"),
                _barriers(sections, kernel) or section.flags >> 20 & 0x7F,
                section.size // _INSTRUCTION_BYTES,
            )
        )
    return Cubin(_capability(ident, flags), tuple(kernels))


def _capability(ident: bytes, flags: int) -> int:
    """Newer files (ABI version 8) hold it one byte further up."""
    return flags >> 8 & 0xFF if ident[8] >= 8 else flags & 0xFF


def _size(sections: dict[str, _Section], name: str) -> int:
    return sections[name].size if name in sections else 0


def _sections(data: bytes) -> Iterator[_Section]:
    _, _, _, _, _, _, table, _, _, _, _, size, count, names = _HEADER.unpack_from(data)
    if size != _SECTION.size:
        raise ValueError("not a cubin: its sections have another size")
    rows = [_SECTION.unpack_from(data, table + i * size) for i in range(count)]
    whole = memoryview(data)
    strings = data[rows[names][4] :][: rows[names][5]]
    for name, kind, flags, _, start, length, link, info, _, _ in rows:
        body = whole[:0] if kind == _NO_BITS else whole[start : start + length]  # no copy
        yield _Section(_string(strings, name), kind, flags, length, link, info, body)


def _numbers(sections: dict[str, _Section]) -> dict[str, dict[int, int]]:
    """The figures of `.nv.info`, by kernel and attribute."""
    info = sections.get(".nv.info")
    table = next((s for s in sections.values() if s.kind == _SYMBOL_TABLE), None)
    if info is None or table is None:
        return {}
    strings = bytes(list(sections.values())[table.link].data)
    symbols = [_string(strings, row[0]) for row in _SYMBOL.iter_unpack(table.data)]
    found: dict[str, dict[int, int]] = {}
    for attribute, _, payload in _attributes(info.data):
        if len(payload) == _PAIR.size and attribute in (_FRAME_SIZE, _LEAST_STACK, _REGISTERS):
            symbol, value = _PAIR.unpack(payload)
            found.setdefault(symbols[symbol], {})[attribute] = value
    return found


def _barriers(sections: dict[str, _Section], kernel: str) -> int:
    """Barriers that a kernel names, where its own attributes say so."""
    info = sections.get(f".nv.info.{kernel}")
    said = _attributes(info.data) if info else ()
    return next((value & 0xFF for attribute, value, _ in said if attribute == _BARRIERS), 0)


def _attributes(data: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """Attribute, its 16-bit value (or the size of its payload), and the payload that follows."""
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        form, attribute, value = _ATTRIBUTE.unpack_from(data, at)
        at += _ATTRIBUTE.size
        size = value if form == _SIZED else 0
        yield attribute, value, data[at : at + size]
        at += size


def _string(table: bytes, start: int) -> str:
    end = table.find(b"\0", start, start + _LONGEST_NAME)
    if end < 0:
        raise ValueError("not a cubin: a name without an end")
    return table[start:end].decode("utf-8", "replace")
