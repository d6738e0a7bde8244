"""What runs under a tool that watches a process: one candidate on the device, warm, called once.

`python once.py FOLDER DEVICE`, a file that stands alone: it is copied beside the candidate, and finds there
`candidate.py`, `case.pt` (arguments, state, inputs) and the modules that candidates import. Between
cudaProfilerStart and cudaProfilerStop lies exactly one call. Instead, `KERNELWRIGHT_TIMES` names a file for
the times of what one call runs on the device, and `KERNELWRIGHT_LOOP` says for how many seconds to go on.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch

WARM_UPS, _CALLS = 3, 10


def main(folder: Path, device: str) -> None:
    """Load, warm up, call."""
    sys.path.insert(0, str(folder))
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    case = torch.load(folder / "case.pt", weights_only=True)
    model = loaded(folder / "candidate.py", case, device)
    inputs = [moved(v, device) for v in case["inputs"]]
    upstream = case["gradients"]
    gradients = None if upstream is None else [moved(g, device) for g in upstream]

    def call() -> None:
        if gradients is None:
            with torch.no_grad():
                model(*inputs)
            return
        out = flat(model(*map(leaf, inputs)))
        torch.autograd.backward([t for t in out if t.requires_grad], gradients)

    for _ in range(int(os.environ.get("KERNELWRIGHT_WARM_UPS", WARM_UPS))):
        call()
    synchronise = torch.cuda.synchronize if device != "cpu" else torch.cpu.synchronize
    synchronise()
    times = os.environ.get("KERNELWRIGHT_TIMES")
    if times:
        Path(times).write_text(json.dumps(profiled(call, device)))
        return
    seconds = os.environ.get("KERNELWRIGHT_LOOP")
    if seconds:
        loop(call, synchronise, float(seconds), folder)
        return
    runtime: Any = torch.cuda.cudart() if device != "cpu" else None  # type: ignore[no-untyped-call]
    if runtime:
        runtime.cudaProfilerStart()
    call()
    synchronise()
    if runtime:
        runtime.cudaProfilerStop()


def loaded(path: Path, case: dict[str, Any], device: str) -> Any:
    """The candidate's model with the state of the case."""
    spec = importlib.util.spec_from_file_location("candidate", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["candidate"] = module
    spec.loader.exec_module(module)
    arguments, named = case["init"]
    model = module.ModelNew(*arguments, **named)
    if isinstance(model, torch.nn.Module):
        given, own = case["state"], model.state_dict()
        if not given.keys() & own.keys() and len(given) == len(own):
            given = dict(zip(own, given.values(), strict=True))
        model.load_state_dict(given, strict=False)
        model = model.to(device).train(case["train"])
    return model


def moved(value: Any, device: str) -> Any:
    """A tensor on the device, with its strides; anything else as it is."""
    return value.to(device) if isinstance(value, torch.Tensor) else value


def leaf(value: Any) -> Any:
    """The same values as a tensor whose gradient is wanted."""
    if not isinstance(value, torch.Tensor):
        return value
    return value.detach().requires_grad_(value.is_floating_point())


def flat(value: Any) -> list[torch.Tensor]:
    """The tensors of an answer in their order."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [t for item in value for t in flat(item)] if isinstance(value, list | tuple) else []


def loop(call: Any, synchronise: Any, seconds: float, folder: Path) -> None:
    """Call on and on for so long. One file says that it begins, one that it has ended, with the calls."""
    (folder / "loop-begun").touch()
    end, calls = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        for _ in range(_CALLS):
            call()
        synchronise()
        calls += _CALLS
    part = folder / "loop-part"
    part.write_text(json.dumps({"calls": calls}))
    part.rename(folder / "loop-ended")


def profiled(call: Any, device: str) -> list[dict[str, Any]]:
    """Name and microseconds of each kernel, copy or fill of one call, in their order."""
    from torch.profiler import ProfilerActivity, profile

    kind = ProfilerActivity.CPU if device == "cpu" else ProfilerActivity.CUDA
    with profile(activities=[kind]):  # the first one starts the library behind it
        call()
    with profile(activities=[kind]) as seen:
        call()
        if device != "cpu":
            torch.cuda.synchronize()
    wanted = "CPU" if device == "cpu" else "CUDA"
    events = [e for e in seen.events() or () if str(e.device_type).endswith(wanted)]
    return [
        {"name": str(e.name), "us": float(e.time_range.end - e.time_range.start)}
        for e in sorted(events, key=lambda e: e.time_range.start)
    ]


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
