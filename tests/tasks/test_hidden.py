"""Hidden shapes are cut out of what a model is shown, and nothing else is."""

import ast

import pytest

from kernelwright.tasks.hidden import without_hidden
from kernelwright.tasks.load import list_suite
from kernelwright.tasks.task import Task

HEAD = "é = 'ä'  # hidden\nN = 4\n"
REST = "class Model: ...\n"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ('TASK = {\n    "a": 1,\n    "hidden": [{"N": 5}],\n    "b": 2,\n}\n',
         'TASK = {\n    "a": 1,\n    "b": 2,\n}\n'),
        ('TASK = {\n    "hidden": [\n        {"N": 5},  # odd\n    ],\n    "b": 2,\n}\n',
         'TASK = {\n    "b": 2,\n}\n'),
        ('TASK = {"a": "ü", "hidden": [{"N": 5}], "b": 2}\n', 'TASK = {"a": "ü", "b": 2}\n'),
        ('TASK = {"a": "ü", "hidden": [{"N": 5}]}\n', 'TASK = {"a": "ü",}\n'),
        ('TASK: dict = {"hidden": [{"N": 5}], "b": 2}\n', 'TASK: dict = { "b": 2}\n'),
        ('TASK = {\n    "a": 1,\n    "hidden": [{"N": 5}]\n}\n', 'TASK = {\n    "a": 1,\n}\n'),
    ],
)  # fmt: skip
def test_the_entry_goes_and_the_rest_stays(given, shown):
    assert without_hidden(HEAD + given + REST) == HEAD + shown + REST
    ast.parse(HEAD + shown + REST)


@pytest.mark.parametrize(
    "source", ["", "TASK = (", 'TASK = {"a": {"hidden": 1}}', 'other = {"hidden": 1}', "TASK = 3"]
)
def test_what_hides_nothing_is_unchanged(source):
    assert without_hidden(source) == source


def test_sizes_that_are_hidden_are_part_of_the_hash_but_not_of_what_is_shown():
    one, other = (Task("t", f'N = 1\nTASK = {{"hidden": [{{"N": {n}}}]}}\n') for n in (5, 7))
    assert one.hash != other.hash
    assert one.shown == other.shown


@pytest.mark.parametrize(
    "task", [*list_suite("core"), *list_suite("papers")], ids=lambda task: task.name
)
def test_no_hidden_size_of_a_bundled_task_is_shown(task):
    for line in task.shown.splitlines():
        assert '"hidden"' not in line
    kept = [n for n in ast.walk(ast.parse(task.shown)) if isinstance(n, ast.Dict)]
    for shape in task.meta.hidden:
        assert all(ast.unparse(node) != repr(dict(shape)) for node in kept)
