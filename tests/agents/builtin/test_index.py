"""Index expressions: simplification never changes a value."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from kernelwright.agents.builtin import index
from kernelwright.agents.builtin.index import Clamp, Div, Index, Mod, Var


def evaluate(i: Index, at: dict[Var, int]) -> int:
    total = i.constant
    for atom, coefficient in i.terms:
        if isinstance(atom, Var):
            value = at[atom]
        elif isinstance(atom, Div):
            value = evaluate(atom.of, at) // atom.by
        elif isinstance(atom, Mod):
            value = evaluate(atom.of, at) % atom.by
        else:
            assert isinstance(atom, Clamp)
            value = max(atom.low, min(atom.high, evaluate(atom.of, at)))
        total += coefficient * value
    return total


def places(variables: list[Var]) -> list[dict[Var, int]]:
    ranges = [range(v.extent) for v in variables]
    return [dict(zip(variables, p, strict=True)) for p in itertools.product(*ranges)]


OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["div", "mod", "scale", "add", "clamp"]), st.integers(1, 12)),
    min_size=1,
    max_size=5,
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=3),
    st.lists(st.integers(-6, 6), min_size=3, max_size=3),
    st.integers(-5, 5),
    OPERATIONS,
)
def test_simplified_is_equal(extents, coefficients, constant, operations):
    variables = [Var(e) for e in extents]
    i = index.const(constant)
    for v, c in zip(variables, coefficients, strict=False):
        i = i + index.var(v) * c
    wanted = {n: evaluate(i, at) for n, at in enumerate(places(variables))}
    for name, number in operations:
        if name == "div":
            i, wanted = i // number, {n: w // number for n, w in wanted.items()}
        elif name == "mod":
            i, wanted = i % number, {n: w % number for n, w in wanted.items()}
        elif name == "scale":
            i, wanted = i * number, {n: w * number for n, w in wanted.items()}
        elif name == "add":
            i = i + index.var(variables[0]) + number
            at = places(variables)
            wanted = {n: w + at[n][variables[0]] + number for n, w in wanted.items()}
        else:
            i = i.clamp(-number, number)
            wanted = {n: max(-number, min(number, w)) for n, w in wanted.items()}
    low, high = i.bounds
    for n, at in enumerate(places(variables)):
        assert evaluate(i, at) == wanted[n]
        assert low <= wanted[n] <= high


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=4))
def test_delinear_is_the_inverse_of_linear(extents):
    variables = [Var(e) for e in extents]
    place = tuple(index.var(v) for v in variables)
    assert index.delinear(index.linear(place, tuple(extents)), tuple(extents)) == place


def test_split_and_join_vanish():
    v = Var(24)
    i = index.var(v)
    assert (i // 6) * 6 + i % 6 == i
    assert ((i // 2) % 3) * 2 + i % 2 == i % 6
    assert (i * 8 + index.var(Var(8))) // 8 == i


def test_a_loop_that_runs_once_is_zero():
    assert index.var(Var(1)) == index.ZERO


def test_coefficient_is_unknown_inside_a_division():
    v, w = Var(10), Var(3)
    i = index.var(v) // 3 + index.var(w) * 5
    assert i.coefficient(v) is None
    assert i.coefficient(w) == 5
    assert i.coefficient(Var(2)) == 0
