"""Retries: only for what can pass (timeouts, cut connections, 429, 5xx), bounded, with jitter."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from kernelwright.agents.models.base import ModelError, Reply
from kernelwright.agents.roles import Spend


@dataclass(frozen=True)
class Retry:
    """Exponential backoff with full jitter: the n-th wait is drawn from [0, base * 2^n] seconds.

    A provider's `retry-after` is the least wait; one longer than `patience_s` ends the call.
    """

    attempts: int = 6
    base_s: float = 1.0
    cap_s: float = 60.0
    patience_s: float = 300.0
    wait: Callable[[float], None] = time.sleep

    def run(self, call: Callable[[], Reply]) -> Reply:
        """The reply of the first attempt that gives one, charged with all that failed before.

        Raises the last ModelError, or at once one that no retry can mend. Whatever is raised while
        it waits is charged too.
        """
        lost = Spend()
        for attempt in range(self.attempts):
            try:
                reply = call()
                return replace(reply, spend=reply.spend + lost)
            except ModelError as error:
                lost += error.spend
                error.spend = lost
                asked = error.retry_after_s or 0.0
                final = attempt == self.attempts - 1
                if not error.retryable or final or asked > self.patience_s:
                    raise
            drawn = random.uniform(0, min(self.cap_s, self.base_s * 2**attempt))
            try:
                self.wait(asked + drawn)
            except ModelError as error:
                error.spend += lost
                raise
        raise AssertionError("a Retry makes at least one attempt")
