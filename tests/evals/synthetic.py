"""Synthetic records: figures that nobody measured, for tests only."""

from __future__ import annotations

import random

from kernelwright.evals.record import (
    AttemptRow,
    Attempts,
    BatchRecord,
    Cost,
    CurvePoint,
    Device,
    Kernel,
    Machine,
    Samples,
    ShapeSpeedups,
    Source,
    Suite,
    TaskResult,
)
from kernelwright.harness.verdict import Finding, Roofline, Speedup, Verdict

CPU = Device(kind="cpu", name="Synthetic CPU", threads=2)
GPU = Device(kind="cuda", name="Synthetic GPU")
SOURCE = '''import torch
from kernelwright.inline import cpp

lib = cpp(r"""
#include <cmath>
extern "C" void gelu(const float* x, float* y, long n) {
    #pragma omp parallel for
    for (long i = 0; i < n; ++i) y[i] = 0.5f * x[i] * (1 + std::erf(x[i] * 0.70710678f));
}
""")


class ModelNew(torch.nn.Module):
    def forward(self, x):
        y = torch.empty_like(x)
        lib.gelu(x, y, x.numel())
        return y
'''


def verdict(
    eager: float | None,
    compiled: float | None = None,
    share: float | None = 0.5,
    time_ms: float = 1.0,
    track: str = "custom",
    notes: tuple[Finding, ...] = (),
) -> Verdict:
    def gain(value):
        return None if value is None else Speedup(value, value * 0.95, value * 1.05, 40)

    return Verdict(
        "accepted",
        "done",
        notes,
        track=track,
        precision="fp32",
        language="cpp",
        time_ms={"candidate": time_ms},
        speedup={"eager": gain(eager), "compile": gain(compiled)},
        roofline=None if share is None else Roofline("memory", share),
        reasons={} if compiled else {"speedup.compile": "synthetic"},
    )


def kernel(
    eager: float | None,
    compiled: float | None = None,
    *,
    share: float | None = 0.5,
    confirmed: bool = True,
    source: str = SOURCE,
    track: str = "custom",
    notes: tuple[Finding, ...] = (),
    own: float | None = None,
) -> Kernel:
    return Kernel(
        candidate=f"{abs(hash(source)) % 16**8:08x}",
        source=source,
        language="cpp",
        verdict=verdict(eager, compiled, share, track=track, notes=notes),
        confirmed=confirmed,
        parent=Source(id="parent00", source=SOURCE.replace("0.5f * x[i]", "x[i] * 0.5f")),
        floor_ms=share if share is not None and share < 1 else None,
        own_time_share=own,
    )


def result(task: str, best: Kernel | None = None, **more) -> TaskResult:
    state = more.pop("state", "done")
    reason = more.pop("reason", None if state == "done" else "synthetic")
    device = more.pop("device", CPU)
    return TaskResult(task=task, device=device, state=state, reason=reason, best=best, **more)


def ratios(*values: float | None) -> list[TaskResult]:
    """One result for each speedup against eager; None: a failure."""
    return [result(f"core/t{i}", None if v is None else kernel(v, v)) for i, v in enumerate(values)]


def batch(results, *, tasks=None, label="synthetic", models=("builtin",), **more) -> BatchRecord:
    return BatchRecord(
        id=more.pop("id", f"synthetic-{label}"),
        command=("kernelwright", "bench", "core"),
        started="2026-01-01T00:00:00+00:00",
        finished="2026-01-01T01:00:00+00:00",
        suite=Suite(name="core", version="synthetic"),
        models=models,
        label=label,
        machine=Machine(environment={"torch": "0", "compiler": None}),
        devices=tuple(dict.fromkeys(r.device for r in results)) or (CPU,),
        tasks=tuple(tasks or dict.fromkeys(r.task for r in results)),
        results=tuple(results),
        **more,
    )


def large(n: int = 250, seed: int = 0, label: str = "large", length: int = 100) -> BatchRecord:
    """A batch as a real one may be: sources of some length, attempts with lineage, failures."""
    rng = random.Random(seed)
    results = []
    for i in range(n):
        task = f"core/task_{i:03d}"
        category = rng.choice(["elementwise", "reduction", "matmul", "attention", "loss"])
        if rng.random() < 0.15:
            results.append(
                result(
                    task, None, category=category, level=1 + i % 3, spent=Cost(usd=0.2, wall_s=90.0)
                )
            )
            continue
        lines = [
            f"    y[{j}] = x[{j}] * {rng.random():.6f}f + {rng.random():.6f}f;"
            for j in range(length)
        ]
        text = SOURCE.replace("for (long", "\n".join(lines) + "\n    for (long")
        gain = rng.lognormvariate(0.5, 0.7)
        ids = [f"{rng.getrandbits(64):016x}" for _ in range(12)]
        rows = tuple(
            AttemptRow(
                candidate=name,
                round=k // 2 + 1,
                verdict="accepted" if k % 4 else "rejected",
                stage="done" if k % 4 else "correctness",
                parent=ids[k - 2] if k > 1 else None,
                language="cpp",
                note="vectorised the inner loop, tiled for the second-level cache",
                code=None if k % 4 else "wrong_answer",
                speedup=gain * k / 12 if k % 4 else None,
            )
            for k, name in enumerate(ids)
        )
        best = kernel(
            gain, gain * rng.uniform(0.5, 1.1), share=rng.uniform(0.05, 0.95), source=text
        )
        best = best.model_copy(update={"candidate": ids[-1]})
        results.append(
            result(
                task,
                best,
                suite="core",
                category=category,
                level=1 + i % 3,
                attempts=Attempts(
                    n=12,
                    accepted=9,
                    rows=rows,
                    curve=(
                        CurvePoint(evaluation=2, best=gain / 2),
                        CurvePoint(evaluation=9, best=gain),
                    ),
                ),
                samples=Samples(n=5, correct=rng.randint(0, 5)),
                spent=Cost(usd=rng.uniform(0.01, 0.5), tokens=12345, evaluations=12, wall_s=60.0),
                shapes=(
                    ShapeSpeedups(
                        name="own", shown=True, speedup={"eager": Speedup(gain, gain, gain, 40)}
                    ),
                    ShapeSpeedups(
                        name="B=3",
                        shown=False,
                        speedup={"eager": Speedup(gain * 0.9, gain * 0.8, gain, 40)},
                    ),
                ),
            )
        )
    return batch(results, label=label)
