"""A pool of processes: so many at once, each telling on a pipe how it goes. One that fails harms no other.

A unit of work is a module that is run. Its stdout is its result, its stderr goes to a log, and on the pipe
named by `PROGRESS` it writes one JSON object a line. Children die with the pool, however it dies.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRESS = "KERNELWRIGHT_PROGRESS_FD"
"""Environment: the file descriptor on which a unit tells how it goes."""
Told = Callable[[str, Mapping[str, Any]], None]


@dataclass(frozen=True)
class Unit:
    """One call: `python -m MODULE ARGUMENT...`."""

    name: str
    arguments: tuple[str, ...]
    log: Path
    module: str = "kernelwright"


@dataclass(frozen=True)
class Ended:
    """How a unit ended: exit status (negative: the signal that killed it) and its stdout."""

    unit: Unit
    status: int
    output: str

    @property
    def result(self) -> dict[str, Any] | None:
        """The one object that it printed; None where it printed none."""
        try:
            found = json.loads(self.output)
        except ValueError:
            return None
        return found if isinstance(found, dict) else None

    @property
    def last_words(self) -> str:
        """The last line that it wrote to stderr."""
        lines = self.unit.log.read_text(encoding="utf-8", errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "no message")


class Pool:
    """Runs units. `told` and `ended` are called from threads, one at a time."""

    def __init__(
        self,
        slots: int,
        told: Told,
        ended: Callable[[Ended], None],
        environment: Mapping[str, str],
    ) -> None:
        """`environment` is added to that of the children."""
        self._slots = slots
        self._told = told
        self._ended = ended
        self._environment = environment
        self._lock = threading.RLock()
        self._running: dict[str, subprocess.Popen[str]] = {}
        self._stopping = False

    def run(self, units: Sequence[Unit]) -> None:
        """Until all have ended, or those that ran when `stop` was called."""
        with ThreadPoolExecutor(self._slots, "unit") as threads:
            for future in [threads.submit(self._one, unit) for unit in units]:
                future.result()

    def stop(self, how: int = signal.SIGINT) -> None:
        """Start no more, and send a signal to those that run."""
        self._stopping = True
        for child in list(self._running.values()):
            if child.poll() is None:
                child.send_signal(how)

    def _one(self, unit: Unit) -> None:
        if self._stopping:
            return
        with self._lock:
            self._told(unit.name, {"state": "starting"})
        unit.log.parent.mkdir(parents=True, exist_ok=True)
        ours, theirs = os.pipe()
        with os.fdopen(ours, encoding="utf-8") as lines, unit.log.open("a") as log:
            command = [sys.executable, "-m", "kernelwright.evals.child", str(os.getpid())]
            command += [unit.module, *unit.arguments]
            try:
                child = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env={**os.environ, **self._environment, PROGRESS: str(theirs)},
                    pass_fds=(theirs,),
                    start_new_session=True,  # a Ctrl-C on the terminal is ours to hand on
                    text=True,
                )
            finally:
                os.close(theirs)
            self._running[unit.name] = child
            if self._stopping:
                child.send_signal(signal.SIGINT)
            reader = threading.Thread(target=self._listen, args=(unit.name, lines), daemon=True)
            reader.start()
            output, _ = child.communicate()
            reader.join(1.0)  # a grandchild may hold the pipe; nobody waits for it
        del self._running[unit.name]
        with self._lock:
            self._ended(Ended(unit, child.returncode, output))

    def _listen(self, name: str, lines: Any) -> None:
        try:
            for line in lines:
                said = json.loads(line)
                with self._lock:
                    self._told(name, said)
        except ValueError:  # half a line of one that was killed, or the pipe closed beneath us
            return
