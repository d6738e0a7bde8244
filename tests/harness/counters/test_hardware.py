"""Events of the processor: those of the kernel's own stand in for them, which every machine has."""

import errno
import os
import time

import pytest

from kernelwright.harness.counters import hardware
from kernelwright.harness.counters.hardware import HARDWARE, Events, of_one_call

SOFTWARE = {"task_clock": (1, 1, "ns"), "page_faults": (1, 2, "faults")}


def available() -> bool:
    with Events(0, SOFTWARE) as events:
        return not events.absent


def work(times: int) -> None:
    end = time.thread_time() + 0.004 * times
    while time.thread_time() < end:
        pass


@pytest.mark.skipif(not available(), reason="perf_event_open is forbidden here")
def test_the_time_of_one_call_without_what_is_around_it():
    def run(calls: int) -> None:
        work(5)  # what is done once a leg
        work(calls)

    with Events(os.getpid(), SOFTWARE) as events:
        kernel = of_one_call(events, run, 1, 9)
    assert kernel.launches == 1
    assert 2e6 < float(kernel.values["task_clock"].value or 0) < 2e7
    assert kernel.values["page_faults"].unit == "faults"


def test_shares_of_what_was_counted(monkeypatch: pytest.MonkeyPatch):
    figures = iter([dict.fromkeys(HARDWARE, 100.0), dict.fromkeys(HARDWARE, 900.0)])
    with Events(0, {}) as events:
        events.units = {name: unit for name, (_, _, unit) in HARDWARE.items()}
        monkeypatch.setattr(events, "during", lambda run: next(figures))
        kernel = of_one_call(events, lambda n: None, 1, 9)
    assert kernel.values["cycles"].value == 100
    assert kernel.values["instructions_per_cycle"].value == 1.0
    assert kernel.values["branch_miss_share"].unit == "share"


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOENT, "virtual machine"),
        (errno.EACCES, "perf_event_paranoid"),
        (errno.ENOSYS, "no perf_event_open"),
        (errno.EBUSY, "perf_event_open: "),
    ],
)
def test_what_cannot_be_had_says_why(monkeypatch: pytest.MonkeyPatch, number: int, says: str):
    def refused(*_: int) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(hardware, "_opened", refused)
    assert says in (hardware.unavailable() or "")
    with Events(0) as events:
        kernel = of_one_call(events, lambda n: None, 1, 2)
    assert all(says in counter.reason for counter in kernel.values.values())
