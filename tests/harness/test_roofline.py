"""The physical floor, and the peaks that it is drawn from."""

import json
from pathlib import Path

import pytest

from kernelwright.harness import peaks
from kernelwright.harness.device import DeviceFacts
from kernelwright.harness.peaks import bandwidth_at, device_facts
from kernelwright.harness.roofline import Floor, floor

FACTS = DeviceFacts("cpu", "test", 2, bandwidth_gbs={1 << 20: 100.0, 1 << 24: 10.0}, peak_gflops=50)


def test_bandwidth_of_the_size_next_above():
    assert bandwidth_at(FACTS, 10) == 100.0
    assert bandwidth_at(FACTS, 1 << 20) == 100.0
    assert bandwidth_at(FACTS, (1 << 20) + 1) == 10.0
    assert bandwidth_at(FACTS, 1 << 40) == 10.0
    assert bandwidth_at(DeviceFacts("cpu", "unmeasured", 1), 10) is None


def test_floor_is_the_dearer_of_bytes_and_operations():
    memory = floor(FACTS, operations=10, bytes_moved=1_000_000)
    assert memory.seconds == pytest.approx(1e6 / 100e9)
    assert memory.reached(2e-5) is not None
    assert memory.reached(2e-5).bound == "memory"  # type: ignore[union-attr]
    assert memory.reached(2e-5).fraction == pytest.approx(0.5)  # type: ignore[union-attr]
    compute = floor(FACTS, operations=50_000_000, bytes_moved=100)
    assert compute.seconds == pytest.approx(1e-3)
    assert compute.reached(1e-3).bound == "compute"  # type: ignore[union-attr]


def test_share_never_exceeds_one():
    assert Floor(1e-3, None).reached(1e-4).fraction == 1.0  # type: ignore[union-attr]


def test_unknown_stays_unknown():
    nothing = floor(DeviceFacts("cpu", "unmeasured", 1), 100, 100)
    assert nothing.seconds is None and nothing.reached(1.0) is None
    assert not nothing.impossible(1e-12)
    assert floor(FACTS, None, None).seconds is None


def test_impossible_is_well_below_the_floor():
    least = Floor(1e-3, 1e-4)
    assert least.impossible(1e-4)
    assert not least.impossible(9e-4)
    assert not least.impossible(2e-3)


def test_measured_peaks_are_kept_and_read_back(cache: Path, monkeypatch: pytest.MonkeyPatch):
    first = device_facts(1)
    assert first.kind == "cpu" and first.threads == 1
    assert first.peak_gflops is not None and first.peak_gflops > 0.1
    assert all(rate > 0.05 for rate in first.bandwidth_gbs.values())
    monkeypatch.setattr(peaks, "_measure", lambda threads: pytest.fail("measured twice"))
    assert device_facts(1) == first


def test_measured_again_the_better_peak_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("KERNELWRIGHT_CACHE", str(tmp_path))
    monkeypatch.setattr(peaks, "_measure", lambda threads: ({1 << 17: 5.0, 1 << 19: 9.0}, 7.0))
    device_facts(1)
    monkeypatch.setattr(peaks, "_measure", lambda threads: ({1 << 17: 8.0, 1 << 19: 4.0}, 6.0))
    found = device_facts(1, again=True)
    assert (found.bandwidth_gbs, found.peak_gflops) == ({1 << 17: 8.0, 1 << 19: 9.0}, 7.0)
    assert device_facts(1) == found


def test_a_broken_record_is_measured_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("KERNELWRIGHT_CACHE", str(tmp_path))
    monkeypatch.setattr(peaks, "_measure", lambda threads: ({1 << 17: 5.0}, 7.0))
    assert device_facts(1).peak_gflops == 7.0
    (kept,) = tmp_path.glob("peaks-*.json")
    for broken in ("", "{}", '{"bandwidth_gbs": {}}', '{"bandwidth_gbs": {"x": 1}}'):
        kept.write_text(broken)
        assert device_facts(1).peak_gflops == 7.0
        assert json.loads(kept.read_text())["peak_gflops"] == 7.0


def test_a_record_that_is_a_list_is_measured_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("KERNELWRIGHT_CACHE", str(tmp_path))
    monkeypatch.setattr(peaks, "_measure", lambda threads: ({1 << 17: 5.0}, 7.0))
    device_facts(1)
    (kept,) = tmp_path.glob("peaks-*.json")
    kept.write_text("[]")
    assert device_facts(1).peak_gflops == 7.0
