"""The cheapest check: Python that defines ModelNew."""

import pytest

from kernelwright.harness.parse import parse_problem


@pytest.mark.parametrize(
    "source",
    [
        "class ModelNew: pass",
        "def ModelNew(): pass",
        "from other import Thing as ModelNew",
        "from other import ModelNew",
        "class A: pass\nModelNew = A",
        "if True:\n    class ModelNew: pass",
    ],
)
def test_any_way_to_define_the_model(source: str):
    assert parse_problem(source) is None


@pytest.mark.parametrize(
    "source", ["", "class Model: pass", "# ModelNew", "print(ModelNew)", "x = 'ModelNew'"]
)
def test_a_mention_is_no_definition(source: str):
    assert parse_problem(source) == ("no_model", "the candidate defines no ModelNew")


@pytest.mark.parametrize(
    "source",
    [
        "class ModelNew(",
        "ModelNew = '\0'",
        "ModelNew = " + "-" * 50_000 + "1",
        "ModelNew = a" + ".b" * 20_000,
        "ModelNew = '\ud800'",
        "ModelNew = " + "1" * 5_000,
        "ModelNew = " + "(" * 300,
    ],
)
def test_hostile_text_is_a_syntax_error(source: str):
    problem = parse_problem(source)
    assert problem is not None and problem[0] == "syntax_error" and len(problem[1]) < 500
