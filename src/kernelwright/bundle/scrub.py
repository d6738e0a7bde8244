"""Takes what is private out of the data of a run: keys, and every path of the machine it ran on.

Sources are not changed, for their ids are their hashes: `private` tells what one of them gives away.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kernelwright.agents.models.keys import redact, redacted

_PATH = re.compile(r"(?<![\w./~>)\]])(?:~|~\w+)?(?:/[^\s/:;,'\"<>()\[\]{}|`\\]+){2,}/?")
"""An absolute path of two parts or more, or one below somebody's home; not the path of an address."""
_SHORT = re.compile(r"~\w*/[^\s/:;,'\"<>()\[\]{}|`\\]+")


def scrubbed(data: Any) -> Any:
    """JSON without keys and without paths: `/home/me/x/op.py` becomes `<path>/op.py`."""
    return _scrubbed(redacted(data))


def scrub(text: str) -> str:
    """The same for one text."""
    return _without_paths(redact(text))


def private(source: str) -> str | None:
    """What of this machine or its user a source holds, in words; None: nothing that is known."""
    if redact(source) != source:
        return "it holds a key"
    if str(Path.home()) != "/" and str(Path.home()) + "/" in source:
        return "it names the home folder"
    return None


def _scrubbed(data: Any) -> Any:
    if isinstance(data, str):
        return _without_paths(data)
    if isinstance(data, Mapping):
        return {_without_paths(str(name)): _scrubbed(value) for name, value in data.items()}
    if isinstance(data, list | tuple):
        return [_scrubbed(value) for value in data]
    return data


def _without_paths(text: str) -> str:
    home = str(Path.home())
    if len(home) > 1:  # first, because it may hold a blank
        text = text.replace(home, "<home>")
    text = re.sub(r"<home>((?:/[^\s/:;,'\"<>()\[\]{}|`\\]+)+)", _last_part, text)
    return _SHORT.sub(_last_part, _PATH.sub(_last_part, text)).replace("<home>", "<path>")


def _last_part(found: re.Match[str]) -> str:
    return f"<path>/{found[0].rstrip('/').rpartition('/')[2]}"
