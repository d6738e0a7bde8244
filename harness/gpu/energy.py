"""Joules of one call: the device's own counter of energy before and after many calls in a row.

The candidate runs in a loop in a process of its own (`once.py`), which makes a file when the loop begins and
one with the number of calls when it has ended; we read NVML's counter at both moments. All that the device
drew meanwhile is counted, what it draws at rest included. The number of calls is the process's claim.
"""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

from kernelwright.harness.counters.counters import Counter
from kernelwright.harness.gpu import nvml
from kernelwright.harness.gpu.tool_room import Done, ToolRoom

LOOP_SECONDS, _SECONDS = 2.0, 120.0
_EVERY = 0.002
BEGUN, ENDED = "loop-begun", "loop-ended"
_SOURCE = "NVML"
_LARGEST = 1 << 10


def of_one_call(room: ToolRoom, device: nvml.Nvml) -> Counter:
    """Joules, or why they are not known. Raises nothing."""
    if device.look().energy_j is None:
        return _unknown(device.look().absent.get("energy_j", "the device does not tell"))
    for name in (BEGUN, ENDED):
        (room.folder / name).unlink(missing_ok=True)
    ends: list[Done] = []

    def run() -> None:
        ends.append(room.run(room.command, _SECONDS, {"KERNELWRIGHT_LOOP": str(LOOP_SECONDS)}))

    thread = threading.Thread(target=run)
    thread.start()
    first = _look_when(room.folder / BEGUN, device, thread)
    last = _look_when(room.folder / ENDED, device, thread)
    thread.join()
    if first is None or last is None:
        said = [line for line in (ends[0].text if ends else "").splitlines() if line.strip()]
        return _unknown(f"the loop did not run: {said[-1][:200] if said else 'no message'}")
    try:
        calls = _calls(room.folder / ENDED)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return _unknown(f"the loop left nothing that can be read: {error}")
    return nvml.energy_a_call(first, last, calls)


def _look_when(path: Path, device: nvml.Nvml, thread: threading.Thread) -> nvml.Look | None:
    """A look as soon as the file is there; None where the process ends without it."""
    while True:
        running = thread.is_alive()
        if path.exists():
            return device.look()
        if not running:
            return None
        time.sleep(_EVERY)


def _calls(path: Path) -> int:
    if path.is_symlink() or path.stat().st_size > _LARGEST:
        raise ValueError(f"{path.name} is no file of bearable size")
    return int(json.loads(path.read_text())["calls"])


def _unknown(reason: str) -> Counter:
    return Counter(None, "J", _SOURCE, reason)
