"""Bandits: what gained most per unit spent is drawn, what nobody knows is tried, waiting counts."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelwright.agents.bandit import Bandit

DOLLAR = {"usd": 1.0, "tokens": 1000, "seconds": 1.0}
ARMS = ["a", "b", "c"]


def taught(*pulls, context=""):
    bandit = Bandit()
    for arm, gain, cost in pulls:
        bandit.pull(arm, gain, cost, context)
    return bandit


def first(bandit, seed=0, arms=ARMS, **how):
    return bandit.ranked(arms, random.Random(seed), **how)[0]


def test_every_arm_is_tried_before_one_is_tried_thrice():
    bandit, drawn = Bandit(), []
    for turn in range(6):
        drawn.append(first(bandit, turn))
        bandit.pull(drawn[-1], 0.1, DOLLAR)
    assert set(drawn[:3]) == set(ARMS)


def test_the_one_that_gains_is_drawn_most_and_no_other_is_forgotten():
    bandit, drawn = Bandit(), []
    gains = {"a": 0.2, "b": 0.4, "c": 0.25}
    for turn in range(200):
        drawn.append(first(bandit, turn))
        bandit.pull(drawn[-1], gains[drawn[-1]], DOLLAR)
    counts = {arm: drawn.count(arm) for arm in ARMS}
    assert counts["b"] > 120
    assert min(counts.values()) >= 4


def test_a_pull_in_flight_pushes_its_arm_down_and_its_end_lifts_it_again():
    bandit = taught(*((arm, 0.2, DOLLAR) for arm in ARMS))
    before = bandit.index("a")
    bandit.begin("a")
    assert bandit.index("a") < before
    assert first(bandit, arms=["a", "b"]) == "b"
    bandit.end("a")
    assert bandit.index("a") == pytest.approx(before)


def test_pulls_in_flight_spread_over_the_arms():
    bandit, drawn = Bandit(), []
    for turn in range(3):
        drawn.append(first(bandit, turn))
        bandit.begin(drawn[-1])
    assert sorted(drawn) == ARMS


def test_equal_gains_the_cheaper_wins():
    dear = {"usd": 4.0, "tokens": 1000, "seconds": 1.0}
    bandit = taught(*[("a", 0.3, dear), ("b", 0.3, DOLLAR)] * 4)
    assert bandit.unit() == "usd"
    assert bandit.index("b") > 2 * bandit.index("a")


def test_a_dear_model_may_be_worth_its_price():
    dear = {"usd": 2.0, "tokens": 1000, "seconds": 1.0}
    bandit = taught(*[("a", 0.6, dear), ("b", 0.05, DOLLAR)] * 12)
    assert first(bandit, arms=["a", "b"]) == "a"


def test_one_unknown_price_and_tokens_are_what_counts():
    unpriced = {"usd": None, "tokens": 4000, "seconds": 1.0}
    bandit = taught(*[("a", 0.3, unpriced), ("b", 0.3, DOLLAR)] * 4)
    assert bandit.unit() == "tokens"
    assert bandit.index("b") > 2 * bandit.index("a")


def test_models_that_cost_nothing_are_compared_by_the_seconds_of_their_evaluations():
    free = {"usd": 0.0, "tokens": 0, "seconds": 9.0}
    bandit = taught(*[("a", 0.3, free), ("b", 0.3, {**free, "seconds": 1.0})] * 4)
    assert bandit.unit() == "seconds"
    assert first(bandit, arms=["a", "b"]) == "b"
    nothing = {"usd": None, "tokens": None, "seconds": 0.0}
    assert taught(("a", 0.3, nothing)).unit() is None
    assert math.isfinite(taught(("a", 0.3, nothing)).index("a"))


def test_a_free_model_is_not_worth_infinitely_much():
    free = {"usd": 0.0, "tokens": 1000, "seconds": 1.0}
    bandit = taught(*[("a", None, free), ("b", 0.69, DOLLAR)] * 30)
    assert math.isfinite(bandit.index("a"))
    assert bandit.index("a") < 10 * bandit.index("b")


def test_what_helped_elsewhere_is_a_hint_here():
    bandit = taught(*[("a", 0.6, DOLLAR), ("b", None, DOLLAR)] * 6, context="memory")
    assert first(bandit, arms=["a", "b"], context="compute") == "a"
    for _ in range(4):
        bandit.pull("a", None, DOLLAR, "compute")
        bandit.pull("b", 0.6, DOLLAR, "compute")
    assert first(bandit, arms=["a", "b"], context="compute") == "b"
    assert first(bandit, arms=["a", "b"], context="memory") == "a"


def test_what_is_expected_counts_until_something_is_known():
    fits = {"a": 0.1, "b": 0.5, "c": 0.1}.__getitem__
    assert first(Bandit(), expected=fits) == "b"
    bandit = taught(*[("b", None, DOLLAR), ("c", 0.6, DOLLAR)] * 5)
    assert first(bandit, expected=fits) == "c"


def test_a_loss_is_no_worse_than_nothing_and_a_marvel_no_better_than_twice():
    assert taught(("a", -3.0, DOLLAR)).index("a") == taught(("a", None, DOLLAR)).index("a")
    assert taught(("a", 9.0, DOLLAR)).index("a") == taught(("a", math.log(2), DOLLAR)).index("a")


def test_ties_are_drawn_by_the_seed():
    assert first(Bandit(), 1) == first(Bandit(), 1)
    assert len({first(Bandit(), seed) for seed in range(30)}) == 3


COSTS = st.fixed_dictionaries(
    {unit: st.none() | st.floats(0, 1e6) for unit in ("usd", "tokens", "seconds")}
)


@given(
    st.lists(st.tuples(st.sampled_from(ARMS), st.none() | st.floats(-5, 5), COSTS), max_size=12),
    st.sampled_from(ARMS),
)
def test_no_history_makes_an_index_that_is_no_number(pulls, arm):
    bandit = taught(*pulls)
    index = bandit.index(arm)
    assert math.isfinite(index)
    assert index > 0
    assert sorted(bandit.ranked(ARMS, random.Random(0))) == ARMS
