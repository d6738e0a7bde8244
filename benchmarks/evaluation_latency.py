"""How fast a new C++ candidate gets its verdict, against the usual way, in one run.

    python benchmarks/evaluation_latency.py            # several minutes
    python benchmarks/evaluation_latency.py --quick    # two tasks; writes nothing unless --out

In the loop: one open `Evaluator` judges candidate after candidate (build, check, time). The usual way:
a fresh Python process imports torch, builds the same kernel with `torch.utils.cpp_extension.load_inline`,
makes the same checks (same distributions, float64 references), and times as many calls of kernel and
eager. No candidate is in any cache: each has a comment of its own in its C++. Both ways take turns, task
by task. Covers latency alone: which way gives the better verdict is not measured here.

Exit status 0 when the median in the loop is at most 1.5 s and it gives at least 20 times as many
verdicts an hour; 1 when not; 2 when something is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from kernelwright.harness.candidate import Candidate
from kernelwright.harness.evaluate import Evaluator
from kernelwright.harness.inline_cpp import FLAGS
from kernelwright.harness.oracle import Oracle
from kernelwright.tasks.load import load_task
from kernelwright.tasks.reference import Reference

MOST_SECONDS, LEAST_RATIO = 1.5, 20.0
EVIDENCE = Path(__file__).resolve().parent.parent / "evals" / "evidence"


@dataclass(frozen=True)
class Kernel:
    """One kernel in both dresses; its C++ is the same text in both."""

    task: str
    cpp: str
    ours: str
    """Python: `run(...)` that calls the C++ through ctypes."""
    theirs: str
    """C++: `run(...)` on torch::Tensor."""
    model: str
    """Python: `ModelNew`, which calls `run`."""

    def in_the_loop(self) -> str:
        """A fresh candidate for the harness."""
        return (
            "import torch\nfrom kernelwright.inline import cpp\n"
            f'lib = cpp(r"""{fresh(self.cpp)}""")\n{self.ours}\n{self.model}'
        )

    def usual(self) -> str:
        """The same as a file that builds itself with load_inline."""
        source = f"#include <torch/extension.h>\n{fresh(self.cpp)}\n{self.theirs}"
        return (
            "import torch\nfrom torch.utils.cpp_extension import load_inline\n"
            f'lib = load_inline("k{uuid.uuid4().hex[:12]}", [r"""{source}"""], functions=["run"],'
            f" extra_cflags={list(FLAGS[1:-2])!r}, extra_ldflags=['-fopenmp'])\n"
            f"run = lib.run\n{self.model}"
        )


def fresh(source: str) -> str:
    """The same program, in no cache."""
    return f"// {uuid.uuid4().hex}\n{source}"


PLAIN = """
class ModelNew(torch.nn.Module):
    def forward(self, x):
        return run(x.contiguous())
"""

SOFTMAX = Kernel(
    "core/softmax",
    r"""
#include <cmath>
#include <cstdint>
extern "C" void softmax(const float* x, float* y, int64_t rows, int64_t cols) {
#pragma omp parallel for schedule(static)
  for (int64_t r = 0; r < rows; r++) {
    const float* in = x + r * cols;
    float* out = y + r * cols;
    float most = -INFINITY, sum = 0;
    for (int64_t c = 0; c < cols; c++) most = in[c] > most ? in[c] : most;
    for (int64_t c = 0; c < cols; c++) sum += out[c] = std::exp(in[c] - most);
    for (int64_t c = 0; c < cols; c++) out[c] /= sum;
  }
}
""",
    """
def run(x):
    y = torch.empty_like(x)
    lib.softmax(x, y, x.numel() // x.shape[-1], x.shape[-1])
    return y
""",
    """
torch::Tensor run(torch::Tensor x) {
  auto y = torch::empty_like(x);
  softmax(x.data_ptr<float>(), y.data_ptr<float>(), x.numel() / x.size(-1), x.size(-1));
  return y;
}
""",
    PLAIN,
)
BIAS_GELU = Kernel(
    "core/bias_gelu_tanh",
    r"""
#include <cmath>
#include <cstdint>
extern "C" void bias_gelu(const float* x, const float* b, float* y, int64_t rows, int64_t cols) {
#pragma omp parallel for schedule(static)
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < cols; c++) {
      float v = x[r * cols + c] + b[c];
      float u = 0.7978845608028654f * (v + 0.044715f * v * v * v);
      y[r * cols + c] = v / (1 + std::exp(-2 * u));  // (1 + tanh u) / 2 = 1 / (1 + exp(-2 u))
    }
}
""",
    """
def run(x, b):
    y = torch.empty_like(x)
    lib.bias_gelu(x, b, y, x.numel() // x.shape[-1], x.shape[-1])
    return y
""",
    """
torch::Tensor run(torch::Tensor x, torch::Tensor b) {
  auto y = torch::empty_like(x);
  bias_gelu(x.data_ptr<float>(), b.data_ptr<float>(), y.data_ptr<float>(),
            x.numel() / x.size(-1), x.size(-1));
  return y;
}
""",
    """
class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.bias = torch.nn.Parameter(torch.zeros(width))
    def forward(self, x):
        return run(x.contiguous(), self.bias)
""",
)
SWIGLU = Kernel(
    "core/swiglu",
    r"""
#include <cmath>
#include <cstdint>
extern "C" void swiglu(const float* x, float* y, int64_t rows, int64_t cols) {
#pragma omp parallel for schedule(static)
  for (int64_t r = 0; r < rows; r++) {
    const float* gate = x + 2 * r * cols;
    const float* value = gate + cols;
    for (int64_t c = 0; c < cols; c++)
      y[r * cols + c] = gate[c] / (1 + std::exp(-gate[c])) * value[c];
  }
}
""",
    """
def run(x):
    y = x.new_empty(*x.shape[:-1], x.shape[-1] // 2)
    lib.swiglu(x, y, x.numel() // x.shape[-1], y.shape[-1])
    return y
""",
    """
torch::Tensor run(torch::Tensor x) {
  auto shape = x.sizes().vec();
  shape.back() /= 2;
  auto y = torch::empty(shape, x.options());
  swiglu(x.data_ptr<float>(), y.data_ptr<float>(), x.numel() / x.size(-1), y.size(-1));
  return y;
}
""",
    PLAIN,
)
LAYER_NORM = Kernel(
    "core/layer_norm",
    r"""
#include <cmath>
#include <cstdint>
extern "C" void layer_norm(const float* x, const float* w, const float* b, float* y, int64_t rows,
                           int64_t cols, float eps) {
#pragma omp parallel for schedule(static)
  for (int64_t r = 0; r < rows; r++) {
    const float* in = x + r * cols;
    double mean = 0, square = 0;
#pragma omp simd reduction(+ : mean)
    for (int64_t c = 0; c < cols; c++) mean += in[c];
    mean /= cols;
#pragma omp simd reduction(+ : square)
    for (int64_t c = 0; c < cols; c++) square += (in[c] - mean) * (in[c] - mean);
    float middle = mean, scale = 1 / std::sqrt(square / cols + eps);
    for (int64_t c = 0; c < cols; c++) y[r * cols + c] = (in[c] - middle) * scale * w[c] + b[c];
  }
}
""",
    """
def run(x, w, b, eps):
    y = torch.empty_like(x)
    lib.layer_norm(x, w, b, y, x.numel() // x.shape[-1], x.shape[-1], eps)
    return y
""",
    """
torch::Tensor run(torch::Tensor x, torch::Tensor w, torch::Tensor b, double eps) {
  auto y = torch::empty_like(x);
  layer_norm(x.data_ptr<float>(), w.data_ptr<float>(), b.data_ptr<float>(), y.data_ptr<float>(),
             x.numel() / x.size(-1), x.size(-1), eps);
  return y;
}
""",
    """
class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = torch.nn.LayerNorm(width)
    def forward(self, x):
        return run(x.contiguous(), self.norm.weight, self.norm.bias, self.norm.eps)
""",
)
COLUMN_SUM = Kernel(
    "core/column_sum",
    r"""
#include <algorithm>
#include <cstdint>
extern "C" void column_sum(const float* x, float* y, int64_t rows, int64_t cols) {
#pragma omp parallel for schedule(static)
  for (int64_t first = 0; first < cols; first += 256) {
    int64_t width = std::min<int64_t>(256, cols - first);
    float sum[256] = {};
    for (int64_t r = 0; r < rows; r++)
      for (int64_t c = 0; c < width; c++) sum[c] += x[r * cols + first + c];
    std::copy(sum, sum + width, y + first);
  }
}
""",
    """
def run(x):
    y = x.new_empty(x.shape[-1])
    lib.column_sum(x, y, x.shape[0], x.shape[-1])
    return y
""",
    """
torch::Tensor run(torch::Tensor x) {
  auto y = torch::empty({x.size(-1)}, x.options());
  column_sum(x.data_ptr<float>(), y.data_ptr<float>(), x.size(0), x.size(-1));
  return y;
}
""",
    PLAIN,
)
KERNELS = (SOFTMAX, BIAS_GELU, SWIGLU, LAYER_NORM, COLUMN_SUM)

# -- the two ways ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Judged:
    """One verdict and how long it took, from the candidate's text to the verdict."""

    task: str
    way: str
    seconds: float
    verdict: str
    rounds: int
    calls: int
    """Timed calls a round, of kernel and eager each."""
    parts: dict[str, float]


def judge_in_the_loop(evaluator: Evaluator, kernel: Kernel) -> Judged:
    """A fresh candidate through an open evaluator."""
    candidate = Candidate(kernel.in_the_loop())
    begin = time.perf_counter()
    verdict = evaluator.evaluate(candidate)
    seconds = time.perf_counter() - begin
    if not verdict.accepted:
        raise SystemExit(f"{kernel.task}: the kernel was {verdict.verdict}: {verdict.findings}")
    eager = verdict.speedup["eager"]
    assert eager is not None
    return Judged(
        kernel.task,
        "in the loop",
        seconds,
        verdict.verdict,
        eager.pairs,
        evaluator.calls,
        dict(verdict.seconds),
    )


def judge_the_usual_way(kernel: Kernel, rounds: int, calls: int) -> Judged:
    """A fresh process with load_inline; `rounds` and `calls` are what the loop measured with."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "candidate.py")
        source.write_text(kernel.usual())
        command = [
            sys.executable, str(Path(__file__).resolve()), "--usual-way", kernel.task, str(source),
            str(rounds), str(calls),
        ]  # fmt: skip
        environment = {**os.environ, "TORCH_EXTENSIONS_DIR": folder}
        begin = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        seconds = time.perf_counter() - begin
    if done.returncode:
        raise SystemExit(f"{kernel.task}, the usual way: {done.stderr[-3000:]}{done.stdout}")
    said = json.loads(done.stdout.splitlines()[-1])
    return Judged(
        kernel.task, "usual way", seconds, said["verdict"], rounds, calls, said["seconds"]
    )


def usual_way(task: str, source: Path, rounds: int, calls: int) -> None:
    """What runs in the fresh process: build, check, time, verdict on the last line of stdout."""
    from kernelwright.harness.comparison import TimedCheck, compare  # after the clock has started

    begin = time.perf_counter()
    module: dict[str, object] = {}
    exec(compile(source.read_text(), str(source), "exec"), module)
    built = time.perf_counter()
    reference = Reference(load_task(task))
    oracle = Oracle(reference, None)
    args, kwargs = reference.init_args()
    model = module["ModelNew"](*args, **kwargs)  # type: ignore[operator]
    model.load_state_dict(oracle.state)
    eager = reference.build(0)
    eager.load_state_dict(oracle.state)
    problems = []
    with torch.no_grad():
        for case in [oracle.own, *oracle.cases(), oracle.own, oracle.own]:
            wrong = compare(case, [model(*case.inputs)])
            if wrong is not None:
                problems.append(wrong.message)
        checked = time.perf_counter()
        right = TimedCheck(oracle.own).right
        times: dict[str, list[float]] = {"candidate": [], "eager": []}
        for _ in range(rounds + 2):  # two to warm up
            inputs = [oracle.fresh_inputs() for _ in range(calls)]
            outputs = {}
            for name, run in (("candidate", model), ("eager", eager)):
                start = time.perf_counter()
                outputs[name] = [run(*given) for given in inputs]
                times[name].append((time.perf_counter() - start) / calls)
            for ours, theirs in zip(outputs["candidate"], outputs["eager"], strict=True):
                if not right([ours], [theirs]):
                    problems.append("the output of a timed call is wrong")
    ratios = [e / c for e, c in zip(times["eager"][2:], times["candidate"][2:], strict=True)]
    verdict = {
        "verdict": "rejected" if problems else "accepted",
        "problems": problems,
        "speedup": statistics.median(ratios),
        "seconds": {
            "build": built - begin,
            "check": checked - built,
            "time": time.perf_counter() - checked,
        },
    }
    print(json.dumps(verdict))
    if problems:
        raise SystemExit(1)


# -- the run and its report -----------------------------------------------------------------------


@dataclass(frozen=True)
class Spread:
    """Seconds a verdict."""

    count: int
    median: float
    mean: float
    p10: float
    p90: float

    @property
    def verdicts_an_hour(self) -> float:
        """From the mean: what an hour of such evaluations gives."""
        return 3600.0 / self.mean


def spread(judged: list[Judged]) -> Spread:
    """Median, mean, 10th and 90th percentile."""
    seconds = torch.tensor([j.seconds for j in judged], dtype=torch.float64)
    p10, median, p90 = torch.quantile(
        seconds, torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    ).tolist()
    return Spread(len(judged), median, float(seconds.mean()), p10, p90)


def run(
    kernels: tuple[Kernel, ...], each: int, usual_runs: int
) -> tuple[list[Judged], list[float]]:
    """Both ways in turns; also how long each evaluator took to open."""
    judged: list[Judged] = []
    opening: list[float] = []
    for number, kernel in enumerate(kernels):
        begin = time.perf_counter()
        with Evaluator(load_task(kernel.task)) as evaluator:
            opening.append(time.perf_counter() - begin)
            rounds = usual_runs // len(kernels) + (number < usual_runs % len(kernels))
            for turn in range(max(rounds, 1)):
                for _ in range(each):
                    judged.append(judge_in_the_loop(evaluator, kernel))
                    tell(judged[-1])
                if turn < rounds:
                    latest = judged[-1]
                    judged.append(judge_the_usual_way(kernel, latest.rounds, latest.calls))
                    tell(judged[-1])
    return judged, opening


def tell(judged: Judged) -> None:
    """One line of progress."""
    parts = ", ".join(f"{name} {seconds:.2f}" for name, seconds in judged.parts.items())
    print(f"{judged.task:22} {judged.way:12} {judged.seconds:6.2f} s ({parts})", file=sys.stderr)


def report(
    judged: list[Judged], opening: list[float], machine: dict[str, object]
) -> tuple[dict[str, object], str, bool]:
    """The JSON object, the Markdown, and whether the targets are met."""
    loop = [j for j in judged if j.way == "in the loop"]
    usual = [j for j in judged if j.way == "usual way"]
    ours, theirs = spread(loop), spread(usual)
    ratio = ours.verdicts_an_hour / theirs.verdicts_an_hour
    with_opening = len(loop) * 3600.0 / (sum(j.seconds for j in loop) + sum(opening))
    met = ours.median <= MOST_SECONDS and ratio >= LEAST_RATIO
    data: dict[str, object] = {
        **machine,
        "in_the_loop": {**asdict(ours), "verdicts_an_hour": ours.verdicts_an_hour},
        "usual_way": {**asdict(theirs), "verdicts_an_hour": theirs.verdicts_an_hour},
        "ratio_of_verdicts_an_hour": ratio,
        "verdicts_an_hour_with_opening": with_opening,
        "opening_seconds": opening,
        "targets": {"median_s": MOST_SECONDS, "ratio": LEAST_RATIO, "met": met},
        "evaluations": [asdict(j) for j in judged],
    }
    lines = [
        "# Latency of one evaluation",
        "",
        f"{machine['date']}, {machine['cpu']}, {machine['cores']} cores, torch {machine['torch']}.",
        f"`{machine['command']}`",
        "",
        "Seconds from the text of a new C++ candidate to its verdict; no candidate was in a cache.",
        "",
        "| way | runs | median | 10th to 90th percentile | mean | verdicts an hour |",
        "|---|---|---|---|---|---|",
        *(
            f"| {name} | {s.count} | {s.median:.2f} | {s.p10:.2f} to {s.p90:.2f} | {s.mean:.2f} |"
            f" {s.verdicts_an_hour:.0f} |"
            for name, s in (("in the loop", ours), ("usual way", theirs))
        ),
        "",
        f"Ratio of verdicts an hour: **{ratio:.1f}** (target: at least {LEAST_RATIO:.0f}). Median in"
        f" the loop: **{ours.median:.2f} s** (target: at most {MOST_SECONDS}).",
        f"An evaluator opens once a task: {statistics.median(opening):.1f} s at the median. With the"
        f" opening of all {len(opening)} counted in, {with_opening:.0f} verdicts an hour.",
        "",
        "| task | in the loop: median | build | check | time | calls timed | usual way: build | check"
        " | time | whole |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for task in dict.fromkeys(j.task for j in judged):
        mine = [j for j in loop if j.task == task]
        other = [j for j in usual if j.task == task]
        cells = [f"{statistics.median(j.seconds for j in mine):.2f}"]
        cells += [median_part(mine, part) for part in ("build", "check", "time")]
        cells.append(f"{mine[-1].rounds} x {mine[-1].calls}")
        cells += [median_part(other, part) for part in ("build", "check", "time")]
        cells.append(f"{statistics.median(j.seconds for j in other):.1f}" if other else "not run")
        lines.append(f"| {task} | {' | '.join(cells)} |")
    return data, "\n".join(lines) + "\n", met


def median_part(judged: list[Judged], part: str) -> str:
    """Median seconds of one part."""
    return f"{statistics.median(j.parts[part] for j in judged):.2f}" if judged else "not run"


def machine(facts_name: str) -> dict[str, object]:
    """What the figures belong to."""
    shown = [Path(sys.argv[0]).name, *sys.argv[1:]]
    return {
        "date": time.strftime("%Y-%m-%d"),
        "cpu": facts_name,
        "cores": len(os.sched_getaffinity(0)),
        "torch": torch.__version__,
        "python": sys.version.split()[0],
        "command": f"python benchmarks/{' '.join(shown)}",
    }


def cpu_name() -> str:
    """As the kernel calls it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "unknown processor"


def main() -> int:
    """Run, print and keep the report."""
    if sys.argv[1:2] == ["--usual-way"]:
        task, source, rounds, calls = sys.argv[2:]
        usual_way(task, Path(source), int(rounds), int(calls))
        return 0
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="two tasks, one usual run")
    parser.add_argument("--each", type=int, default=8, help="evaluations in the loop per turn")
    parser.add_argument("--usual", type=int, default=5, help="runs of the usual way")
    parser.add_argument("--out", type=Path, help=f"folder of the report (default: {EVIDENCE.name})")
    options = parser.parse_args()
    if not shutil.which("ninja"):
        print(
            "load_inline needs ninja: pip install ninja, or apt-get install ninja-build",
            file=sys.stderr,
        )
        return 2
    kernels = KERNELS[:2] if options.quick else KERNELS
    each, usual = (3, 1) if options.quick else (options.each, options.usual)
    data, text, met = report(*run(kernels, each, usual), machine(cpu_name()))
    print(text)
    out = options.out or (None if options.quick else EVIDENCE)
    if out:
        out.mkdir(parents=True, exist_ok=True)
        (out / "evaluation_latency.json").write_text(json.dumps(data, indent=1) + "\n")
        (out / "evaluation_latency.md").write_text(text)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
