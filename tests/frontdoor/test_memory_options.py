"""Which runs teach which: the options, the environment, and what a run keeps of them."""

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest
from frontdoor_fakes import KERNEL, FakeCoder, FakeEvaluator, accepted

from kernelwright.agents.memory.store import Store
from kernelwright.agents.settings import Settings
from kernelwright.cli import build_parser, main
from kernelwright.commands.search_options import add_search_options, search_words
from kernelwright.job import _with_memory
from kernelwright.outputs import RunFolder
from kernelwright.tasks.errors import UsageError


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("KERNELWRIGHT_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("KERNELWRIGHT_MEMORY", raising=False)
    return Store(tmp_path / "data" / "memory.db")


@pytest.mark.parametrize(
    ("words", "again"),
    [
        ([], []),
        (["--no-memory"], ["--memory", "off"]),
        (["--memory", "others"], ["--memory", "others"]),
        (["--no-dollar-cap", "--seed", "3"], ["--no-dollar-cap", "--seed", "3"]),
    ],
)
def test_the_words_are_handed_on(words: list[str], again: list[str]) -> None:
    parser = argparse.ArgumentParser()
    add_search_options(parser)
    assert list(search_words(parser.parse_args(words))) == again


def test_bench_learns_from_other_suites_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def memory(*words: str) -> str:
        found: str = build_parser().parse_args(["bench", "core", *words]).memory
        return found

    monkeypatch.delenv("KERNELWRIGHT_MEMORY", raising=False)
    assert memory() == "others"
    assert memory("--memory", "all") == "all"
    assert memory("--no-memory") == "off"
    monkeypatch.setenv("KERNELWRIGHT_MEMORY", "off")
    assert memory() == "off"


def test_what_the_words_mean(store: Store) -> None:
    everything, others = (_with_memory(Settings(), which) for which in ("all", "others"))
    assert everything.memory == others.memory == str(store.path)
    assert (everything.memory_same_suite, others.memory_same_suite) == (True, False)
    assert _with_memory(Settings(), "off").memory is None
    with pytest.raises(UsageError, match="KERNELWRIGHT_MEMORY=maybe"):
        _with_memory(Settings(), "maybe")


@pytest.mark.parametrize(("words", "kept"), [([], 1), (["--no-memory"], 0)])
def test_a_run_leaves_its_edits(
    words: list[str],
    kept: int,
    store: Store,
    task_file: Path,
    tmp_path: Path,
    evaluator: type[FakeEvaluator],
    cast: Callable[[FakeCoder], None],
) -> None:
    evaluator.verdicts = {KERNEL: accepted(2.0)}
    cast(FakeCoder(KERNEL))
    assert main(["optimize", str(task_file), "--out", str(tmp_path / "out"), *words]) == 0
    assert len(store.all()) == kept
    (run,) = (tmp_path / "out").glob("*/*")
    assert RunFolder(run).asked().memory == ("off" if words else None)


def test_a_broken_store_does_not_stop_a_run(
    store: Store,
    task_file: Path,
    tmp_path: Path,
    evaluator: type[FakeEvaluator],
    cast: Callable[[FakeCoder], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    store.path.parent.mkdir()
    store.path.write_text("no database " * 999)
    evaluator.verdicts = {KERNEL: accepted(2.0)}
    cast(FakeCoder(KERNEL))
    assert main(["optimize", str(task_file), "--out", str(tmp_path / "out")]) == 0
    assert caplog.text.count("no memory of other runs") == 1
