"""Texts without keys and without paths that say whose machine they come from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from kernelwright.agents.models.keys import redact

_PATH = re.compile(r"(?<![\w./)\]])/(?:[A-Za-z_.][\w.+@~-]*/)+([\w.+@~-]*)")
"""An absolute path of two parts at least; the last part stays."""
_PUBLIC = ("/usr/", "/lib/", "/lib64/", "/proc/", "/sys/", "/dev/", "/etc/", "/bin/")
"""Folders that are the same on everybody's machine."""


def scrub(text: str) -> str:
    """The text without keys, and with `[path]/name` for paths."""
    return _PATH.sub(_short, redact(text))


def scrubbed(data: Any) -> Any:
    """JSON with every text in it scrubbed."""
    if isinstance(data, str):
        return scrub(data)
    if isinstance(data, Mapping):
        return {name: scrubbed(value) for name, value in data.items()}
    if isinstance(data, list | tuple):
        return [scrubbed(value) for value in data]
    return data


def _short(found: re.Match[str]) -> str:
    whole = found.group(0)
    return whole if whole.startswith(_PUBLIC) else f"[path]/{found.group(1)}"
