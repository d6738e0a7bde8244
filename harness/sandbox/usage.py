"""What a tree of processes uses altogether, as seen from outside it. For limits that nothing else sets."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")
_OWN = re.compile(r"^Pss_(?:Anon|Shmem):\s+(\d+) kB", re.M)
_BLOCK = 512
_FILE = 4096
"""Bytes that a file or folder costs at the least."""


def tree_bytes(pids: Iterable[int], limit: int) -> int:
    """Bytes of memory of processes, what they share counted once; exact only above `limit`."""
    known = list(pids)
    rough = sum(_resident(pid) for pid in known)
    return rough if rough <= limit else sum(_proportional(pid) for pid in known)


def _resident(pid: int) -> int:
    with suppress(OSError, IndexError):
        fields = Path(f"/proc/{pid}/statm").read_text().split()
        return int(fields[1]) * _PAGE
    return 0


def _proportional(pid: int) -> int:
    with suppress(OSError):
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        return sum(int(kib) << 10 for kib in _OWN.findall(text))
    return 0


def folder_bytes(folder: str, pids: Iterable[int], limit: int) -> int:
    """Bytes on disk below `folder`, and in deleted files that processes hold open; stops at `limit`.

    A file with several names counts once.
    """
    seen: set[tuple[int, int]] = set()
    total = 0
    waiting = [folder]
    while waiting and total <= limit:
        with suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                with suppress(OSError):
                    info = entry.stat(follow_symlinks=False)
                    total += _once(info, seen)
                    if stat.S_ISDIR(info.st_mode):
                        waiting.append(entry.path)
                if total > limit:
                    break
    for pid in pids:
        with suppress(OSError), os.scandir(f"/proc/{pid}/fd") as entries:
            for entry in entries:
                with suppress(OSError):
                    info = entry.stat()
                    if stat.S_ISREG(info.st_mode) and not info.st_nlink:
                        total += _once(info, seen)
    return total


def _once(info: os.stat_result, seen: set[tuple[int, int]]) -> int:
    key = (info.st_dev, info.st_ino)
    if key in seen:
        return 0
    seen.add(key)
    return max(info.st_blocks * _BLOCK, _FILE)
