"""A version follows content, not order."""

from dataclasses import replace

from kernelwright.tasks.load import list_suite
from kernelwright.tasks.task import Task
from kernelwright.tasks.versions import suite_version

ONE, OTHER = Task("s/one", "1"), Task("s/other", "2")


def test_equal_content_is_one_version():
    assert suite_version([ONE, OTHER]) == suite_version([OTHER, ONE])
    assert len(suite_version([])) == 12


def test_any_change_is_another():
    versions = [
        suite_version(tasks)
        for tasks in (
            [ONE, OTHER],
            [ONE],
            [replace(ONE, source="1 "), OTHER],
            [replace(ONE, name="s/two"), OTHER],
        )
    ]
    assert len(set(versions)) == len(versions)


def test_parts_of_a_suite_have_versions_of_their_own():
    names = ("core", "core-mini", "core-28-seed1", "papers", "papers-full")
    assert len({suite_version(list_suite(name)) for name in names}) == len(names)
