"""Nsight Compute over exactly the candidate that is judged: the counters of each launch of one warm call.

First `ncu --query-metrics` is asked what the device has; what is not there is missing by its name. Clocks
are left alone. Only what lies between cudaProfilerStart and cudaProfilerStop (`once.py`) is profiled. Without
ncu, without permission or in too long a time torch's profiler tells the kernels and their times, and the
reason stands under `missing`. What ncu writes goes to a file, away from what the candidate prints; it is a
claim all the same. Metrics: CudaForge, arXiv 2511.01884, table 8, and five for Hopper.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from kernelwright.harness.counters.counters import Counter, Counters, KernelCounters
from kernelwright.harness.fault import plain
from kernelwright.harness.gpu.ncu_csv import Launch, launches
from kernelwright.harness.gpu.tool_room import Done, ToolRoom

_ACTIVE, _ELAPSED = "pct_of_peak_sustained_active", "pct_of_peak_sustained_elapsed"
METRICS = (
    f"dram__throughput.avg.{_ELAPSED}",
    f"gpu__dram_throughput.avg.{_ELAPSED}",
    f"sm__throughput.avg.{_ELAPSED}",
    f"gpu__compute_memory_throughput.avg.{_ELAPSED}",
    f"sm__warps_active.avg.{_ACTIVE}",
    f"sm__inst_executed_pipe_tensor.avg.{_ACTIVE}",
    f"sm__pipe_tensor_cycles_active.avg.{_ELAPSED}",
    f"sm__inst_executed_pipe_fp32.avg.{_ACTIVE}",
    "dram__bytes_read.sum",
    "dram__bytes_write.sum",
    "dram__bytes.sum.per_second",
    "l1tex__t_sector_hit_rate.pct",
    f"l1tex__throughput.avg.{_ACTIVE}",
    "lts__t_sector_hit_rate.pct",
    f"lts__throughput.avg.{_ACTIVE}",
    "smsp__warp_issue_stalled_memory_dependency_per_warp_active.pct",
    "smsp__warp_issue_stalled_short_scoreboard_per_warp_active.pct",
    "smsp__warp_issue_stalled_long_scoreboard_per_warp_active.pct",
    "smsp__warp_issue_stalled_barrier_per_warp_active.pct",
    "smsp__warp_issue_stalled_branch_resolving_per_warp_active.pct",
    "smsp__sass_average_branch_targets_threads_uniform.pct",
    "smsp__sass_average_data_bytes_per_sector_mem_global_op_ld.pct",
    "sm__cycles_active.avg",
    "sm__inst_executed.sum",
    "launch__registers_per_thread",
    "launch__shared_mem_per_block_allocated",
    "launch__occupancy_limit_blocks",
    "launch__occupancy_limit_registers",
    "launch__occupancy_limit_shared_mem",
)
TIME = "gpu__time_duration.sum"
_UNLISTED = ("launch__", "smsp__sass_")
"""Beginnings of names that may be collected although the list of metrics leaves them out."""
SECONDS, _QUERY_SECONDS = 240.0, 60.0
_MOST_LAUNCHES, _MOST_KERNELS = 256, 24
_LARGEST_LOG = 64 << 20
_LISTED = re.compile(r"^([a-z0-9]+__\w+)\s", re.M)
_UNKNOWN = re.compile(r"Failed to find metric[s]? (?:regex )?['\"]?([\w.]+)")
_SOURCE = "Nsight Compute"
NO_NCU = (
    "no ncu here: install Nsight Compute (it comes with the CUDA toolkit) and put it on the PATH"
)
NO_PERMISSION = (
    "no permission for counters (ERR_NVGPUCTRPERM): run as root, or load the driver with"
    " NVreg_RestrictProfilingToAdminUsers=0"
)
Own = Callable[[str], bool]
"""Whether a kernel of that name is the candidate's own."""


def tool() -> str | None:
    """Where ncu is: on the PATH, or in a toolkit."""
    homes = [os.environ[name] for name in ("CUDA_HOME", "CUDA_PATH") if os.environ.get(name)]
    folders = [f"{home}/bin" for home in [*homes, "/usr/local/cuda"]]
    return shutil.which("ncu") or shutil.which("ncu", path=os.pathsep.join(folders))


def collect(room: ToolRoom, device: str, own: Own, ncu: str | None = None) -> Counters:
    """Counters of each kernel that one call runs; by torch's profiler where ncu gives none. Raises nothing.

    `device`: the capability, `sm_90`, under which they stand.
    """
    ncu = ncu or tool()
    reason = NO_NCU
    if ncu is not None:
        try:
            return _profiled(room, ncu, device, own)
        except ValueError as error:
            reason = str(error)
    missing = {_SOURCE: reason}
    try:
        return Counters(timed(room, device, own), missing)
    except ValueError as error:
        return Counters((), {**missing, "times of kernels": str(error)})


def _profiled(room: ToolRoom, ncu: str, device: str, own: Own) -> Counters:
    wanted, absent = available(room, ncu)
    for _ in range(3):
        log = room.folder / "ncu.csv"
        log.unlink(missing_ok=True)
        done = room.run(command(ncu, log, [TIME, *wanted], room.command), SECONDS, {})
        done = Done(done.status, f"{text_of(log)}\n{done.text}")
        unknown = {name for name in _UNKNOWN.findall(done.text) if name in wanted}
        if not unknown:
            break
        wanted = [name for name in wanted if name not in unknown]
        absent |= dict.fromkeys(unknown, "ncu does not find it on this device")
    refused = refusal(done)
    if refused:
        raise ValueError(refused)
    found = launches(done.text)
    if not found:
        raise ValueError("the call launched nothing that ncu saw")
    order = [name for name in METRICS if name in wanted]
    return Counters(tuple(_kernels(found, order, absent, device, own)))


def available(room: ToolRoom, ncu: str) -> tuple[list[str], dict[str, str]]:
    """Which metrics this device has, and why the others are missing. Raises ValueError."""
    done = room.run([ncu, "--query-metrics"], _QUERY_SECONDS, {})
    listed = set(_LISTED.findall(done.text))
    refused = refusal(done)
    if refused or not listed:
        raise ValueError(refused or f"ncu listed no metrics: {_last(done.text)}")
    there = [m for m in METRICS if m.split(".")[0] in listed or m.startswith(_UNLISTED)]
    reason = "ncu lists no such metric for this device"
    return there, {m: reason for m in METRICS if m not in there}


def command(ncu: str, log: Path, metrics: Sequence[str], program: Sequence[str]) -> list[str]:
    """Of one call of the program; what ncu says goes to `log`."""
    return [
        ncu, "--csv", "--log-file", str(log), "--page", "details", "--print-units", "base",
        "--profile-from-start", "off", "--clock-control", "none",
        "--target-processes", "application-only", "--launch-count", str(_MOST_LAUNCHES),
        "--metrics", ",".join(metrics), *program,
    ]  # fmt: skip


def refusal(done: Done) -> str | None:
    """Why ncu profiled nothing, in one line; None where it did."""
    if "ERR_NVGPUCTRPERM" in done.text:
        return NO_PERMISSION
    if done.status is None:
        return f"ncu took too long or could not be run: {_last(done.text)}"
    if done.status != 0:
        errors = [line for line in done.text.splitlines() if line.startswith("==ERROR==")]
        said = errors[0].removeprefix("==ERROR==").strip() if errors else _last(done.text)
        return f"ncu ended with status {done.status}: {plain(said)[:300]}"
    if "No kernels were profiled" in done.text:
        return "ncu profiled no kernel: the call launches none, or none that it can see"
    return None


def timed(room: ToolRoom, device: str, own: Own) -> tuple[KernelCounters, ...]:
    """Kernels with their times, by torch's profiler. Raises ValueError."""
    path = room.folder / "times.json"
    done = room.run(room.command, SECONDS, {"KERNELWRIGHT_TIMES": str(path)})
    if done.status != 0:
        raise ValueError(f"torch's profiler: {_last(done.text)}")
    try:
        told = [(plain(str(e["name"]))[:200], float(str(e["us"])) * 1e-6) for e in _json(path)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"torch's profiler left nothing that can be read: {error}") from None
    if not told:
        raise ValueError("torch's profiler saw nothing on the device")
    whole = sum(seconds for _, seconds in told) or 1.0
    names = dict.fromkeys(name for name, _ in told)
    found = []
    for name in names:
        taken = [seconds for other, seconds in told if other == name]
        values = {"time": Counter(sum(taken), "s", "torch.profiler"), **_whose(name, own)}
        share = sum(taken) / whole
        found.append(KernelCounters(name, device, values, len(taken), time_share=share))
    return tuple(sorted(found, key=lambda k: -(k.time_share or 0))[:_MOST_KERNELS])


def _kernels(
    found: Iterable[Launch], order: Sequence[str], absent: dict[str, str], device: str, own: Own
) -> list[KernelCounters]:
    """Launches that are alike make one entry, with the counters of the slowest; the slowest entry first."""
    alike: dict[tuple[str, tuple[int, ...], tuple[int, ...]], list[Launch]] = {}
    for launch in found:
        alike.setdefault((launch.kernel, launch.grid, launch.block), []).append(launch)
    whole = sum(_seconds(launch) for same in alike.values() for launch in same)
    kernels = []
    for (name, grid, _), same in alike.items():
        slowest = max(same, key=_seconds)
        taken = sum(map(_seconds, same))
        values = {"time": _time(taken), **_whose(name, own)}
        values |= {m: _counter(slowest, m) for m in order}
        values |= {m: Counter(None, "", _SOURCE, reason) for m, reason in absent.items()}
        share = taken / whole if whole else None
        kernels.append(KernelCounters(name, device, values, len(same), grid or None, share))
    return sorted(kernels, key=lambda k: -(k.time_share or 0))[:_MOST_KERNELS]


def _whose(name: str, own: Own) -> dict[str, Counter]:
    text = "the candidate's" if own(name) else "a library's"
    return {"code": Counter(text, "text", "name of the kernel")}


def _counter(launch: Launch, metric: str) -> Counter:
    if metric not in launch.metrics:
        return Counter(None, "", _SOURCE, "ncu gave no value")
    value, unit = launch.metrics[metric]
    return Counter(int(value) if value.is_integer() else value, unit, _SOURCE)


def _time(seconds: float) -> Counter:
    reason = "" if seconds else "ncu gave no duration"
    return Counter(seconds or None, "s", _SOURCE, reason)


def _seconds(launch: Launch) -> float:
    return launch.metrics.get(TIME, (0.0, "s"))[0]


def _json(path: Path) -> list[dict[str, object]]:
    if path.is_symlink() or path.stat().st_size > 1 << 24:
        raise ValueError(f"{path.name} is no file of bearable size")
    told = json.loads(path.read_text())
    if not isinstance(told, list):
        raise ValueError("no list")
    return told


def text_of(log: Path) -> str:
    """What a tool wrote; nothing where it wrote nothing that can be read."""
    try:
        if log.is_symlink() or log.stat().st_size > _LARGEST_LOG:
            return ""
        return log.read_text(errors="replace")
    except OSError:
        return ""


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return plain(lines[-1])[:300] if lines else "no message"
