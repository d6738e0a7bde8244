"""The tuner asks for each choice at most once, and for the same ones again when told the same."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernelwright.agents.tuner import size, tune
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.verdict import Speedup


def candidate(**space):
    text = ", ".join(f"{name}={list(values)}" for name, values in space.items())
    return Candidate(f"P = tuned({text})\n")


def exactly(speed):
    return Speedup(speed, speed, speed, 9)


def trials(space, value, **settings):
    asked = []

    def measure(choice):
        asked.append(dict(choice))
        found = value(choice)
        return found if isinstance(found, Speedup | None) else exactly(found)

    known = {"trials": 12, "stall": 99, "seed": 1, "more": lambda: True} | settings
    count = tune(candidate(**space), exactly(1.0), measure, **known)
    assert count == len(asked)
    return asked


def test_a_small_space_is_tried_whole():
    asked = trials({"A": [1, 2, 3], "B": [1, 2]}, lambda c: 1.0)
    assert len(asked) == 5
    assert {"A": 1, "B": 1} not in asked
    assert len({tuple(c.items()) for c in asked}) == 5


LARGE = {"A": [1, 2, 4, 8, 16, 32], "B": [1, 2, 3, 4, 5, 6], "C": [0, 1, 2]}


def test_a_large_space_is_sampled_without_repeats():
    asked = trials(LARGE, lambda c: c["A"] + c["B"], trials=30)
    assert len(asked) > 20
    assert len({tuple(sorted(c.items())) for c in asked}) == len(asked)
    assert max(c["A"] + c["B"] for c in asked) >= 37


def test_the_same_answers_bring_the_same_questions():
    first, again = (trials(LARGE, lambda c: c["A"] * c["C"], seed=7) for _ in range(2))
    other = trials(LARGE, lambda c: c["A"] * c["C"], seed=8)
    assert first == again != other


def test_it_stops_when_it_stalls():
    assert len(trials(LARGE, lambda c: 0.5, stall=4)) == 4
    assert len(trials(LARGE, lambda c: None, stall=4)) == 4


def test_noise_is_no_progress():
    """Where nobody can tell the choices apart, numbers do not matter, and trials are for elsewhere."""
    assert len(trials(LARGE, lambda c: Speedup(0.9, 0.6, 1.3, 9), stall=4)) == 4
    assert len(trials(LARGE, lambda c: Speedup(1.1, 0.6, 1.3, 9), stall=4)) == 4


def test_a_climb_asks_next_to_the_best():
    space = {"A": [8, 1, 2, 4], "B": [1, 2, 3]}
    best = {"A": 8, "B": 1}
    for choice in trials(space, lambda c: c["A"] * c["B"] / 8, trials=3):
        assert sum(choice[name] != best[name] for name in space) == 1
        best = max(best, choice, key=lambda c: c["A"] * c["B"])
    steps = trials({"A": [8, 1, 2, 4]}, lambda c: 0.5)
    assert [c["A"] for c in steps] == [4, 2, 1], "by size, wherever the value in force stands"


def test_what_served_the_parents_comes_first():
    parent = {"A": 16, "B": 5, "GONE": 1}
    for space in (LARGE, LARGE | {"D": [0, 1, 2, 3]}):
        asked = trials(space, lambda c: 1.0, stall=2, known=[parent])
        assert (asked[0]["A"], asked[0]["B"]) == (16, 5)
    assert trials({"A": [1, 2]}, lambda c: 1.0, known=[{"A": 99}]) == [{"A": 2}]


def test_only_what_is_surely_faster_sets_the_stall_back():
    unsure, worse, better = Speedup(1.2, 0.9, 1.5, 9), Speedup(0.4, 0.3, 0.5, 9), exactly(3.0)
    told = iter([worse, unsure, better, worse, unsure, worse])
    assert len(trials(LARGE, lambda c: next(told), stall=3)) == 6


def test_the_sampler_is_fed_medians():
    """A choice with a high median and a wide interval is followed; its low end would hide it."""

    def noisy(choice):
        return Speedup(choice["A"] + choice["B"], 0.01, 99.0, 9)

    asked = trials(LARGE, noisy, trials=30)
    assert max(c["A"] + c["B"] for c in asked) >= 37


def test_it_stops_when_told():
    left = iter([True, True, False])
    assert len(trials(LARGE, lambda c: 2.0, more=lambda: next(left))) == 2


def test_values_given_twice_count_once():
    assert len(trials({"A": [1, 1, 2]}, lambda c: 1.0)) == 1


@settings(max_examples=30, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from("ABC"), st.lists(st.integers(0, 9), min_size=1, max_size=5), min_size=1
    ),
    st.integers(0, 2**32 - 1),
)
def test_every_choice_is_of_the_space(space, seed):
    for choice in trials(space, lambda c: None if sum(c.values()) % 2 else 1.0, seed=seed):
        assert candidate(**space).baked(choice).space == {k: (v,) for k, v in choice.items()}


def test_size():
    assert size({}) == 1
    assert size({"A": (1, 2), "B": (1, 2, 3)}) == 6
    assert pytest.approx(size(candidate(**LARGE).space)) == 108
