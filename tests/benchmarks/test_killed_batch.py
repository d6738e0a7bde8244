"""The checks of `killed_batch.py` on sessions that are made up: each loss and each repetition is seen."""

import signal
from dataclasses import replace

import killed_batch
import pytest
from killed_batch import Session, State

from kernelwright.agents.events import Event
from kernelwright.evals.record import BatchRecord, Cost, Device, Suite, TaskResult
from kernelwright.tasks.load import list_suite

CPU = Device(kind="cpu", name="Synthetic CPU", threads=2)
TASKS = ["core/a", "core/b"]
RUNS = {"core/a": "runs/a", "core/b": "runs/b"}


def log(*steps: str) -> list[Event]:
    """Events such as `started evaluate:1`."""
    return [Event(n, 0.0, *step.split(" "), {}) for n, step in enumerate(steps, 1)]


NOTHING = State({}, {})
A = log("started evaluate:1", "finished evaluate:1")
CUT = State({"core/a": "A"}, {"runs/a": A, "runs/b": log("started evaluate:2")})
B = log("started evaluate:2", "started evaluate:2", "finished evaluate:2")
ALL = State({"core/a": "A", "core/b": "B"}, {"runs/a": A, "runs/b": B})
HALF = State({"core/a": "A"}, {"runs/a": A})


def sessions() -> list[Session]:
    return [
        Session("SIGINT", 130, 1.0, NOTHING, HALF, (), 0),
        Session("SIGKILL", -signal.SIGKILL, 1.0, HALF, CUT, ("runs/b evaluate:2",), 0),
        Session("to its end", 0, 1.0, CUT, ALL, (), 0),
        Session("to its end", 0, 1.0, ALL, ALL, (), 0),
    ]


def record() -> BatchRecord:
    results = [
        TaskResult(task=task, device=CPU, state="done", spent=Cost(evaluations=1)) for task in TASKS
    ]
    return BatchRecord(
        id="b", command=("kernelwright",), started="2026-01-01T00:00:00+00:00",
        suite=Suite(name="core", version="1"), models=("builtin",), devices=(CPU,),
        tasks=tuple(TASKS), results=tuple(results),
    )  # fmt: skip


def failed(found: list[Session]) -> list[str]:
    return [
        words for words, held in killed_batch.checks(found, TASKS, record()).items() if not held
    ]


def test_a_batch_that_lost_nothing_passes():
    assert failed(sessions()) == []


LOST = replace(ALL, results={"core/a": "another", "core/b": "B"})
REWRITTEN = replace(ALL, logs={**ALL.logs, "runs/a": log("started evaluate:1")})
TWICE = replace(
    ALL, logs={**ALL.logs, "runs/a": [*A, *log("started evaluate:1", "finished evaluate:1")]}
)
SECOND_RUN = replace(ALL, logs={**ALL.logs, "runs/a2": A})
LEFT = replace(ALL, results={"core/a": "A"})


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (LOST, "letter for letter"),
        (REWRITTEN, "event logs only grew"),
        (TWICE, "finished twice"),
        (SECOND_RUN, "has one run"),
        (LEFT, "every task was judged"),
    ],
)
def test_what_went_wrong_is_seen(end, said):
    first, second, third, _ = sessions()
    found = [first, second, replace(third, after=end), replace(third, before=end, after=end)]
    assert any(said in words for words in failed(found))


def test_what_was_cut_off_may_stay_open_where_the_time_is_up():
    first, second, third, _ = sessions()
    cut = log("started evaluate:2")
    for stop, open_steps in (("wall_time", 0), ("no_idea", 1)):
        end = replace(ALL, logs={**ALL.logs, "runs/b": [*cut, Event(9, 0.0, "stopped", stop, {})]})
        counted = record()
        results = (counted.results[0], counted.results[1].model_copy(update={"spent": Cost()}))
        found = [first, second, replace(third, after=end), replace(third, before=end, after=end)]
        held = killed_batch.checks(found, TASKS, counted.model_copy(update={"results": results}))
        assert [words for words, good in held.items() if not good] == [
            "what was cut off was done again, unless the time of its run was up"
        ][:open_steps]


def test_survivors_and_a_session_that_was_not_ended_are_seen():
    first, second, third, fourth = sessions()
    assert len(failed([first, replace(second, survivors=1), third, fourth])) == 1
    assert len(failed([replace(first, status=0), second, third, fourth])) == 1
    worked = replace(fourth, before=CUT)
    assert len(failed([first, second, third, worked])) == 1


def test_tasks_are_of_every_category():
    category = {task.name: task.meta.category for task in list_suite("core")}
    assert len(set(killed_batch.pick(24))) == 24
    assert {category[name] for name in killed_batch.pick(24)} == set(category.values())
