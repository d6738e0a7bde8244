"""The archive keeps the best of each line and niche, and draws parents by rank."""

import random
import sys
from collections import Counter
from dataclasses import replace

import pytest

from kernelwright.agents.archive import (
    LEAST_NOVELTY,
    POOL,
    STEEP,
    STEP,
    Archive,
    fitness,
    niche,
    origin,
)
from kernelwright.agents.roles import Attempt
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.verdict import Roofline, Speedup, Verdict


def attempt(speed, name="", *, low=None, bound="memory", track="custom", parent=None, choice=None):
    verdict = Verdict(
        "accepted", "done", track=track, roofline=bound and Roofline(bound, 0.5),
        speedup={"eager": Speedup(speed, low or speed, speed, 9)},
    )  # fmt: skip
    candidate = Candidate(name or f"x = {speed}")
    return Attempt(candidate, verdict, 1, parent, "", choice or {})


def archive(*attempts):
    made = Archive()
    for each in attempts:
        made.add(each)
    return made


def test_the_best_of_each_niche():
    slow, fast = attempt(1.0), attempt(2.0)
    compute, library = attempt(1.5, bound="compute"), attempt(0.5, track="library")
    unknown = attempt(0.4, bound=None)
    made = archive(slow, compute, fast, library, unknown)
    assert made.elites() == [fast, compute, library, unknown]
    assert made.pool() == [fast, compute, slow, library, unknown]


def test_rejected_ones_and_untimed_ones_stay_out():
    made = archive(
        Attempt(Candidate("a"), Verdict("rejected", "build"), 1),
        Attempt(Candidate("b"), Verdict("accepted", "done", speedup={"eager": None}), 1),
    )
    assert made.pool() == []
    assert made.draw(random.Random(0)) is None


def test_a_line_counts_once_by_its_best():
    origin = attempt(1.5, "origin")
    tuned = [
        attempt(s, f"t{s}", parent=origin.candidate.id, choice={"V": s}) for s in (1.4, 1.8, 1.6)
    ]
    other = attempt(1.2, "other")
    assert archive(origin, *tuned, other).pool() == [tuned[1], other]


def test_a_lucky_median_is_no_elite():
    lucky, sure = attempt(8.0, low=0.4), attempt(1.5, low=1.4)
    assert archive(lucky, sure).pool() == [sure, lucky]


def test_a_weak_niche_is_not_crowded_out():
    crowd = [attempt(2 + i / 100) for i in range(50)]
    lone = attempt(0.3, bound="compute")
    pool = archive(lone, *crowd).pool()
    assert lone in pool
    assert len(pool) == POOL


WORDS = ["alpha beta gamma delta epsilon", "one two three four five", "red green blue grey black",
         "north south east west up"]  # fmt: skip


def test_strangers_are_drawn_by_rank():
    speeds = [1.0003, 1.0002, 1.0001, 1.0]
    made = archive(*(attempt(s, words) for s, words in zip(speeds, WORDS, strict=True)))
    rng = random.Random(1)
    drawn = Counter(made.draw(rng).verdict.speedup["eager"].median for _ in range(4000))
    assert [round(drawn[s] / 4000 * 85) for s in speeds[:2]] == [64, 16]


def test_what_is_far_behind_is_hardly_drawn():
    made = archive(attempt(4.0, WORDS[0]), attempt(1.0, WORDS[1]))
    assert made.weights(made.pool()) == pytest.approx([1.0, 0.25**STEEP / STEP])


def test_a_near_copy_yields_to_what_it_is_a_copy_of():
    best, copy, stranger = (
        attempt(3.0, WORDS[0]),
        attempt(2.9, WORDS[0] + " 7"),
        attempt(2, WORDS[1]),
    )
    made = archive(best, copy, stranger)
    weights = dict(zip([3.0, 2.9, 2], made.weights(made.pool()), strict=True))
    near, far = (2.9 / 3) ** STEEP, (2 / 3) ** STEEP
    assert weights == pytest.approx({3.0: 1.0, 2.9: near * LEAST_NOVELTY / STEP, 2: far / STEP**2})


def test_a_line_is_less_likely_the_more_it_was_tried():
    best, second = attempt(3.0, WORDS[0]), attempt(2.0, WORDS[1])
    made = archive(best, second)
    tuned = attempt(3.5, "tuned", parent=best.candidate.id, choice={"V": 1})
    for _ in range(4):
        made.tried(tuned)
    weights = made.weights(made.pool())
    assert weights == pytest.approx([1 / 3, (2 / 3) ** STEEP / STEP]), "a variant is of its line"


def test_ten_thousand_lines_on_islands():
    """The pool is the same as one made by looking at all of them."""
    rng = random.Random(4)
    made, everyone = Archive(), []
    for i in range(10_000):
        speed, bound = rng.uniform(0.5, 9), rng.choice(["memory", "compute", None])
        parent, choice = None, None
        if everyone and rng.random() < 0.3:  # a tuned variant of somebody
            parent, choice = origin(rng.choice(everyone)[0]), {"V": i}
        each = attempt(
            speed, f"{rng.choice(WORDS)} k{i}", bound=bound, parent=parent, choice=choice
        )
        island = next((n for a, n in everyone if a.candidate.id == parent), i % 3)
        everyone.append((each, island))
        made.add(each, island)
    for island in (0, 1, 2, None):
        lines = {}
        for each, where in everyone:
            if island in (None, where):
                held = lines.get(origin(each))
                lines[origin(each)] = (
                    each if held is None or fitness(each) > fitness(held) else held
                )
        elites = {}
        for each in lines.values():
            held = elites.get(niche(each))
            if held is None or fitness(each) > fitness(held):
                elites[niche(each)] = each
        first = sorted(elites.values(), key=fitness, reverse=True)[:POOL]
        rest = sorted((a for a in lines.values() if a not in first), key=fitness, reverse=True)
        expected = sorted(first + rest[: POOL - len(first)], key=fitness, reverse=True)
        assert made.pool(island) == expected
    assert made.draw(random.Random(0)) in made.pool()


def test_a_draw_looks_at_no_more_of_a_large_archive():
    """Fitness is read as often for 10,000 lines as for 100: by the pool, not by all."""

    def looked_at(count):
        made = archive(*(attempt(1 + i / 1000, f"{WORDS[i % 4]} k{i}") for i in range(count)))
        with CountedCalls() as calls:
            made.draw(random.Random(0))
        return calls.count

    assert looked_at(10_000) <= looked_at(100) * 1.2


class CountedCalls:
    """Counts calls of Python functions."""

    def __enter__(self):
        self.count = 0
        sys.setprofile(self._count)
        return self

    def _count(self, frame, event, arg):
        self.count += event == "call"

    def __exit__(self, *failure):
        sys.setprofile(None)


def test_the_best_go_round_the_ring():
    made = Archive()
    best = [attempt(1.0 + i, words) for i, words in enumerate(WORDS[:3])]
    for island, each in enumerate(best):
        made.add(each, island)
    made.migrate(3)
    assert [[best.index(a) for a in made.pool(i)] for i in range(3)] == [[2, 0], [1, 0], [2, 1]]
    assert [best.index(a) for a in made.pool()] == [2, 1, 0], "copies are nobody new"


def test_a_partner_is_good_and_of_another_niche():
    best, like = attempt(4.0, WORDS[0]), attempt(3.9, WORDS[1])
    other, poor = attempt(2.5, WORDS[2], bound="compute"), attempt(1.9, WORDS[3], bound=None)
    made = archive(best, like, other, poor)
    rng = random.Random(0)
    assert {made.partner(rng, best).candidate.source for _ in range(50)} == {other.candidate.source}
    assert archive(best, like).partner(rng, best) is None


def test_what_has_the_code_of_another_is_nobody_new():
    first, twin = attempt(2.0, WORDS[0]), replace(attempt(2.0, WORDS[1]), twin="first")
    assert archive(first, twin).pool() == [first]
