"""What a shared library holds that runs: a digest of its code and data, blind to names and dates.

A small reader of 64-bit little-endian ELF files (System V ABI, chapters 4 and 5). The file comes out of
a compiler that was fed a candidate's text, so nothing in it is believed: what does not fit is a ValueError.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = struct.Struct("<QQq")
_PROGRAM, _RELOCATIONS, _EMPTY, _START, _END, _SYMBOLS = 1, 4, 8, 14, 15, 11
"""Types of sections: SHT_PROGBITS, RELA, NOBITS, INIT_ARRAY, FINI_ARRAY, DYNSYM."""
_IN_MEMORY = 2
"""SHF_ALLOC: the section is loaded."""
_FILLED_AT_START = (".got", ".got.plt")
"""Tables that hold addresses; what fills them stands in the relocations."""
_LARGEST, _LONGEST_NAME = 16 << 20, 1 << 14


@dataclass(frozen=True)
class _Section:
    name: str
    kind: int
    loaded: bool
    address: int
    size: int
    link: int
    data: bytes


@dataclass(frozen=True)
class _Symbol:
    name: str
    defined: bool
    value: int


def code_digest(library: bytes, entries: Iterable[str]) -> str:
    """SHA-256 (hex) of all that a library loads and of where the functions `entries` begin.

    Names of what it defines, debug information, build ids and the layout of tables that only the linker
    reads do not count; names of what it takes from elsewhere do, since the code alone does not tell
    `expf` from `sinf`. Raises ValueError for what is no such file.
    """
    if len(library) > _LARGEST:
        raise ValueError("a library of more than 16 MiB")
    try:
        parts = list(_parts(library, sorted(set(entries))))
    except (struct.error, IndexError, OverflowError) as error:
        raise ValueError(f"not a shared library that can be read: {error}") from None
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()


def _parts(library: bytes, entries: list[str]) -> Iterator[bytes]:
    sections = _sections(library)
    base = next((s.address for s in sections if s.name == ".text"), None)
    if base is None:
        raise ValueError("no code in it")
    symbols = next((_symbols(s, sections) for s in sections if s.kind == _SYMBOLS), [])
    for section in sections:
        if not section.loaded:
            continue
        if section.kind in (_PROGRAM, _START, _END, _EMPTY) and not section.name.startswith(
            ".note"
        ):
            yield f"{section.name} {section.address - base} {section.size}".encode()
            yield b"" if section.name in _FILLED_AT_START else section.data
        elif section.kind == _RELOCATIONS:
            yield "\n".join(sorted(_relocations(section, symbols, base))).encode()
    places = {symbol.name: symbol.value - base for symbol in symbols if symbol.defined}
    yield "\n".join(f"{name} {places.get(name)}" for name in entries).encode()


def _sections(library: bytes) -> list[_Section]:
    ident, *_, table, _, _, _, _, size, count, names = _HEADER.unpack_from(library)
    if ident[:6] != b"\x7fELF\x02\x01" or size != _SECTION.size:
        raise ValueError("not a 64-bit little-endian ELF file")
    rows = [_SECTION.unpack_from(library, table + i * size) for i in range(count)]
    strings = library[rows[names][4] :][: rows[names][5]]
    if sum(row[5] for row in rows if row[1] != _EMPTY) > len(library):
        raise ValueError("sections that lie in one another")
    return [
        _Section(
            _string(strings, name),
            kind,
            bool(flags & _IN_MEMORY),
            address,
            length,
            link,
            b"" if kind == _EMPTY else library[start : start + length],
        )
        for name, kind, flags, address, start, length, link, _, _, _ in rows
    ]


def _symbols(table: _Section, sections: list[_Section]) -> list[_Symbol]:
    strings = sections[table.link].data
    return [
        _Symbol(_string(strings, name), section != 0, value)
        for name, _, _, section, value, _ in _SYMBOL.iter_unpack(table.data)
    ]


def _relocations(table: _Section, symbols: list[_Symbol], base: int) -> Iterator[str]:
    for offset, info, addend in _RELOCATION.iter_unpack(table.data):
        kind, index = info & 0xFFFFFFFF, info >> 32
        if index == 0:
            what = f"at {addend - base}"
        elif symbols[index].defined:
            what = f"at {symbols[index].value - base} + {addend}"
        else:
            what = f"{symbols[index].name} + {addend}"
        yield f"{offset - base} {kind} {what}"


def _string(table: bytes, start: int) -> str:
    end = table.find(b"\0", start, start + _LONGEST_NAME)
    if end < 0:
        raise ValueError("a name without an end")
    return table[start:end].decode("latin-1")
