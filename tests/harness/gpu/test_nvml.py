"""NVML through a stand-in for `pynvml`: what is asked, what is absent, what is said against a timing."""

import sys
import types
from types import SimpleNamespace

import pytest

from kernelwright.harness.gpu import nvml
from kernelwright.harness.gpu.nvml import Look, Nvml, energy_a_call, others_of, warnings


class NVMLError(Exception):
    pass


def fake(monkeypatch: pytest.MonkeyPatch, **changes: object) -> types.ModuleType:
    """A module with the functions that we call; `changes` replace some, an exception raises."""
    module = types.ModuleType("pynvml")
    answers: dict[str, object] = {
        "nvmlInit": None,
        "nvmlShutdown": None,
        "nvmlDeviceGetHandleByIndex": "handle",
        "nvmlDeviceGetHandleByUUID": "handle",
        "nvmlSystemGetDriverVersion": "580.65.06",
        "nvmlDeviceGetClockInfo": 1980,
        "nvmlDeviceGetMaxClockInfo": 1980,
        "nvmlDeviceGetPowerUsage": 312_000,
        "nvmlDeviceGetTemperature": 41,
        "nvmlDeviceGetCurrentClocksEventReasons": 0x4 | 0x1,
        "nvmlDeviceGetTotalEnergyConsumption": 5_000_000,
        "nvmlDeviceGetComputeRunningProcesses": [SimpleNamespace(pid=7), SimpleNamespace(pid=9)],
        **changes,
    }
    module.NVMLError = NVMLError  # type: ignore[attr-defined]

    def function(answer: object):
        def call(*_: object) -> object:
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call

    for name, answer in answers.items():
        setattr(module, name, function(answer))
    monkeypatch.setitem(sys.modules, "pynvml", module)
    return module


def test_a_look_in_units_that_its_fields_name(monkeypatch: pytest.MonkeyPatch):
    fake(monkeypatch)
    look = Nvml(0).look(own=[7])
    assert (look.sm_mhz, look.power_w, look.temperature_c) == (1980, 312.0, 41)
    assert look.energy_j == 5000.0
    assert look.slowed == ("power cap",)
    assert look.others == 1
    assert look.absent == {}


def test_what_a_device_does_not_tell_is_absent_with_its_reason(monkeypatch: pytest.MonkeyPatch):
    refused = NVMLError("Not Supported")
    fake(monkeypatch, nvmlDeviceGetTotalEnergyConsumption=refused, nvmlDeviceGetPowerUsage=refused)
    look = Nvml("0b1c").look()
    assert look.energy_j is None and look.power_w is None
    assert look.absent["energy_j"] == "NVML: Not Supported"
    counter = energy_a_call(look, look, 10)
    assert counter.value is None and counter.reason == "NVML: Not Supported"
    values = nvml.counters(look, "sm_90").values
    assert values["power_w"].reason == "NVML: Not Supported"
    assert values["slowed"].value == "power cap"


def test_no_package_and_no_driver_are_one_line(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(LookupError, match="pip install nvidia-ml-py"):
        Nvml()
    assert nvml.identity().absent["driver"] == nvml.NO_PACKAGE
    fake(monkeypatch, nvmlInit=NVMLError("Driver Not Loaded"))
    assert nvml.identity().absent["clocks"] == "NVML: Driver Not Loaded"


def test_identity(monkeypatch: pytest.MonkeyPatch):
    fake(monkeypatch, nvmlSystemGetDriverVersion=b"580.65.06")
    told = nvml.identity("GPU-1")
    assert told.driver == "580.65.06"
    assert told.clocks_mhz == {"sm": 1980, "memory": 1980}


@pytest.mark.parametrize(
    ("pids", "own", "others"),
    [([], {1}, 0), ([1], {1}, 0), ([1, 5], {1}, 1), ([5, 6], {1}, 1), ([5], {1, 2}, None)],
)
def test_processes_of_others(pids: list[int], own: set[int], others: int | None):
    assert others_of(pids, own) == others


def test_what_is_said_against_a_timing():
    quiet = [
        Look(0.0, sm_mhz=1980, slowed=(), others=0),
        Look(1.0, sm_mhz=1950, slowed=(), others=0),
    ]
    assert warnings(quiet) == ()
    loud = [Look(0.0, sm_mhz=1980), Look(1.0, sm_mhz=1400, slowed=("power cap",), others=2)]
    assert [f.code for f in warnings(loud)] == ["gpu_throttled", "gpu_tenants", "gpu_clocks_moved"]
    assert {f.severity for f in warnings(loud)} == {"warning"}


def test_energy_of_a_call():
    first, last = Look(0.0, energy_j=100.0), Look(2.0, energy_j=600.0)
    assert energy_a_call(first, last, 1000).value == 0.5
    assert "too short" in energy_a_call(first, Look(0.1, energy_j=101.0), 3).reason
    assert energy_a_call(first, last, 0).reason == "no call was made"


def test_a_watch_says_what_it_saw_or_why_it_saw_nothing(monkeypatch: pytest.MonkeyPatch):
    fake(monkeypatch)
    watch = nvml.Watch()
    watch.look(own=[7, 9])
    assert [f.code for f in watch.findings()] == ["gpu_throttled"]
    watch.begin()
    assert watch.findings() == ()
    monkeypatch.setitem(sys.modules, "pynvml", None)
    (note,) = nvml.Watch().findings()
    assert (note.code, note.severity) == ("gpu_unwatched", "note")
