"""Where outputs lie: shared memory is told from memory that is only near."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kernelwright.harness.outputs import overlap_problem, overlaps, overlaps_itself
from kernelwright.harness.wire import Region, dtype_name


def region(x: torch.Tensor) -> Region:
    return Region(x.data_ptr(), dtype_name(x.dtype), tuple(x.shape), x.stride())


X = torch.zeros(12, 10)
BYTES = torch.zeros(64, dtype=torch.uint8)


@pytest.mark.parametrize(
    ("tensor", "wanted"),
    [
        (X, False), (X.t(), False), (X[:, ::3], False), (X[:0], False), (X[0, 0], False),
        (X[:1].expand(5, 10), True), (X[0, 0].expand(3), True), (X[:1, :1].expand(1, 1), False),
        (X.flatten().as_strided((5, 4), (1, 1)), True),
        (X.flatten().as_strided((5, 4), (2, 3)), True),
        (X.flatten().as_strided((2, 3), (3, 2)), False),
        (X.flatten().unfold(0, 4, 2), True), (X.flatten().unfold(0, 4, 4), False),
    ],
)  # fmt: skip
def test_one_tensor(tensor: torch.Tensor, wanted: bool):
    assert overlaps_itself(region(tensor)) is wanted


@pytest.mark.parametrize(
    ("a", "b", "wanted"),
    [
        (X, X, True), (X[:6], X[6:], False), (X[:7], X[6:], True), (X[:, 0], X[:, 1], False),
        (X[:, :5], X[:, 4:], True), (X[::2], X[1::2], False), (X[::2], X[3], False),
        (X[::2], X[4], True), (X[:0], X, False), (X, X.clone(), False),
        (BYTES[:8].view(torch.float32), BYTES[4:6], True),
        (BYTES[:8].view(torch.float32), BYTES[8:10], False),
        (BYTES.view(torch.float32)[::2], BYTES.view(torch.float16)[2::4], False),
        (BYTES.view(torch.float32)[::2], BYTES.view(torch.float16)[1::4], True),
    ],
)  # fmt: skip
def test_two_tensors(a: torch.Tensor, b: torch.Tensor, wanted: bool):
    for pair in ((a, b), (b, a)):
        assert ((0, 1) in overlaps([region(t) for t in pair])) is wanted


@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=3),
    st.lists(st.integers(0, 6), min_size=3, max_size=3),
)
def test_it_agrees_with_counting(shape, strides):
    x = torch.arange(100).as_strided(shape, strides[: len(shape)])
    assert overlaps_itself(region(x)) is (x.unique().numel() < x.numel())


def test_what_eager_shares_a_candidate_may_share():
    spread, plain = region(X[:1].expand(12, 10)), region(X)
    assert "elements of output 0" in str(overlap_problem([spread], [plain], 1))
    assert overlap_problem([spread], [spread], 1) is None
    other = region(X.clone())
    assert "outputs 0 and 1" in str(overlap_problem([plain, plain], [plain, other], 2))
    assert overlap_problem([plain, plain], [other, other], 2) is None
    assert overlap_problem([plain, other], [other, other], 2) is None
    assert overlap_problem([plain, plain], [plain, other], 1) is None, "gradients may"
