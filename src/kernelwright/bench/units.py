"""The work for one task of a batch, and what came of it: a search, or verdicts on kernels that are there."""

from __future__ import annotations

import signal
from pathlib import Path

from kernelwright.agents.archive import fitness
from kernelwright.agents.roles import Attempt
from kernelwright.bench.plan import Plan
from kernelwright.evals.batch import AGAIN, broken_off
from kernelwright.evals.from_run import is_run, no_own_time, task_result
from kernelwright.evals.judge import candidate_in, verdict_in
from kernelwright.evals.outcome import SHAPES_UNTIMED
from kernelwright.evals.pool import Ended, Unit
from kernelwright.evals.purse import Purse, budget_words
from kernelwright.evals.record import AttemptRow, Attempts, Cost, Kernel, Samples, TaskResult
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.verdict import Verdict
from kernelwright.outputs import task_folder
from kernelwright.tasks.task import Task

_BAD_TASK = 2


class Searches:
    """Every task is searched by a process of its own; a run that was broken off goes on."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._tasks = {task.name: task for task in plan.tasks}
        self._runs = plan.folder / "runs"
        self.purse = self._filled(plan)

    def unit(self, name: str) -> Unit:
        """The search of a task."""
        words = ["optimize", _spec(self._tasks[name]), *self._plan.words]
        words += ["--out", str(self._runs), "--json"]
        run = self._latest(name)
        if run is not None:
            words += ["--resume", run.name]
        late = None if self.purse is None else lambda: self._budget(name)
        return Unit(name, tuple(words), _log(self._plan, name), late=late)

    def result(self, name: str, ended: Ended) -> TaskResult:
        """What the search came to, or how it broke off."""
        run = self._latest(name)
        if run is None or ended.status == _BAD_TASK:
            return broken_off(name, self._plan.device, ended)
        found = task_result(run)
        if ended.skipped is not None:
            again = {"state": "failed", "reason": ended.skipped, "device": self._plan.device}
            return found.model_copy(update=again)
        if ended.status < 0:  # killed amid the search: the log does not know
            how = signal.Signals(-ended.status).name
            return found.model_copy(update={"state": "failed", "reason": f"killed by {how}"})
        return found.model_copy(update={"device": self._plan.device})

    def _filled(self, plan: Plan) -> Purse | None:
        """The budget of the batch, with what earlier sessions have spent of it."""
        if not plan.totals:
            return None
        spent: dict[str, Cost] = {}
        waiting: list[str] = []
        for result in plan.record.on(plan.device):
            run = self._latest(result.task)
            if result.state in AGAIN:
                waiting.append(result.task)
                result = task_result(run) if run else result  # killed ones have no result yet
            spent[result.task] = result.spent
        return Purse(plan.totals, plan.most, spent, waiting)

    def _budget(self, name: str) -> list[str]:
        """The task's part of what is left, as options. Raises NotNow."""
        assert self.purse is not None
        return list(budget_words(self.purse.take(name)))

    def _latest(self, name: str) -> Path | None:
        folder = task_folder(self._runs, name)
        runs = [p for p in sorted(folder.iterdir()) if is_run(p)] if folder.is_dir() else []
        return runs[-1] if runs else None


class Judgements:
    """Kernels of others: every one has a final verdict; a task's best stands for it."""

    purse = None  # nobody spends

    def __init__(self, plan: Plan) -> None:
        assert plan.kernels is not None
        self._plan = plan
        self._files = plan.kernels.of
        self._tasks = {task.name: task for task in plan.tasks}

    def unit(self, name: str) -> Unit:
        """The verdicts for a task; nothing to do where it has no kernel."""
        words = [_spec(self._tasks[name]), str(self._verdicts(name))]
        words += [str(file) for file in self._files.get(name, ())]
        return Unit(name, tuple(words), _log(self._plan, name), "kernelwright.evals.judge")

    def result(self, name: str, ended: Ended) -> TaskResult:
        """The best of the task's kernels, with the number of those that are right."""
        candidates = [candidate_in(file) for file in self._files.get(name, ())]
        judged = [(c, verdict_in(self._verdicts(name), c)) for c in candidates]
        known = [(c, v) for c, v in judged if v is not None]
        if len(known) < len(judged):
            return broken_off(name, self._plan.device, ended)
        task = self._tasks[name]
        right = [(c, v) for c, v in known if v.accepted]
        best = max(right, key=lambda cv: fitness(Attempt(cv[0], cv[1], 0)) or 0.0, default=None)
        suite, slash, _ = name.partition("/")
        return TaskResult(
            task=name,
            device=self._plan.device,
            state="done",
            reason=None if best else "no kernel was accepted" if known else "there is no kernel",
            task_hash=task.hash,
            suite=suite if slash else "own",
            category=task.meta.category,
            level=task.meta.level,
            models=self._plan.record.models,
            best=_kernel(*best) if best else None,
            attempts=Attempts(
                n=len(known), accepted=len(right), rows=tuple(_row(c, v) for c, v in known)
            ),
            samples=Samples(n=len(known), correct=len(right)),
            spent=Cost(evaluations=len(known)),
            reasons=_why_unknown(best[1] if best else None),
        )

    def _verdicts(self, name: str) -> Path:
        return task_folder(self._plan.folder / "verdicts", name)


_WHY_UNKNOWN = {
    "spent.usd": "the kernels were there already",
    "spent.tokens": "the kernels were there already",
    "spent.wall_s": "the kernels were there already",
    "best.parent": "only the kernel itself is known",
    "best.floor_ms": "the verdict tells the share of the floor",
    "best.bundle": "no bundle was made",
    "shapes": SHAPES_UNTIMED,
}


def _why_unknown(verdict: Verdict | None) -> dict[str, str]:
    """The same for a task's best."""
    if verdict is None or verdict.own_time is not None:
        return dict(_WHY_UNKNOWN)
    return {**_WHY_UNKNOWN, "best.own_time_share": no_own_time(verdict)}


def _kernel(candidate: Candidate, verdict: Verdict) -> Kernel:
    return Kernel(
        candidate=candidate.id,
        source=candidate.source,
        language=candidate.language,
        verdict=verdict,
        confirmed=True,
        own_time_share=verdict.own_time,
    )


def _row(candidate: Candidate, verdict: Verdict) -> AttemptRow:
    gained = verdict.speedup.get("eager")
    return AttemptRow(
        candidate=candidate.id,
        round=0,
        verdict=verdict.verdict,
        stage=verdict.stage,
        language=candidate.language,
        code=verdict.errors[0].code if verdict.errors else None,
        speedup=gained.median if verdict.accepted and gained else None,
    )


def _spec(task: Task) -> str:
    """What finds the task again."""
    if task.spec is not None:
        return task.spec
    return task.name if "/" in task.name or task.path is None else str(task.path)


def _log(plan: Plan, name: str) -> Path:
    return task_folder(plan.folder / "logs", name).with_suffix(".log")
