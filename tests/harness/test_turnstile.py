"""Whoever is timed is alone; work goes on together; who waits to be alone is not passed by."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import Connection
from pathlib import Path

from kernelwright.harness.turnstile import Turnstile

FORK = multiprocessing.get_context("fork")


def _inside(path: Path, how: str, told: Connection) -> None:
    with getattr(Turnstile(path), how)():
        told.send("in")
        told.recv()
    told.send("out")


class Guest:
    """A process that enters, says so, and leaves when told."""

    def __init__(self, path: Path, how: str) -> None:
        self._ours, theirs = FORK.Pipe()
        self.process = FORK.Process(target=_inside, args=(path, how, theirs), daemon=True)
        self.process.start()

    def is_in(self, within_s: float) -> bool:
        return self._ours.poll(within_s) and self._ours.recv() == "in"

    def leave(self) -> None:
        self._ours.send("go")
        assert self._ours.recv() == "out"


def test_work_goes_on_together(tmp_path: Path) -> None:
    first, second = (Guest(tmp_path / "cpu", "working") for _ in range(2))
    assert first.is_in(10) and second.is_in(10)


def test_alone_waits_for_workers_and_keeps_new_ones_out(tmp_path: Path) -> None:
    worker = Guest(tmp_path / "cpu", "working")
    assert worker.is_in(10)
    alone = Guest(tmp_path / "cpu", "alone")
    assert not alone.is_in(0.3)
    late = Guest(tmp_path / "cpu", "working")
    assert not late.is_in(0.3)
    worker.leave()
    assert alone.is_in(10)
    assert not late.is_in(0.3)
    alone.leave()
    assert late.is_in(10)


def test_who_is_killed_gives_the_room_back(tmp_path: Path) -> None:
    alone = Guest(tmp_path / "cpu", "alone")
    assert alone.is_in(10)
    assert alone.process.pid is not None
    os.kill(alone.process.pid, signal.SIGKILL)
    assert Guest(tmp_path / "cpu", "alone").is_in(10)


def test_entering_again_from_within_changes_nothing(tmp_path: Path) -> None:
    room = Turnstile(tmp_path / "cpu")
    with room.working():
        with room.working():
            pass
        other = Guest(tmp_path / "cpu", "alone")
        assert not other.is_in(0.3)
    assert other.is_in(10)
    other.leave()
    with room.alone(), room.working():
        pass
    done = threading.Event()
    with room.alone():
        done.set()
    assert done.is_set()
