"""How many calls a provider gets at once: more while it answers, half when it says "too many"."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from kernelwright.agents.models.base import ModelError
from kernelwright.agents.models.halt import Halt

START, MOST = 8, 64
"""Calls at once: at the beginning, and ever."""
_POLL_S = 0.1
_TOO_MANY = (429, 529)


class Limiter:
    """Additive increase, multiplicative decrease (Chiu and Jain, 1989). Thread-safe.

    A call keeps its slot while it waits to be tried again, so that nobody takes its place and is
    turned away too.
    """

    def __init__(self, start: float = START, most: float = MOST) -> None:
        self.limit = float(start)
        self._most = float(most)
        self._active = 0
        self._turn = threading.Condition()
        self._cut_at = 0.0

    @contextmanager
    def slot(self, halt: Halt) -> Iterator[None]:
        """One of the calls at once. Raises Cancelled."""
        with self._turn:
            while self._active >= max(1, int(self.limit)):
                halt.check()
                self._turn.wait(_POLL_S)
            halt.check()
            self._active += 1
        try:
            yield
        finally:
            with self._turn:
                self._active -= 1
                self._turn.notify_all()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Around one request: what becomes of it moves the limit.

        An answer makes room for one more in every `limit` of them. Requests that were under way
        together are refused together; that halves the limit once.
        """
        began = time.monotonic()
        try:
            yield
        except ModelError as error:
            with self._turn:
                if error.status in _TOO_MANY and began >= self._cut_at:
                    self.limit = max(1.0, self.limit / 2)
                    self._cut_at = time.monotonic()
            raise
        with self._turn:
            self.limit = min(self._most, self.limit + 1 / self.limit)
            self._turn.notify_all()


_limiters: dict[str, Limiter] = {}
_lock = threading.Lock()


def limiter_of(provider: str) -> Limiter:
    """The one limiter of this process for a provider, which its address names."""
    with _lock:
        return _limiters.setdefault(provider, Limiter())
