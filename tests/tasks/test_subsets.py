"""Parts of a suite are stratified, equal for equal names, and steady when a suite grows."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.load import list_suite, load_task, suites
from kernelwright.tasks.subsets import Variant, mini, parse, subset
from kernelwright.tasks.task import Task, TaskMeta


def made(counts: list[int]) -> list[Task]:
    return [
        Task(f"s/{kind}_{n}", "", meta=TaskMeta(category=f"kind {kind}"))
        for kind, count in enumerate(counts)
        for n in range(count)
    ]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=8), st.data())
def test_every_category_has_its_share(counts, data):
    tasks = made(counts)
    size = data.draw(st.integers(1, len(tasks)))
    seed = data.draw(st.integers(0, 99))
    drawn = subset(tasks, size, seed)
    assert drawn == subset(tasks[::-1], size, seed)
    assert drawn == sorted(set(drawn), key=lambda task: task.name)
    assert len(drawn) == size
    got = Counter(task.meta.category for task in drawn)
    for kind, count in enumerate(counts):
        exact = size * count / len(tasks)
        # Each gets one first, for which another may give up as many as there are categories.
        assert exact - len(counts) <= got[f"kind {kind}"] <= max(1, exact + 1)
        assert got[f"kind {kind}"] >= (size >= len(counts))


def test_another_seed_draws_others():
    tasks = made([40, 40])
    assert subset(tasks, 10, 0) != subset(tasks, 10, 1)


def test_a_task_that_is_added_moves_few():
    tasks = made([40, 40])
    before = set(subset(tasks, 20, 0))
    after = set(subset([*tasks, replace(tasks[0], name="s/new")], 20, 0))
    assert len(before - after) <= 2


@pytest.mark.parametrize("size", [0, 4])
def test_a_subset_is_neither_empty_nor_more_than_all(size):
    with pytest.raises(ValueError, match="a subset of 3 tasks cannot have"):
        subset(made([3]), size, 0)


def test_a_mini_suite_has_every_category():
    assert Counter(t.meta.category for t in mini(made([60, 50, 1]))).most_common() == [
        ("kind 0", 2), ("kind 1", 2), ("kind 2", 1)
    ]  # fmt: skip
    assert len(mini(made([6, 5, 1]))) == 3


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("core-mini", Variant("core", "mini")),
        ("papers-full", Variant("papers", "full")),
        ("core-40-seed7", Variant("core", "sample", 40, 7)),
        ("my-suite-9-seed0", Variant("my-suite", "sample", 9, 0)),
        ("core", None),
        ("-mini", None),
        ("core-0-seed1", None),
        ("core-40", None),
    ],
)
def test_names_of_variants(name, meant):
    assert parse(name) == meant


def test_own_suites_have_them():
    core = {task.name for task in list_suite("core")}
    assert {task.name for task in list_suite("core-mini")} < core
    assert len(list_suite("core-mini")) == 28
    assert len(list_suite("core-40-seed7")) == 40
    assert list_suite("core-40-seed7") == list_suite("core-40-seed7")
    assert len(list_suite("papers-full")) == len(list_suite("papers"))
    assert "core-mini" not in suites()


def test_a_task_of_a_variant_can_be_named():
    for spec in ("papers-full/spgemm", "core-mini/" + list_suite("core-mini")[0].name[5:]):
        suite = spec.partition("/")[0]
        assert load_task(spec) in list_suite(suite)


@pytest.mark.parametrize(
    ("name", "said"),
    [("core-full", "no task of 'core' declares other sizes"), ("core-999-seed0", "not 999"),
     ("cor-mini", "no suite 'cor-mini'")],
)  # fmt: skip
def test_what_is_no_variant_is_told(name, said):
    with pytest.raises(TaskError, match=said):
        list_suite(name)
