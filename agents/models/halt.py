"""Halt: how a run tells its model calls to stop, from any thread.

Two degrees. `soon`: nobody waits any longer (for a slot, a retry, a person's answer), but an answer
that is coming in is paid for and may arrive. `now`: that is cut off as well.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kernelwright.agents.models.base import Cancelled

_POLL_S = 0.05


class Halt:
    """Shared by all models of a run.

    `soon` may be called by a signal handler: it takes no lock, which the interrupted thread could
    be holding.
    """

    def __init__(self) -> None:
        self._soon = False
        self._now = False
        self._lock = threading.Lock()
        self._cuts: list[Callable[[], None]] = []

    def soon(self) -> None:
        """End all waiting; no new call is made."""
        self._soon = True

    def now(self) -> None:
        """End all waiting and cut every call that is under way."""
        self._soon = True
        with self._lock:
            self._now = True
            cuts = list(self._cuts)
        for cut in cuts:
            cut()

    @property
    def asked(self) -> bool:
        """Whether anybody asked to stop."""
        return self._soon

    @property
    def at_once(self) -> bool:
        """Whether calls under way are to be cut too."""
        return self._now

    def check(self) -> None:
        """Raises Cancelled when asked to stop."""
        if self.asked:
            raise Cancelled("interrupted")

    def wait(self, seconds: float) -> None:
        """Sleep. Raises Cancelled as soon as somebody asks to stop."""
        until = time.monotonic() + seconds
        while True:
            self.check()
            left = until - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, _POLL_S))

    @contextmanager
    def cutting(self, cut: Callable[[], None]) -> Iterator[None]:
        """Within this, `now` calls `cut`, from its own thread."""
        with self._lock:
            self._cuts.append(cut)
            late = self._now
        if late:
            cut()
        try:
            yield
        finally:
            with self._lock:
                self._cuts.remove(cut)
