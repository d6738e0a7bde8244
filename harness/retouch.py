"""Inputs that differ from others in a few elements only: a cache by a fingerprint takes them for the same.

Every changed element takes a value that another one had, so that the domain of the task is kept.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from kernelwright.harness.worker import Value

_PAIRS = 8
Touch = Callable[[torch.Tensor, torch.Generator], torch.Tensor]


def swapped(x: torch.Tensor, g: torch.Generator) -> torch.Tensor:
    """A few pairs of elements in each other's place: sums, extremes and most samples stay."""
    out = _copy(x)
    flat = out.view(-1)
    places = torch.randperm(flat.numel(), generator=g)[: 2 * _PAIRS]
    half = len(places) // 2
    first, second = places[:half], places[half : 2 * half]
    flat[first], flat[second] = flat[second], flat[first]
    return _laid_out(out, x)


def one_changed(x: torch.Tensor, g: torch.Generator) -> torch.Tensor:
    """One element at the largest or the smallest value of all, whichever is farther from its own."""
    out = _copy(x)
    flat = out.view(-1)
    place = int(torch.randint(flat.numel(), (), generator=g))
    if x.dtype == torch.bool:
        flat[place] = ~flat[place]
        return _laid_out(out, x)
    low, high = flat.min(), flat.max()
    flat[place] = low if flat[place] - low > high - flat[place] else high
    return _laid_out(out, x)


TOUCHES: tuple[tuple[str, Touch], ...] = (
    ("a few elements swapped", swapped),
    ("one element changed", one_changed),
)


def may_be_rearranged(one: Value, other: Value) -> bool:
    """Whether elements of an input may change places; told from two draws of it.

    Floating ones may. Integers and truth values may not where they are part of the task's structure:
    the same in every draw (positions), in order along each row (offsets, lengths as masks), or each
    there once (permutations).
    """
    if not (isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor)):
        return False
    if one.numel() < 2 or one.shape != other.shape or one.is_complex():
        return False
    if one.is_floating_point():
        return True
    return not (
        torch.equal(one, other)
        or any(_in_order(x) or _in_order(x.flip(-1)) for x in (one, other))
        or any(_each_once(x) for x in (one, other))
    )


def _in_order(x: torch.Tensor) -> bool:
    return bool((x[..., 1:] >= x[..., :-1]).all())


def _each_once(x: torch.Tensor) -> bool:
    ordered = x.sort(dim=-1).values
    return x.dtype != torch.bool and bool((ordered[..., 1:] != ordered[..., :-1]).all())


def _copy(x: torch.Tensor) -> torch.Tensor:
    return x.clone(memory_format=torch.contiguous_format)


def _laid_out(x: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """The values of `x` in the strides of `like`."""
    return x if like.is_contiguous() else torch.empty_like(like).copy_(x)
