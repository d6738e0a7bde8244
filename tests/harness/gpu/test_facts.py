"""Facts and peaks of a GPU: read from what the measuring process prints; measured here on the CPU."""

import subprocess
from pathlib import Path

import pytest

from kernelwright.harness.errors import HarnessError
from kernelwright.harness.gpu import facts, peaks
from kernelwright.harness.roofline import floor, peak_gflops

TOLD = {
    "name": "NVIDIA H100 80GB HBM3",
    "uuid": "0b1c",
    "capability": "sm_90",
    "multiprocessors": 132,
    "memory_bytes": 85_000_000_000,
    "l2_bytes": 52_428_800,
    "toolkit": "13.0",
    "torch": "2.13.0",
    "driver": "580.65.06",
    "clocks_mhz": {"sm": 1980, "memory": 2619},
    "absent": {},
    "bandwidth_gbs": {"1048576": 4000.0, "1073741824": 2500.0},
    "matrix_gflops": {"fp32": 50_000.0, "tf32": 330_000.0, "bf16": 660_000.0},
    "unmeasured": {"matrix fp8": "RuntimeError: not here"},
}


def test_facts_from_what_the_measuring_process_prints():
    read = facts.facts_of(TOLD, 4)
    assert (read.kind, read.capability, read.threads) == ("cuda", "sm_90", 4)
    assert read.uuid == "0b1c"
    assert read.bandwidth_gbs == {1 << 20: 4000.0, 1 << 30: 2500.0}
    assert read.absent == {"matrix fp8": "RuntimeError: not here"}
    with pytest.raises(HarnessError, match="cannot be read"):
        facts.facts_of({"name": "x"}, 1)


def test_the_floor_knows_the_ways_to_compute_within_a_precision():
    read = facts.facts_of(TOLD, 4)
    assert peak_gflops(read, "fp32") == 660_000 / 3
    assert peak_gflops(read, "bf16") == 660_000
    assert peak_gflops(read, "fp64") == 50_000  # nothing of the class was measured
    assert peak_gflops(read) == 660_000
    compute = floor(read, 10**12, 10**6, "bf16")
    assert compute.seconds == pytest.approx(1e12 / 660e12)
    assert floor(read, 10, 1 << 30, "fp32").reached(1.0).bound == "memory"  # type: ignore[union-attr]


def test_without_a_gpu_it_is_one_line(monkeypatch: pytest.MonkeyPatch):
    said = subprocess.CompletedProcess([], 3, "", "PyTorch sees no GPU\n")
    monkeypatch.setattr(facts.subprocess, "run", lambda *_, **__: said)
    facts._told.cache_clear()
    with pytest.raises(HarnessError, match="sees no GPU"):
        facts.device_facts(1)


def test_what_is_measured():
    measured = peaks.measure("cpu", sizes=(1 << 16, 1 << 18), side=32, runs=2)
    assert set(measured["bandwidth_gbs"]) == {"65536", "262144"}
    assert measured["bandwidth_gbs"]["65536"] >= measured["bandwidth_gbs"]["262144"] > 0
    assert measured["matrix_gflops"]["fp32"] > 0
    assert "measured on GPUs only" in measured["unmeasured"]["matrix fp8"]


def test_peaks_are_kept_and_the_better_of_two_stays(tmp_path: Path):
    runs = iter([10.0, 5.0, 20.0])

    def measure() -> dict[str, object]:
        return {
            "bandwidth_gbs": {"1": 1.0},
            "matrix_gflops": {"fp32": next(runs)},
            "unmeasured": {},
        }

    def rate(again: bool, driver: str = "580") -> float:
        identity = {**TOLD, "driver": driver}
        found = peaks.kept_or_measured(tmp_path, identity, again=again, measure=measure)
        return found["matrix_gflops"]["fp32"]

    assert [rate(False), rate(False), rate(True)] == [10.0, 10.0, 10.0]
    assert rate(False, "590") == 20.0  # another driver is measured anew
    for path in tmp_path.glob("*.json"):
        path.write_text("{")
    runs = iter([7.0])
    assert rate(False) == 7.0
