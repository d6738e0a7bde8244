"""Records the pool that `search_ablation.py` draws from: real kernels, judged by the harness on this CPU.

    python benchmarks/record_pool.py                    goes on where the last call stopped
    python benchmarks/record_pool.py --fresh            everything anew
    python benchmarks/record_pool.py --minutes 5        stops after so long

Every structure (set of edits of `pool_subjects.py`) is judged as it is written; where it is accepted,
every choice of its numbers is judged too, where it is not, the whole structure counts as failing. The
order is shuffled, so that a disturbance of the machine does not fall on one edit. Points near the best of
their task are judged RUNS times: the best of many single measurements would be the luckiest. Their median
is the geometric mean of all, and their interval is as wide as that of one. Points that were timed while
others used the machine are marked, measured again at the end of a call, and replaced when the new interval
is narrower. One JSON file holds all: `benchmarks/pool.json`.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import json
import math
import os
import platform
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pool_subjects import SUBJECTS, Subject, structures
from rich.progress import Progress

from kernelwright.harness.candidate import Candidate
from kernelwright.harness.evaluate import Evaluator
from kernelwright.harness.peaks import device_facts
from kernelwright.harness.verdict import Verdict
from kernelwright.tasks.load import load_task

POOL = Path(__file__).parent / "pool.json"
RUNS, LEADS = 4, 0.75
"""Points of this share of the best of their task are judged so many times."""
Data = dict[str, Any]


def structure_key(subject: Subject, edits: frozenset[str]) -> str:
    """`A+B`, in the order of the subject; empty for the plain kernel."""
    return "+".join(e for e in subject.edits if e in edits)


def point_key(choice: dict[str, int | float | str]) -> str:
    """Values in the order of the space: `8,16`; empty where there are no numbers."""
    return ",".join(str(v) for v in choice.values())


def choices(candidate: Candidate) -> Iterator[dict[str, int | float | str]]:
    """Every choice of a candidate's numbers, the one in force first."""
    names = list(candidate.space)
    for values in itertools.product(*candidate.space.values()):
        yield dict(zip(names, values, strict=True))


def measured(verdict: Verdict) -> Data | None:
    """What a verdict says, as it is kept; None where it says nothing of the candidate."""
    if verdict.verdict == "rejected":
        error = verdict.errors[0]
        return {"fails": verdict.stage, "code": error.code, "message": error.message[:160]}
    eager = verdict.speedup.get("eager")
    if not verdict.accepted or eager is None:
        return None
    point: Data = {
        "speedup": [round(x, 4) for x in (eager.median, eager.low, eager.high)],
        "ms": round(verdict.time_ms["candidate"] or math.nan, 4),
    }
    if verdict.roofline:
        point["roofline"] = [verdict.roofline.bound, round(verdict.roofline.fraction, 4)]
    if any(f.code == "busy_machine" for f in verdict.findings):
        point["busy"] = True
    return point


def width(point: Data) -> float:
    """Natural logarithm of high / low."""
    _, low, high = point["speedup"]
    return math.log(high / low) if low > 0 else math.inf


def together(old: Data, new: Data) -> Data:
    """Two accepted points as one: geometric means, of medians and of widths, by how often each was judged."""
    runs = old.get("runs", 1)
    a, b = np.log(old["speedup"]), np.log(new["speedup"])
    middle = (runs * a + b) / (runs + 1)
    ms = math.exp((runs * math.log(old["ms"]) + math.log(new["ms"])) / (runs + 1))
    both = {**old, "speedup": [round(float(x), 4) for x in np.exp(middle)], "ms": round(ms, 4)}
    return {**both, "runs": runs + 1}


class Recorder:
    """One task's part of the pool."""

    def __init__(self, subject: Subject, kept: Data) -> None:
        self.kept = kept
        task = load_task(subject.task)
        kept.setdefault("category", task.meta.category)
        kept["edits"] = dict(subject.edits)
        kept.setdefault("structures", {})
        self.candidates: dict[str, Candidate] = {}
        first: dict[str, str] = {}
        for edits in structures(subject):
            key, candidate = structure_key(subject, edits), subject.candidate(edits)
            same = first.setdefault(candidate.normalised, key)
            if same != key:
                kept["structures"][key] = {"same_as": same}
                continue
            self.candidates[key] = candidate
            space = {n: list(v) for n, v in candidate.space.items() if len(v) > 1}
            held = kept["structures"].get(key, {})
            if held.get("source") != candidate.id:
                held = {"source": candidate.id, "space": space, "points": {}}
            kept["structures"][key] = held
        known = {structure_key(subject, edits) for edits in structures(subject)}
        for key in kept["structures"].keys() - known:  # of the subject as it was
            del kept["structures"][key]

    def waiting(self, rng: random.Random) -> list[tuple[str, dict[str, int | float | str]]]:
        """Points that are not measured, structures that nothing is known of first."""
        plain: list[tuple[str, dict[str, int | float | str]]] = []
        rest: list[tuple[str, dict[str, int | float | str]]] = []
        for key, candidate in self.candidates.items():
            held = self.kept["structures"][key]
            if "fails" in held:
                continue
            for number, choice in enumerate(choices(candidate)):
                if self._name(candidate, choice) not in held["points"]:
                    (rest if number else plain).append((key, choice))
        rng.shuffle(plain)
        rng.shuffle(rest)
        return plain + rest

    def doubtful(self) -> list[tuple[str, dict[str, int | float | str]]]:
        """Points timed on a busy machine, the least certain first."""
        found = []
        for key, candidate in self.candidates.items():
            points = self.kept["structures"][key].get("points", {})
            for choice in choices(candidate):
                point = points.get(self._name(candidate, choice))
                if point and point.get("busy"):
                    found.append((width(point), key, choice))
        found.sort(key=lambda item: -item[0])
        return [(key, choice) for _, key, choice in found]

    def leading(self) -> list[tuple[str, dict[str, int | float | str]]]:
        """Points near the best that were judged less than RUNS times, in order of that."""
        points = {
            (key, name): point
            for key in self.candidates
            for name, point in self.kept["structures"][key].get("points", {}).items()
            if "speedup" in point
        }
        best = max((p["speedup"][0] for p in points.values()), default=0.0)
        found = []
        for key, candidate in self.candidates.items():
            for choice in choices(candidate):
                point = points.get((key, self._name(candidate, choice)))
                runs = point.get("runs", 1) if point else RUNS
                if point and runs < RUNS and point["speedup"][0] >= LEADS * best:
                    found.append((runs, key, choice))
        found.sort(key=lambda item: item[0])
        return [(key, choice) for _, key, choice in found]

    def repeat(self, evaluator: Evaluator, key: str, choice: dict[str, Any]) -> None:
        """Judge an accepted point once more; one that is rejected now was never right."""
        candidate = self.candidates[key]
        points = self.kept["structures"][key]["points"]
        name = self._name(candidate, choice)
        found = measured(evaluator.evaluate(candidate.baked(choice)))
        if found is None:
            return
        points[name] = together(points[name], found) if "speedup" in found else found

    def measure(self, evaluator: Evaluator, key: str, choice: dict[str, Any]) -> None:
        """Judge one point and keep what was found, if it is better than what is kept."""
        held, candidate = self.kept["structures"][key], self.candidates[key]
        if "fails" in held:
            return
        point = measured(evaluator.evaluate(candidate.baked(choice)))
        if point is None:
            return
        name = self._name(candidate, choice)
        is_first = choice == next(choices(candidate))
        if "fails" in point and is_first and not held["points"].get(name):
            held.update(point)
            held["points"] = {}
            return
        old = held["points"].get(name)
        if old is None or ("speedup" in old and "speedup" in point and width(point) < width(old)):
            held["points"][name] = point
        elif "busy" not in point:
            old.pop("busy", None)

    def _name(self, candidate: Candidate, choice: dict[str, Any]) -> str:
        return point_key({n: v for n, v in choice.items() if len(candidate.space[n]) > 1})


def provenance() -> Data:
    """Where, when and how."""
    facts = device_facts(len(os.sched_getaffinity(0)))
    return {
        "date": datetime.date.today().isoformat(),
        "machine": facts.name,
        "threads": facts.threads,
        "isa": list(facts.isa),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "command": " ".join(["python benchmarks/record_pool.py", *sys.argv[1:]]),
        "effort": "loop: paired with eager, 95% bootstrap interval",
    }


def save(pool: Data) -> None:
    """Written beside and moved, so that a killed call loses nothing."""
    for task in pool["tasks"].values():
        held = [s for s in task["structures"].values() if "same_as" not in s]
        points = [p for s in held for p in s["points"].values()]
        task["busy_points"] = sum(bool(p.get("busy")) for p in points)
        task["measured_points"] = len(points) + sum("fails" in s for s in held)
    beside = POOL.with_suffix(".tmp")
    beside.write_text(compact(pool) + "\n")
    beside.replace(POOL)


def compact(value: Any, depth: int = 0) -> str:
    """JSON with one line for each structure, so that a change of the file can be read."""
    if depth == 4 or not isinstance(value, dict) or not value:
        return json.dumps(value)
    inside = ",\n".join(
        f"{' ' * (depth + 1)}{json.dumps(k)}: {compact(v, depth + 1)}" for k, v in value.items()
    )
    return f"{{\n{inside}\n{' ' * depth}}}"


def main() -> int:
    """0 when every point is measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tasks", nargs="*", help="names of core tasks; default: all of the pool")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after so long")
    parser.add_argument("--fresh", action="store_true", help="forget what is there")
    parser.add_argument("--passes", type=int, default=2, help="how often busy points are repeated")
    given = parser.parse_args()
    ends = time.monotonic() + 60 * given.minutes
    known = POOL.exists() and not given.fresh
    pool: Data = json.loads(POOL.read_text()) if known else {"tasks": {}}
    pool["provenance"] = provenance()
    left = 0
    with Progress() as progress:
        bar = progress.add_task("recording", total=None)
        for subject in SUBJECTS:
            if given.tasks and subject.task.rpartition("/")[2] not in given.tasks:
                continue
            recorder = Recorder(subject, pool["tasks"].setdefault(subject.task, {}))
            todo = recorder.waiting(random.Random(0))
            if (todo or recorder.leading() or recorder.doubtful()) and time.monotonic() < ends:
                with Evaluator(load_task(subject.task)) as evaluator:
                    for again in range(given.passes + 1):
                        todo = recorder.doubtful() if again else todo
                        progress.reset(bar, description=subject.task, total=len(todo))
                        for key, choice in todo:
                            if time.monotonic() >= ends:
                                break
                            recorder.measure(evaluator, key, choice)
                            save(pool)
                            progress.advance(bar)
                    for _ in range(1, RUNS):
                        for key, choice in recorder.leading():
                            if time.monotonic() < ends:
                                recorder.repeat(evaluator, key, choice)
                                save(pool)
            left += len(recorder.waiting(random.Random(0)))
    save(pool)
    print(f"{left} points are still to be measured", file=sys.stderr)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
