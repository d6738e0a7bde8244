"""A run folder of `kernelwright optimize` as a record: the event log read once more, nothing measured.

The result keeps what the harness said. Where the search found a correct kernel that is not faster, it is
the best kernel all the same: slow and correct is not wrong. Kernels that their final confirmation turned
down are out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from kernelwright.agents.events import Event
from kernelwright.agents.events import read as read_log
from kernelwright.agents.roles import Attempt
from kernelwright.agents.run_state import START, RunState
from kernelwright.evals.attempts import attempts_of, note_of, turned_down
from kernelwright.evals.outcome import SHAPES_UNTIMED
from kernelwright.evals.record import (
    BatchRecord,
    Cost,
    Device,
    Kernel,
    Machine,
    Source,
    State,
    Suite,
    TaskFacts,
    TaskResult,
)
from kernelwright.harness.verdict import Verdict
from kernelwright.tasks import audits
from kernelwright.tasks.errors import TaskError, UsageError
from kernelwright.tasks.load import load_task, read_task
from kernelwright.tasks.task import Task

_FAILED: Mapping[str, State] = {
    "model_failed": "failed",
    "interrupted": "failed",
    "harness_error": "harness_error",
    "task_error": "task_error",
}
"""Reasons to stop that are no end of the search."""
_UNKNOWN_DEVICE = "unknown"
"""Name of a device that neither log nor card tells: those of early versions without a champion."""


@dataclass(frozen=True)
class _Run:
    """All that a folder holds."""

    folder: Path
    asked: Mapping[str, Any]
    card: Mapping[str, Any] | None
    task: Task
    events: Sequence[Event]
    state: RunState


def is_run(path: Path) -> bool:
    """Whether a path is the folder of an `optimize` run."""
    return (path / "run.db").is_file() and (path / "run.json").is_file()


def task_result(folder: Path) -> TaskResult:
    """What a run came to. Raises UsageError for a folder that is no run."""
    return _result(_read(folder))


def batch_record(folders: Sequence[Path], label: str = "") -> BatchRecord:
    """Runs of different tasks by the same players as one batch.

    Its tasks are those of the runs: the user chose the denominator. Raises UsageError when a folder
    is no run, or two runs are of the same task on the same device.
    """
    runs = [_read(folder) for folder in folders]
    results = [_result(run) for run in runs]
    machine_of = next((run.card for run in runs if run.card), None)
    times = [event.time for run in runs for event in run.events]
    suites = sorted({result.suite or "" for result in results})
    seen: dict[tuple[str, Device], Path] = {}
    for run, result in zip(runs, results, strict=True):
        key = (result.task, result.device)
        if key in seen:
            raise UsageError(
                f"{seen[key]} and {run.folder} are runs of the same task {result.task}: "
                "choose one of them"
            )
        seen[key] = run.folder
    return BatchRecord(
        id=_id(runs),
        command=("kernelwright", "optimize", *(run.task.name for run in runs)),
        started=_when(min(times)),
        finished=_when(max(times)),
        suite=Suite(name=", ".join(suites), version=_version(results)),
        models=tuple(sorted({model for result in results for model in result.models})),
        label=label,
        machine=_machine(machine_of),
        devices=tuple(dict.fromkeys(result.device for result in results)),
        tasks=tuple(dict.fromkeys(result.task for result in results)),
        results=tuple(results),
    )


def task_facts(task: Task) -> TaskFacts:
    """What a batch should say of a task."""
    suite, slash, _ = task.name.partition("/")
    return TaskFacts(
        hash=task.hash,
        suite=suite if slash else "own",
        category=task.meta.category,
        level=task.meta.level,
        audit=_audit(task),
    )


def players(folder: Path) -> tuple[str, ...]:
    """Who played in a run: runs of the same players belong together."""
    return _models(_asked(folder))


def _read(folder: Path) -> _Run:
    asked = _asked(folder)
    events, stored = read_log(folder / "run.db")
    if not events:
        raise UsageError(f"{folder} holds a run that never began")
    task = _task(folder, str(asked.get("task_name", "")))
    return _Run(folder, asked, _card(folder), task, events, RunState.from_events(events, stored))


def _asked(folder: Path) -> Mapping[str, Any]:
    try:
        asked = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{folder} is no run: run.json: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{folder / 'run.json'} cannot be read: {error}") from error
    if not isinstance(asked, dict):
        raise UsageError(f"{folder / 'run.json'} is not what optimize writes")
    return asked


def _card(folder: Path) -> Mapping[str, Any] | None:
    file = folder / "card.json"
    if not file.exists():
        return None
    try:
        card = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be read: {error}") from error
    return card if isinstance(card, dict) else None


def _task(folder: Path, name: str) -> Task:
    try:
        return read_task(folder / "task.py", name or folder.parent.name)
    except TaskError as error:
        raise UsageError(f"{folder} is no run: {error}") from error


def _result(run: _Run) -> TaskResult:
    state, task, facts = run.state, run.task, task_facts(run.task)
    best, verdict, confirmed = _best(state)
    how, reason = _how_it_ended(run)
    if best is None and how == "done":
        reason = _why_none(state, reason)
    language = run.state.run.get("language")
    reasons = {"samples": "the attempts of a search build on one another"}
    kernel = None
    if best is not None and verdict is not None:
        kernel = _kernel(run, best, verdict, confirmed)
        reasons |= _why_unknown(kernel)
        if how in ("task_error", "not_started"):
            how = "failed"
    spent = state.spent()
    if spent.usd is None:
        reasons["spent.usd"] = "a call of unknown cost: no price, or no count of tokens"
    if spent.tokens is None:
        reasons["spent.tokens"] = "a model does not say how many tokens it used"
    reasons["shapes"] = SHAPES_UNTIMED
    return TaskResult(
        task=task.name,
        device=_device(run),
        state=how,
        reason=reason,
        task_hash=facts.hash,
        audit=facts.audit,
        suite=facts.suite,
        category=facts.category,
        level=facts.level,
        language=language if isinstance(language, str) else None,
        models=_models(run.asked),
        seed=run.state.run.get("seed"),
        best=kernel,
        attempts=attempts_of(state, run.events),
        spent=Cost(
            usd=spent.usd,
            usd_at_most=spent.usd if spent.usd_at_most is None else spent.usd_at_most,
            tokens=spent.tokens,
            evaluations=spent.evaluations,
            wall_s=round(spent.wall_s, 3),
        ),
        run=str(Path(*run.folder.resolve().parts[-2:])),
        reasons=reasons,
    )


def _audit(task: Task) -> Literal["sound", "weak", "unaudited"]:
    """The latest audit of this source: the copy in the run, or the bundled task if it is the same."""
    found = audits.recorded(task)
    if found is None:
        try:
            bundled = load_task(task.name)
        except TaskError:
            return "unaudited"
        found = audits.recorded(bundled) if bundled.hash == task.hash else None
    return found.verdict if found else "unaudited"


def _best(state: RunState) -> tuple[Attempt | None, Verdict | None, bool]:
    """The best kernel that stands: confirmed ones first, then by what is surely exceeded.

    A lucky figure of the search does not stand above one that was measured anew.
    """
    standing: list[tuple[bool, float, Attempt, Verdict]] = []
    for attempt in state.attempts:
        final = state.confirmed.get(attempt.candidate.id)
        verdict = final or attempt.verdict
        if not verdict.accepted or attempt.round == START:
            continue
        gained = verdict.speedup.get("eager")
        standing.append((final is not None, gained.low if gained else 0.0, attempt, verdict))
    if not standing:
        return None, None, False
    top = max(standing, key=lambda item: item[:2])
    return top[2], top[3], top[0]


def _why_none(state: RunState, stopped: str | None) -> str:
    """Why a search that came to its end has no kernel."""
    for attempt in reversed(state.attempts):
        final = turned_down(state, attempt)
        if final is not None:
            said = final.findings[0].message.partition("\n")[0] if final.findings else final.stage
            return f"the final confirmation turned {attempt.candidate.id[:8]} down: {said}"
    return stopped or "no candidate was accepted"


def _how_it_ended(run: _Run) -> tuple[State, str | None]:
    stopped = run.state.stopped
    if stopped is None:
        return "failed", "it has not ended: under way, or broken off (optimize --resume goes on)"
    said = next(
        str(event.data.get("message") or event.key)
        for event in reversed(run.events)
        if event.kind == "stopped"
    )
    if stopped == "wall_time":
        said = f"the time was up: {said}"
    return _FAILED.get(stopped, "done"), said


def _kernel(run: _Run, best: Attempt, verdict: Verdict, confirmed: bool) -> Kernel:
    state = run.state
    parent = state.sources.get(best.parent) if best.parent else None
    file = run.folder.resolve() / "champion" / "kernel.py"
    bundle = run.folder.resolve() / "bundle.tar.gz"
    is_published = (
        run.card is not None
        and run.card.get("kernel", {}).get("candidate") == best.candidate.id
        and file.is_file()
    )
    roofline, time_ms = verdict.roofline, verdict.time_ms.get("candidate")
    floor_ms = None
    if roofline is not None and time_ms is not None and roofline.fraction < 1:
        floor_ms = roofline.fraction * time_ms
    return Kernel(
        candidate=best.candidate.id,
        source=best.candidate.source,
        language=best.candidate.language,
        verdict=verdict,
        confirmed=confirmed,
        path=str(Path(*file.parts[-4:])) if is_published else None,
        parent=Source(id=parent.id, source=parent.source) if parent else None,
        note=note_of(best),
        own_time_share=verdict.own_time,
        floor_ms=floor_ms,
        bundle=str(Path(*bundle.parts[-3:])) if is_published and bundle.is_file() else None,
    )


def _why_unknown(kernel: Kernel) -> dict[str, str]:
    reasons: dict[str, str] = {}
    if kernel.own_time_share is None:
        reasons["best.own_time_share"] = no_own_time(kernel.verdict)
    if kernel.floor_ms is None:
        reasons["best.floor_ms"] = (
            "the time is at the floor or below it"
            if kernel.verdict.roofline
            else "no roofline was measured"
        )
    if kernel.parent is None:
        reasons["best.parent"] = "a first idea"
    if kernel.path is None:
        reasons["best.path"] = "not published: not shown to be faster than eager"
    if kernel.bundle is None:
        reasons["best.bundle"] = "no bundle was made"
    return reasons


def no_own_time(verdict: Verdict) -> str:
    """Why the share of own code in a call is unknown."""
    return verdict.reasons.get("track") or "judged by a version that told the track only"


def _models(asked: Mapping[str, Any]) -> tuple[str, ...]:
    """Who played the roles: one model or several each; older runs hold one."""
    everybody = asked.get("model") or "builtin"
    roles = (asked.get("coder") or everybody, asked.get("judge") or everybody)
    specs = [spec for role in roles for spec in ([role] if isinstance(role, str) else role)]
    return tuple(dict.fromkeys(str(spec) for spec in specs))


def _device(run: _Run) -> Device:
    """What the last session ran on; before the log told it, what the champion's card says."""
    environment = (run.card or {}).get("environment", {})
    found = {"kind": environment.get("device"), "name": environment.get("device_name")}
    found["threads"] = environment.get("threads")
    for event in run.events:
        if event.kind == "session" and "device" in event.data:
            found = event.data["device"]
    if not found["name"]:
        return Device(kind="unknown", name=_UNKNOWN_DEVICE)
    return Device(kind=str(found["kind"]), name=str(found["name"]), threads=found["threads"])


def _machine(card: Mapping[str, Any] | None) -> Machine:
    environment = dict((card or {}).get("environment", {}))
    isa = environment.pop("isa", ())
    for name in ("device", "device_name", "threads"):
        environment.pop(name, None)
    return Machine(environment=environment, isa=tuple(isa))


def _id(runs: Sequence[_Run]) -> str:
    return runs[0].folder.name if len(runs) == 1 else f"{len(runs)}-runs-{_digest(runs)}"


def _digest(runs: Sequence[_Run]) -> str:
    names = "\n".join(sorted(f"{run.task.name} {run.folder.name}" for run in runs))
    return hashlib.sha256(names.encode()).hexdigest()[:8]


def _version(results: Sequence[TaskResult]) -> str:
    """Of the tasks that were run: it changes when any of their sources does."""
    lines = sorted(f"{result.task} {result.task_hash}" for result in results)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


def _when(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
