"""Rooms: the folder in which a nursery keeps all that its workers write, and what becomes of it.

A nursery removes its room when it ends. One that is killed cannot; the next one does it then. Whoever
lives holds a lock on a file in his room, which the kernel takes back from the dead, so a room is swept if
its lock is free and the process that it names is gone. What cannot be shown to be dead is left alone.

The folder around them belongs to everybody, and we may be root: only folders of our own user are looked
at, opened once and never by name again, and no link is followed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

_PREFIX = "kernelwright-"
_OWNER = "owner"
_LONGEST_OWNER = 100


class Room:
    """A new folder below `base`, locked for as long as this process lives."""

    def __init__(self, base: str) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
        self.path.chmod(0o711)
        unlocked = self.path / f"{_OWNER}.new"
        self._lock = os.open(unlocked, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        os.write(self._lock, f"{os.getpid()} {_started(os.getpid())}".encode())
        unlocked.rename(self.path / _OWNER)  # never there without its lock

    def close(self) -> None:
        """Remove it with all that is in it."""
        remove(self.path)
        os.close(self._lock)


def remove(folder: Path) -> None:
    """Delete a folder that foreign code has written to, however deep."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except RecursionError:
        subprocess.run(["rm", "-rf", "--", str(folder)], check=False)


def sweep(base: str) -> list[Path]:
    """Remove the rooms below `base` whose owners are gone; returns them."""
    swept = []
    for path in sorted(Path(base).glob(f"{_PREFIX}*")):
        with contextlib.suppress(OSError):  # not ours to open, or gone meanwhile
            folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                if os.fstat(folder).st_uid == os.geteuid() and _clear(folder):
                    path.rmdir()
                    swept.append(path)
            finally:
                os.close(folder)
    return swept


def _clear(folder: int) -> bool:
    """Empty a room whose owner is gone; False where it lives, or there is no telling."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    lock = os.open(_OWNER, flags, dir_fd=folder)
    try:
        info = os.fstat(lock)
        if not stat.S_ISREG(info.st_mode) or info.st_uid != os.geteuid():
            return False
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises where somebody holds it
        if _lives(os.read(lock, _LONGEST_OWNER).decode(errors="replace")):
            return False  # locks may not be seen by all who share a file system
        for name in os.listdir(folder):
            if name != _OWNER:
                _remove(name, folder)
        os.unlink(_OWNER, dir_fd=folder)  # last: who is killed here leaves what can be swept again
    finally:
        os.close(lock)
    return True


def _remove(name: str, folder: int) -> None:
    if not stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        os.unlink(name, dir_fd=folder)
        return
    try:
        shutil.rmtree(name, dir_fd=folder)
    except RecursionError:
        here = f"/proc/self/fd/{folder}"
        subprocess.run(["rm", "-rf", "--", f"./{name}"], cwd=here, pass_fds=[folder], check=False)


def _lives(owner: str) -> bool:
    """Whether the process of this number and start time is there."""
    number, _, started = owner.partition(" ")
    return bool(number.isdigit() and started) and _started(int(number)) == started


def _started(pid: int) -> str | None:
    """When a process began, in ticks since the machine did; None where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return None
