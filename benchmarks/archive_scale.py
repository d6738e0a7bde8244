"""How the search behaves with an archive of 10,000 candidates: choosing a parent, taking up the run.

The archive is made by the real loop with a Coder that writes 10,000 kernels of many kinds and an
evaluator that answers at once; the log on disk is what such a run leaves. Then two things are timed:

1. A whole decision of the planner: kind of turn, parents, roles, strategies. Target: at most 5 ms.
2. Taking up the run: opening the log and folding it into the state of the search. Target: at most 2 s.

    python benchmarks/archive_scale.py               evidence in evals/evidence/
    python benchmarks/archive_scale.py --size 1000   smaller, printed only
"""

from __future__ import annotations

import argparse
import datetime
import platform
import random
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from rich.progress import Progress, track

from kernelwright.agents.events import EventLog
from kernelwright.agents.optimize import Quiet, optimize
from kernelwright.agents.planner import Cast, plan
from kernelwright.agents.roles import Advice, Attempt, Brief, Proposal, Spend, Target
from kernelwright.agents.run_state import RunState
from kernelwright.agents.settings import Settings
from kernelwright.agents.strategies import catalogue
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.device import DeviceFacts
from kernelwright.harness.verdict import Finding, Roofline, Speedup, Verdict
from kernelwright.tasks.task import Task

EVIDENCE = Path(__file__).resolve().parents[1] / "evals" / "evidence"
SIZE = 10_000
MOST_PLAN_MS, MOST_RESUME_S = 5.0, 2.0
WORDS = ("load", "store", "tile", "row", "lane", "acc", "block", "sum", "scale", "offset", "mask")
MARKS = ("", "#pragma omp simd", "__m256 v;", "enum { TILE = 8 };", "typedef float4 f;")
LINES = 60
"""Lines of a kernel: about 2 kB, as models write them."""


class ManyKernels:
    """A Coder: kernels of many kinds, each of them new."""

    def propose(self, brief: Brief) -> Proposal:
        """One turn."""
        rng = random.Random(f"{brief.seed}:{brief.round}")
        lines = [f"  {' '.join(rng.choices(WORDS, k=5))};" for _ in range(LINES)]
        calls = "\n".join(f"        lib.k{i}(x)" for i in range(rng.randint(1, 5)))
        source = (
            f"SPEED = {rng.lognormvariate(0, 0.4):.4f}\nFAILS = {rng.random() < 0.3}\n"
            f"SOURCE = r'''\n{rng.choice(MARKS)}\n" + "\n".join(lines) + "\n'''\n"
            f"lib = cpp(SOURCE)\nclass ModelNew:\n    def forward(self, x):\n{calls}\n"
        )
        return Proposal((Candidate(source),), f"kernel {brief.round}", Spend(0.01, 1000, 500))


class BriefJudge:
    """A Judge that says little."""

    def advise(self, brief: Brief, attempt: Attempt) -> Advice:
        """One advice."""
        kind: Literal["correct", "optimize"] = "optimize" if attempt.verdict.accepted else "correct"
        offered = brief.strategies[0].name if brief.strategies else None
        return Advice(kind, "cause", "change", 1.1, spend=Spend(0.01, 500, 100), strategy=offered)


class AtOnce:
    """An evaluator that reads the verdict off the text."""

    facts = DeviceFacts("cpu", "none", 2)
    target = Target()

    def fingerprint(self, candidate: Candidate) -> str | None:
        """Every kernel is of its own."""
        return candidate.id

    def evaluate(
        self,
        candidate: Candidate,
        *,
        effort: Literal["loop", "final"] = "loop",
        champion: Candidate | None = None,
    ) -> Verdict:
        """Accepted, or not."""
        first, second = candidate.source.splitlines()[:2]
        if second == "FAILS = True":
            return Verdict("rejected", "correctness", (Finding("wrong_value", "wrong"),))
        speed = float(first.partition(" = ")[2])
        measured: dict[str, Speedup | None] = {
            name: Speedup(speed, speed * 0.97, speed * 1.03, 40)
            for name in ("eager", *(["champion"] if champion else []))
        }
        bound: Literal["memory", "compute"] = "memory" if speed > 1 else "compute"
        roof = Roofline(bound, min(1.0, speed / 10))
        return Verdict("accepted", "done", (), "custom", speedup=measured, roofline=roof)


class Bar(Quiet):
    """Shows how far the making of the archive is."""

    def __init__(self, progress: Progress, size: int) -> None:
        self.progress = progress
        self.bar = progress.add_task("filling the archive", total=size)

    def evaluated(self, attempt: Attempt) -> None:
        """One more."""
        self.progress.advance(self.bar)


def fill(folder: Path, size: int) -> float:
    """Have the loop make a run of `size` evaluations. Returns its seconds."""
    settings = Settings(budget_evals=size, patience=10**9, target_roofline=1.0, tune_trials=0)
    task = Task("scale", "import torch\nclass Model(torch.nn.Module): ...\n")
    begin = time.perf_counter()
    with Progress() as progress:
        watch = Bar(progress, size)
        optimize(task, AtOnce(), ManyKernels(), BriefJudge(), settings, folder, watch)
    return time.perf_counter() - begin


def taken_up(folder: Path) -> RunState:
    """The state as a resumed run has it, from disk."""
    with EventLog(folder) as log:
        return RunState.from_events(log.events(), log.candidates())


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor seconds of one call. They differ where others use the machine."""
    begin, used = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - begin, time.process_time() - used


def decisions(state: RunState, settings: Settings, count: int) -> list[tuple[float, float]]:
    """Seconds of whole decisions, each of another turn."""
    cast, first = Cast(strategies=catalogue("cpp")), state.round + 1
    return [
        timed(partial(plan, state, settings, cast, first + i))
        for i in track(range(count), "deciding")
    ]


def row(name: str, seconds: list[tuple[float, float]], unit: float, target: float) -> str:
    """Median, 95% quantile and the longest by the wall, and the median of processor time."""
    wall, used = np.array(seconds).T * unit
    median, high, longest = np.quantile(wall, [0.5, 0.95, 1.0])
    return (
        f"| {name}, of {len(seconds)} | {median:.2f} | {high:.2f} | {longest:.2f} "
        f"| {np.median(used):.2f} | {target} |"
    )


def main() -> int:
    """0 when both targets hold, for the 95% quantile of decisions and for every resumption."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=SIZE, help="candidates in the archive")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "run"
        made_s = fill(folder, given.size)
        megabytes = (folder / "run.db").stat().st_size / 1e6
        resumes = [timed(lambda: taken_up(folder)) for _ in track(range(10), "taking up")]
        state = taken_up(folder)
    kinds = {
        "a decision as the run stands, ms": Settings(),
        "a decision that draws a parent, ms": Settings(repairs=0, crossover=0.0),
        "a decision that crosses two, ms": Settings(repairs=0, crossover=1.0),
    }
    plans = {name: decisions(state, settings, 500) for name, settings in kinds.items()}
    lines = [
        f"# An archive of {given.size} candidates",
        "",
        f"{datetime.date.today()}, {platform.machine()}, Python {platform.python_version()}. "
        f"`{' '.join(['python benchmarks/archive_scale.py', *sys.argv[1:]])}`",
        "",
        f"{state.evaluations} evaluations, {len(state.archive.all)} lines of descent, "
        f"{len(state.archive.elites())} niches; the log holds {megabytes:.0f} MB. The loop, with roles "
        f"and an evaluator that answer at once, took {made_s * 1e3 / given.size:.1f} ms a candidate.",
        "",
        "| | median | 95% | longest | processor, median | target |",
        "|---|---|---|---|---|---|",
        *(row(name, found, 1e3, MOST_PLAN_MS) for name, found in plans.items()),
        row("taking up the run, s", resumes, 1.0, MOST_RESUME_S),
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    if given.size == SIZE:
        (EVIDENCE / f"{datetime.date.today()}-archive-scale.md").write_text(text)
    slow = max(float(np.quantile([wall for wall, _ in found], 0.95)) for found in plans.values())
    longest = max(wall for wall, _ in resumes)
    return 0 if slow * 1e3 <= MOST_PLAN_MS and longest <= MOST_RESUME_S else 1


if __name__ == "__main__":
    sys.exit(main())
