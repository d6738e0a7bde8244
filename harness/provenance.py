"""Whose code does the work: the candidate's own, or the library's.

The share of a call's time that is spent in ATen operators which compute decides the track:
`custom` below a tenth, `library` above four fifths, `mixed` between.
"""

from __future__ import annotations

from collections.abc import Mapping

from kernelwright.harness.verdict import Track

CUSTOM_BELOW, LIBRARY_ABOVE = 0.1, 0.8
_FREE = {
    "empty", "empty_like", "empty_strided", "new_empty", "view", "reshape", "_reshape_alias",
    "as_strided", "expand", "permute", "transpose", "t", "slice", "select", "detach", "detach_",
    "unsqueeze", "squeeze", "alias", "resize_", "set_", "narrow", "unbind", "chunk", "split",
    "unflatten", "flatten", "is_nonzero", "item", "_local_scalar_dense", "result_type", "view_as",
}  # fmt: skip
"""Operators that move no data."""


def library_share(microseconds: Mapping[str, float], total_us: float) -> float:
    """Share of `total_us` spent in library operators that compute or move data."""
    spent = sum(
        time
        for name, time in microseconds.items()
        if name.removeprefix("aten::") not in _FREE and "::" in name
    )
    return min(1.0, spent / total_us) if total_us > 0 else 0.0


def track(share: float) -> Track:
    """The track that a library share puts a candidate in."""
    if share < CUSTOM_BELOW:
        return "custom"
    return "library" if share > LIBRARY_ABOVE else "mixed"
