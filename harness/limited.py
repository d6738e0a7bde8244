"""A limit on the time of Python code that may never end, in this process."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_WALL = 6.0
"""Times as long it may wait for a processor, or sleep."""


class TooLong(BaseException):
    """It ran out of time."""


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise TooLong after so much processor time (of all threads), or six times as long on the clock.

    A busy machine so makes nothing endless. Only the main thread can be interrupted; elsewhere, and with
    infinity, there is no limit. One inside another is not possible.
    """
    if threading.current_thread() is not threading.main_thread() or math.isinf(seconds):
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        for timer, _, _ in timers:  # the other must not strike behind the block
            signal.setitimer(timer, 0.0)
        raise TooLong

    timers = (
        (signal.ITIMER_PROF, signal.SIGPROF, seconds),
        (signal.ITIMER_REAL, signal.SIGALRM, _WALL * seconds),
    )
    before = [signal.signal(number, stop) for _, number, _ in timers]
    for timer, _, limit in timers:
        signal.setitimer(timer, limit)
    try:
        yield
    finally:
        for (timer, number, _), handler in zip(timers, before, strict=True):
            signal.setitimer(timer, 0.0)
            signal.signal(number, handler)
