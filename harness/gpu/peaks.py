"""`python -m kernelwright.harness.gpu.peaks CACHE`: what a GPU is and was measured to do, as JSON.

In a process of its own, which holds no memory of the device afterwards. Measured once a device, driver and
torch, and kept in the cache folder. Copies and products are torch's own: rates that a kernel can reach, not
those of a data sheet.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from kernelwright.harness.gpu import nvml

WORKING_SETS = tuple(1 << n for n in (20, 22, 24, 25, 26, 27, 28, 30))
SIDE = 8192
"""Of the square matrices that are multiplied."""
RUNS, COPIES = 7, 20
_VERSION = 1
"""Of what is kept."""
Product = Callable[[int, str], Callable[[], object]]
_SMALLER = {"fp64": 4}
"""How much smaller matrices of a type are, which many GPUs multiply slowly."""


def main() -> int:
    """Print the facts of the first device that this process sees; status 3 where there is none."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("cache", type=Path)
    options.add_argument("--again", action="store_true")
    args = options.parse_args()
    if not torch.cuda.is_available():
        sys.stderr.write(f"PyTorch {torch.__version__} sees no GPU\n")
        return 3
    identity = facts()
    measured = kept_or_measured(args.cache, identity, again=args.again, measure=measure)
    sys.stdout.write(json.dumps({**identity, **measured}) + "\n")
    return 0


def facts() -> dict[str, Any]:
    """What the device says of itself."""
    properties = torch.cuda.get_device_properties(0)
    uuid = str(getattr(properties, "uuid", "")) or None
    told = nvml.identity(uuid or 0)
    return {
        "name": properties.name,
        "uuid": uuid,
        "capability": f"sm_{properties.major}{properties.minor}",
        "multiprocessors": properties.multi_processor_count,
        "memory_bytes": properties.total_memory,
        "l2_bytes": getattr(properties, "L2_cache_size", None),
        "toolkit": torch.version.cuda,
        "torch": str(torch.__version__),
        "driver": told.driver,
        "clocks_mhz": dict(told.clocks_mhz),
        "absent": dict(told.absent),
    }


def kept_or_measured(
    cache: Path,
    identity: Mapping[str, Any],
    *,
    again: bool,
    measure: Callable[[], dict[str, Any]],
) -> dict[str, Any]:
    """Peaks from the cache; measured where there are none. `again`: the better of both."""
    parts = [_VERSION, *(identity[name] for name in ("name", "uuid", "driver", "torch"))]
    key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
    path = cache / f"gpu-peaks-{key}.json"
    kept = _read(path)
    if kept is not None and not again:
        return kept
    measured = measure()
    if kept is not None:
        for name in ("bandwidth_gbs", "matrix_gflops"):
            known = kept[name]
            better = {k: max(v, known.get(k, 0.0)) for k, v in measured[name].items()}
            measured[name] = {**known, **better}
    cache.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"date": time.strftime("%Y-%m-%d"), **measured}, indent=1)
    with tempfile.NamedTemporaryFile("w", dir=cache, delete=False) as part:
        part.write(text)
    Path(part.name).replace(path)
    return measured


def _read(path: Path) -> dict[str, Any] | None:
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    wanted = ("bandwidth_gbs", "matrix_gflops", "unmeasured")
    whole = isinstance(data, dict) and all(isinstance(data.get(name), dict) for name in wanted)
    return {name: data[name] for name in wanted} if whole else None


def measure(
    device: str = "cuda", sizes: Sequence[int] = WORKING_SETS, side: int = SIDE, runs: int = RUNS
) -> dict[str, Any]:
    """Copy bandwidth by working set in bytes, rates of products by type, and why one is missing."""
    unmeasured: dict[str, str] = {}
    bandwidth: dict[str, float] = {}
    for size in sizes:
        try:
            bandwidth[str(size)] = _bandwidth(device, size, runs)
        except RuntimeError as error:  # out of memory is one
            unmeasured[f"bandwidth at {size} bytes"] = _line(error)
    at_least = 0.0  # a smaller working set is never slower: its own figure is that of the launches
    for size in sorted(map(int, bandwidth), reverse=True):
        at_least = bandwidth[str(size)] = max(bandwidth[str(size)], at_least)
    rates: dict[str, float] = {}
    for name, product in PRODUCTS.items():
        try:
            own = max(1, side // _SMALLER.get(name, 1))
            rates[name] = 2 * own**3 / _best(device, product(own, device), runs) * 1e-9
        except (RuntimeError, ValueError, AttributeError, NotImplementedError) as error:
            unmeasured[f"matrix {name}"] = _line(error)
        finally:
            torch.backends.cuda.matmul.allow_tf32 = False
    return {"bandwidth_gbs": bandwidth, "matrix_gflops": rates, "unmeasured": unmeasured}


def _bandwidth(device: str, size: int, runs: int) -> float:
    """GB/s of copies whose source and target take so many bytes together; each is read or written once."""
    x = torch.ones(size // 8, device=device)
    y = torch.empty_like(x)

    def copies() -> None:
        for _ in range(COPIES):
            y.copy_(x)

    return 8 * x.numel() * COPIES / _best(device, copies, runs) * 1e-9


def _best(device: str, run: Callable[[], object], runs: int) -> float:
    """Seconds of the fastest run, by the clock of the device."""
    if device == "cpu":
        times = []
        for _ in range(runs):
            begin = time.perf_counter()
            run()
            times.append(time.perf_counter() - begin)
        return min(times)
    event: Any = torch.cuda.Event
    run()
    torch.cuda.synchronize()
    taken = []
    for _ in range(runs):
        begin_event, end_event = (event(enable_timing=True) for _ in range(2))
        begin_event.record()
        run()
        end_event.record()
        end_event.synchronize()
        taken.append(begin_event.elapsed_time(end_event) * 1e-3)
    return float(min(taken))


def _floats(dtype: torch.dtype, *, tf32: bool = False) -> Product:
    def product(side: int, device: str) -> Callable[[], object]:
        a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
        out = torch.empty(side, side, device=device, dtype=dtype)
        torch.backends.cuda.matmul.allow_tf32 = tf32
        return lambda: torch.mm(a, b, out=out)

    return product


def _int8(side: int, device: str) -> Callable[[], object]:
    a, b = (
        torch.randint(-128, 127, (side, side), dtype=torch.int8, device=device) for _ in range(2)
    )
    return lambda: torch._int_mm(a, b)


def _fp8(side: int, device: str) -> Callable[[], object]:
    if device == "cpu":
        raise ValueError("measured on GPUs only")
    a, b = (torch.randn(side, side, device=device).to(torch.float8_e4m3fn) for _ in range(2))
    one = torch.ones((), device=device)
    column = b.t()
    return lambda: torch._scaled_mm(
        a, column, scale_a=one, scale_b=one, out_dtype=torch.bfloat16, use_fast_accum=True
    )


PRODUCTS: Mapping[str, Product] = {
    "fp64": _floats(torch.float64),
    "fp32": _floats(torch.float32),
    "tf32": _floats(torch.float32, tf32=True),
    "fp16": _floats(torch.float16),
    "bf16": _floats(torch.bfloat16),
    "int8": _int8,
    "fp8": _fp8,
}
"""By type of the factors: what multiplies two square matrices once."""


def _line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"[:300]


if __name__ == "__main__":
    sys.exit(main())
