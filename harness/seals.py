"""Seals on our own code in a worker: whether its functions are still those that were there at first.

The loop that makes the timed calls runs in the candidate's process. Who puts another in its place saves
what the interpreter needs for a call. A function of Python keeps a pointer to its code; where these
pointers lie is found before foreign code is there, and the parent looks at them from outside, at rest and
at moments that nobody can foresee.
"""

from __future__ import annotations

import ctypes
import struct
import types
from collections.abc import Iterable

from kernelwright.harness import memory


def places(owners: Iterable[object]) -> list[int]:
    """Addresses of the pointers to code and defaults of all functions in modules and classes.

    For the worker, on itself.
    """
    found = []
    for owner in owners:
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
