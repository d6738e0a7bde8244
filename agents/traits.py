"""Traits: what the text of a kernel shows of its kind, read once when it is judged and kept in the log.

Three things: how many kernels a call launches, by what means it uses the machine's width, and a sketch
of its tokens, from which the distance of two sources is estimated without keeping or parsing either.
They are hints for the archive, which wants to keep kernels of different kinds; no verdict rests on them.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kernelwright.harness.candidate import Candidate

SKETCH = 64
"""Hashes in a sketch: similarities are estimated to about 1 / sqrt(64) = 0.12."""
SHINGLE = 4
"""Tokens in a row that are hashed together."""
_TOKEN = re.compile(r"[A-Za-z_]\w*|[^\s\w]")
_COMMENT = re.compile(
    r"//[^\n]*|/\*.*?\*/|(?m:^[ \t]*#(?![ \t]*(?:pragma|include|define))[^\n]*)", re.S
)
_DOCSTRING = re.compile(r'\A\s*(?:"""|\'\'\').*?(?:"""|\'\'\')', re.S)
_GRID_LAUNCH = re.compile(r"\w\s*\[[^][]*(?:\[[^][]*\][^][]*)*\]\s*\(")
_GRID = re.compile(r"@triton\.jit|__global__")
_LIBRARY = re.compile(r"(\w+)\s*=\s*cpp\(")
_EXPORT = re.compile(r'extern\s+"C"\s+(?!\{)')

_STYLES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("matrix units", re.compile(r"wmma|mma\.sync|\bmma_|wgmma|tl\.dot|_tile_dp|_dpbf16_ps")),
    ("shared tiles", re.compile(r"__shared__|cp\.async|extern __shared")),
    ("intrinsics", re.compile(r"\b_mm\d*_\w+|\b__m(?:128|256|512)|\bvld1q?_|\bsv(?:ld|st)1")),
    ("vector types", re.compile(r"vector_size|ext_vector_type|\bfloat4\b|std::simd")),
    ("simd pragma", re.compile(r"omp[^\n]*\bsimd\b|GCC ivdep|clang loop vectorize")),
    ("tiles", re.compile(r"BLOCK|\b[tT]ile|TILE|\bKC\b|\bMC\b|_blk\b")),
)
"""How a kernel uses the width of the machine: the first that its text shows."""


@dataclass(frozen=True)
class Traits:
    """What a source shows of its kind."""

    launches: str
    """Kernels that a call launches: `1`, `2-3` or `4+`."""
    style: str
    """`matrix units`, `shared tiles`, `intrinsics`, …, `plain`."""
    sketch: tuple[int, ...]
    """The smallest hashes of its shingles, in order."""

    def to_json(self) -> dict[str, Any]:
        """For an event: the sketch as hex, eight digits a hash."""
        text = struct.pack(f">{len(self.sketch)}I", *self.sketch).hex()
        return {"launches": self.launches, "style": self.style, "sketch": text}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Traits:
        """The inverse of `to_json`."""
        raw = bytes.fromhex(data["sketch"])
        return Traits(data["launches"], data["style"], struct.unpack(f">{len(raw) // 4}I", raw))


def traits(candidate: Candidate) -> Traits:
    """The traits of a candidate, from its text alone."""
    text = _COMMENT.sub(" ", _DOCSTRING.sub("", candidate.source))
    style = next((name for name, shows in _STYLES if shows.search(text)), "plain")
    return Traits(_class(_launches(text)), style, sketch(_TOKEN.findall(text)))


def sketch(tokens: list[str]) -> tuple[int, ...]:
    """The SKETCH smallest hashes of all runs of SHINGLE tokens.

    Numbers are no tokens here: kernels that differ in them alone are one kernel, tuned. (Broder, On the
    resemblance and containment of documents, 1997: the sketch of the smallest elements.)
    """
    runs = {" ".join(tokens[i : i + SHINGLE]) for i in range(max(1, len(tokens) - SHINGLE + 1))}
    return tuple(
        sorted({zlib.crc32(run.encode("utf-8", "surrogatepass")) for run in runs})[:SKETCH]
    )


def distance(a: Iterable[int], b: Iterable[int]) -> float:
    """Estimate of 1 - |A & B| / |A | B| of two sketched sets: 0 for equal texts, 1 for strangers."""
    a, b = frozenset(a), frozenset(b)
    union = sorted(a | b)[:SKETCH]
    return 1.0 - sum(1 for value in union if value in a and value in b) / max(1, len(union))


def _launches(text: str) -> int:
    """Places where a kernel is launched or a built function is called; what is in a loop counts once."""
    if _GRID.search(text):
        return len(_GRID_LAUNCH.findall(text))
    names = {re.escape(name) for name in _LIBRARY.findall(text)}
    calls = sum(len(re.findall(rf"\b{name}\.\w+\s*\(", text)) for name in names)
    return calls or len(_EXPORT.findall(text))


def _class(launches: int) -> str:
    return "1" if launches <= 1 else "2-3" if launches <= 3 else "4+"
