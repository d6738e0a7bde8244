"""Nsight Compute through a stand-in: what is asked of it, what is read, what happens without it."""

import sys
from pathlib import Path

import pytest
import torch

from kernelwright.harness.counters.counters import Counters
from kernelwright.harness.gpu import ncu_csv, nsight
from kernelwright.harness.gpu.tool_room import Done, Subject, ToolRoom, furnish, plain
from kernelwright.harness.oracle import Case

HEAD = (
    '"ID","Process ID","Process Name","Host Name","Kernel Name","Context","Stream","Block Size",'
    '"Grid Size","Device","CC","Section Name","Metric Name","Metric Unit","Metric Value"'
)


def row(number: int, kernel: str, metric: str, unit: str, value: str) -> str:
    start = f'"{number}","77","python3","127.0.0.1","{kernel}","1","7","(256, 1, 1)","(64, 1, 1)","0","9.0"'
    return f'{start},"Command line profiler metrics","{metric}","{unit}","{value}"'


PRINTED = "\n".join(
    [
        "==PROF== Connected to process 77 (/usr/bin/python3.11)",
        '==PROF== Profiling "softmax" - 0: 0%....50%....100% - 4 passes',
        "a line of the candidate's",
        HEAD,
        row(0, "softmax", "gpu__time_duration.sum", "nsecond", "30,000"),
        row(0, "softmax", "dram__bytes_read.sum", "byte", "1,048,576"),
        row(0, "softmax", "dram__throughput.avg.pct_of_peak_sustained_elapsed", "%", "71.25"),
        row(1, "softmax", "gpu__time_duration.sum", "nsecond", "30,000"),
        row(1, "softmax", "dram__bytes_read.sum", "byte", "1,048,577"),
        row(2, "void at::fill<float>(int, float*)", "gpu__time_duration.sum", "usecond", "40"),
        row(2, "void at::fill<float>(int, float*)", "dram__bytes_read.sum", "byte", "n/a"),
        "==PROF== Disconnected from process 77",
    ]
)
LISTED = """Device NVIDIA H100 80GB HBM3 (GH100)
----------------------  ------------  -----------  --------------------
dram__bytes_read        Counter       byte         # of bytes read from DRAM
dram__throughput        Throughput    %            DRAM throughput
sm__cycles_active       Counter       cycle        # of cycles with at least one warp
"""


def room(tmp_path: Path, **answers: Done) -> tuple[ToolRoom, list[list[str]]]:
    """A room whose commands are answered: `query`, `profile`, `times`."""
    asked: list[list[str]] = []

    def run(argv: list[str], seconds: float, environment: dict[str, str]) -> Done:
        asked.append(list(argv))
        if "--query-metrics" in argv:
            return answers.get("query", Done(0, LISTED))
        if "--csv" in argv:
            return answers.get("profile", Done(0, PRINTED))
        if "times" in answers:
            Path(environment["KERNELWRIGHT_TIMES"]).write_text(answers["times"].text)
        return Done(0 if "times" in answers else 1, "RuntimeError: no GPU")

    return ToolRoom(tmp_path, run), asked


def own(kernel: str) -> bool:
    return kernel == "softmax"


def test_each_launch_of_one_call_with_its_share(tmp_path: Path):
    given, asked = room(tmp_path)
    found = nsight.collect(given, "sm_90", own, "ncu")
    assert [(k.kernel, k.launches, k.time_share) for k in found.kernels] == [
        ("softmax", 2, pytest.approx(0.6)),
        ("void at::fill<float>(int, float*)", 1, pytest.approx(0.4)),
    ]
    first = found.kernels[0]
    assert first.grid == (64, 1, 1)
    assert first.values["code"].value == "the candidate's"
    assert first.values["time"].value == pytest.approx(60e-6)
    assert first.values["dram__bytes_read.sum"].value == 1_048_576
    assert first.values["dram__throughput.avg.pct_of_peak_sustained_elapsed"].unit == "%"
    assert "--clock-control none" in " ".join(asked[1])
    assert asked[1][-len(given.command) :] == given.command
    assert Counters.from_json(found.to_json()) == found


def test_what_the_device_lacks_is_missing_by_its_name(tmp_path: Path):
    found = nsight.collect(room(tmp_path)[0], "sm_90", own, "ncu")
    values = found.kernels[0].values
    assert "lists no such metric" in values["lts__t_sector_hit_rate.pct"].reason
    assert values["sm__cycles_active.avg"].reason == "ncu gave no value"
    assert set(nsight.METRICS) <= set(values)
    assert "no " in "\n".join(found.lines()) and "lts__t_sector_hit_rate.pct" in "\n".join(
        found.lines()
    )


def test_a_metric_that_ncu_does_not_find_after_all_is_left_out(tmp_path: Path):
    answers = [
        Done(1, "==ERROR== Failed to find metric sm__cycles_active.avg\n"),
        Done(0, PRINTED),
    ]
    given = room(tmp_path)[0]

    def run(argv: list[str], seconds: float, environment: dict[str, str]) -> Done:
        return answers.pop(0) if "--csv" in argv else given.run(argv, seconds, environment)

    found = nsight.collect(ToolRoom(tmp_path, run), "sm_90", own, "ncu")
    assert "does not find it" in found.kernels[0].values["sm__cycles_active.avg"].reason


@pytest.mark.parametrize(
    ("done", "reason"),
    [
        (Done(1, "==ERROR== ERR_NVGPUCTRPERM - The user does not have permission"), "NVreg_Restrict"),
        (Done(None, ""), "too long"),
        (Done(9, "==ERROR== The application returned an error code (1)."), "status 9: The application"),
        (Done(0, "==WARNING== No kernels were profiled.\n"), "profiled no kernel"),
        (Done(0, "nothing"), "no table"),
    ],
)  # fmt: skip
def test_without_counters_it_is_the_times_of_kernels(tmp_path: Path, done: Done, reason: str):
    times = (
        '[{"name": "softmax", "us": 30}, {"name": "fill", "us": 10}, {"name": "softmax", "us": 40}]'
    )
    given, _ = room(tmp_path, profile=done, times=Done(0, times))
    found = nsight.collect(given, "sm_90", own, "ncu")
    assert reason in found.missing["Nsight Compute"]
    assert [(k.kernel, k.launches, k.time_share) for k in found.kernels] == [
        ("softmax", 2, 0.875),
        ("fill", 1, 0.125),
    ]
    assert found.kernels[0].values["time"].value == pytest.approx(70e-6)


def test_without_anything_the_reasons_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(nsight, "tool", lambda: None)
    found = nsight.collect(room(tmp_path)[0], "sm_90", own)
    assert found.kernels == ()
    assert "put it on the PATH" in found.missing["Nsight Compute"]
    assert "no GPU" in found.missing["times of kernels"]
    given, _ = room(tmp_path, times=Done(0, '{"name": 1}'))
    assert "can be read" in nsight.collect(given, "sm_90", own).missing["times of kernels"]


def test_the_other_form_of_the_table():
    text = '"ID","Kernel Name","Grid Size","dram__bytes.sum.per_second","launch__registers_per_thread"\n'
    text += '"","","","Gbyte/second","register/thread"\n"0","k","(3, 2, 1)","1.5","40"\n'
    (launch,) = ncu_csv.launches(text)
    assert launch.grid == (3, 2, 1)
    assert launch.metrics["dram__bytes.sum.per_second"] == (1.5e9, "byte/s")
    assert launch.metrics["launch__registers_per_thread"] == (40.0, "register/thread")


CANDIDATE = """
import torch
from kernelwright.inline import cpp

class ModelNew(torch.nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(size))

    def forward(self, x):
        print("weight", self.weight.tolist())
        return x * self.weight
"""


def test_the_judged_source_itself_is_run_with_its_state(tmp_path: Path):
    case = Case("own", (torch.ones(2, 3),), (), (), "fp32")
    subject = Subject(CANDIDATE, ([3], {}), {"weight": torch.tensor([1.0, 2.0, 3.0])}, case)
    furnish(tmp_path, subject)
    assert (tmp_path / "candidate.py").read_text() == CANDIDATE
    fake = tmp_path / "ncu"
    fake.write_text(FAKE)
    fake.chmod(0o755)
    given = ToolRoom(tmp_path, plain(tmp_path), device="cpu")
    log = tmp_path / "ncu.csv"
    argv = nsight.command(str(fake), log, ["dram__bytes_read.sum"], given.command)
    done = given.run(argv, 60, {})
    assert done.status == 0, done.text
    assert "weight [1.0, 2.0, 3.0]" in done.text
    assert ncu_csv.launches(nsight.text_of(log))[0].metrics == {
        "dram__bytes_read.sum": (7.0, "byte")
    }


FAKE = f"""#!{sys.executable}
import subprocess, sys
metric = sys.argv[sys.argv.index("--metrics") + 1]
program = sys.argv[sys.argv.index("--metrics") + 2:]
sys.stdout.flush()
status = subprocess.run(program).returncode
with open(sys.argv[sys.argv.index("--log-file") + 1], "w") as log:
    print('"ID","Kernel Name","Metric Name","Metric Unit","Metric Value"', file=log)
    print(f'"0","k","{{metric}}","byte","7"', file=log)
sys.exit(status)
"""
"""Runs the program that it is given, and says one metric."""
