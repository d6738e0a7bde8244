"""Every attack is judged rightly, every honest look-alike is accepted."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from corpus import ATTACKS, HONEST, OPEN, Judge, facts_of, misjudged


def parameters(files: list[Path]) -> list[Any]:
    return [pytest.param(file, id=file.stem) for file in files]


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with Judge() as judge:
        yield judge
    # What B17 would leave in the kernel.
    subprocess.run(["ipcrm", "-M", "0x6b77", "-Q", "0x6b78"], check=False, capture_output=True)


@pytest.mark.parametrize("file", parameters(HONEST))
def test_honest_look_alike_is_accepted(judge: Judge, file: Path) -> None:
    # Whose code it was is found by sampling, and a busy machine can spoil one sample. How often that
    # happens is measured by benchmarks/integrity_matrix.py; twice in a row is a fault.
    assert misjudged(file, judge(file)) is None or misjudged(file, judge(file)) is None


@pytest.mark.parametrize("file", parameters(ATTACKS))
def test_attack_is_judged_rightly(judge: Judge, file: Path) -> None:
    answer = judge(file)
    wrong = misjudged(file, answer)
    accepted = answer.get("verdict", {}).get("verdict") == "accepted"
    # Many race with the judge, and may fall to another check than the one that they aim at. But one that
    # no verdict may let through has won when it gets through once.
    if wrong is not None and not (accepted and "track" not in facts_of(file)):
        wrong = misjudged(file, judge(file))
    assert wrong is None


@pytest.mark.slow
@pytest.mark.xfail(reason="known, not mended yet: see its `why`")
@pytest.mark.parametrize("file", parameters(OPEN))
def test_what_is_open(judge: Judge, file: Path) -> None:
    assert misjudged(file, judge(file)) is None


def test_every_line_of_the_catalogue_has_an_attack() -> None:
    lines = {word for file in ATTACKS for word in facts_of(file)["line"].split()}
    on_the_processor = set(range(1, 53)) - GPU_ONLY
    missing = {n for n in on_the_processor if not any(re.fullmatch(f"[A-F]{n}", w) for w in lines)}
    assert not missing


GPU_ONLY = {3, 8, 18}
"""CUDA events, L2 persistence, CUDA graphs."""
