"""The error budget: laws that hold for any values."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kernelwright.harness.precision import (
    RELATIVE,
    Expected,
    class_of,
    expect,
)

SHAPES = st.sampled_from([(64,), (4, 40), (3, 5, 7), (40, 3), (2, 2, 64), (1,), (100, 1), ()])
SCALES = st.sampled_from([1e-20, 1e-4, 1.0, 30.0, 1e6])
OUTPUTS = {
    "fp32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
    "fp64": torch.float64,
}


def values(shape: tuple[int, ...], scale: float, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, dtype=torch.float64, generator=generator) * scale


def plain(reference: torch.Tensor, precision: str = "fp32") -> Expected:
    """The expectation where eager and the noisy reference are as good as can be."""
    dtype = OUTPUTS[precision]
    found = expect(reference, reference.to(dtype), [reference], precision)
    assert found is not None
    return found


@given(SHAPES, SCALES, st.integers(0, 999), st.sampled_from(sorted(OUTPUTS)), st.floats(0, 1e-2))
def test_eager_itself_always_passes(shape, scale, seed, precision, sloppiness):
    reference = values(shape, scale if precision != "fp16" else 1.0, seed)
    eager = (reference + sloppiness * values(shape, scale, seed + 1)).to(OUTPUTS[precision])
    expected = expect(reference, eager, [reference], precision)
    if expected is not None:
        assert expected.mismatch(eager) is None


@given(st.sampled_from([(64,), (4, 40), (40, 3), (2, 2, 64)]), SCALES, st.integers(0, 999))
def test_bf16_and_tf32_never_pass_for_fp32(shape, scale, seed):
    reference = values(shape, scale, seed)
    expected = plain(reference)
    assert expected.mismatch(reference.bfloat16().float()) is not None
    mantissa_of_tf32 = reference.float().view(torch.int32).bitwise_and(-(1 << 13))
    assert expected.mismatch(mantissa_of_tf32.view(torch.float32)) is not None
    assert expected.mismatch(reference.float()) is None


@given(SHAPES, st.integers(0, 999), st.data())
def test_every_element_counts(shape, seed, data):
    reference = values(shape, 1.0, seed)
    expected = plain(reference)
    found = reference.float().clone().reshape(-1)
    where = data.draw(st.integers(0, found.numel() - 1))
    found[where] += 0.01 * (1 + abs(float(found[where])))
    wrong = expected.mismatch(found.view(shape))
    assert wrong is not None
    assert int(wrong.sum()) == 1 and bool(wrong.reshape(-1)[where])


@given(SHAPES, st.integers(0, 99), st.sampled_from([float("nan"), float("inf"), -float("inf")]))
def test_a_number_must_stay_a_number(shape, seed, value):
    expected = plain(values(shape, 1.0, seed))
    assert expected.finite
    found = expected.value.clone()
    found.view(-1)[-1] = value
    wrong = expected.mismatch(found)
    assert wrong is not None and int(wrong.sum()) == 1


SPECIAL = [float("nan"), float("inf"), -float("inf")]


@pytest.mark.parametrize("want", SPECIAL)
@pytest.mark.parametrize("got", [*SPECIAL, 0.0, 1.0, 3.4e38])
def test_specials_must_match_exactly(want: float, got: float):
    reference = values((64,), 1.0, 0)
    reference[7] = want
    expected = plain(reference)
    assert not expected.finite
    found = reference.float()
    found[7] = got
    same = want == got or (want != want and got != got)
    assert (expected.mismatch(found) is None) == same


def test_specials_do_not_widen_the_budget_of_their_row():
    reference = values((64,), 1.0, 0)
    reference[3] = float("inf")
    assert plain(reference).mismatch(reference.bfloat16().float()) is not None


def test_elements_that_eager_gets_wrong_are_free_and_only_those():
    reference = values((200, 4), 1.0, 0)
    eager = reference.float()
    eager[5, 1] = float("inf")
    expected = expect(reference, eager, [reference], "fp32")
    assert expected is not None and expected.free is not None
    assert int(expected.free.sum()) == 1
    found = reference.float()
    found[5, 1] = 77.0
    assert expected.mismatch(found) is None
    found[5, 2] = 77.0
    wrong = expected.mismatch(found)
    assert wrong is not None and wrong.nonzero().tolist() == [[5, 2]]


def test_nothing_is_demanded_where_eager_leaves_the_range_often():
    reference = values((10, 4), 1e30, 0)
    eager = reference.float()
    eager[:2] = float("inf")
    assert expect(reference, eager, [reference], "fp32") is None


def test_rows_have_budgets_of_their_own():
    """A small row beside a large one is not judged by the large one's size."""
    reference = torch.stack([values((64,), 1e6, 0), values((64,), 1.0, 1)])
    expected = plain(reference)
    found = reference.float()
    found[1] += 0.5
    wrong = expected.mismatch(found)
    assert wrong is not None
    assert not bool(wrong[0].any()) and bool(wrong[1].all())


def test_flat_rows_count_as_a_share_of_the_whole():
    reference = torch.stack([values((64,), 1.0, 0), torch.full((64,), 1e-6, dtype=torch.float64)])
    found = reference.float()
    found[1] += 4e-7
    strict = expect(reference, reference.float(), [reference], "fp32")
    flat = expect(reference, reference.float(), [reference], "fp32", flat=True)
    assert strict is not None and strict.mismatch(found) is not None
    assert flat is not None and flat.mismatch(found) is None
    found[1] += 1e-4
    assert flat.mismatch(found) is not None


def test_a_narrow_output_joins_dimensions_to_a_row():
    """A column of 3 says little about its own scale: more trailing dimensions are taken in."""
    reference = values((40, 3), 1.0, 0)
    reference[:, 0] = 0.0
    expected = plain(reference)
    assert expected.tolerance is not None
    assert bool((expected.tolerance[:, 0] > 1e-5).all())


def test_a_row_of_zeros_must_be_zero():
    expected = plain(torch.zeros(4, 64))
    assert expected.mismatch(torch.zeros(4, 64)) is None
    assert expected.mismatch(-torch.zeros(4, 64)) is None
    assert expected.mismatch(torch.full((4, 64), 1e-30)) is not None


def test_the_condition_of_the_problem_is_forgiven():
    reference = values((64,), 1.0, 0)
    shifted = reference + 0.25
    soft = expect(reference, reference.float(), [shifted], "fp32")
    assert soft is not None
    assert soft.mismatch(reference.float() + 0.9) is None
    assert soft.mismatch(reference.float() + 1.1) is not None


def test_integers_and_booleans_must_be_equal_to_one_of_the_two():
    reference = torch.tensor([1, 2, 3])
    eager = torch.tensor([1, 2, 4])
    expected = expect(reference, eager, [reference], "fp32")
    assert expected is not None
    assert expected.mismatch(torch.tensor([1, 2, 3])) is None
    assert expected.mismatch(torch.tensor([1, 2, 4])) is None
    wrong = expected.mismatch(torch.tensor([1, 3, 3]))
    assert wrong is not None and wrong.tolist() == [False, True, False]
    flags = expect(torch.tensor([True]), torch.tensor([True]), [], "fp32")
    assert flags is not None and flags.mismatch(torch.tensor([False])) is not None


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 40)])
def test_empty_outputs(shape: tuple[int, ...]):
    assert plain(torch.empty(shape, dtype=torch.float64)).mismatch(torch.empty(shape)) is None


def test_narrow_outputs_may_be_rounded():
    reference = values((4, 64), 1.0, 0)
    assert plain(reference, "bf16").mismatch(reference.bfloat16()) is None
    assert plain(reference, "fp16").mismatch(reference.half()) is None


def test_bf16_never_passes_for_fp16():
    reference = values((4, 64), 1.0, 0)
    assert plain(reference, "fp16").mismatch(reference.bfloat16().half()) is not None


def test_classes():
    wide, narrow = torch.zeros(2), torch.zeros(2, dtype=torch.bfloat16)
    assert class_of(None, [wide]) == "fp32"
    assert class_of(None, [torch.zeros(2, dtype=torch.int64), narrow]) == "bf16"
    assert class_of(None, [torch.zeros(2, dtype=torch.int64)]) == "fp32"
    assert class_of("tf32", [wide]) == "tf32"
    assert RELATIVE["fp64"] < RELATIVE["fp32"] < RELATIVE["tf32"] < RELATIVE["bf16"]
