"""What comes into question, and what is believed of it from what was measured."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernelwright.agents.numbers import Belief, Point
from kernelwright.agents.tuner import ASKS, first, in_question, size

SMALL = {"A": (8, 1, 2, 4), "B": (1, 2, 3)}
LARGE = {"A": (1, 2, 4, 8, 16, 32), "B": (1, 2, 3, 4, 5, 6), "C": (0, 1, 2), "D": (1, 2, 3)}


def measured(line, speed, sigma=0.01, **choice):
    return Point(line, choice, math.log(speed), sigma)


def best_of(belief, line, choices):
    gains = belief.gains(line, choices)
    return choices[max(range(len(choices)), key=lambda i: gains[i])]


def test_of_a_small_space_all_that_was_not_tried_comes_into_question():
    left = in_question(SMALL, [(first(SMALL), 1.0), ({"A": 4, "B": 3}, None)])
    assert len(left) == 10 == len({tuple(c.items()) for c in left})
    assert first(SMALL) not in left and {"A": 4, "B": 3} not in left


def test_of_a_large_space_what_is_near_the_best_what_served_the_parents_and_what_is_sampled():
    best = {"A": 8, "B": 5, "C": 1, "D": 2}
    tried = [(first(LARGE), 1.0), (best, 2.0)]
    left = in_question(LARGE, tried, [{"A": 32, "B": 6, "GONE": 1}])
    assert {"A": 32, "B": 6, "C": 0, "D": 1} in left
    near = [c for c in left if sum(c[n] != best[n] for n in LARGE) == 1]
    assert len(near) == 5 + 5 + 2 + 2
    assert len(left) <= len(near) + ASKS + 1
    assert not any(c in left for c, _ in tried)


def test_the_same_measurements_bring_the_same_questions():
    tried = [(first(LARGE), 1.0), ({"A": 2, "B": 2, "C": 2, "D": 2}, None)]
    one, again = (in_question(LARGE, tried, seed=7) for _ in range(2))
    assert one == again != in_question(LARGE, tried, seed=8)


def test_values_given_twice_count_once():
    assert in_question({"A": (1, 1, 2)}, [({"A": 1}, 1.0)]) == [{"A": 2}]
    assert size({"A": (1, 1, 2)}) == 2


@settings(max_examples=30, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from("ABC"), st.lists(st.integers(0, 9), min_size=1, max_size=5), min_size=1
    )
)
def test_every_choice_is_of_the_space(space):
    for choice in in_question(space, [(first(space), 1.0)]):
        assert all(choice[name] in values for name, values in space.items())


def test_size():
    assert size({}) == 1
    assert size({"A": (1, 2), "B": (1, 2, 3)}) == 6


def test_numbers_without_effect_are_left_alone_soon():
    """Two trials that changed nothing make a third expected to gain much less."""
    values = {"A": (1, 2, 3, 4)}
    nothing = Belief([measured("x", 1.0, A=1)], values)
    flat = Belief([measured("x", 1.0, A=a) for a in (1, 2, 3)], values)
    assert nothing.gains("x", [{"A": 3}])[0] > 4 * flat.gains("x", [{"A": 4}])[0]


def test_two_numbers_that_helped_apart_are_tried_together():
    points = [measured("x", 1.0, A=1, B=1), measured("x", 1.3, A=2, B=1),
              measured("x", 1.2, A=1, B=2), measured("x", 0.8, A=3, B=1)]  # fmt: skip
    belief = Belief(points, {"A": (1, 2, 3), "B": (1, 2)})
    left = [{"A": 2, "B": 2}, {"A": 3, "B": 2}]
    assert best_of(belief, "x", left) == {"A": 2, "B": 2}


def test_a_rewrite_knows_what_its_parents_numbers_are_worth():
    old = [measured("old", s, A=a) for a, s in ((1, 1.0), (2, 1.5), (3, 2.2), (4, 1.4))]
    values = {"A": (1, 2, 3, 4), "B": (0, 1)}
    new = Belief([*old, measured("new", 3.0, A=1, B=0)], values)
    left = [{"A": a, "B": 0} for a in (2, 3, 4)]
    assert best_of(new, "new", left) == {"A": 3, "B": 0}


def test_a_line_far_behind_has_nothing_to_gain():
    belief = Belief([measured("good", 3.0, A=1), measured("bad", 1.0, A=1)], {"A": (1, 2)})
    good, bad = (belief.gains(line, [{"A": 2}])[0] for line in ("good", "bad"))
    assert good > 0.02 and bad < 0.001


def test_one_lucky_median_is_not_the_best():
    points = [
        measured("x", 1.0, 0.3, A=1),
        measured("x", 2.0, 0.3, A=2),
        measured("x", 1.0, 0.3, A=3),
    ]
    assert Belief(points, {"A": (1, 2, 3)}).best < math.log(1.6)


def test_words_have_no_order():
    points = [measured("x", 1.0, A="row"), measured("x", 2.0, A="column")]
    gains = Belief(points, {"A": ("row", "column", "tile")}).gains("x", [{"A": "tile"}])
    assert gains[0] == pytest.approx(gains[0]) and gains[0] > 0
