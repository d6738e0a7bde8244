"""Processor time of others, from counters that are made up here."""

import os
from pathlib import Path

import pytest

from kernelwright.harness import tenants
from kernelwright.harness.tenants import Snapshot, cores_of_others, snapshot


def test_what_is_left_when_our_own_is_taken_off():
    before = Snapshot(clock=100.0, busy=50.0, own=10.0)
    assert cores_of_others(before, Snapshot(102.0, 55.0, 12.0)) == pytest.approx(1.5)
    assert cores_of_others(before, Snapshot(102.0, 54.0, 14.0)) == 0.0
    assert cores_of_others(before, Snapshot(102.0, 50.0, 12.0)) == 0.0  # ticks are coarse


def test_unknown_stays_unknown():
    known = Snapshot(1.0, 1.0, 1.0)
    assert cores_of_others(None, known) is None
    assert cores_of_others(known, None) is None
    assert cores_of_others(known, known) is None


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="no /proc/stat")
def test_our_own_work_is_not_somebody_elses():
    first = snapshot([])
    total = sum(range(3_000_000))
    second = snapshot([])
    assert first is not None and second is not None and total > 0
    assert second.own > first.own and second.clock > first.clock and second.busy >= first.busy
    with_a_worker = snapshot([os.getpid()])
    assert with_a_worker is not None and with_a_worker.own > second.own


def test_a_worker_that_is_gone_counts_for_nothing():
    assert tenants._seconds(2**22 + 1) == 0.0
