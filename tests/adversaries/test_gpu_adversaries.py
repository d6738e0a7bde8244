"""The attacks that need a GPU: whole files with what is expected of them; judged where there is one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from kernelwright.harness.parse import language_of, parse_problem

from corpus import HERE, Judge, facts_of, misjudged

ATTACKS = sorted((HERE / "gpu" / "attacks").glob("*.py"))
HONEST = sorted((HERE / "gpu" / "honest").glob("*.py"))
LINES = {"A1", "A2", "A3", "A5", "A6", "A8", "B18", "E37", "E40"}
"""Of the threat model: what is done in another way on a GPU than on a processor."""
needs_gpu = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="no GPU here: these attacks need one to be judged"
)


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with Judge() as judge:
        yield judge


@pytest.mark.parametrize("file", [*ATTACKS, *HONEST], ids=lambda f: f.stem)
def test_a_file_says_what_it_is(file: Path) -> None:
    source = file.read_text()
    ast.parse(source)
    assert parse_problem(source) is None
    assert language_of(source) == "cuda"
    facts = facts_of(file)
    assert "line" in facts
    assert facts.keys() & {"expect", "track"}


def test_every_line_that_needs_a_gpu_is_there() -> None:
    assert {facts_of(file)["line"] for file in ATTACKS} == LINES


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("file", HONEST, ids=lambda f: f.stem)
def test_an_honest_kernel_is_accepted_and_timed_on_the_gpu(judge: Judge, file: Path) -> None:
    answer = judge(file)
    assert misjudged(file, answer) is None
    assert answer["verdict"]["speedup"]["eager"] is not None, "it was not timed on the GPU"


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("file", ATTACKS, ids=lambda f: f.stem)
def test_an_attack_is_judged_rightly_on_the_gpu(judge: Judge, file: Path) -> None:
    honest = judge(HONEST[-1])
    assert honest["verdict"]["speedup"]["eager"] is not None, "nothing is timed on the GPU"
    answer = judge(file)
    assert misjudged(file, answer) is None
    if "no_faster_than" in facts_of(file) and answer["verdict"]["verdict"] == "accepted":
        gained, plain = (a["verdict"]["speedup"]["eager"] for a in (answer, honest))
        assert gained["low"] <= plain["high"]
