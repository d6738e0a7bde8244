"""Which process works on a run, without getting in its way."""

from __future__ import annotations

from pathlib import Path


def holder(lock: Path) -> int | None:
    """The process that holds this lock file, from the kernel's list of locks (proc_locks(5)).

    Trying to lock it ourselves could make a run that starts at this moment fail.
    """
    try:
        held = lock.stat().st_ino
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        fields = line.split()
        if len(fields) >= 6 and fields[1] == "FLOCK" and fields[5].rpartition(":")[2] == str(held):
            return int(fields[4])
    return None
