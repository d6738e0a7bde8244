"""A candidate counted under tools in a cage; here on the processor, with torch's profiler."""

import time
from pathlib import Path

import pytest
import torch

from kernelwright.harness.counters.counters import Counter, Counters, KernelCounters
from kernelwright.harness.gpu import compute_sanitizer, counting, energy, nsight, nvml
from kernelwright.harness.gpu.device import Needs
from kernelwright.harness.gpu.tool_room import Done, Subject, ToolRoom, caged, furnish, plain
from kernelwright.harness.nursery import Nursery
from kernelwright.harness.oracle import Case

CANDIDATE = """
import torch
from kernelwright.inline import cpp

lib = cpp(r'''
extern "C" void twice(const float* x, float* y, long n) { for (long i = 0; i < n; i++) y[i] = 2 * x[i]; }
''')

class ModelNew(torch.nn.Module):
    def forward(self, x):
        try:
            open("/etc/hostname").read()
            print("not caged")
        except OSError:
            pass
        y = torch.empty_like(x)
        lib.twice(x, y, x.numel())
        return torch.tanh(y)
"""


@pytest.mark.slow
def test_a_candidate_runs_in_a_cage_with_what_it_imports():
    case = Case("own", (torch.ones(4),), (), (), "fp32")
    with Nursery(threads=1) as nursery:
        folder, run = caged(nursery, Needs(), "/usr/bin/env")
        furnish(folder, Subject(CANDIDATE, ([], {}), {}, case))
        room = ToolRoom(folder, run, device="cpu")
        done = run(room.command, 60, {})
        assert done.status == 0, done.text
        assert "not caged" not in done.text
        names = [k.kernel for k in nsight.timed(room, "cpu", lambda name: False)]
    assert "aten::tanh" in names


def test_machine_code_that_was_left_is_counted_with_its_kernel(tmp_path: Path):
    found = Counters(
        (KernelCounters("void k<4>(float*)", "sm_90", {}),), {"Nsight Compute": "none"}
    )
    (tmp_path / "cache" / "inline").mkdir(parents=True)
    (tmp_path / "cache" / "inline" / "a.cubin").write_bytes(b"\x7fELF no cubin")
    (tmp_path / "cache" / "b.cubin").symlink_to("/etc/passwd")
    left = counting.with_code(found, tmp_path)
    assert left.kernels == found.kernels
    assert "neither NVRTC nor Triton" in left.missing["compiled counters"]


def test_counters_of_the_code_join_those_of_the_launch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    code = KernelCounters(
        "k",
        "sm_90",
        {
            "registers_per_thread": Counter(40, "registers", "cubin"),
            "occupancy": Counter(None, "share", "table", "not known"),
        },
    )
    monkeypatch.setattr(counting.compiled, "compiled", lambda data: (code,))
    (tmp_path / "triton").mkdir()
    (tmp_path / "triton" / "k.cubin").write_bytes(b"x")
    launched = KernelCounters("void k<4>(float*)", "sm_90", {"time": Counter(1.0, "s", "ncu")}, 1)
    (kernel,) = counting.with_code(Counters((launched,)), tmp_path).kernels
    assert {n: c.value for n, c in kernel.values.items()} == {
        "time": 1.0,
        "registers_per_thread": 40,
    }
    assert counting.with_code(Counters(), tmp_path).kernels == (code,)


def test_without_the_sanitizer_it_is_a_note(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(compute_sanitizer, "tool", lambda: None)
    (note,) = counting.sanitized(None, None, None, Needs())  # type: ignore[arg-type]
    assert (note.code, note.severity) == ("not_sanitized", "note")


class FakeNvml:
    """A device that draws 100 W."""

    def look(self) -> nvml.Look:
        now = time.monotonic()
        return nvml.Look(now, energy_j=100.0 * now)


def test_energy_of_a_call_in_a_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(energy, "LOOP_SECONDS", 0.7)
    source = "import time, torch\nclass ModelNew(torch.nn.Module):\n"
    source += "    def forward(self, x):\n        time.sleep(0.001)\n        return x\n"
    furnish(tmp_path, Subject(source, ([], {}), {}, Case("own", (torch.ones(4),), (), (), "fp32")))
    room = ToolRoom(tmp_path, plain(tmp_path), device="cpu")
    joules = energy.of_one_call(room, FakeNvml())  # type: ignore[arg-type]
    assert joules.reason == ""
    assert 0.05 < float(joules.value or 0) < 5.0  # a call takes a millisecond or more
    dead = ToolRoom(tmp_path, lambda *_: Done(1, "ValueError: no model"))
    assert "no model" in energy.of_one_call(dead, FakeNvml()).reason  # type: ignore[arg-type]


def test_without_a_cage_no_key_is_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    said = plain(tmp_path)(["/usr/bin/env"], 10, {"MORE": "this"}).text
    assert "secret" not in said
    assert "CUDA_VISIBLE_DEVICES=1" in said and "MORE=this" in said
