"""Puts the stand-ins in place, and makes them importable by the tests of this folder."""

import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from kernelwright.harness import evaluate
from kernelwright.players import Players

sys.path.insert(0, str(Path(__file__).parent))

from frontdoor_fakes import TASK, FakeCoder, FakeEvaluator, FakeJudge


@pytest.fixture
def task_file(tmp_path: Path) -> Path:
    """A good task of the user's own."""
    path = tmp_path / "own_op.py"
    path.write_text(TASK)
    return path


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Writes a file by that name."""

    def write_file(name: str, source: str) -> Path:
        path = tmp_path / name
        path.write_text(textwrap.dedent(source))
        return path

    return write_file


@pytest.fixture
def evaluator(monkeypatch: pytest.MonkeyPatch) -> type[FakeEvaluator]:
    """The fake in the place of the harness."""
    monkeypatch.setattr(evaluate, "Evaluator", FakeEvaluator)
    monkeypatch.setattr(FakeEvaluator, "verdicts", {})
    monkeypatch.setattr(FakeEvaluator, "opened", 0)
    return FakeEvaluator


@pytest.fixture
def cast(monkeypatch: pytest.MonkeyPatch) -> Callable[[FakeCoder], None]:
    """Puts a Coder in the place of every model."""

    def put(coder: FakeCoder) -> None:
        monkeypatch.setattr(
            "kernelwright.job.players", lambda *specs, **_: Players(coder, FakeJudge())
        )

    return put


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test may find a key of the machine it runs on."""
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "KERNELWRIGHT_API_KEY"):
        monkeypatch.delenv(name, raising=False)
