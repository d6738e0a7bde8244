"""`kernelwright memory`: what earlier runs left, seen from the command line."""

import json
from pathlib import Path

import pytest

from kernelwright.agents.memory.store import Edit, Store
from kernelwright.cli import main

EDIT = Edit(
    run="r1",
    candidate="c1",
    parent="p1",
    task="core/a_task_with_quite_a_long_name",
    task_hash="h",
    suite="core",
    category="reduction",
    bottleneck="memory",
    language="cpp",
    device_kind="cpu",
    device="a processor",
    change="stream the stores past the caches, since nobody reads them again soon",
    strategy="nontemporal",
    gain=1.5,
    low=1.4,
    high=1.6,
    method="direct",
    time=1_700_000_000.0,
    shift={"misses": 0.5},
)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("KERNELWRIGHT_DATA", str(tmp_path / "data"))
    return Store(tmp_path / "data" / "memory.db")


def test_an_empty_memory(store: Store, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["memory"]) == 0
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "nothing yet" in shown.err
    assert main(["memory", "list", "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == {"edits": []}
    assert not store.path.exists()


def test_list(
    store: Store, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    store.add([EDIT])
    assert main(["memory"]) == 0
    (line,) = capfd.readouterr().out.splitlines()
    assert len(line) <= 80
    assert "quite_a_long_name" in line and "1.50x [1.40, 1.60]" in line and "stream" in line


def test_json(store: Store, capfd: pytest.CaptureFixture[str]) -> None:
    store.add([EDIT])
    assert main(["memory", "--json"]) == 0
    (edit,) = json.loads(capfd.readouterr().out)["edits"]
    assert edit["time"] == "2023-11-14T22:13:20+00:00"
    assert edit["shift"] == {"misses": 0.5}
    assert (edit["gain"], edit["method"], edit["suite"]) == (1.5, "direct", "core")


def test_export(store: Store, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    store.add([EDIT])
    assert main(["memory", "export"]) == 0
    assert json.loads(capfd.readouterr().out)["task"] == EDIT.task
    assert main(["memory", "export", str(tmp_path / "out.jsonl")]) == 0
    assert json.loads((tmp_path / "out.jsonl").read_text())["task"] == EDIT.task
    assert main(["memory", "export", str(tmp_path / "no" / "out.jsonl")]) == 2
    assert capfd.readouterr().err.count("kernelwright:") == 1


def test_path_and_clear(store: Store, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["memory", "path"]) == 0
    assert capfd.readouterr().out == f"{store.path}\n"
    store.add([EDIT])
    assert main(["memory", "clear", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["forgotten"] == 1
    assert store.all() == []


def test_a_broken_store_is_one_line_and_can_be_cleared(
    store: Store, capfd: pytest.CaptureFixture[str]
) -> None:
    store.path.parent.mkdir()
    store.path.write_text("no database at all " * 400)
    assert main(["memory"]) == 2
    complaint = capfd.readouterr().err
    assert complaint.count("\n") == 1
    assert "memory clear" in complaint
    assert main(["memory", "clear"]) == 0
    assert main(["memory"]) == 0
