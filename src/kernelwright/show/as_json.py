"""The story for programs: the object of `show --json` (docs/json.md)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from kernelwright.agents.archive import fitness, speedup
from kernelwright.agents.kept import advice_json
from kernelwright.card import spent_json
from kernelwright.harness.verdict import Speedup
from kernelwright.outputs import Asked
from kernelwright.show.diff import diff
from kernelwright.show.facts import arms, best_of, calibration, measured_gain
from kernelwright.show.page import status
from kernelwright.show.story import Round, Story, Try


def story_json(story: Story, asked: Asked | None) -> dict[str, Any]:
    """The whole run, without sources."""
    seconds = {key: effort.wall_s for key, effort in story.spent.effort.items()}
    return {
        "task": story.run.get("task"),
        "task_hash": story.run.get("task_hash"),
        "run": story.folder.name,
        "folder": str(story.folder),
        "status": status(story),
        "stop": {"reason": story.stop[0], "message": story.stop[1]} if story.stop else None,
        "doing": story.doing if story.holder or not story.stop else None,
        "models": dict(zip(("coder", "judge"), asked.specs, strict=True)) if asked else None,
        "seed": story.run.get("seed"),
        "language": story.run.get("language"),
        "sessions": story.sessions,
        "settings": dict(story.session.get("settings", {})),
        "device": dict(story.session["device"]) if "device" in story.session else None,
        "spent": spent_json(story.spent),
        "champion": _champion(story),
        "curve": _curve(story),
        "turns": [_round(story, each) for each in story.rounds],
        "predictions": _predictions(story),
        "arms": [asdict(arm) for arm in arms(story.rounds, seconds)],
    }


def try_json(story: Story, one: Try) -> dict[str, Any]:
    """One candidate, with its source and its diff."""
    parent = story.candidate(one.attempt.parent)
    source = one.attempt.candidate.source
    return {
        **_try(story, one),
        "source": source,
        "diff": "\n".join(diff(parent.source, source).lines) if parent else None,
    }


def _champion(story: Story) -> dict[str, Any] | None:
    if story.best is None:
        return None
    final = story.confirmation(story.best)
    verdict = final or story.best.verdict
    return {
        "candidate": story.best.candidate.id,
        "turn": story.best.round,
        "confirmed": final is not None,
        "speedup": verdict.to_json()["speedup"],
    }


def _curve(story: Story) -> list[dict[str, Any]]:
    """After each evaluation: its median, and the best low end of an interval so far."""
    best: float | None = None
    points = []
    for one in story.evaluated:
        value = fitness(one.attempt)
        if value is not None:
            best = value if best is None else max(best, value)
        points.append(
            {
                "evaluation": one.number,
                "candidate": one.id,
                "speedup": speedup(one.attempt),
                "best": best,
            }
        )
    return points


def _round(story: Story, each: Round) -> dict[str, Any]:
    best = best_of(each)
    return {
        "turn": each.number,
        **each.turn.to_json(),
        "open": each.open,
        "lessons": [dict(lesson) for lesson in each.lessons],
        "advice": advice_json(each.advice) if each.advice else None,
        "note": each.note,
        "silence": each.silence,
        "copies": each.copies,
        "cost": each.cost.to_json() if each.cost else None,
        "best": best.id if best else None,
        "gain": measured_gain(each),
        "candidates": [_try(story, one) for one in each.tries],
    }


def _try(story: Story, one: Try) -> dict[str, Any]:
    attempt, effort = one.attempt, story.spent.effort.get(one.id)
    final = story.state.confirmed.get(one.id)
    return {
        "candidate": one.id,
        "evaluation": one.number,
        "turn": attempt.round,
        "parent": attempt.parent,
        "other": attempt.other,
        "twin": attempt.twin,
        "note": attempt.note,
        "choice": dict(attempt.choice),
        "language": attempt.candidate.language,
        "verdict": attempt.verdict.to_json(),
        "gain": _interval(one.gain),
        "new_best": one.became_best,
        "evaluating_s": effort.wall_s if effort else None,
        "confirmed": final.to_json() if final else None,
        "tester": dict(one.tester) or None,
        "auditor": dict(one.auditor) or None,
        "trials": [_try(story, trial) for trial in one.variants],
    }


def _interval(gain: Speedup | None) -> dict[str, Any] | None:
    return None if gain is None else asdict(gain)


def _predictions(story: Story) -> dict[str, Any]:
    found = calibration(story.rounds)
    return {
        "each": [asdict(forecast) for forecast in found.forecasts],
        "measured": found.measured,
        "near": found.near,
        "direction": found.direction,
        "bias": found.bias,
    }
