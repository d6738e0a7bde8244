"""How many evaluations the search needs, and what each of its parts is worth.

Simulated models of known quality (`simulated.py`, where every assumption is written down) play through
the real loop: graph, planner, archive, bandits, tuner, journal. Their edits have the effects, failures
and noise that were recorded on a real machine (`record_pool.py`, `pool.json`). No network, no compiler.

    python benchmarks/search_ablation.py                  all of it, evidence in evals/evidence/
    python benchmarks/search_ablation.py --seeds 3        fewer runs, printed only
    python benchmarks/search_ablation.py --only full self-refine --qualities middle

What is counted: evaluations, tuning trials included, until the kernel that the run ranks first (by the
low end of its noisy interval) has, by its recorded speed, 95% of the best speedup in the pool. A run that
does not get there within the cap counts as the cap and is named. Runs are paired by task and seed; ratios
are geometric means over tasks and seeds, intervals are bootstrapped over tasks and, within them, seeds.
"""

from __future__ import annotations

import argparse
import datetime
import json
import multiprocessing
import os
import platform
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from landscape import POOL, Landscape, landscapes
from rich.progress import track
from simulated import QUALITIES, Quality, SimulatedCoder, SimulatedEvaluator, SimulatedJudge

from kernelwright.agents import budget
from kernelwright.agents.ablations import ABLATIONS, ablated
from kernelwright.agents.archive import fitness
from kernelwright.agents.ledger import effort
from kernelwright.agents.optimize import Quiet, optimize
from kernelwright.agents.roles import Attempt
from kernelwright.agents.settings import Settings
from kernelwright.tasks.task import Task

EVIDENCE = Path(__file__).resolve().parents[1] / "evals" / "evidence"
CAP = 120
"""Evaluations of a run."""
MOST_TURNS = 4
"""Turns of a run, to its cap: turns that bring only what is known cost no evaluation."""
MEMORY = Path("/dev/shm")
"""Where logs are written, if it is there: 10,000 runs would wait for the disk most of the time."""
SHARE = 0.95
SEEDS = 20
LEFT_OUT = {
    "full-history": "no effect on answers is assumed",
    "full-counters": "no effect on answers is assumed",
    "no-memory": "no lessons are simulated, and no run here uses any",
    "one-shot": "one evaluation, which is no search; what it gives stands under each table",
}
"""Ablations that say nothing here, and why."""
ELSEWHERE = ("full", "self-refine", "no-judge", "no-tuner")
"""What is run with models of other qualities than the middling ones."""
CONFIGURATIONS = ("full", *(name for name in ABLATIONS if name not in LEFT_OUT))


@dataclass(frozen=True)
class Job:
    """One run to make."""

    task: str
    quality: Quality
    configuration: str
    seed: int
    cap: int = CAP
    noise: float = 1.0


@dataclass(frozen=True)
class Result:
    """How it went. `needed` counts evaluations; the cap where the run did not get there."""

    task: str
    quality: str
    configuration: str
    seed: int
    needed: int
    reached: bool
    stop: str
    share: float
    """Speed of the kernel ranked first to the best known; 0 without one."""
    first: float
    """Speed of the first evaluation to the best known; 0 where it failed."""
    calls: int
    """Calls of models."""
    usd: float
    seconds: float


class Watch(Quiet):
    """Stops a run when the kernel that it ranks first is good enough."""

    def __init__(self, landscape: Landscape, evaluator: SimulatedEvaluator) -> None:
        self.landscape = landscape
        self.evaluator = evaluator
        self.stop = threading.Event()
        self.needed: int | None = None
        self.share = 0.0
        self.first: float | None = None
        self._leads = 0.0

    def evaluated(self, attempt: Attempt) -> None:
        """Look whether this one takes the lead, and how good it truly is."""
        share = self._share(attempt)
        if self.first is None:
            self.first = share
        gained = fitness(attempt)
        if gained is None or gained <= self._leads:
            return
        self._leads, self.share = gained, share
        if share >= SHARE and self.needed is None:
            self.needed = self.evaluator.loops
            self.stop.set()

    def _share(self, attempt: Attempt) -> float:
        return (self.evaluator.true_speedup(attempt.candidate) or 0.0) / self.landscape.best


def settings(configuration: str, seed: int, cap: int) -> Settings:
    """As a user has them, but that nothing ends a run before its cap."""
    plain = Settings(
        budget_evals=cap, patience=10**9, target_roofline=1.0, rounds=MOST_TURNS * cap, seed=seed
    )
    return plain if configuration == "full" else ablated(plain, (configuration,))


def play(landscape: Landscape, job: Job, folder: Path) -> Result:
    """One run."""
    begin = time.perf_counter()
    chosen = settings(job.configuration, job.seed, job.cap)
    evaluator = SimulatedEvaluator(landscape, job.seed, job.noise)
    coder = SimulatedCoder(landscape, job.quality, conversation=chosen.parents == "last")
    judge = SimulatedJudge(landscape, job.quality)
    watch = Watch(landscape, evaluator)
    task = Task(landscape.task, "import torch\nclass Model(torch.nn.Module): ...\n")
    out = optimize(task, evaluator, coder, judge, chosen, folder, watch, stop=watch.stop)
    calls = sum(line.calls for line in out.spent.by_role.values())
    return Result(
        job.task,
        job.quality.name,
        job.configuration,
        job.seed,
        watch.needed or job.cap,
        watch.needed is not None,
        out.stop.reason,
        watch.share,
        watch.first or 0.0,
        calls,
        out.spent.usd or 0.0,
        time.perf_counter() - begin,
    )


_POOL: dict[str, Landscape] = {}


def _open(pool: Path) -> None:
    # A Coder that only repeats itself ends a run. Here each goes on to its cap, or self-refinement,
    # which gets stuck more often, would be counted as worse than it is.
    budget.EMPTY_ROUNDS = 10**9
    # Nothing is run, so there is no processor time to be told, which takes a look at every process.
    effort.tree_cpu_s = lambda root=None: None
    _POOL.update({one.task: one for one in landscapes(pool)})


def _one(job: Job) -> Result:
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as scratch:
        return play(_POOL[job.task], job, Path(scratch) / "run")


def run(jobs: Sequence[Job], pool: Path, processes: int) -> list[Result]:
    """All of them, in the order given."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes, _open, (pool,)) as workers:
        return list(track(workers.imap(_one, jobs, chunksize=4), "searching", total=len(jobs)))


@dataclass(frozen=True)
class Ratio:
    """Geometric mean of paired ratios with a 95% bootstrap interval."""

    value: float
    low: float
    high: float


def ratio(needed: np.ndarray, base: np.ndarray) -> Ratio:
    """Of two arrays of evaluations, task x seed: resampled over tasks, then over seeds within them."""
    logs = np.log(needed) - np.log(base)
    rng = np.random.default_rng(0)
    tasks, seeds = logs.shape
    draws = []
    for _ in range(4000):
        rows = logs[rng.integers(0, tasks, tasks)]
        columns = rng.integers(0, seeds, (tasks, seeds))
        draws.append(np.take_along_axis(rows, columns, axis=1).mean())
    low, high = np.quantile(draws, [0.025, 0.975])
    return Ratio(float(np.exp(logs.mean())), float(np.exp(low)), float(np.exp(high)))


def grid(results: Sequence[Result], quality: str, configuration: str) -> np.ndarray:
    """Evaluations needed, task x seed."""
    mine = [r for r in results if (r.quality, r.configuration) == (quality, configuration)]
    tasks, seeds = sorted({r.task for r in mine}), sorted({r.seed for r in mine})
    needed = {(r.task, r.seed): r.needed for r in mine}
    return np.array([[needed[t, s] for s in seeds] for t in tasks], dtype=float)


def table(results: Sequence[Result], quality: str, configurations: Sequence[str]) -> list[str]:
    """A row for each configuration."""
    refine, full = grid(results, quality, "self-refine"), grid(results, quality, "full")
    lines = [
        "| configuration | median evaluations | mean | geometric mean | of self-refine's "
        "| of the full search's | not reached | model calls | dollars |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name in configurations:
        mine = [r for r in results if (r.quality, r.configuration) == (quality, name)]
        needed = grid(results, quality, name)
        against, share = ratio(needed, refine), ratio(needed, full)
        missed = sum(not r.reached for r in mine)
        calls, usd = np.mean([r.calls for r in mine]), np.mean([r.usd for r in mine])
        lines.append(
            f"| {name} | {np.median(needed):.0f} | {np.mean(needed):.1f} | "
            f"{np.exp(np.log(needed).mean()):.1f} | {_cell(against)} | {_cell(share)} "
            f"| {missed} of {len(mine)} | {calls:.1f} | {usd:.2f} |"
        )
    return lines


def by_task(
    results: Sequence[Result], quality: str, noise: Mapping[str, float] | None = None
) -> list[str]:
    """Where the full search wins and where it does not; `noise` is the deviation of a logarithm.

    Where noise is as large as what edits are worth, the best of a pool is the luckiest measurement.
    """
    lines = [
        "| task | full | self-refine | ratio | one measurement's noise |",
        "|---|---|---|---|---|",
    ]
    tasks = sorted({r.task for r in results})
    full, refine = grid(results, quality, "full"), grid(results, quality, "self-refine")
    for number, task in enumerate(tasks):
        one = ratio(full[number : number + 1], refine[number : number + 1])
        lines.append(
            f"| {task} | {np.median(full[number]):.0f} | {np.median(refine[number]):.0f} | {_cell(one)} "
            f"| {'unknown' if not noise else f'{noise[task]:.1%}'} |"
        )
    return lines


def missed(results: Sequence[Result]) -> list[str]:
    """Runs of the full search and of self-refinement that did not get there."""
    lines = [
        f"- {r.quality}, {r.configuration}, {r.task}, seed {r.seed}: {r.share:.0%}, {r.stop}"
        for r in results
        if not r.reached and r.configuration in ("full", "self-refine")
    ]
    return lines or ["None."]


def _cell(one: Ratio) -> str:
    return f"{one.value:.2f} [{one.low:.2f}, {one.high:.2f}]"


def report(results: Sequence[Result], about: dict[str, Any]) -> str:
    """Everything, as Markdown."""
    qualities = list(dict.fromkeys(r.quality for r in results))
    lines = [
        "# The search by its parts",
        "",
        f"{about['date']}, {about['runs']} runs in {about['seconds']:.0f} s. `{about['command']}`",
        "",
        f"Pool: {about['pool']}. The rules of the search were chosen on other landscapes "
        "(`benchmarks/made_up.py`).",
        "",
        f"Evaluations until the kernel ranked first has {SHARE:.0%} of the best known speedup, at most "
        f"{about['cap']}; {about['seeds']} seeds on {about['tasks']} tasks, paired. "
        "Assumptions about the models: `benchmarks/simulated.py`. Dollars and calls are until then, too.",
        "",
    ]
    for quality in qualities:
        numbers = next(q for q in QUALITIES if q.name == quality)
        said = ", ".join(f"{k} {v}" for k, v in asdict(numbers).items() if k != "name")
        lines += [f"## Models: {quality}", "", f"{said}.", ""]
        mine = dict.fromkeys(r.configuration for r in results if r.quality == quality)
        lines += [*table(results, quality, list(mine)), ""]
        shots = [
            r.first for r in results if (r.quality, r.configuration) == (quality, "self-refine")
        ]
        lines += [
            f"One shot: {np.mean(shots):.0%} of the best known on average, "
            f"{np.mean(np.array(shots) > 0):.0%} of first kernels accepted.",
            "",
        ]
        lines += [*by_task(results, quality, about.get("noise")), ""]
    lines += ["## Not shown", "", *(f"- {k}: {v}" for k, v in LEFT_OUT.items()), ""]
    lines += ["## Not reached", "", *missed(results), ""]
    return "\n".join(lines)


def main() -> int:
    """0 when the full search needs at most half of what self-refinement does, for middling models."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--cap", type=int, default=CAP, help="evaluations of a run")
    parser.add_argument("--only", nargs="*", choices=CONFIGURATIONS, default=list(CONFIGURATIONS))
    parser.add_argument("--qualities", nargs="*", default=[q.name for q in QUALITIES])
    parser.add_argument("--tasks", nargs="*", help="names of core tasks; default: all of the pool")
    parser.add_argument("--pool", type=Path, default=POOL)
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--out", type=Path, help="write the report here too")
    given = parser.parse_args()
    if not given.pool.is_file():
        parser.error(f"no pool at {given.pool}: record one with python benchmarks/record_pool.py")
    names = [one.task for one in landscapes(given.pool)]
    if not names:
        parser.error(
            f"no task of {given.pool} is complete: python benchmarks/record_pool.py goes on"
        )
    chosen = [n for n in names if not given.tasks or n.rpartition("/")[2] in given.tasks]
    configurations = list(dict.fromkeys(["full", "self-refine", *given.only]))
    jobs = [
        Job(task, quality, configuration, seed, given.cap)
        for quality in QUALITIES
        if quality.name in given.qualities
        for configuration in configurations
        if quality.name == "middle" or configuration in ELSEWHERE
        for task in chosen
        for seed in range(given.seeds)
    ]
    begin = time.monotonic()
    results = run(jobs, given.pool, given.processes)
    recorded = json.loads(given.pool.read_text())["provenance"]
    busy = sum(t["busy_points"] for t in json.loads(given.pool.read_text())["tasks"].values())
    about = {
        "date": datetime.date.today().isoformat(),
        "python": platform.python_version(),
        "command": " ".join(["python benchmarks/search_ablation.py", *sys.argv[1:]]),
        "runs": len(jobs),
        "seconds": time.monotonic() - begin,
        "cap": given.cap,
        "seeds": given.seeds,
        "tasks": len(chosen),
        "noise": {one.task: one.noise for one in landscapes(given.pool)},
        "pool": f"recorded {recorded['date']} on {recorded['machine']}, {recorded['threads']} threads, "
        f"torch {recorded['torch']}, by `{recorded['command']}`; {busy} points were timed beside "
        "other work",
    }
    text = report(results, about)
    print(text)
    whole = set(given.only) >= set(CONFIGURATIONS) and len(given.qualities) == len(QUALITIES)
    if (whole and given.seeds >= SEEDS and chosen == names) or given.out:
        stem = given.out or EVIDENCE / f"{about['date']}-search-ablation"
        stem.with_suffix(".md").write_text(text)
        rows = [{**asdict(r), "seconds": round(r.seconds, 2)} for r in results]
        data = {"about": about, "qualities": [asdict(q) for q in QUALITIES], "runs": rows}
        stem.with_suffix(".json").write_text(json.dumps(data) + "\n")
    middle = [r for r in results if r.quality == "middle"] or results
    name = middle[0].quality
    shown = ratio(grid(middle, name, "full"), grid(middle, name, "self-refine"))
    return 0 if shown.value <= 0.5 else 1


if __name__ == "__main__":
    sys.exit(main())
