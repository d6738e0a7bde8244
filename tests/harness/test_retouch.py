"""Inputs changed in a few elements, and which inputs may be."""

import pytest
import torch

from kernelwright.harness.fewer_rows import fewer_rows, follows
from kernelwright.harness.retouch import TOUCHES, may_be_rearranged, one_changed, swapped


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


SUBJECTS = [
    torch.randn(40, 50),
    torch.randn(50, 40).t(),
    torch.randint(90, (40, 50)),
    torch.rand(40, 50) < 0.3,
    torch.randn(40, 50).bfloat16(),
    torch.randn(3),
]


@pytest.mark.parametrize("x", SUBJECTS, ids=lambda x: f"{x.dtype}{tuple(x.shape)}")
def test_few_elements_change_and_no_value_is_new(x: torch.Tensor):
    kept = x.clone()
    for name, touch in TOUCHES:
        out = touch(x, generator())
        assert torch.equal(x, kept), name
        assert (out.shape, out.dtype, out.stride()) == (x.shape, x.dtype, x.stride())
        assert int((out != x).sum()) <= 16
        assert set(out.flatten().tolist()) <= set(x.flatten().tolist())


def test_swapping_keeps_all_values_and_moves_some():
    x = torch.randn(40, 50)
    out = swapped(x, generator())
    assert torch.equal(out.flatten().sort()[0], x.flatten().sort()[0])
    assert int((out != x).sum()) == 16


def test_one_element_changes_visibly():
    x = torch.randn(40, 50)
    out = one_changed(x, generator())
    changed = out != x
    assert int(changed.sum()) == 1 and float((out - x)[changed].abs()) > 2
    flipped = one_changed(torch.zeros(9, dtype=torch.bool), generator())
    assert int(flipped.sum()) == 1


def draws(make):
    torch.manual_seed(4)
    return make(), make()


@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (lambda: torch.randn(4, 9), True),
        (lambda: torch.randint(9, (4, 30)), True),
        (lambda: torch.rand(4, 30) < 0.5, True),
        (lambda: torch.arange(30), False),
        (lambda: torch.randint(9, (30,)).sort().values, False),
        (lambda: torch.randint(9, (30,)).sort(descending=True).values, False),
        (lambda: torch.arange(30) < torch.randint(1, 29, (4, 1)), False),
        (lambda: torch.randperm(30), False),
        (lambda: torch.tensor(3.0), False),
        (lambda: 3, False),
    ],
)
def test_structure_stays(make, wanted: bool):
    assert may_be_rearranged(*draws(make)) is wanted


def test_fewer_rows():
    x, index, weight = torch.randn(8, 3), torch.arange(8), torch.randn(3, 3)
    found = fewer_rows([x, index, weight, 2.5])
    assert found is not None
    cut, before, after = found
    assert (before, after) == (8, 5) and cut[3] == 2.5
    assert torch.equal(cut[0], x[:5]) and torch.equal(cut[1], index[:5]) and cut[2] is weight  # type: ignore[arg-type]
    assert fewer_rows([torch.randn(1, 3)]) is None
    assert fewer_rows([torch.tensor(3.0)]) is None
    assert fewer_rows([torch.randn(0, 3)]) is None


def test_outputs_must_follow():
    assert follows([(8, 3)], [(5, 3)], 8, 5)
    assert follows([(8, 3), (3,)], [(5, 3), (3,)], 8, 5)
    assert follows([()], [()], 8, 5), "a loss over fewer rows"
    assert not follows([(3,)], [(3,)], 8, 5), "nothing shows that it took them"
    assert not follows([(8, 3)], [(8, 3)], 8, 5)
    assert not follows([(8, 3)], [(5, 2)], 8, 5)
    assert not follows([(8, 3)], [(5, 3), (1,)], 8, 5)
