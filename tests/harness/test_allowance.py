"""What it costs to have PyTorch allocate the outputs of a call."""

from __future__ import annotations

import pytest
import torch

from kernelwright.harness.allowance import LEAST_S, MOST_S, allowance
from kernelwright.harness.provenance import Profile


@pytest.mark.parametrize("shapes", [[], [(64, 64)], [(128, 512), (128, 512)], [()], [(0, 3)]])
def test_it_lies_between_its_bounds(shapes):
    assert LEAST_S <= allowance([(torch.float32, shape) for shape in shapes], 3) <= MOST_S


def test_it_is_free_beside_twice_as_much_own_work():
    beside = {"own": 60.0, "library": 15.0, "interpreter": 25.0}  # us of a call of 100
    assert Profile(beside, native=True).track(100e-6) == "mixed"
    assert Profile(beside, native=True, free_s=15e-6).track(100e-6) == "custom"


def test_a_fig_leaf_is_granted_no_more_than_anywhere():
    leaf = {"own": 2.0, "library": 20.0, "interpreter": 78.0}
    assert Profile(leaf, native=True, free_s=MOST_S).track(100e-6) == "library"
