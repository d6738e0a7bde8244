"""Seals on our own code in a worker: whether its functions are still those that were there at first.

The loop that makes the timed calls runs in the candidate's process. Who puts another in its place saves
what the interpreter needs for a call. A function of Python keeps a pointer to its code, a module a table
of what its names stand for; where these pointers lie is found before foreign code is there, and the parent
looks at them from outside, at rest and at moments that nobody can foresee.
"""

from __future__ import annotations

import ctypes
import itertools
import struct
import types
from collections.abc import Iterable

from kernelwright.harness import memory

_HEADER, _USED, _KEYS = 6, 2, 4
"""Words of a dictionary: reference count, type, how many entries, version, its table, values apart."""


def places(owners: Iterable[object]) -> list[int]:
    """Addresses of the pointers to code and defaults of all functions in modules and classes, and to what the
    names of the modules stand for.

    For the worker, on itself. No module may get further names afterwards.
    """
    found = []
    for owner in owners:
        if isinstance(owner, types.ModuleType):
            owner.__dict__.setdefault("__warningregistry__", {})  # which a warning would add
            found += _names(owner.__dict__)
        for function in vars(owner).values():
            if isinstance(function, types.FunctionType):
                found += _slots(function)
    return found


def _slots(function: types.FunctionType) -> list[int]:
    """Where in a function's memory these pointers stand. Independent of the version of Python."""
    wanted = {id(function.__code__), id(function.__defaults__)} - {id(None)}
    size = function.__sizeof__()
    words = struct.unpack(f"{size // 8}P", ctypes.string_at(id(function), size // 8 * 8))
    return [id(function) + 8 * i for i, word in enumerate(words) if word in wanted]


def _names(table: dict[str, object]) -> list[int]:
    """Where in a dictionary's memory its size, its table and the pointers to its values stand.

    Nothing where this version of Python lays it out in another way (it has been so since 3.6).
    """
    header = struct.unpack(f"{_HEADER}P", ctypes.string_at(id(table), 8 * _HEADER))
    size = table.__sizeof__() - dict.__basicsize__
    if header[_USED] != len(table) or size <= 0:
        return []
    start = header[_KEYS]
    words = struct.unpack(f"{size // 8}P", ctypes.string_at(start, size // 8 * 8))
    place = {pair: i for i, pair in enumerate(itertools.pairwise(words), 1)}
    found = [id(table) + 8 * _USED, id(table) + 8 * _KEYS]
    for name, value in table.items():
        i = place.get((id(name), id(value)))
        if i is None:
            return []
        found.append(start + 8 * i)
    return found


class Seals:
    """What stood there when it was first looked at. For the parent."""

    def __init__(self, pid: int, addresses: Iterable[int]) -> None:
        self._pid = pid
        self._addresses = list(addresses)
        self._first = self._read()

    def broken(self) -> bool:
        """Whether any of it has changed; the process stands. Raises Unreadable."""
        return self._read() != self._first

    def _read(self) -> bytes:
        return memory.read_words(self._pid, self._addresses)
