"""What audits found is kept by hash; the results of our own suites are there, sound, and up to date."""

from dataclasses import replace
from pathlib import Path

import pytest

from kernelwright.tasks import audits
from kernelwright.tasks.audits import AuditRecord, MutantFound
from kernelwright.tasks.errors import UsageError
from kernelwright.tasks.load import list_suite, load_task
from kernelwright.tasks.task import Task

RECORD = AuditRecord(
    "t", "", "weak", 3, 1, (MutantFound("a -> b", "source", 7),), (MutantFound("zeros", "answer"),),
    2, 0, "2026-01-31",
)  # fmt: skip


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("KERNELWRIGHT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


SUITES = ("core", "papers", "k2k", "translation")
OWN = [task for suite in SUITES for task in list_suite(suite)]


@pytest.mark.parametrize("task", OWN, ids=lambda task: task.name)
def test_every_own_task_was_audited_as_it_is_and_is_sound(task: Task):
    record = audits.recorded(task)
    assert record is not None, (
        "audit it: kernelwright tasks audit SUITE --out tasks/SUITE/audit.json"
    )
    assert record.task == task.name
    assert record.verdict == "sound"
    assert record.left_out == 0
    assert record.mutants == record.killed + len(record.equivalent) > 10


@pytest.mark.parametrize("suite", SUITES)
def test_a_suites_file_has_no_other_entries(suite: str):
    tasks = list_suite(suite)
    assert tasks[0].path is not None
    found = audits._read(tasks[0].path.parent / audits.FILE)
    assert set(found) == {task.hash for task in tasks}


def test_records_travel_as_json(tmp_path: Path):
    path = tmp_path / "deep" / "found.json"
    audits.write(path, [RECORD])
    assert audits._read(path) == {"": RECORD}
    assert list(path.parent.iterdir()) == [path]


def test_a_stale_entry_says_nothing(tmp_path: Path):
    source = "class Model: pass\ndef get_inputs(): pass\n"
    path = tmp_path / "own.py"
    path.write_text(source)
    task = load_task(path)
    assert audits.recorded(task) is None
    audits.write(tmp_path / audits.FILE, [replace(RECORD, hash=task.hash)])
    found = audits.recorded(task)
    assert found is not None and found.survivors == RECORD.survivors
    path.write_text(source + "\n")
    assert audits.recorded(load_task(path)) is None


def test_the_users_own_audit_goes_before_the_shipped_one():
    task = load_task("core/softmax")
    audits.keep(replace(RECORD, hash=task.hash))
    found = audits.recorded(task)
    assert found is not None and found.verdict == "weak"


def test_a_file_that_is_no_audit_is_ignored(tmp_path: Path):
    for text in ("{", "[]", '{"tasks": [{"task": 1}]}'):
        path = tmp_path / f"{len(text)}.json"
        path.write_text(text)
        assert audits._read(path) == {}


def test_a_folder_that_cannot_be_written(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write"):
        audits.write(tmp_path / "file" / "found.json", [RECORD])
