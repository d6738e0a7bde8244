"""What is told of a wrong output: where its wrong elements lie, and how got and expected relate."""

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kernelwright.harness.comparison import compare
from kernelwright.harness.error_pattern import MOST_PATTERNS, patterns
from kernelwright.harness.oracle import Case
from kernelwright.harness.precision import expect

NAN, INF = float("nan"), float("inf")
GENERATOR = torch.Generator().manual_seed(5)
RIGHT = torch.randn(24, 100, dtype=torch.float64, generator=GENERATOR)


def told(found: torch.Tensor, right: torch.Tensor = RIGHT) -> dict[str, str]:
    same = (found == right) | (found.isnan() & right.isnan())
    return dict(patterns(found, right, ~same))


def changed(*where: object, to: float = 50.0) -> torch.Tensor:
    found = RIGHT.clone()
    found[where] = to if to != 50.0 else found[where] * torch.rand_like(found[where]) + 50.0
    return found


@pytest.mark.parametrize(
    ("found", "code", "text"),
    [
        (torch.zeros_like(RIGHT), "zero", "every element"),
        (torch.full_like(RIGHT, 3.0), "constant", "3"),
        (-RIGHT, "sign", "opposite"),
        (RIGHT * 0.125, "scaled", "0.125 x"),
        (RIGHT + 0.5, "offset", "plus 0.5"),
        (RIGHT * torch.arange(2, 26).view(-1, 1), "row_scaled", "factor of its own"),
        (RIGHT + torch.arange(1, 25).view(-1, 1), "row_offset", "difference of its own"),
        (RIGHT.t().reshape(24, 100), "transposed", "last two"),
        (RIGHT.flatten().roll(1).view(24, 100), "shifted", "1 after"),
        (RIGHT.flatten().roll(-2).view(24, 100), "shifted", "2 before"),
        (RIGHT.flip(0), "permuted", "other places"),
        (RIGHT * (1 + 1e-3 * torch.rand_like(RIGHT)), "small", "at most"),
    ],
)
def test_how_the_values_relate(found, code, text):
    said = told(found)
    assert code in said, said
    assert text in said[code]


@pytest.mark.parametrize(
    ("where", "code", "text"),
    [
        ((slice(None), slice(96, None)), "tail", "index 96 and after (the last 4) of the last"),
        ((slice(None), slice(0, 8)), "head", "the first 8"),
        ((7,), "one_index", "index 7 of dimension 0"),
        ((slice(8, 16),), "range", "index 8 to 15 of dimension 0"),
        ((slice(None), slice(3, None, 8)), "every_kth", "every 8th index from 3"),
        ((slice(None), [0, 1, 99]), "border", "first and last"),
        ((slice(None), 5), "one_index", "index 5 of the last dimension"),
    ],
)
def test_where_they_lie(where, code, text):
    said = told(changed(*where))
    assert text in said.get(code, ""), said


def test_a_piece_of_memory_of_one_thread():
    found = RIGHT.clone()
    found.view(-1)[1150:1250] += 50
    assert "index 11 to 12 of dimension 0" in told(found)["range"]
    found = RIGHT.clone()
    found.view(-1)[1150:] += torch.rand(1250) + 50
    assert "index 11 and after (the last 13) of dimension 0" in told(found)["tail"]


def test_scattered_and_everywhere():
    mask = torch.rand(RIGHT.shape, generator=GENERATOR) < 0.2
    wild = torch.randn(RIGHT.shape, dtype=torch.float64, generator=GENERATOR) * 9
    assert "scattered" in told(torch.where(mask, wild, RIGHT))
    assert "everywhere" in told(wild)


def test_what_is_not_finite_comes_first():
    found = changed(slice(None), slice(90, None), to=NAN)
    said = told(found)
    assert next(iter(said)) == "nan"
    assert "240 elements" in said["nan"]
    assert "never written" in said["nan"]
    assert "tail" in said
    assert "infinite" in told(changed(3, to=INF))
    lost = RIGHT.clone()
    lost[2, 2] = NAN
    assert "nan_missing" in told(RIGHT, lost)
    lost[2, 2] = -INF
    assert "infinite_missing" in told(RIGHT, lost)


values = st.sampled_from([0.0, 1.0, -1.0, 2.5, 1e30, -1e-30, NAN, INF, -INF])


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_nothing_makes_it_fail(data):
    shape = data.draw(st.lists(st.integers(1, 5), max_size=4))
    count = int(torch.tensor(shape or [1]).prod())
    draw = st.lists(values, min_size=count, max_size=count)
    found, right = (torch.tensor(data.draw(draw)).view(shape) for _ in range(2))
    wrong = torch.tensor(
        data.draw(st.lists(st.booleans(), min_size=count, max_size=count).filter(any))
    ).view(shape)
    said = patterns(found, right, wrong)
    assert len(said) <= MOST_PATTERNS
    assert all(p.code.isidentifier() and "\n" not in p.text for p in said)


def test_the_finding_holds_the_figures_as_plain_json():
    eager = RIGHT.float()
    expected = expect(RIGHT, eager, [RIGHT], "fp32")
    assert expected is not None
    case = Case("own", (), (expected,), ((torch.float32, (24, 100)),), "fp32")
    found = eager.clone()
    found[:, 96:] = NAN
    found[5, 97] = 3.0
    wrong = compare(case, [found])
    assert wrong is not None
    detail = json.loads(json.dumps(wrong.detail, allow_nan=False))
    assert detail["inputs"] == "own"
    assert detail["shape"] == [24, 100]
    assert (detail["wrong"], detail["elements"], detail["share"]) == (96, 2400, 0.04)
    assert detail["first"]["index"] == [0, 96]
    assert detail["first"]["got"] == "nan"
    assert detail["first"]["expected"] == pytest.approx(float(RIGHT[0, 96]), rel=1e-6)
    assert 0 < detail["first"]["tolerance"] < 1e-3
    assert [p["code"] for p in detail["patterns"]] == ["nan", "tail"]
    assert compare(case, [found[:3]]).detail == {}, "no element was compared"


def test_the_worst_element_is_named():
    right = torch.arange(10, dtype=torch.int64)
    case = Case("own", (), (expect(right, right, [], "fp32"),), ((torch.int64, (10,)),), "fp32")
    found = right.clone()
    found[3], found[8] = 4, 100
    wrong = compare(case, [found])
    assert wrong is not None
    assert (wrong.detail["first"]["index"], wrong.detail["worst"]["index"]) == ([3], [8])
    assert (wrong.detail["worst"]["got"], wrong.detail["worst"]["expected"]) == (100, 8)
    assert wrong.detail["worst"]["tolerance"] is None
