"""Candidates: identity by content, near-copies, the declared tuning space."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelwright.harness.candidate import Candidate

SPACE = """from kernelwright.inline import tuned
# Größe ändert die Spalten
é = "é"; P = tuned(VEC=[8, 16], NAME=["a", "b"], F=[0.5])  # last
x = P.VEC
"""


def test_id_is_of_the_source_alone():
    assert Candidate("a = 1").id == Candidate("a = 1", "cuda").id
    assert Candidate("a = 1").id != Candidate("a = 2").id
    assert len(Candidate("a = 1").id) == 16


def test_normalised_collides_for_layout_and_comments_only():
    plain = Candidate("def f(x):\n    return x + 1\n")
    assert plain.normalised == Candidate("def f(x):  # why\n\n        return (x+1)").normalised
    assert plain.normalised != Candidate("def f(x):\n    return x + 2\n").normalised


def test_normalised_of_what_is_not_python():
    assert Candidate("def (").normalised != Candidate("def )").normalised


@pytest.mark.parametrize(
    "source",
    [
        "a = '\0'",
        "-" * 50_000 + "1",
        "x = '\ud800'",
    ],
    ids=["null byte", "deep", "surrogate"],
)
def test_hostile_text_has_an_identity(source: str):
    candidate = Candidate(source)
    assert candidate.normalised == Candidate(source).normalised
    assert candidate.id == Candidate(source).id
    assert candidate.space == {}


def test_space_and_first_values():
    candidate = Candidate(SPACE)
    assert candidate.space == {"VEC": (8, 16), "NAME": ("a", "b"), "F": (0.5,)}
    assert Candidate("x = 1").space == {}


@pytest.mark.parametrize(
    "source",
    [
        "P = tuned(VEC=values)",
        "P = tuned(VEC=[])",
        "P = tuned(**space)",
        "def f():\n    return tuned(A=[1])",
        "P = other.tuned(A=[1])",
    ],
)
def test_only_literal_module_level_calls_declare_a_space(source: str):
    assert Candidate(source).space == {}


def test_negative_values_may_be_tuned():
    assert Candidate("P = tuned(SHIFT=[-1, 2])").space == {"SHIFT": (-1, 2)}


def test_baked_fixes_values_and_touches_nothing_else():
    baked = Candidate(SPACE, "cpp").baked({"VEC": 16, "NAME": "b"})
    assert baked.space == {"VEC": (16,), "NAME": ("b",), "F": (0.5,)}
    head, tail = SPACE.split("tuned(", 2)[0], SPACE.rsplit(")", 1)[1]
    assert baked.source.startswith(head) and baked.source.endswith(tail)
    assert "# Größe ändert die Spalten" in baked.source


def test_baked_refuses_what_the_space_does_not_hold():
    with pytest.raises(KeyError):
        Candidate(SPACE).baked({"OTHER": 1})
    with pytest.raises(ValueError, match="VEC=7"):
        Candidate(SPACE).baked({"VEC": 7})
    with pytest.raises(KeyError):
        Candidate("x = 1").baked({"VEC": 8})
    assert Candidate("x = 1").baked({}) == Candidate("x = 1")


NAMES = st.from_regex(r"[A-Z][A-Z0-9_]{0,6}", fullmatch=True)
VALUES = st.lists(
    st.one_of(st.integers(0, 10**6), st.text(max_size=8), st.floats(0, 1e9, width=32)),
    min_size=1,
    max_size=4,
)


@given(space=st.dictionaries(NAMES, VALUES, min_size=1, max_size=4), data=st.data())
def test_baked_is_the_choice_for_any_space(space, data):
    literals = ",\n   ".join(f"{name}={values!r}" for name, values in space.items())
    candidate = Candidate(f"é = 'ü'; P = tuned({literals}); y = '€'\n")
    choice = {name: data.draw(st.sampled_from(values)) for name, values in space.items()}
    baked = candidate.baked(choice)
    ast.parse(baked.source)
    assert baked.space == {name: (value,) for name, value in choice.items()}
    assert baked.baked(choice) == baked
