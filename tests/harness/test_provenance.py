"""Whose code does the work."""

import pytest

from kernelwright.harness.provenance import library_share, track


def test_share_counts_operators_that_compute():
    times = {"aten::mm": 60.0, "aten::empty_like": 30.0, "mkl::gemm": 20.0, "python call": 500.0}
    assert library_share(times, 100.0) == pytest.approx(0.8)


@pytest.mark.parametrize("name", ["empty", "view", "expand", "transpose", "detach"])
def test_operators_that_move_no_data_are_free(name: str):
    assert library_share({f"aten::{name}": 99.0}, 100.0) == 0.0


def test_copies_are_work():
    assert library_share({"aten::copy_": 40.0, "aten::clone": 1.0}, 100.0) == pytest.approx(0.41)


def test_share_stays_within_bounds():
    assert library_share({"aten::mm": 500.0}, 100.0) == 1.0
    assert library_share({}, 100.0) == 0.0
    assert library_share({"aten::mm": 1.0}, 0.0) == 0.0


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0.0, "custom"),
        (0.099, "custom"),
        (0.1, "mixed"),
        (0.8, "mixed"),
        (0.81, "library"),
        (1.0, "library"),
    ],
)
def test_tracks(share: float, expected: str):
    assert track(share) == expected
