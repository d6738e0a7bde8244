"""The story of a run: its event log, put in the order in which people understand it.

Nothing is measured or judged here. What a log does not hold is None or empty: logs of earlier versions, of
runs under way and of killed ones are all told as far as they go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kernelwright.agents.archive import fitness, origin
from kernelwright.agents.budget import Spent
from kernelwright.agents.events import Event, read
from kernelwright.agents.kept import advice_from
from kernelwright.agents.ledger.account import Line
from kernelwright.agents.memory.edits import gain_over
from kernelwright.agents.roles import Advice, Attempt, Turn
from kernelwright.agents.run_state import RunState, holds
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.verdict import Speedup, Verdict
from kernelwright.show.holder import holder

Data = Mapping[str, Any]


@dataclass(frozen=True)
class Try:
    """One judged candidate."""

    number: int
    """Its place among all evaluations, from 1."""
    attempt: Attempt
    gain: Speedup | None
    """Over the parent of its line, or over eager where that has none; None where it was not accepted."""
    over: str | None
    """Whom the gain is over: the nearest accepted of its line; None: eager."""
    became_best: bool
    """Whether the low end of its interval was above all before it."""
    variants: tuple[Try, ...] = ()
    """What the tuner made of it, in the order of its trials."""
    tester: Data = field(default_factory=dict)
    auditor: Data = field(default_factory=dict)
    """What these two said of it; empty where they were not asked."""

    @property
    def id(self) -> str:
        """Of the candidate."""
        return self.attempt.candidate.id

    @property
    def best(self) -> Try:
        """The fastest of it and its variants; itself where none was accepted."""
        line = [t for t in (self, *self.variants) if fitness(t.attempt) is not None]
        return max(line, key=lambda t: fitness(t.attempt) or 0.0, default=self)


@dataclass(frozen=True)
class Round:
    """One turn of the search, from the choice of a parent to what came out."""

    number: int
    turn: Turn
    parent: Attempt | None
    """The nearest that was accepted is what gains are measured against; this may be rejected."""
    advice: Advice | None
    note: str
    """What the Coder said of its work."""
    silence: str | None
    """Why there is no candidate, where there is none."""
    tries: tuple[Try, ...]
    copies: int
    """Candidates of the answer that had been tried before, and were dropped."""
    unjudged: int
    """Candidates that no budget was left for, or whose time has not come."""
    lessons: tuple[Data, ...]
    """What was recalled of other tasks."""
    cost: Line | None
    """What models cost in this turn; None where none was asked."""
    closed: Data
    """Its `round` event: `best`, `gain`, `cost`."""
    open: bool


@dataclass(frozen=True)
class Story:
    """All of it."""

    folder: Path
    run: Data
    session: Data
    """What the last session was started with: `settings`, `device`."""
    sessions: int
    state: RunState
    spent: Spent
    rounds: tuple[Round, ...]
    best: Attempt | None
    """The confirmed champion, else the best that stands; None where nothing does."""
    stop: tuple[str, str] | None
    """Why the search ended: reason and message; None where it has not."""
    holder: int | None
    """The process that is at work on the run."""
    doing: str | None
    """The work begun last and not ended, by its key."""

    @property
    def tries(self) -> list[Try]:
        """Every candidate that has a verdict, oldest first."""
        found = [t for r in self.rounds for one in r.tries for t in (one, *one.variants)]
        return sorted(found, key=lambda one: one.number)

    @property
    def evaluated(self) -> list[Try]:
        """Those that were evaluated: without the ones whose code another has."""
        return [one for one in self.tries if not one.attempt.twin]

    def confirmation(self, attempt: Attempt | None) -> Verdict | None:
        """The final verdict of an attempt."""
        return self.state.confirmed.get(attempt.candidate.id) if attempt else None

    def candidate(self, key: str | None) -> Candidate | None:
        """A source by its id."""
        return self.state.sources.get(key or "")


def tell(folder: Path) -> Story:
    """The story of the run in a folder, finished, killed or under way. Raises UsageError."""
    events, stored = read(folder / "run.db")
    state = RunState.from_events(events, stored)
    sessions = [event.data for event in events if event.kind == "session"]
    asked = sessions[-1].get("settings", {}) if sessions else {}
    budget_usd, budget_tokens = asked.get("budget_usd"), asked.get("budget_tokens")
    held = holder(folder / "lock")
    return Story(
        folder=folder,
        run=state.run,
        session=sessions[-1] if sessions else {},
        sessions=len(sessions),
        state=state,
        spent=replace(state.spent(), budget_usd=budget_usd, budget_tokens=budget_tokens),
        rounds=tuple(_rounds(state)),
        best=_best(state),
        stop=_stop(events),
        holder=held,
        doing=_doing(events),
    )


def _best(state: RunState) -> Attempt | None:
    """Whom a final verdict bears out, else who stands; one whose code another has is that other."""
    confirmed = [key for key, verdict in state.confirmed.items() if holds(verdict)]
    if confirmed:
        return state.by_id.get(confirmed[-1])
    fallen = {state.by_id[key].twin or key for key in state.confirmed if key in state.by_id}
    standing = (state.by_id.get(a.twin or "", a) for a in state.contenders())
    return next((a for a in standing if a.candidate.id not in fallen), None)


def _stop(events: Sequence[Event]) -> tuple[str, str] | None:
    for event in reversed(events):
        if event.kind == "stopped":
            return event.key, str(event.data.get("message", event.key))
        if event.kind == "session":
            return None
    return None


def _doing(events: Sequence[Event]) -> str | None:
    ended: set[str] = set()
    for event in reversed(events):
        if event.kind in ("finished", "failed"):
            ended.add(event.key)
        elif event.kind == "started" and event.key not in ended:
            return event.key
        elif event.kind == "session":
            return None
    return None


def _rounds(state: RunState) -> list[Round]:
    lines: dict[int, dict[str, list[Try]]] = {}
    best = 0.0
    for number, attempt in enumerate(state.attempts, 1):
        reached = fitness(attempt) or 0.0
        one = _try(state, number, attempt, reached > best)
        best = max(best, reached)
        lines.setdefault(attempt.round, {}).setdefault(origin(attempt), []).append(one)
    costs = state.account.by_round()
    numbers = sorted(int(key.partition(":")[2]) for key in state.done if key.startswith("choose:"))
    return [_round(state, n, lines.get(n, {}), costs.get(n)) for n in numbers]


def _round(
    state: RunState, number: int, lines: Mapping[str, list[Try]], cost: Line | None
) -> Round:
    def done(kind: str) -> Data:
        found: Data = state.done.get(f"{kind}:{number}", {})
        return found

    answer, judged = done("propose"), done("judge")
    turn = Turn.from_json(done("choose"))
    parent = state.by_id.get(turn.parent or "")
    if turn.kind == "improve" and parent is not None and not parent.verdict.accepted:
        turn = replace(turn, kind="repair")  # older logs do not say
    tries = [_line(one, rest) for one, *rest in lines.values()]
    fresh = answer.get("fresh", ())
    return Round(
        number=number,
        turn=turn,
        parent=parent,
        advice=advice_from(judged["advice"]) if judged else None,
        note=answer.get("note", ""),
        silence=None if fresh or not answer else answer.get("no_idea") or answer.get("note"),
        tries=tuple(tries),
        copies=len(answer.get("candidates", ())) - len(fresh),
        unjudged=sum(key not in state.by_id for key in fresh),
        lessons=tuple(done("recall").get("lessons", ())),
        cost=cost,
        closed=done("round"),
        open=f"round:{number}" not in state.done,
    )


def _line(one: Try, variants: Sequence[Try]) -> Try:
    return replace(one, variants=tuple(variants))


def _try(state: RunState, number: int, attempt: Attempt, became_best: bool) -> Try:
    key = attempt.candidate.id
    first = state.by_id.get(origin(attempt), attempt)
    parent = _accepted(state, first.parent)
    gain = None
    if fitness(attempt) is not None:
        gain, _ = gain_over(state, attempt, parent)
    return Try(
        number=number,
        attempt=attempt,
        gain=gain,
        over=parent.candidate.id if parent else None,
        became_best=became_best,
        tester=state.done.get(f"tester:{key}", {}),
        auditor=state.done.get(f"audit:{key}", {}),
    )


def _accepted(state: RunState, key: str | None) -> Attempt | None:
    """The nearest accepted one up the line."""
    attempt = state.by_id.get(key or "")
    while attempt is not None and fitness(attempt) is None:
        attempt = state.by_id.get(attempt.parent or "")
    return attempt
