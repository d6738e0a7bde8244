"""The budget of a batch: never more than the total, whatever the order, the parallelism or the restarts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernelwright.evals.pool import NotNow
from kernelwright.evals.purse import Purse, budget_words
from kernelwright.evals.record import Cost

TASKS = ("a", "b", "c", "d")


def test_an_equal_part_for_each_and_what_is_left_goes_back() -> None:
    purse = Purse({"usd": 8.0}, {}, {}, TASKS)
    assert purse.take("a") == {"usd": 2.0}
    assert purse.take("b") == {"usd": 2.0}
    purse.settle("a", Cost(usd=0.5))
    assert purse.take("c") == {"usd": pytest.approx((8.0 - 0.5 - 2.0) / 2)}
    assert "0.50 of $8.00 spent, $7.50 left" in purse.balances()[0].words


def test_a_task_of_its_own_limit_gets_no_more_than_that() -> None:
    purse = Purse({"evals": 100, "minutes": 60.0}, {"evals": 10}, {}, TASKS)
    assert purse.take("a") == {"evals": 10.0, "minutes": 15.0}
    words = list(budget_words({"evals": 10.0, "minutes": 15.0}))
    assert words == ["--budget-evals", "10", "--budget-minutes", "15.000000"]


def test_what_earlier_sessions_spent_counts_and_belongs_to_the_task() -> None:
    """The options of a task that goes on count all its sessions, so its part comes on top."""
    spent = {"a": Cost(usd=3.0), "b": Cost(usd=None, usd_at_most=1.0)}
    purse = Purse({"usd": 8.0}, {}, spent, ("b", "c"))
    assert purse.take("b") == {"usd": 1.0 + 2.0}
    assert purse.take("c") == {"usd": 2.0}


def test_nothing_left_is_said_with_what_to_do() -> None:
    purse = Purse({"evals": 3}, {}, {"a": Cost(evaluations=3)}, ("b",))
    with pytest.raises(
        NotNow, match="3 of 3 evaluations spent, 0 evaluations left; a larger --total-evals"
    ):
        purse.take("b")


def test_running_tasks_are_seen() -> None:
    purse = Purse({"usd": 8.0, "evals": 40}, {}, {}, TASKS)
    purse.take("a")
    purse.told("a", {"usd": 0.25, "evaluations": 7, "tokens": None, "state": "writing"})
    assert [(b.currency, b.spent) for b in purse.balances()] == [("usd", 0.25), ("evals", 7.0)]


@settings(max_examples=100, deadline=None)
@given(data=st.data(), total=st.integers(1, 60), most=st.integers(1, 20), slots=st.integers(1, 4))
def test_never_more_than_the_total(data: st.DataObject, total: int, most: int, slots: int) -> None:
    """Tasks that spend any part of what they got, some beside each other, in two sessions."""
    tasks = [str(i) for i in range(data.draw(st.integers(1, 8)))]
    spent: dict[str, Cost] = {}
    done: set[str] = set()
    for session in range(2):
        purse = Purse({"evals": total}, {"evals": most}, spent, [t for t in tasks if t not in done])
        running: dict[str, float] = {}
        queue = [t for t in tasks if t not in done]
        while queue or running:
            if queue and len(running) < slots:
                task = queue.pop(0)
                try:
                    running[task] = purse.take(task)["evals"]
                except NotNow:
                    continue
                assert running[task] <= most
                continue
            task, held = running.popitem()
            before = spent[task].evaluations if task in spent else 0
            spent[task] = Cost(evaluations=data.draw(st.integers(before, max(before, int(held)))))
            purse.settle(task, spent[task])
            if session or data.draw(st.booleans()):
                done.add(task)
        assert sum(cost.evaluations for cost in spent.values()) <= total
