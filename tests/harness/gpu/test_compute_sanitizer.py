"""compute-sanitizer: reports as findings with code, kernel and line; what it did not look at is a note."""

import sys
from pathlib import Path

import pytest

from kernelwright.harness.gpu import compute_sanitizer
from kernelwright.harness.gpu.compute_sanitizer import inspect, judged, reports
from kernelwright.harness.gpu.tool_room import Done, ToolRoom, plain

OUT_OF_BOUNDS = """========= COMPUTE-SANITIZER
========= Invalid __global__ write of size 4 bytes
=========     at scale(const float *, float *, int)+0x130 in candidate.cu:8
=========     by thread (64,0,0) in block (2,0,0)
=========     Access at 0x7f8a01200000 is out of bounds
=========     and is 1 bytes after the nearest allocation at 0x7f8a01000000 of size 2097152 bytes
=========
========= Invalid __global__ write of size 4 bytes
=========     at scale(const float *, float *, int)+0x130 in candidate.cu:8
=========     by thread (65,0,0) in block (2,0,0)
=========     Access at 0x7f8a01200004 is out of bounds
=========
========= ERROR SUMMARY: 2 errors
"""
MISALIGNED = """========= COMPUTE-SANITIZER
========= Invalid __shared__ read of size 16 bytes
=========     at 0x380 in scale(float *)
=========     by thread (1,0,0) in block (0,0,0)
=========     Access to 0x41 is misaligned
========= ERROR SUMMARY: 1 error
"""
RACE = """========= COMPUTE-SANITIZER
========= Error: Race reported between Write access at scale(int *, int *)+0x90 in candidate.cu:12
=========     and Read access at scale(int *, int *)+0x100 in candidate.cu:14 [508 hazards]
=========
========= RACECHECK SUMMARY: 1 hazard displayed (1 error, 0 warnings)
"""
UNSET = """========= COMPUTE-SANITIZER
========= Uninitialized __global__ memory read of size 4 bytes
=========     at scale(int *)+0x70 in candidate.cu:5
=========     by thread (31,0,0) in block (1,0,0)
=========     Access at 0x7f3c7ec000fc
========= ERROR SUMMARY: 1 error
"""
BARRIER = """========= COMPUTE-SANITIZER
========= Barrier error detected. Invalid arguments.
=========     at __syncwarp(unsigned int)+0xe0 in sm_30_intrinsics.hpp:110
=========     by thread (16,0,0) in block (0,0,0)
=========         Device Frame: scale(float *, unsigned long)+0xb0 in candidate.cu:9
========= ERROR SUMMARY: 17 errors
"""
CLEAN = "========= COMPUTE-SANITIZER\n========= ERROR SUMMARY: 0 errors\n"
LIBRARY = UNSET.replace("scale(int *)", "void at::native::reduce_kernel<(int)512>(float *)")


def own(kernel: str) -> bool:
    return kernel == "scale"


@pytest.mark.parametrize(
    ("tool", "log", "code", "lines", "says"),
    [
        ("memcheck", OUT_OF_BOUNDS, "out_of_bounds", (8,), "write of 4 bytes in global memory"),
        (
            "memcheck",
            MISALIGNED,
            "misaligned",
            (),
            "read of 16 bytes in shared memory is misaligned",
        ),
        ("racecheck", RACE, "race", (12, 14), "a write and a read"),
        ("initcheck", UNSET, "uninitialised_memory", (5,), "read before anybody wrote it"),
        ("synccheck", BARRIER, "barrier_divergence", (9,), "Invalid arguments"),
    ],
)
def test_a_report_is_a_finding_with_kernel_and_line(tool, log, code, lines, says):
    (finding,) = judged(tool, log, Done(86, ""), own)
    assert (finding.code, finding.severity) == (code, "error")
    assert finding.detail == {"tool": tool, "kernel": "scale", "lines": list(lines)}
    assert says in finding.message
    assert all(f"CUDA line {line}" in finding.message for line in lines)


def test_thousands_of_threads_are_one_finding():
    assert len(reports("memcheck", OUT_OF_BOUNDS)) == 2
    (finding,) = judged("memcheck", OUT_OF_BOUNDS, Done(86, ""), own)
    assert "(thread 64,0,0 of block 2,0,0)" in finding.message


def test_calls_of_libraries_that_fail_are_none_of_our_business():
    log = '========= Program hit cudaErrorNotSupported (error 801) due to "not" on CUDA API call\n'
    (note,) = judged("memcheck", log + "========= ERROR SUMMARY: 1 error\n", Done(86, ""), own)
    assert note.severity == "note"
    ended = judged(
        "memcheck", (log + CLEAN).replace("NotSupported", "IllegalAddress"), Done(86, ""), own
    )
    assert [f.code for f in ended] == ["device_exception"]


def test_a_hazard_that_is_only_a_warning_rejects_nothing():
    (finding,) = judged("racecheck", RACE.replace("Error: Race", "Warning: Race"), Done(0, ""), own)
    assert finding.severity == "warning"


def test_kernels_of_libraries_are_no_fault_of_the_candidate():
    (finding,) = judged("initcheck", LIBRARY, Done(86, ""), own)
    assert (finding.code, finding.severity) == ("not_sanitized", "note")
    assert "at::native::reduce_kernel" in finding.message


@pytest.mark.parametrize(
    ("log", "done", "says"),
    [
        ("", Done(1, "Traceback\nImportError: no torch"), "no summary: ImportError"),
        ("", Done(None, ""), "took more than"),
        ("========= Error: Target device not supported\n", Done(1, ""), "not supported"),
        (CLEAN, Done(1, "RuntimeError: no GPU"), "status 1: RuntimeError"),
        (
            "========= Error: it terminated\n========= more\n",
            Done(255, ""),
            "summary: Error: it term",
        ),
    ],
)
def test_what_was_not_looked_at_is_a_note(log: str, done: Done, says: str):
    (finding,) = judged("memcheck", log, done, own)
    assert (finding.code, finding.severity) == ("not_sanitized", "note")
    assert says in finding.message


def test_without_the_tool_the_reason_is_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(compute_sanitizer, "tool", lambda: None)
    (finding,) = inspect(ToolRoom(tmp_path, plain(tmp_path)), own)
    assert finding.code == "not_sanitized" and "CUDA toolkit" in finding.message


def test_every_tool_runs_until_one_finds_something(tmp_path: Path):
    fake = tmp_path / "compute-sanitizer"
    fake.write_text(
        f"#!{sys.executable}\nimport os, sys\n"
        "tool = sys.argv[sys.argv.index('--tool') + 1]\n"
        "log = sys.argv[sys.argv.index('--log-file') + 1]\n"
        f"logs = {{'initcheck': {UNSET!r}}}\n"
        f"open(log, 'w').write(logs.get(tool, {CLEAN!r}))\n"
        "open('ran', 'a').write(tool + os.environ['PYTORCH_NO_CUDA_MEMORY_CACHING'] + ' ')\n"
        "sys.exit(86 * (tool in logs))\n"
    )
    fake.chmod(0o755)
    (finding,) = inspect(ToolRoom(tmp_path, plain(tmp_path)), own, str(fake))
    assert finding.code == "uninitialised_memory"
    assert (tmp_path / "ran").read_text() == "memcheck1 racecheck1 initcheck1 "
