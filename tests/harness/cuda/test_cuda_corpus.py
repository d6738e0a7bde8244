"""Planted bugs are found and named, correct kernels compute what they should without a complaint."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cuda_corpus import Sample, samples, together

from kernelwright.harness.cuda_emulation.library import EmulatedLibrary

BUGS, CORRECT = samples("bugs"), samples("correct")
LAUNCHES = 3
"""Forwards, backwards, shuffled."""


@pytest.fixture(scope="module")
def bugs(cache: Path) -> Iterator[EmulatedLibrary]:
    yield together(BUGS, checked=True)


@pytest.fixture(scope="module", params=[False, True], ids=["fast", "checked"])
def correct(cache: Path, request: pytest.FixtureRequest) -> Iterator[EmulatedLibrary]:
    yield together(CORRECT, checked=request.param)


@pytest.mark.parametrize("bug", BUGS, ids=lambda s: s.name)
def test_a_planted_bug_is_found_whatever_the_order(bugs: EmulatedLibrary, bug: Sample):
    for _ in range(LAUNCHES):
        report = bug.run(bugs, bug.arguments())
        assert report is not None and report.code in bug.said("expect").split(" or "), report


@pytest.mark.parametrize("kernel", CORRECT, ids=lambda s: s.name)
def test_a_correct_kernel_is_right_and_blamed_for_nothing(correct: EmulatedLibrary, kernel: Sample):
    for _ in range(LAUNCHES):
        arguments = kernel.arguments()
        assert kernel.run(correct, arguments) is None
        assert kernel.wrong(arguments) < 1e-3


def test_the_corpus_is_as_large_as_it_claims():
    assert len(BUGS) >= 30 and len(CORRECT) >= 15
