"""Is the search better than the tuner alone? The built-in model over the core suite, on this CPU.

Two ways to spend the same number of evaluations on a task:

- search: `optimize` as it is, with the built-in model;
- tuner: the first kernel that the built-in model writes, and the rest for the tuner.

Nothing but the budget ends either. Both champions are then judged again with `effort="final"`, one after
the other in an order that alternates from task to task, the second in the same run as the first. Without
a champion a side counts as eager, 1.0. Tasks that the built-in model writes nothing for are named and left
out: neither side has anything to spend evaluations on.

    python benchmarks/search_vs_tuner.py                     all tasks, evidence in evals/evidence/
    python benchmarks/search_vs_tuner.py --tasks softmax rope --budget-evals 8
    python benchmarks/search_vs_tuner.py --every 3           every third task of the suite

A task is written to `--log` as soon as it is done; the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from builtin_model import geometric_mean, machine
from rich.progress import Progress

from kernelwright.agents.builtin.builtin import BuiltinCoder, BuiltinJudge
from kernelwright.agents.optimize import Outcome, optimize
from kernelwright.agents.settings import Settings
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.evaluate import Evaluator
from kernelwright.harness.verdict import Speedup, Verdict
from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.load import list_suite, load_task
from kernelwright.tasks.task import Task

EVIDENCE = Path(__file__).resolve().parents[1] / "evals" / "evidence"
BUDGET = 16
SIDES = ("search", "tuner")


@dataclass(frozen=True)
class Row:
    """One task. Speedups are against eager, of the final judgement; 1.0 without a champion."""

    task: str
    budget: int
    search: float | None
    tuner: float | None
    direct: tuple[float, float, float] | None
    """Search against tuner, timed in one run: median, low, high. None where a side has no champion."""
    same: bool
    """Whether both found the same kernel."""
    evaluations: tuple[int, int]
    """Of search and tuner. A space that is used up, or no idea left, ends a side early."""
    stops: tuple[str, str]
    first: str
    """Which side was judged first."""
    seconds: float
    left_out: str | None = None
    """Why the task says nothing."""


def settings(side: str, budget: int, seed: int) -> Settings:
    """How each side spends its evaluations."""
    if side == "search":
        return Settings(
            budget_evals=budget, patience=10**9, target_roofline=1.0, seed=seed, confirmations=1
        )
    return Settings(
        budget_evals=budget,
        patience=10**9,
        target_roofline=1.0,
        seed=seed,
        confirmations=1,
        rounds=1,
        islands=1,
        repairs=0,
        strategies=0,
        tune_trials=budget - 1,
        tune_gain=0.0,
    )


class Unconfirmed:
    """The evaluator without final judgements: those are made afterwards, both sides together."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self.facts = evaluator.facts
        self.target = evaluator.target
        self._said: dict[str, Verdict] = {}

    def fingerprint(self, candidate: Candidate) -> str | None:
        """The evaluator's."""
        return self._evaluator.fingerprint(candidate)

    def evaluate(
        self,
        candidate: Candidate,
        *,
        effort: Literal["loop", "final"] = "loop",
        champion: Candidate | None = None,
    ) -> Verdict:
        """The evaluator's verdict; a confirmation is put off by repeating what the loop said."""
        if effort == "final":
            return self._said[candidate.id]
        verdict = self._evaluator.evaluate(candidate, champion=champion)
        self._said[candidate.id] = verdict
        return verdict


def searched(task: Task, evaluator: Evaluator, side: str, budget: int, seed: int) -> Outcome:
    """One side's run."""
    with tempfile.TemporaryDirectory() as scratch:
        return optimize(
            task,
            Unconfirmed(evaluator),
            BuiltinCoder(),
            BuiltinJudge(),
            settings(side, budget, seed),
            Path(scratch) / "run",
        )


def measure(name: str, number: int, budget: int, seed: int) -> Row:
    """Both sides of one task, in an order that alternates."""
    begin = time.monotonic()
    task = load_task(name)
    order = SIDES if number % 2 == 0 else SIDES[::-1]
    outcomes: dict[str, Outcome] = {}
    final: dict[str, Speedup | None] = dict.fromkeys(SIDES)
    direct = None
    with Evaluator(task) as evaluator:
        evaluator._crew.compile_reason = "not compared with here"
        for side in order:
            outcomes[side] = searched(task, evaluator, side, budget, seed)
        found = {s: o.champion.attempt.candidate for s, o in outcomes.items() if o.champion}
        same = len(found) == 2 and found["search"].id == found["tuner"].id
        for place, side in enumerate(order):
            if side not in found:
                continue
            other = found.get(order[0]) if place and not same else None
            if same and place:
                final[side] = final[order[0]]
                continue
            verdict = evaluator.evaluate(found[side], effort="final", champion=other)
            final[side] = verdict.speedup.get("eager") if verdict.accepted else None
            against = verdict.speedup.get("champion")
            if against:
                direct = _search_over_tuner(against, side)
    if all(o.stop.reason == "no_idea" and not o.attempts for o in outcomes.values()):
        return _left_out(name, budget, outcomes["search"].stop.message, begin)
    eager = {side: (s.median if s and s.median > 1 else 1.0) for side, s in final.items()}
    return Row(
        name,
        budget,
        eager["search"],
        eager["tuner"],
        direct,
        same,
        (len(outcomes["search"].attempts), len(outcomes["tuner"].attempts)),
        (outcomes["search"].stop.reason, outcomes["tuner"].stop.reason),
        order[0],
        round(time.monotonic() - begin, 1),
    )


def _search_over_tuner(measured: Speedup, side: str) -> tuple[float, float, float]:
    """The direct comparison, turned so that more than 1 is in favour of the search."""
    found = (measured.median, measured.low, measured.high)
    if side == "search":
        return found
    return 1 / found[0], 1 / found[2], 1 / found[1]


def _left_out(name: str, budget: int, why: str, begin: float) -> Row:
    seconds = round(time.monotonic() - begin, 1)
    return Row(name, budget, None, None, None, False, (0, 0), ("", ""), "", seconds, why)


def winner(row: Row) -> str:
    """`search`, `tuner`, `same kernel` or `neither`: by the direct comparison where there is one."""
    if row.same:
        return "same kernel"
    assert row.search is not None and row.tuner is not None
    if row.direct:
        _, low, high = row.direct
        return "search" if low > 1 else "tuner" if high < 1 else "neither"
    return "search" if row.search > row.tuner else "tuner" if row.tuner > row.search else "neither"


def report(rows: Sequence[Row], about: str) -> str:
    """All tasks, losses too."""
    told = [r for r in rows if r.left_out is None]
    ratios = [(r.search or 1.0) / (r.tuner or 1.0) for r in told]
    means = {
        "search against eager": geometric_mean([r.search or 1.0 for r in told]),
        "tuner against eager": geometric_mean([r.tuner or 1.0 for r in told]),
        "search against tuner, by their speedups against eager": geometric_mean(ratios),
        "search against tuner, timed together (1 where both found the same)": geometric_mean(
            [
                r.direct[0] if r.direct else 1.0 if r.same else q
                for r, q in zip(told, ratios, strict=True)
            ]
        ),
    }
    won = {
        name: sum(winner(r) == name for r in told) for name in (*SIDES, "neither", "same kernel")
    }
    lines = [
        "# The search against the tuner alone",
        "",
        about,
        "",
        f"{len(told)} tasks, {rows[0].budget} evaluations for each side; "
        + ", ".join(f"{name}: {count}" for name, count in won.items())
        + ". A win is an interval of the direct comparison that does not hold 1.",
        "",
        "| geometric mean over tasks | value | 95% interval |",
        "|---|---|---|",
        *(f"| {n} | {m.value:.3f}x | {m.low:.3f} to {m.high:.3f} |" for n, m in means.items()),
        "",
        "| task | search | tuner | search / tuner, together | evaluations | ended | who |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in sorted(told, key=lambda r: -((r.search or 1.0) / (r.tuner or 1.0))):
        direct = "{:.3f} [{:.3f}, {:.3f}]".format(*row.direct) if row.direct else ""
        lines.append(
            f"| {row.task} | {row.search:.2f}x | {row.tuner:.2f}x | {direct} "
            f"| {row.evaluations[0]}, {row.evaluations[1]} | {row.stops[0]}, {row.stops[1]} "
            f"| {winner(row)} |"
        )
    lines += ["", "## Left out", ""]
    lines += [f"- {r.task}: {r.left_out}" for r in rows if r.left_out] or ["Nothing."]
    return "\n".join(lines) + "\n"


def known(log: Path, budget: int) -> dict[str, Row]:
    """Tasks that the log holds for this budget."""
    rows = [json.loads(line) for line in log.read_text().splitlines()] if log.is_file() else []
    return {r["task"]: Row(**r) for r in rows if r["budget"] == budget}


def main() -> int:
    """0 when the search's geometric mean is the better one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="*", help="names of core tasks; default: all")
    parser.add_argument("--every", type=int, default=1, help="every n-th task of the suite only")
    parser.add_argument("--budget-evals", type=int, default=BUDGET)
    parser.add_argument("--seed", type=int, default=0)
    stem = EVIDENCE / f"{datetime.date.today()}-search-vs-tuner"
    parser.add_argument("--log", type=Path, default=stem.with_suffix(".jsonl"))
    given = parser.parse_args()
    names = [t.name for t in list_suite("core")][:: given.every]
    chosen = [n for n in names if not given.tasks or n.rpartition("/")[2] in given.tasks]
    done = known(given.log, given.budget_evals)
    with Progress(disable=not sys.stderr.isatty()) as progress:
        bar = progress.add_task("searching", total=len(chosen))
        for number, name in enumerate(chosen):
            if name not in done:
                try:
                    row = measure(name, number, given.budget_evals, given.seed)
                except TaskError as error:
                    row = _left_out(name, given.budget_evals, str(error), time.monotonic())
                done[name] = row
                with given.log.open("a") as file:
                    file.write(json.dumps(asdict(row)) + "\n")
                print(f"{name}: {row.search} {row.tuner}, {row.seconds} s", file=sys.stderr)
            progress.advance(bar)
    rows = [done[name] for name in chosen]
    where = machine(" ".join(["python benchmarks/search_vs_tuner.py", *sys.argv[1:]]))
    about = (
        f"{where['date']}, {where['cpu']}, {len(os.sched_getaffinity(0))} cores, torch {where['torch']}, "
        f"{sum(r.seconds for r in rows):.0f} s. `{where['command']}`"
    )
    text = report(rows, about)
    print(text)
    if not given.tasks:
        stem.with_suffix(".md").write_text(text)
    told = [r for r in rows if r.left_out is None]
    ratio = geometric_mean([(r.search or 1.0) / (r.tuner or 1.0) for r in told])
    return 0 if ratio.value > 1 else 1


if __name__ == "__main__":
    sys.exit(main())
