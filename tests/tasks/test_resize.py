"""A task at other sizes: its own constants change, all else stays."""

import pytest

from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.load import list_suite
from kernelwright.tasks.reference import Reference
from kernelwright.tasks.resize import resized

SOURCE = """
import torch
A, B = 2, 3
C: int = 4
D = A * C  # follows
TASK = {"shapes": [{"A": 5}], "hidden": [{"C": 6}]}

class Model(torch.nn.Module):
    def forward(self, x):
        return x + 1

def get_inputs():
    return [torch.randn(A, D)]
"""


def test_constants_and_what_follows_from_them_change(task):
    small = task(SOURCE)
    large = resized(small, {"A": 20, "C": 40}, "big/op")
    assert large.name == "big/op"
    assert large.hash != small.hash
    assert large.meta == small.meta
    assert Reference(large).constants == {"A": 20, "B": 3, "C": 40, "D": 800}
    assert Reference(large, {"A": 5}).inputs(0)[0].shape == (5, 200)


def test_an_unknown_constant_is_told(task):
    with pytest.raises(TaskError, match="assigns no constant Z"):
        resized(task(SOURCE), {"A": 1, "Z": 1}, "x")


@pytest.mark.parametrize("full", list_suite("papers-full"), ids=lambda task: task.name)
def test_the_sizes_of_a_source_are_those_of_the_file(full):
    constants = Reference(full).constants
    assert {name: constants[name] for name in full.meta.full[0]} == full.meta.full[0]
