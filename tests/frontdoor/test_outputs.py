"""The folder of a run: names, atomic files, finding a run again."""

import re
from pathlib import Path

import pytest

from kernelwright.harness.errors import HarnessError
from kernelwright.outputs import Asked, RunFolder, create_run, find_run, task_folder
from kernelwright.tasks.errors import UsageError
from kernelwright.tasks.task import Task

TASK = Task("core/softmax", "class Model: ...")
OTHER = Task("core/softmax", "class Model: other = True")


def asked(task: Task) -> Asked:
    """What a run of that task was asked for."""
    return Asked(task.name, task.name, task.hash, ("builtin",), 0, None, 1.5)


def test_a_new_run(tmp_path: Path) -> None:
    run = create_run(tmp_path, TASK, asked(TASK))
    assert run.path.parent == tmp_path / "core-softmax"
    assert re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]{4}", run.name)
    assert run.task.read_text() == TASK.source
    assert run.asked() == asked(TASK)
    assert create_run(tmp_path, TASK, asked(TASK)).name != run.name


@pytest.mark.parametrize("name", ["../../etc/passwd", "..", "a b/c", "x"])
def test_a_task_s_folder_stays_inside(name: str, tmp_path: Path) -> None:
    folder = task_folder(tmp_path, name)
    assert folder.resolve().parent == tmp_path.resolve() or folder.resolve() == tmp_path.resolve()


def test_the_latest_run_of_this_very_task_is_found(tmp_path: Path) -> None:
    for stamp, task in (("20260101-000000-aaaa", TASK), ("20260102-000000-aaaa", OTHER)):
        run = create_run(tmp_path, task, asked(task))
        run.path.rename(run.path.with_name(stamp))
    assert find_run(tmp_path, TASK, None).name == "20260101-000000-aaaa"
    assert find_run(tmp_path, OTHER, None).name == "20260102-000000-aaaa"
    named = find_run(tmp_path, TASK, "20260102-000000-aaaa")
    assert find_run(tmp_path / "elsewhere", TASK, str(named.path)).name == named.name
    with pytest.raises(UsageError, match="another version"):
        find_run(tmp_path, Task("core/softmax", "third"), None)


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.write(run.report, "old")
    with pytest.raises(UnicodeEncodeError):
        run.write(run.report, "new \ud800")
    assert run.report.read_text() == "old"
    run.write(run.report, "new")
    assert run.report.read_text() == "new"
    assert [file.name for file in tmp_path.iterdir()] == ["report.md"]


def test_a_disk_that_refuses_is_the_machine_s_fault(tmp_path: Path) -> None:
    (tmp_path / "champion").write_text("in the way")
    run = RunFolder(tmp_path)
    with pytest.raises(HarnessError, match="cannot write"):
        run.write(run.kernel, "text")


def test_an_unused_folder_is_taken_away_and_a_used_one_kept(tmp_path: Path) -> None:
    used = create_run(tmp_path / "out", TASK, asked(TASK))
    (used.path / "run.db").write_text("")
    unused = create_run(tmp_path / "out", TASK, asked(TASK))
    for run in (used, unused):
        run.discard_if_unused()
    assert used.path.exists()
    assert not unused.path.exists()
    lone = create_run(tmp_path / "lone", TASK, asked(TASK))
    lone.discard_if_unused()
    assert not (tmp_path / "lone").exists()


@pytest.mark.parametrize("content", ["", "{}", "[1]"])
def test_a_run_that_cannot_be_read(content: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(UsageError):
        RunFolder(tmp_path).asked()
