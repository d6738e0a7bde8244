"""The archive keeps the best of each line and niche, and draws parents by rank."""

import random
import time
from collections import Counter

from kernelwright.agents.archive import POOL, Archive
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


def test_parents_by_rank():
    made = archive(*(attempt(1.0 + i) for i in range(4)))
    rng = random.Random(1)
    drawn = Counter(made.draw(rng).verdict.speedup["eager"].median for _ in range(4000))
    assert [round(drawn[s] / 4000 * 15) for s in (4.0, 3.0, 2.0, 1.0)] == [8, 4, 2, 1]


def test_ten_thousand_are_drawn_from_quickly():
    made = archive(
        *(attempt(1 + i / 1000, bound=["memory", "compute"][i % 2]) for i in range(10000))
    )
    began = time.process_time()
    made.draw(random.Random(0))
    assert time.process_time() - began < 0.5, "two orders above what it takes"
