"""The timing lease of a device: a room that all batches of a user on one machine share.

Whoever is timed is alone in it (`harness/turnstile.py`): the kernel's locks hold between processes,
whatever started them, and one that is killed gives them back.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def device_room(kind: str = "cpu", index: str = "") -> Path:
    """Where the locks of a device lie on this machine; made where they are not there yet."""
    folder = Path(tempfile.gettempdir()) / f"kernelwright-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / (f"{kind}-{index}" if index else kind)
