"""The leaderboard as one file that opens from disk: no network, no server, nothing from elsewhere.

The data lies in it deflated, in base64: nothing in it can end the script element that holds it, and the
scripts put every text into the document as text. The page's policy allows exactly its own script and
style, by their hashes, and no connection at all.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import zlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from kernelwright.evals.board import Entry
from kernelwright.evals.details import details

MOST_BYTES = 2_000_000
"""For 250 results; more where there are more of them."""
_RESULTS = 250
_SCRIPTS = (
    "dom.js",
    "table.js",
    "charts.js",
    "scatter.js",
    "code.js",
    "board.js",
    "pages.js",
    "main.js",
)
_CUTS = (4000, 1500, 600, 200, 60, 0)
"""Lines of a kernel that are shown, tried in this order until the page is small enough."""


def page(
    board: Mapping[str, Any],
    entries: Sequence[Entry],
    title: str,
    single: tuple[str, str] | None = None,
) -> str:
    """The whole page, cut to its size: long kernels lose their ends first.

    `single`: entry and task that the page opens with, in place of the overview.
    """
    results = sum(len(entry.results) for entry in entries)
    allowed = MOST_BYTES * max(1.0, results / _RESULTS)
    kernels = (result.best for entry in entries for result in entry.results if result.best)
    longest = max((kernel.source.count("\n") + 1 for kernel in kernels), default=0)
    text = ""
    for cut in (None, *(lines for lines in _CUTS if lines < longest)):
        data = {"board": board, "details": details(entries, cut), "title": title, "single": single}
        text = _page(data, title)
        if len(text.encode()) <= allowed:
            break
    return text


def _page(data: Mapping[str, Any], title: str) -> str:
    style = _asset("page.css")
    script = (
        '"use strict";\n(() => {\n' + "\n".join(_asset(name) for name in _SCRIPTS) + "\n})();\n"
    )
    packed = base64.b64encode(zlib.compress(json.dumps(data, separators=(",", ":")).encode(), 9))
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    values = {
        "POLICY": html.escape(policy, quote=True),
        "TITLE": html.escape(title),
        "STYLE": style,
        "SCRIPT": script,
        "DATA": packed.decode(),
    }
    pieces = _asset("page.html").split("%%")
    return "".join(values[p] if i % 2 else p for i, p in enumerate(pieces))


def _asset(name: str) -> str:
    return (files("kernelwright.evals") / "web" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """As a content security policy names an inline script or style."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
