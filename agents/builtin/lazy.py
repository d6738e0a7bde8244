"""Lazy tensors: a shape, a dtype, and a function from an index to a scalar expression.

Views change the index, pointwise operations combine expressions, reductions and scans are marked and
left to the scheduler, which decides where they are computed. Nothing is computed here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch

from kernelwright.agents.builtin import expr, index
from kernelwright.agents.builtin.expr import KINDS, Buffer, Expr, Kind
from kernelwright.agents.builtin.index import Index

Place = tuple[Index, ...]
At = Callable[[Place], Expr]

ReductionKind = Literal["sum", "prod", "max", "min", "any", "all", "argmax", "argmin"]
EMPTY: Mapping[str, int] = {"sum": 0, "prod": 1, "any": 0, "all": 1}
"""Reductions of no elements."""
ScanKind = Literal["sum", "prod", "max", "min"]


@dataclass(eq=False)
class Lazy:
    """A tensor that need not exist. `at(place)` gives an element, of the kind of its dtype."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    element: At
    stored: Buffer | None = None
    """Where it lies once the program has materialised it."""

    @property
    def kind(self) -> Kind:
        """The kind of number its elements are computed in."""
        return KINDS[self.dtype]

    def at(self, place: Place) -> Expr:
        """The element at an index of `len(shape)` parts."""
        if self.stored is not None:
            return expr.load(self.stored, self.stored.index(place))
        return expr.cast(self.element(place), self.kind)

    @property
    def numel(self) -> int:
        """Number of elements."""
        total = 1
        for extent in self.shape:
            total *= extent
        return total


def of_buffer(buffer: Buffer) -> Lazy:
    """A tensor that lies in memory."""
    return Lazy(
        buffer.shape, buffer.dtype, lambda place: expr.number(0, KINDS[buffer.dtype]), buffer
    )


@dataclass(eq=False)
class Reduction:
    """`kind` over all of `ranges` of `body(outer place, inner place)`, for each place of `shape`.

    `block`: the first of `ranges` runs only over the block of that many elements whose number is the
    first part of the outer place (a partial reduction). `argmax` counts places of `ranges` linearly.
    """

    reduces: ReductionKind
    shape: tuple[int, ...]
    ranges: tuple[int, ...]
    body: Callable[[Place, Place], Expr]
    kind: Kind
    stored: Buffer | None = None
    block: int | None = None
    replaced: Reduction | None = None
    """The same value from the partial results of blocks, once those are in memory."""
    combines: bool = False
    """It combines partial results: not to be cut again."""

    def at(self, place: Place) -> Expr:
        """Its value at an outer index."""
        if 0 in self.ranges and self.reduces in EMPTY:
            return expr.number(EMPTY[self.reduces], self.kind)
        if self.replaced is not None:
            return self.replaced.at(place)
        if self.stored is not None:
            loaded = expr.load(self.stored, index.linear(place, self.shape))
            return expr.cast(loaded, self.kind)
        return expr.make("red", (), self.kind, (self, place))


@dataclass(eq=False)
class Scan:
    """Running `kind` of `body` along dimension `dim` of `shape`, the element itself included."""

    scans: ScanKind
    shape: tuple[int, ...]
    dim: int
    body: At
    kind: Kind
    stored: Buffer | None = None

    def at(self, place: Place) -> Expr:
        """Its value at an index."""
        if self.stored is not None:
            return expr.load(self.stored, index.linear(place, self.shape))
        return expr.make("scan", (), self.kind, (self, place))


@dataclass(eq=False)
class LibraryCall:
    """One call of a torch function on tensors in memory.

    `text` is Python with `{0}`, `{1}`, ... for the arguments; it gives `result`. `work`: operations.
    """

    text: str
    arguments: tuple[Lazy, ...]
    result: Buffer
    name: str
    work: int = 0
    detail: dict[str, object] = field(default_factory=dict)
    extra: tuple[Buffer, ...] = ()
    """Further results of a call that gives several."""

    @property
    def results(self) -> tuple[Buffer, ...]:
        """All results in order."""
        return (self.result, *self.extra)


@dataclass(eq=False)
class Materialise:
    """Compute a lazy tensor into a buffer."""

    tensor: Lazy
    into: Buffer


Step = LibraryCall | Materialise
