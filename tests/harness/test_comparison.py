"""What is said about a wrong output."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kernelwright.harness.comparison import TimedCheck, compare
from kernelwright.harness.oracle import Case
from kernelwright.harness.precision import expect


def case(*references: torch.Tensor, name: str = "own", dtype: torch.dtype = torch.float32) -> Case:
    eager = [r.to(dtype) if r.is_floating_point() else r for r in references]
    expected = [expect(r, e, [r], "fp32") for r, e in zip(references, eager, strict=True)]
    return Case(
        name,
        (),
        tuple(e for e in expected if e is not None),
        tuple((e.dtype, tuple(e.shape)) for e in eager),
        "fp32",
    )


REFERENCE = torch.randn(4, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(3))


def code(found: torch.Tensor, subject: Case | None = None) -> str | None:
    wrong = compare(subject or case(REFERENCE), [found])
    return wrong.code if wrong else None


def test_right():
    assert code(REFERENCE.float()) is None


def test_count_shape_and_type_come_first():
    both = case(REFERENCE, REFERENCE)
    right = REFERENCE.float()
    found = compare(both, [right])
    assert found is not None and found.code == "output_count" and "1 outputs" in found.message
    assert compare(both, [right, right]) is None
    assert code(right[:3]) == "wrong_shape"
    assert code(right.t()) == "wrong_shape"
    assert code(right.view(4, 64, 1)) == "wrong_shape"
    assert code(REFERENCE) == "wrong_dtype"
    assert code(right.bfloat16()) == "wrong_dtype"


def test_the_message_says_where_what_and_how_many():
    found = REFERENCE.float()
    found[2, 5] = 9.0
    found[3, 1] = -9.0
    wrong = compare(case(REFERENCE), [found])
    assert wrong is not None and wrong.code == "wrong_value"
    assert "inputs 'own'" in wrong.message and "2 of 256" in wrong.message
    assert "[2, 5]" in wrong.message and "got 9," in wrong.message
    assert f"expected {REFERENCE[2, 5]:.6g}"[:12] in wrong.message
    second = compare(case(REFERENCE, REFERENCE), [REFERENCE.float(), found])
    assert second is not None and "output 1" in second.message


def test_lost_precision_has_its_name():
    wrong = compare(case(REFERENCE), [REFERENCE.bfloat16().float()])
    assert wrong is not None and wrong.code == "precision" and "bf16" in wrong.message
    tf32 = REFERENCE.float().view(torch.int32).bitwise_and(-(1 << 13)).view(torch.float32)
    wrong = compare(case(REFERENCE), [tf32])
    assert wrong is not None and wrong.code == "precision" and "tf32" in wrong.message


def test_special_values_have_their_code():
    reference = REFERENCE.clone()
    reference[1, 1] = float("nan")
    assert code(reference.float(), case(reference, name="special values")) is None
    assert code(REFERENCE.float(), case(reference, name="special values")) == "special_values"
    assert code(REFERENCE.float(), case(reference)) == "special_values"


def test_integers_and_scalars():
    whole = case(torch.tensor([1, 2, 3]))
    wrong = compare(whole, [torch.tensor([1, 2, 4])])
    assert wrong is not None and wrong.code == "wrong_value" and "within" not in wrong.message
    scalar = case(torch.tensor(2.5, dtype=torch.float64))
    assert compare(scalar, [torch.tensor(2.5)]) is None
    wrong = compare(scalar, [torch.tensor(2.6)])
    assert wrong is not None and "[]" in wrong.message


@given(st.integers(0, 255), st.sampled_from([0.01, 1.0, float("nan"), float("inf")]))
def test_every_element_of_a_timed_output_counts(where, change):
    check = TimedCheck(case(REFERENCE))
    eager = REFERENCE.float()
    assert check.right([eager], [eager])
    found = eager.clone()
    found.view(-1)[where] += change
    assert not check.right([found], [eager])


def test_timed_outputs_may_differ_by_rounding():
    check = TimedCheck(case(REFERENCE))
    eager = REFERENCE.float()
    assert check.right([eager * (1 + 2**-22)], [eager])
    assert not check.right([eager.bfloat16().float()], [eager])


def test_timed_integers_must_be_equal():
    check = TimedCheck(case(torch.tensor([1, 2, 3])))
    assert check.right([torch.tensor([1, 2, 3])], [torch.tensor([1, 2, 3])])
    assert not check.right([torch.tensor([1, 2, 4])], [torch.tensor([1, 2, 3])])


INF, NAN = float("inf"), float("nan")


@pytest.mark.parametrize(
    ("eager_value", "found_value", "right"),
    [
        (INF, INF, True),
        (NAN, NAN, True),
        (-INF, -INF, True),
        (1.0, INF, False),
        (1.0, NAN, False),
        (NAN, 1.0, False),
        (INF, NAN, False),
        pytest.param(INF, 1.0, False),
        pytest.param(INF, -INF, False),
        pytest.param(-INF, 0.0, False),
    ],
)
def test_specials_among_timed_outputs(eager_value: float, found_value: float, right: bool):
    check = TimedCheck(case(REFERENCE))
    eager = REFERENCE.float()
    found = eager.clone()
    eager[1, 1], found[1, 1] = eager_value, found_value
    assert check.right([found], [eager]) == right
