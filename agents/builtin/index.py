"""Integer index expressions: sums of `coefficient * atom + constant` over loop variables.

An atom is a loop variable with a known extent, a floor division, a remainder, a clamp, or a number
that the program computes at run time (an index read from a tensor). Ranges are tracked, so that the
divisions that views leave behind vanish wherever they can; what is left is written as it stands.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import gcd
from typing import Any

_numbers = itertools.count()


@dataclass(frozen=True, eq=False)
class Var:
    """A loop variable with 0 <= value < extent. Two variables are never equal."""

    extent: int
    number: int = field(default_factory=lambda: next(_numbers))

    @property
    def bounds(self) -> tuple[int, int]:
        """Smallest and largest value."""
        return 0, self.extent - 1

    def __repr__(self) -> str:
        return f"i{self.number}"


@dataclass(frozen=True)
class Div:
    """floor(of / by)."""

    of: Index
    by: int

    @property
    def bounds(self) -> tuple[int, int]:
        """Smallest and largest value."""
        low, high = self.of.bounds
        return low // self.by, high // self.by


@dataclass(frozen=True)
class Mod:
    """The remainder of `of` by a positive number, in [0, by)."""

    of: Index
    by: int

    @property
    def bounds(self) -> tuple[int, int]:
        """Smallest and largest value."""
        return 0, self.by - 1


@dataclass(frozen=True)
class Clamp:
    """`of`, moved into [low, high]: keeps a load that will not be used inside its tensor."""

    of: Index
    low: int
    high: int

    @property
    def bounds(self) -> tuple[int, int]:
        """Smallest and largest value."""
        return self.low, self.high


@dataclass(frozen=True)
class Value:
    """An integer that the program computes: `expr` is an Expr. `size`: it lies in [0, size)."""

    expr: Any
    size: int

    @property
    def bounds(self) -> tuple[int, int]:
        """Smallest and largest value."""
        return 0, self.size - 1


Atom = Var | Div | Mod | Clamp | Value


@dataclass(frozen=True)
class Index:
    """`sum(coefficient * atom) + constant`; `terms` are sorted, without zero coefficients."""

    terms: tuple[tuple[Atom, int], ...]
    constant: int = 0

    @cached_property
    def _hash(self) -> int:
        return hash((self.terms, self.constant))

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def bounds(self) -> tuple[int, int]:
        """Smallest and largest value."""
        low = high = self.constant
        for atom, coefficient in self.terms:
            ends = [coefficient * end for end in atom.bounds]
            low, high = low + min(ends), high + max(ends)
        return low, high

    @cached_property
    def vars(self) -> frozenset[Var]:
        """Every loop variable in it, however deep."""
        found: set[Var] = set()
        for atom, _ in self.terms:
            if isinstance(atom, Var):
                found.add(atom)
            elif isinstance(atom, Value):
                found |= atom.expr.vars
            else:
                found |= atom.of.vars
        return frozenset(found)

    @cached_property
    def affine(self) -> bool:
        """Whether it is a sum of loop variables."""
        return all(isinstance(atom, Var) for atom, _ in self.terms)

    def coefficient(self, var: Var) -> int | None:
        """What one step of `var` adds; None where that is no constant."""
        total = 0
        for atom, coefficient in self.terms:
            if atom is var:
                total += coefficient
            elif not isinstance(atom, Var):
                inner = atom.expr.vars if isinstance(atom, Value) else atom.of.vars
                if var in inner:
                    return None
        return total

    def __add__(self, other: Index | int) -> Index:
        if isinstance(other, int):
            return Index(self.terms, self.constant + other)
        total: dict[Atom, int] = dict(self.terms)
        for atom, coefficient in other.terms:
            total[atom] = total.get(atom, 0) + coefficient
        return _normal(total, self.constant + other.constant)

    def __sub__(self, other: Index | int) -> Index:
        return self + (other * -1 if isinstance(other, Index) else -other)

    def __mul__(self, factor: int) -> Index:
        if factor == 0:
            return ZERO
        return Index(
            tuple((atom, coefficient * factor) for atom, coefficient in self.terms),
            self.constant * factor,
        )

    def __floordiv__(self, by: int) -> Index:
        return _floordiv(self, by)

    def __mod__(self, by: int) -> Index:
        return _mod(self, by)

    def clamp(self, low: int, high: int) -> Index:
        """This index moved into [low, high]; itself where it cannot leave that range."""
        lo, hi = self.bounds
        if low <= lo and hi <= high:
            return self
        return Index(((Clamp(self, low, high), 1),))

    def substitute(self, mapping: Mapping[Var, Index], values: Callable[[Any], Any]) -> Index:
        """Replace variables; `values` does the same for the expressions inside."""
        if not self.vars & mapping.keys():
            return self
        result = Index((), self.constant)
        for atom, coefficient in self.terms:
            result = result + _replaced(atom, mapping, values) * coefficient
        return result

    def __repr__(self) -> str:
        parts = [
            f"{atom!r}" if coefficient == 1 else f"{coefficient}*{atom!r}"
            for atom, coefficient in self.terms
        ]
        if self.constant or not parts:
            parts.append(str(self.constant))
        return " + ".join(parts)


ZERO = Index(())


def const(value: int) -> Index:
    """A constant index."""
    return Index((), value)


def var(v: Var) -> Index:
    """A loop variable as an index; 0 for a loop that runs once."""
    return ZERO if v.extent == 1 else Index(((v, 1),))


def value(expr: Any, size: int) -> Index:
    """An index that the program computes, known to lie in [0, size)."""
    return ZERO if size == 1 else Index(((Value(expr, size), 1),))


def atoms(index: Index) -> Iterator[Atom]:
    """All atoms, outermost first, those inside divisions included."""
    for atom, _ in index.terms:
        yield atom
        if isinstance(atom, Div | Mod | Clamp):
            yield from atoms(atom.of)


def linear(index: tuple[Index, ...], shape: tuple[int, ...]) -> Index:
    """Position in a contiguous tensor."""
    total = ZERO
    for i, extent in zip(index, shape, strict=True):
        total = total * extent + i
    return total


def delinear(position: Index, shape: tuple[int, ...]) -> tuple[Index, ...]:
    """The inverse of `linear`."""
    result: list[Index] = []
    for extent in reversed(shape):
        result.append(position % extent)
        position = position // extent
    return tuple(reversed(result))


def strided(index: tuple[Index, ...], strides: tuple[int, ...]) -> Index:
    """Position in a tensor with these strides."""
    total = ZERO
    for i, stride in zip(index, strides, strict=True):
        total = total + i * stride
    return total


def _sort_key(atom: Atom) -> tuple[int, ...]:
    """An order that does not depend on how many variables were made before."""
    if isinstance(atom, Var):
        return (0, atom.number)
    kinds = (Div, Mod, Clamp, Value)
    numbers = sorted(v.number for v in (atom.expr if isinstance(atom, Value) else atom.of).vars)
    by = atom.by if isinstance(atom, Div | Mod) else atom.bounds[1]
    return (1 + kinds.index(type(atom)), by, *numbers)


def _normal(total: dict[Atom, int], constant: int) -> Index:
    """Sort, drop zeros, and put `d * (x // d) + x % d` back together."""
    again = True
    while again:
        again = False
        for atom, coefficient in list(total.items()):
            if not isinstance(atom, Mod) or coefficient == 0:
                continue
            quotient = Div(atom.of, atom.by)
            if total.get(quotient) == coefficient * atom.by:
                del total[quotient], total[atom]
                for inner, k in atom.of.terms:
                    total[inner] = total.get(inner, 0) + k * coefficient
                constant += atom.of.constant * coefficient
                again = True
                break
            # x % (d e) = (x // e) % d * e + x % e
            for other, k in total.items():
                if (
                    isinstance(other, Mod)
                    and isinstance(inner_div := _only_div(other.of), Div)
                    and inner_div.of == atom.of
                    and inner_div.by == atom.by
                    and k == coefficient * atom.by
                ):
                    del total[other], total[atom]
                    whole = _mod(atom.of, atom.by * other.by)
                    for inner, c in whole.terms:
                        total[inner] = total.get(inner, 0) + c * coefficient
                    constant += whole.constant * coefficient
                    again = True
                    break
            if again:
                break
    kept = [(atom, c) for atom, c in total.items() if c]
    kept.sort(key=lambda term: _sort_key(term[0]))
    return Index(tuple(kept), constant)


def _only_div(index: Index) -> Div | None:
    if len(index.terms) == 1 and index.constant == 0 and index.terms[0][1] == 1:
        atom = index.terms[0][0]
        return atom if isinstance(atom, Div) else None
    return None


def _parts(index: Index, by: int) -> tuple[Index, Index]:
    """Write index as by * A + B, with B's constant in [0, by)."""
    inside = tuple((a, c // by) for a, c in index.terms if c % by == 0)
    rest = tuple((a, c) for a, c in index.terms if c % by)
    return Index(inside, index.constant // by), Index(rest, index.constant % by)


def _common(index: Index, by: int) -> tuple[int, Index, Index] | None:
    """g, A, B with index = g * A + B, g divides `by`, and B in [0, g)."""
    for g in sorted({gcd(c, by) for _, c in index.terms}, reverse=True):
        if g == 1:
            continue
        whole, rest = _parts(index, g)
        low, high = rest.bounds
        if low >= 0 and high < g:
            return g, whole, rest
    return None


def _floordiv(index: Index, by: int) -> Index:
    if by <= 0:
        raise ValueError(f"division of an index by {by}")
    if by == 1:
        return index
    whole, rest = _parts(index, by)
    low, high = rest.bounds
    if low // by == high // by:
        return whole + low // by
    common = _common(rest, by)
    if common:
        g, inner, _ = common
        if g > 1:
            return whole + (inner if g == by else _floordiv(inner, by // g))
    if len(rest.terms) == 1 and rest.constant == 0 and rest.terms[0][1] == 1:
        atom = rest.terms[0][0]
        if isinstance(atom, Div):
            return whole + _floordiv(atom.of, atom.by * by)
        if isinstance(atom, Mod) and atom.by % by == 0:
            return whole + _mod(_floordiv(atom.of, by), atom.by // by)
    return whole + Index(((Div(rest, by), 1),))


def _mod(index: Index, by: int) -> Index:
    if by <= 0:
        raise ValueError(f"remainder of an index by {by}")
    if by == 1:
        return ZERO
    _, rest = _parts(index, by)
    low, high = rest.bounds
    if low // by == high // by:
        return rest - by * (low // by)
    common = _common(rest, by)
    if common:
        g, inner, left = common
        if g == by:
            return left
        return _mod(inner, by // g) * g + left
    if len(rest.terms) == 1 and rest.constant == 0 and rest.terms[0][1] == 1:
        atom = rest.terms[0][0]
        if isinstance(atom, Mod) and atom.by % by == 0:
            return _mod(atom.of, by)
    return Index(((Mod(rest, by), 1),))


def _replaced(atom: Atom, mapping: Mapping[Var, Index], values: Callable[[Any], Any]) -> Index:
    if isinstance(atom, Var):
        return mapping[atom] if atom in mapping else var(atom)
    if isinstance(atom, Value):
        return value(values(atom.expr), atom.size)
    of = atom.of.substitute(mapping, values)
    if isinstance(atom, Div):
        return of // atom.by
    if isinstance(atom, Mod):
        return of % atom.by
    return of.clamp(atom.low, atom.high)
