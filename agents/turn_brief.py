"""What the roles are told of a turn: the run as it stood when the turn was decided."""

from __future__ import annotations

from kernelwright.agents.ports import Evaluator
from kernelwright.agents.roles import Brief, Lesson, Strategy, Target, Turn
from kernelwright.agents.run_state import RunState
from kernelwright.agents.settings import Settings
from kernelwright.tasks.task import Task


def brief_of(
    state: RunState,
    settings: Settings,
    task: Task,
    evaluator: Evaluator,
    number: int,
    catalogue: tuple[Strategy, ...] = (),
    lessons: tuple[Lesson, ...] = (),
) -> Brief:
    """The Brief of a decided turn, the same whenever it is made; without advice."""
    turn, seen = state.turns.decided[number], state.turns.horizons[number]
    by_name = {strategy.name: strategy for strategy in catalogue}
    left = max(0, settings.budget_evals - seen.evaluations)
    return Brief(
        task=task,
        device=evaluator.facts,
        language=settings.language,
        round=number,
        seed=settings.seed,
        parent=state.by_id.get(turn.parent or ""),
        history=tuple(state.attempts[: seen.attempts]),
        turn=turn,
        other=state.by_id.get(turn.other or ""),
        best=state.by_id.get(seen.champion or ""),
        strategies=tuple(by_name[name] for name in turn.strategies if name in by_name),
        predictions=tuple(state.turns.predictions[: seen.predictions]),
        lessons=lessons,
        target=getattr(evaluator, "target", Target()),
        evaluations_left=left,
        full_history=settings.full_history,
        full_counters=settings.full_counters,
        judged=judged(turn, settings),
    )


def judged(turn: Turn, settings: Settings) -> bool:
    """Whether a Judge takes part in this turn: it reads what failed, or what is to get faster."""
    if turn.kind == "repair":
        return settings.judge_corrects
    return turn.kind != "fresh" and settings.judge_optimizes
