"""What is telling in a wrong output: where the wrong elements lie, and how got and expected relate.

Looked at after a check has failed, in the parent. Nothing here decides anything. Numbers are compared
loosely: a pattern is a hint at the cause ("only the last 3 of each row": the remainder of a vector loop).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch

MOST_PATTERNS = 3
_SAMPLE = 1 << 16
"""Wrong elements that are looked at, evenly spread over all of them."""
_WHOLE = 1 << 22
"""Elements of the largest output that is compared with itself in another order."""
_SORTED = 1 << 18
"""Elements of the largest output that is sorted."""
_CLOSE = 1e-3
_EDGE = 4


class Pattern(NamedTuple):
    """`code` is stable; `text` says it with its numbers."""

    code: str
    text: str


def patterns(
    found: torch.Tensor, expected: torch.Tensor, wrong: torch.Tensor
) -> tuple[Pattern, ...]:
    """Up to three patterns of an output with wrong elements, where they lie last. All of one shape."""
    found, expected = found.double(), expected.double()
    values = list(_values(found, expected, wrong))[: MOST_PATTERNS - 1]
    return (*values, *_places(wrong))[:MOST_PATTERNS]


# -- how the values relate --------------------------------------------------------------------------


def _values(found: torch.Tensor, expected: torch.Tensor, wrong: torch.Tensor) -> Iterator[Pattern]:
    yield from _not_finite(found, expected, wrong)
    got, want = _sampled(found, expected, wrong)
    if not got.numel():
        return
    if bool((got == 0).all()):
        every = " (so is every element)" if bool((found == 0).all()) else ""
        yield Pattern("zero", f"the wrong elements are all 0{every}: never computed, or cancelled")
        return
    if found.numel() > 1 and bool((found == found.reshape(-1)[0]).all()):
        yield Pattern("constant", f"every element is {got[0].item():.6g}")
        return
    one = _one_relation(got, want)
    if one is not None:
        yield one
        return
    scale = want.abs() + want.square().mean().sqrt()
    largest = float(((got - want).abs() / scale.clamp_min(1e-300)).max())
    if largest < 1e-2:
        yield Pattern(
            "small",
            f"all errors are small (at most {largest:.1e} relative): rounding, a coarse approximation, or"
            " the order of a sum",
        )
        return
    related = _moved(found, expected) or _row_relation(found, expected, wrong)
    if related is not None:
        yield related


def _not_finite(
    found: torch.Tensor, expected: torch.Tensor, wrong: torch.Tensor
) -> Iterator[Pattern]:
    kinds = (
        ("nan", found.isnan() & ~expected.isnan(), "NaN where a number is expected"),
        ("nan_missing", ~found.isnan() & expected.isnan(), "a number where NaN is expected"),
        ("infinite", found.isinf() & expected.isfinite(), "infinite where a number is expected"),
        (
            "infinite_missing",
            found.isfinite() & expected.isinf(),
            "a number where an infinity is expected",
        ),
    )
    for code, mask, text in kinds:
        count = int((mask & wrong).sum())
        if count:
            unset = ": never written, or computed from what was" if code == "nan" else ""
            yield Pattern(code, f"{text} ({count} elements{unset})")


def _sampled(
    found: torch.Tensor, expected: torch.Tensor, wrong: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Finite pairs of wrong elements, at most `_SAMPLE`."""
    at = wrong.reshape(-1).nonzero().squeeze(1)
    at = at[:: max(1, -(-at.numel() // _SAMPLE))]
    got, want = found.reshape(-1)[at], expected.reshape(-1)[at]
    both = got.isfinite() & want.isfinite()
    return got[both], want[both]


def _one_relation(got: torch.Tensor, want: torch.Tensor) -> Pattern | None:
    """One factor or one difference for all wrong elements."""
    if got.numel() < 4:
        return None
    factor = _factor(got, want)
    if factor is not None and abs(factor + 1) < _CLOSE:
        return Pattern("sign", "the wrong elements have the opposite sign")
    if factor is not None and abs(factor - 1) > _CLOSE:
        return Pattern("scaled", f"the wrong elements are {factor:.6g} x what is expected")
    offset = _offset(got, want)
    if offset is not None:
        return Pattern("offset", f"the wrong elements are what is expected plus {offset:.6g}")
    return None


def _factor(got: torch.Tensor, want: torch.Tensor) -> float | None:
    """The one c with got = c x want, if there is one."""
    telling = want.abs() > 1e-3 * want.square().mean().sqrt()
    if int(telling.sum()) < 4:
        return None
    ratio = got[telling] / want[telling]
    middle = float(ratio.median())
    spread = float((ratio - middle).abs().max())
    return middle if middle and spread <= _CLOSE * abs(middle) else None


def _offset(got: torch.Tensor, want: torch.Tensor) -> float | None:
    """The one d with got = want + d, if there is one."""
    difference = got - want
    middle = float(difference.median())
    spread = float((difference - middle).abs().max())
    varied = float((want - want.mean()).abs().max()) > 10 * _CLOSE * abs(middle)
    return middle if middle and varied and spread <= _CLOSE * abs(middle) else None


def _row_relation(
    found: torch.Tensor, expected: torch.Tensor, wrong: torch.Tensor
) -> Pattern | None:
    """A factor or a difference that each row has for itself: a wrong sum, maximum or mean of the row."""
    if found.dim() < 2 or found.shape[-1] < 4:
        return None
    width = found.shape[-1]
    rows = wrong.reshape(-1, width).any(dim=1).nonzero().squeeze(1)[:64]
    if rows.numel() < 2:
        return None
    pairs = [
        (g[both], w[both])
        for g, w in zip(
            found.reshape(-1, width)[rows], expected.reshape(-1, width)[rows], strict=True
        )
        for both in [g.isfinite() & w.isfinite()]
        if int(both.sum()) >= 4
    ]
    if len(pairs) < 2:
        return None
    if all(_factor(g, w) is not None for g, w in pairs):
        return Pattern(
            "row_scaled", "each wrong row is off by a factor of its own: its sum or norm?"
        )
    if all(_offset(g, w) is not None for g, w in pairs):
        return Pattern(
            "row_offset", "each wrong row is off by a difference of its own: its mean or maximum?"
        )
    return None


def _moved(found: torch.Tensor, expected: torch.Tensor) -> Pattern | None:
    """The right values in other places."""
    if not 4 <= found.numel() <= _WHOLE:
        return None
    flat, right = found.reshape(-1), expected.reshape(-1)
    if found.dim() >= 2 and min(found.shape[-2:]) > 1:
        turned = expected.transpose(-1, -2).reshape(-1)
        if _alike(flat, turned):
            return Pattern(
                "transposed", "the values are those of the last two dimensions transposed"
            )
    for step in (1, -1, 2, -2):
        if flat.numel() > 16 and _alike(flat.roll(-step)[2:-2], right[2:-2]):
            side = "after" if step > 0 else "before"
            return Pattern("shifted", f"each value stands {abs(step)} {side} its place")
    if flat.numel() <= _SORTED and _alike(flat.sort().values, right.sort().values):
        return Pattern("permuted", "the values are the right ones, in other places")
    return None


def _alike(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether nearly all elements agree, and there is something to tell them by."""
    step = max(1, -(-b.numel() // _SAMPLE))
    a, b = a[::step], b[::step]
    if bool((b == b[0]).all()):
        return False
    near = (a - b).abs() <= _CLOSE * (b.abs() + 1e-3 * b.abs().mean())
    return float(near.double().mean()) > 0.98


# -- where they lie ---------------------------------------------------------------------------------


def _places(wrong: torch.Tensor) -> Iterator[Pattern]:
    """At most one for each dimension, the most telling ones; else one for the order in memory."""
    if wrong.dim() == 0 or wrong.numel() == 1:
        return
    told = False
    for dim in reversed(range(wrong.dim())):
        extent = wrong.shape[dim]
        others = tuple(d for d in range(wrong.dim()) if d != dim)
        hit = wrong.any(dim=others) if others else wrong
        place = _along(hit.nonzero().squeeze(1).numpy(), extent)
        if place is not None:
            told = True
            name = "the last dimension" if dim == wrong.dim() - 1 else f"dimension {dim}"
            yield Pattern(place.code, f"only at {place.text} of {name} ({extent} long)")
    if told:
        return
    share = float(wrong.double().mean())
    if share > 0.5:
        yield Pattern("everywhere", f"{share:.1%} of the elements are wrong, in all places")
        return
    flat = wrong.reshape(-1).nonzero().squeeze(1).numpy()
    place = _along(flat, wrong.numel()) if wrong.dim() > 1 else None
    if place is not None:
        yield Pattern(
            place.code, f"only at {place.text} in order of memory ({wrong.numel()} in all)"
        )
    else:
        yield Pattern(
            "scattered", "the wrong elements are scattered: values decide, or a race does"
        )


def _along(at: np.ndarray, extent: int) -> Pattern | None:
    """What is telling in a set of indices; None where all are hit, or nothing is."""
    count = len(at)
    if count in (0, extent):
        return None
    first, last = int(at[0]), int(at[-1])
    if count == 1:
        return Pattern("one_index", f"index {first}")
    if last - first + 1 == count:
        if last == extent - 1:
            return Pattern("tail", f"index {first} and after (the last {count})")
        if first == 0:
            return Pattern("head", f"index {last} and before (the first {count})")
        return Pattern("range", f"index {first} to {last}")
    if first == 0 and last == extent - 1 and count <= 2 * _EDGE:
        inner = at[(at >= _EDGE) & (at < extent - _EDGE)]
        if extent > 2 * _EDGE and not len(inner):
            return Pattern("border", "the first and last indices")
    step = int(np.gcd.reduce(np.diff(at)))
    if step > 1 and count > 2 and count * step > 0.9 * (last - first):
        return Pattern("every_kth", f"every {step}th index from {first}")
    return None
