"""A pool of processes: so many at once, each telling on a pipe how it goes. One that fails harms no other.

A unit of work is a module that is run. Its stdout is its result, its stderr goes to a log, and on the pipe
named by `PROGRESS` it writes one JSON object a line. Children die with the pool, however it dies.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Protocol

PROGRESS = "KERNELWRIGHT_PROGRESS_FD"
"""Environment: the file descriptor on which a unit tells how it goes."""
EVALUATOR = "KERNELWRIGHT_EVALUATOR_FD"
"""Environment: the file descriptor at whose other end a unit finds an evaluator; not set: it has its own."""
Told = Callable[[str, Mapping[str, Any]], None]


@dataclass(frozen=True)
class Unit:
    """One call: `python -m MODULE ARGUMENT...`."""

    name: str
    arguments: tuple[str, ...]
    log: Path
    module: str = "kernelwright"
    late: Callable[[], Sequence[str]] | None = None
    """Further arguments, which are known only when it begins. May raise NotNow."""


class NotNow(Exception):
    """A unit is not to be run this time; the message says why."""


@dataclass(frozen=True)
class Ended:
    """How a unit ended: exit status (negative: the signal that killed it) and its stdout."""

    unit: Unit
    status: int
    output: str
    skipped: str | None = None
    """Why it was not run at all."""

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


class Runner(Protocol):
    """Runs units somewhere: on this machine (`Pool`), or with devices elsewhere (`ray_pool.py`)."""

    def run(self, units: Sequence[Unit]) -> None:
        """Until all have ended, or those that ran when `stop` was called."""
        ...

    def stop(self, how: int = signal.SIGINT) -> None:
        """Start no more, and send a signal to those that run."""
        ...


class MakeRunner(Protocol):
    """Makes a Runner for a batch."""

    def __call__(
        self,
        slots: int,
        told: Told,
        ended: Callable[[Ended], None],
        environment: Mapping[str, str],
    ) -> Runner:
        """`environment` is added to that of the units."""
        ...


class Pool:
    """Runs units on this machine. `told` and `ended` are called from threads, one at a time."""

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
        try:
            late = tuple(unit.late()) if unit.late else ()
        except NotNow as reason:
            with self._lock:
                self._ended(Ended(unit, 0, "", skipped=str(reason)))
            return
        unit = replace(unit, arguments=(*unit.arguments, *late))
        self._say(unit.name, state="starting")
        unit.log.parent.mkdir(parents=True, exist_ok=True)
        with self._beside(unit) as descriptors, unit.log.open("a") as log:
            status, output = self._to_its_end(unit, descriptors, log)
        with self._lock:
            self._ended(Ended(unit, status, output))

    @contextlib.contextmanager
    def _beside(self, unit: Unit) -> Iterator[Mapping[str, int]]:
        """File descriptors that a unit finds under names in its environment, beside `PROGRESS`."""
        yield {}

    def _to_its_end(
        self, unit: Unit, descriptors: Mapping[str, int], log: IO[str]
    ) -> tuple[int, str]:
        """Run a unit; its exit status and stdout."""
        ours, theirs = os.pipe()
        named = {PROGRESS: theirs, **descriptors}
        with os.fdopen(ours, encoding="utf-8") as lines:
            command = [sys.executable, "-m", "kernelwright.evals.child", str(os.getpid())]
            command += [unit.module, *unit.arguments]
            try:
                child = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env={
                        **os.environ,
                        **self._environment,
                        **{name: str(number) for name, number in named.items()},
                    },
                    pass_fds=tuple(named.values()),
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
        return child.returncode, output

    def _say(self, name: str, **said: Any) -> None:
        """Tell how a unit goes, from any thread."""
        with self._lock:
            self._told(name, said)

    def _listen(self, name: str, lines: Any) -> None:
        try:
            for line in lines:
                said = json.loads(line)
                with self._lock:
                    self._told(name, said)
        except ValueError:  # half a line of one that was killed, or the pipe closed beneath us
            return
