"""Turnstile: many evaluations may work on a device at once, but whoever is timed is alone on it.

Work (builds, checks, tracing) holds the room together with other work; timing holds it alone. Both are
locks of the kernel on two files, so they hold between processes, and one that is killed gives them back.
Whoever waits to be alone keeps the door shut, so that a stream of workers cannot keep it waiting.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

ROOM = "KERNELWRIGHT_TURNSTILE"
"""Environment: the path of the room that this process shares with others."""


def files(path: Path) -> tuple[Path, Path]:
    """The files of a room: its door, and the room itself."""
    return path.with_name(f"{path.name}.door"), path.with_name(f"{path.name}.room")


def _opened(path: Path) -> IO[str]:
    """Open for a lock, which needs no right to write where the file is there."""
    try:
        return path.open("a")
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.EACCES):
            raise
        return path.open()


class Turnstile:
    """One room, for all processes that name the same `path`. Not for several threads."""

    def __init__(self, path: Path) -> None:
        """Files `path`.door and `path`.room are made where they are not there yet."""
        self._door, self._room = map(_opened, files(path))
        self._inside = 0

    def close(self) -> None:
        """Give back what is held."""
        self._door.close()
        self._room.close()

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Be in the room, others too. Entered again from within, it changes nothing."""
        if self._inside:
            self._inside += 1
        else:
            with _held(self._door, fcntl.LOCK_SH):
                fcntl.flock(self._room, fcntl.LOCK_SH)
            self._inside = 1
        try:
            yield
        finally:
            self._inside -= 1
            if not self._inside:
                fcntl.flock(self._room, fcntl.LOCK_UN)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Be in the room with nobody else. Not from within `working`: two would wait for each other."""
        assert not self._inside, "whoever wants to be alone must have left the room"
        with _held(self._door, fcntl.LOCK_EX):
            fcntl.flock(self._room, fcntl.LOCK_EX)
        self._inside = 1
        try:
            yield
        finally:
            self._inside = 0
            fcntl.flock(self._room, fcntl.LOCK_UN)


@functools.cache
def named() -> Turnstile | None:
    """The room that the environment names; None where there is none to share."""
    return Turnstile(Path(os.environ[ROOM])) if ROOM in os.environ else None


@contextlib.contextmanager
def working() -> Iterator[None]:
    """Work that would disturb whoever is timed elsewhere on this machine."""
    room = named()
    with room.working() if room else contextlib.nullcontext():
        yield


@contextlib.contextmanager
def _held(file: IO[str], how: int) -> Iterator[None]:
    fcntl.flock(file, how)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)
