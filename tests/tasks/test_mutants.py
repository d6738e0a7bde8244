"""Mutants from the syntax tree: what is dropped, where, and what is left alone."""

import ast

import pytest

from kernelwright.tasks.load import list_suite
from kernelwright.tasks.mutants import changed, source_mutants
from kernelwright.tasks.task import Task

FILE = """
import math

import torch

SCALE, ROWS = 0.5, 8


class Model(torch.nn.Module):
    \"\"\"Not a constant: 5.\"\"\"

    def __init__(self):
        super().__init__()
        self.eps = 1e-5 + 1

    def forward(self, x: "torch.Tensor", y=1.5):
        {body}


def get_inputs():
    return [2 * torch.randn(ROWS)]


def get_init_inputs():
    return [3 + 4]
"""


def names(body: str) -> list[str]:
    return [m.name for m in source_mutants(Task("t", FILE.replace("{body}", body)))]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return x + y", ["x + y -> x", "x + y -> y"]),
        ("return torch.relu(x)", ["torch.relu(x) -> x"]),
        ("return x.relu()", ["x.relu() -> x"]),
        ("return self.norm(x)", ["self.norm(x) -> x"]),
        ("return -x", ["-x -> x"]),
        ("return x > y", ["x > y -> x >= y"]),
        ("x += y\n        return x", ["x += y -> pass", "x += y -> x = y"]),
        (
            "return torch.where(m, x, y)",
            [f"torch.where(m, x, y) -> {name}" for name in "mxy"],
        ),
        (
            "return torch.sum(x, keepdim=True)",
            ["torch.sum(x, keepdim=True) -> x", "torch.sum(...) without keepdim=True",
             "True -> False"],
        ),
        ("return x[3]", ["3 -> 4", "3 -> 0"]),
        ("return f(0.5)", ["0.5 -> 0.0", "0.5 -> 1.0", "0.5 -> 0.5005"]),
        ("return f(1e-5)", ["1e-05 -> 0.0", "1e-05 -> 0.001"]),
        ("return f(SCALE)", ["f(SCALE) -> SCALE", "SCALE -> 0.0", "SCALE -> 1.0", "SCALE -> 0.5005"]),
        ("return x if y else m", ["x if y else m -> x", "x if y else m -> m"]),
    ],
)  # fmt: skip
def test_terms_and_constants(body: str, expected: list[str]):
    assert names(body) == expected


def test_only_what_forward_reaches_is_changed():
    text = FILE.replace("{body}", "return x")
    assert source_mutants(Task("t", text)) == []


def test_both_branches_are_tried():
    found = names("if y:\n            x = -x\n        return x")
    assert sum(name.startswith("if y:") for name in found) == 2


def test_lines_are_those_of_the_file():
    text = FILE.replace("{body}", "x = x * 2\n        return torch.exp(x)")
    for mutant in source_mutants(Task("t", text)):
        before = mutant.name.partition(" -> ")[0]
        assert before in text.splitlines()[mutant.line - 1]


def test_each_is_python_and_differs():
    for task in list_suite("core"):
        mutants = source_mutants(task)
        whole = ast.unparse(ast.parse(task.source))
        assert mutants, task.name
        assert len({m.source for m in mutants} | {whole}) == len(mutants) + 1
        for mutant in mutants:
            ast.parse(mutant.source)


@pytest.mark.parametrize("number", [0, 1, -3, 0.0, 1.0, 0.5, 1e-6, 7.5])
def test_changed_constants_differ(number: float):
    assert number not in changed(number)
    assert changed(number)
