"""Shapes that a model is not shown: a wrong answer there rejects, an error there is named."""

from pathlib import Path

import pytest
from harness_sources import TASK, model

from kernelwright.harness.candidate import Candidate
from kernelwright.harness.evaluate import Evaluator
from kernelwright.tasks.task import Task, TaskMeta


@pytest.fixture(scope="module")
def evaluator(cache: Path):
    """For y = 2 x + 1 with 33 columns, and with 37 in secret."""
    hidden = Task("own", TASK, meta=TaskMeta(hidden=({"N": 37},)))
    with Evaluator(hidden, threads=1, seed=3) as opened:
        yield opened


def test_a_kernel_for_any_size_passes_without_a_word(evaluator: Evaluator):
    verdict = evaluator.evaluate(Candidate(model("return x * 2 + 1")))
    assert verdict.accepted
    assert "fixed_shape" not in {f.code for f in verdict.findings}


def test_a_wrong_answer_is_rejected_without_giving_the_size_away(evaluator: Evaluator):
    verdict = evaluator.evaluate(Candidate(model("return x * 2 + (x.shape[1] != 37)")))
    assert (verdict.verdict, verdict.stage) == ("rejected", "correctness")
    (error,) = verdict.errors
    assert error.code == "hidden_shape"
    assert "37" not in error.message


def test_an_error_is_a_refusal_and_is_named(evaluator: Evaluator):
    refuses = model("if x.shape[1] != 33: raise ValueError(f'no {x.shape[1]}')\nreturn x * 2 + 1")
    verdict = evaluator.evaluate(Candidate(refuses))
    assert verdict.accepted
    (found,) = [f for f in verdict.findings if f.code == "fixed_shape"]
    assert found.severity == "note"
    assert "37" not in found.message
