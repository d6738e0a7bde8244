"""The turns of Coder and Judge, put together."""

from __future__ import annotations

from typing import NamedTuple

from kernelwright.agents.archive import fitness, origin, speedup
from kernelwright.agents.briefing.diagnostics import rejection
from kernelwright.agents.briefing.history import (
    full_history_section,
    history_section,
    lessons_section,
    predictions_section,
)
from kernelwright.agents.briefing.machine import device, target_section
from kernelwright.agents.briefing.text import choices, code, languages, prompt, section
from kernelwright.agents.briefing.verdicts import attempt_section, difference
from kernelwright.agents.exemplars import exemplar
from kernelwright.agents.roles import Advice, Attempt, Brief, Strategy
from kernelwright.agents.strategies import named
from kernelwright.agents.wording import clip
from kernelwright.harness.parse import LANGUAGE_NAMES, language_of
from kernelwright.tasks.errors import UsageError

MOST_BESIDE = 20_000
"""Characters of a source that is shown beside the parent."""


class Said(NamedTuple):
    """A turn. `front` is the same in every turn of a run, so that providers may cache it."""

    front: str
    rest: str


def front(brief: Brief, *, with_format: bool = True) -> str:
    """Operator, machine, and the format of candidates.

    Raises UsageError for a language without a format description.
    """
    if brief.language not in languages():
        raise UsageError(f"language {brief.language!r}: give one of {', '.join(languages())}")
    return prompt(
        "turn_front",
        task=brief.task.name,
        source=code(brief.task.shown),
        start=_start(brief),
        device=device(brief.device, brief.language),
        format=prompt(f"languages/{brief.language}") + "\n" if with_format else "",
    )


def _start(brief: Brief) -> str:
    """The start kernel, where it is no parent: one to translate, or one in another language."""
    text, asked = brief.task.start, brief.task.meta.translate_to
    if text is None:
        return ""
    written = language_of(text)
    if not asked and written == brief.language:
        return ""
    name = "translate" if asked else "start"
    return prompt(
        name,
        source=code(text),
        written=LANGUAGE_NAMES[written],
        asked=LANGUAGE_NAMES[brief.language],
    )


def coder_turn(brief: Brief) -> Said:
    """The Coder's turn: operator, machine, format; target, parents, advice, what was tried."""
    kind, parent = kind_of(brief), brief.parent
    text = prompt(
        "coder_turn",
        target=target_section(brief, parent, "the parent"),
        exemplar=_exemplar(brief),
        parent=_parent(brief, kind),
        other=_beside(brief, brief.other, "Second parent") if kind == "cross" else "",
        best=_best(brief, kind),
        advice=advice_section(brief.advice) if brief.advice else "",
        strategy=_strategy(brief, kind),
        history=_history(brief, parent),
        lessons=lessons_section(brief.lessons),
        ask=_ask(brief, kind),
    )
    return Said(front(brief), text)


def judge_turn(brief: Brief, attempt: Attempt) -> Said:
    """The Judge's turn: operator, machine; the attempt with its measurements or errors."""
    accepted = attempt.verdict.accepted
    crossing = accepted and kind_of(brief) == "cross"
    asked = "judge_cross" if crossing else "judge_optimize" if accepted else "judge_correct"
    head = f"Kernel `{attempt.candidate.id}`" + ("" if accepted else ": rejected")
    text = prompt(
        "judge_turn",
        target=target_section(brief, attempt),
        attempt=attempt_section(attempt, head, brief=brief),
        other=_beside(brief, brief.other, "Second parent") if crossing else "",
        change=_change(brief, attempt),
        best=_best_line(brief, attempt),
        strategies=_offered(brief.strategies) if accepted else "",
        predictions=predictions_section(brief.predictions) if accepted else "",
        history=_history(brief, attempt),
        lessons=lessons_section(brief.lessons) if accepted else "",
        ask=prompt(f"asks/{asked}").strip(),
    )
    return Said(front(brief, with_format=False), text)


def advice_section(advice: Advice) -> str:
    """The Judge's advice; nothing where it had none."""
    if not advice.change:
        return ""
    gain = f" Expected: {advice.predicted_gain:.2f}x." if advice.predicted_gain else ""
    metrics = f"Seen in: {'; '.join(advice.metrics)}." if advice.metrics else ""
    return section("Advice", advice.cause, metrics, f"\nChange: {advice.change}{gain}")


def kind_of(brief: Brief) -> str:
    """What the turn is about, by what there is: a crossing needs two parents, a repair a failure."""
    parent = brief.parent
    if parent is None:
        return "fresh"
    if not parent.verdict.accepted:
        return "repair"
    return "cross" if brief.turn.kind == "cross" and brief.other is not None else "improve"


def _ask(brief: Brief, kind: str) -> str:
    advised = brief.advice is not None and bool(brief.advice.change)
    name = f"asks/{kind}"
    if kind == "fresh" and any(a.verdict.verdict != "harness_error" for a in brief.history):
        name = "asks/afresh"
    elif kind == "improve" and not advised:
        name = "asks/improve_alone"
    elif kind == "repair" and not advised:
        name = "asks/repair_alone"
    elif kind == "cross":
        assert brief.parent is not None and brief.other is not None
        names = {"parent": brief.parent.candidate.id, "other": brief.other.candidate.id}
        return prompt(name, **names).strip()
    return prompt(name).strip()


def _exemplar(brief: Brief) -> str:
    """For the first turns: until something was accepted."""
    if any(a.verdict.accepted for a in brief.history):
        return ""
    found = exemplar(brief.task, brief.language)
    if found is None:
        return ""
    return prompt("exemplar", operator=found.operator, source=code(found.source))


def _parent(brief: Brief, kind: str) -> str:
    parent = brief.parent
    if parent is None:
        return ""
    words = {"repair": "rejected", "cross": "first parent"}.get(kind, "the parent")
    if kind != "repair" and brief.best is not None:
        if _same_line(parent, brief.best):
            words += ", and the best so far"
        else:
            words += ", which is not the best so far"
    said = attempt_section(parent, f"Kernel `{parent.candidate.id}`: {words}", brief=brief)
    return said + (_change(brief, parent) if kind == "repair" else "")


def _best(brief: Brief, kind: str) -> str:
    """The best kernel, where it is none of the parents. A fresh start is to be another kind of kernel, and

    a repair is about the fault alone.
    """
    best, parent = brief.best, brief.parent
    if best is None or kind in ("fresh", "repair") or parent is None:
        return ""
    others = [parent, *([brief.other] if brief.other and kind == "cross" else [])]
    if any(_same_line(best, attempt) for attempt in others):
        return ""
    return _beside(brief, best, "The best so far")


def _best_line(brief: Brief, attempt: Attempt) -> str:
    best = brief.best
    if best is None or _same_line(best, attempt):
        return ""
    change = difference(attempt.candidate, best.candidate)
    told = f"\nWhat it does otherwise:\n\n{change}" if change else ""
    return section("The best so far is another kernel", _said(brief, best), told)


def _beside(brief: Brief, attempt: Attempt | None, words: str) -> str:
    """Another kernel: as its difference from the parent where that is shorter."""
    if attempt is None:
        return ""
    gained, low = speedup(attempt), fitness(attempt)
    figures = f" ({gained:.2f}x eager, low end {low:.2f}x)" if gained and low else ""
    parent = brief.parent
    change = difference(parent.candidate, attempt.candidate) if parent else None
    if parent is not None and change:
        body = f"It differs from `{parent.candidate.id}` in:\n\n{change}"
    elif len(attempt.candidate.source) <= MOST_BESIDE:
        body = code(attempt.candidate.source)
    else:
        body = f"Its {attempt.candidate.source.count(chr(10))} lines are too long to be shown."
    head = f"{words}: `{attempt.candidate.id}`{figures}"
    return section(head, f"{_said(brief, attempt)}\n", body)


def _said(brief: Brief, attempt: Attempt) -> str:
    """What the author said of a kernel; of a tuned one, what was said of it as it was written."""
    key = origin(attempt)
    written = next((a for a in brief.history if a.candidate.id == key), attempt)
    tuned = f" Tuned: {choices(dict(attempt.choice))}." if attempt.choice else ""
    return (
        f"`{attempt.candidate.id}`: {clip(written.note or 'its author said nothing', 400)}{tuned}"
    )


def _change(brief: Brief, attempt: Attempt) -> str:
    """What a rejected kernel changed in one that was accepted: the fault is likely there."""
    if attempt.verdict.accepted or attempt.parent is None:
        return ""
    before = next((a for a in brief.history if a.candidate.id == attempt.parent), None)
    if before is None:
        return ""
    change = difference(before.candidate, attempt.candidate)
    if change is None:
        return ""
    if not before.verdict.accepted:
        said = rejection(before.verdict).splitlines()[0].removesuffix(":").lower()
        return section(f"What it changed in `{attempt.parent}`, which was {said}", change)
    return section(f"What it changed in `{attempt.parent}`, which was accepted", change)


def _strategy(brief: Brief, kind: str) -> str:
    """The strategy of the advice; without a Judge, the first that is offered."""
    chosen: Strategy | None = None
    if brief.advice is not None and brief.advice.change:
        if brief.advice.strategy:
            offered = {s.name: s for s in brief.strategies}
            name = brief.advice.strategy
            chosen = offered.get(name) or named(name, brief.language)
    elif kind in ("improve", "fresh") and brief.strategies:
        chosen = brief.strategies[0]
    return section(f"Strategy `{chosen.name}`", chosen.text) if chosen else ""


def _offered(strategies: tuple[Strategy, ...]) -> str:
    said = [f"`{s.name}`: {s.text}\n" for s in strategies]
    return section("Strategies on offer", *said)


def _history(brief: Brief, parent: Attempt | None) -> str:
    if brief.full_history:
        return full_history_section(brief)
    return history_section(brief.history, parent=parent, best=brief.best)


def _same_line(a: Attempt, b: Attempt) -> bool:
    """Whether two attempts are one kernel, tuned or not."""
    return origin(a) == origin(b)
