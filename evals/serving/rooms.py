"""The timing lease of a device: a room that all batches of a user on one machine share.

Whoever is timed is alone in it (`harness/turnstile.py`): the kernel's locks hold between processes,
whatever started them, and one that is killed gives them back.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path

from kernelwright.tasks.errors import UsageError


def device_room(kind: str = "cpu", index: str = "") -> Path:
    """Where the locks of a device lie on this machine; made where they are not there yet.

    Raises UsageError where somebody else has put something in that place, which everybody can write to.
    """
    folder = Path(tempfile.gettempdir()) / f"kernelwright-{os.getuid()}"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise UsageError(f"{folder} is not a folder of yours: remove it, or set TMPDIR to another")
    return folder / (f"{kind}-{index}" if index else kind)
