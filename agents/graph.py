"""The search as a graph: choose -> judge -> propose -> evaluate -> tune -> archive -> choose.

Every node does its work through the journal, which knows what is done already; so running a node
again costs nothing and changes nothing. That is why a run can be killed anywhere: the checkpointer
says where the loop stood, the event log says what is finished.

The Judge is asked about the parent of the round to come, not about every attempt: no advice is paid
for that nobody reads.
"""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from kernelwright.agents.archive import fitness, speedup
from kernelwright.agents.budget import Stop
from kernelwright.agents.journal import Journal, Result
from kernelwright.agents.ports import Observer
from kernelwright.agents.roles import Attempt, Brief, Coder, Judge, NoIdea
from kernelwright.agents.run_state import advice_from, advice_json, spend_json
from kernelwright.agents.settings import Settings
from kernelwright.agents.tuner import Choice, size, tune
from kernelwright.harness.device import DeviceFacts
from kernelwright.harness.verdict import STAGES
from kernelwright.tasks.task import Task

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.graph.state import CompiledStateGraph

    Graph = CompiledStateGraph[Any, Any, Any, Any]


class At(TypedDict, total=False):
    """Where the loop stands. All else is in the event log."""

    round: int
    parent: str | None
    """Candidate id of the round's parent."""
    advice: str | None
    """Key of the event that holds the Judge's advice."""
    pending: list[str]
    """Ids of the new candidates of the round."""
    cut: bool
    """Whether a stop rule cut the round short; a later session finishes it."""
    over: bool


@dataclass
class Search:
    """The nodes of the graph."""

    task: Task
    device: DeviceFacts
    coder: Coder
    judge: Judge
    settings: Settings
    journal: Journal
    observer: Observer
    ended: Stop | None = None
    """Why the loop ended."""

    def choose(self, at: At) -> At:
        """Stop, or pick the parent of the round."""
        self.ended = self.journal.stop()
        if self.ended:
            return {"over": True}
        round = at["round"]
        picked = self.journal.decide(f"choose:{round}", lambda: {"parent": self._parent(round)})
        self.observer.round_started(round, self.journal.attempt(picked["parent"]))
        return {"parent": picked["parent"], "advice": None, "cut": False, "over": False}

    def advise(self, at: At) -> At:
        """Have the Judge say what to change in the parent."""
        if at["parent"] is None:
            return {}
        key = f"judge:{at['round']}"
        self.journal.once(key, {"attempt": at["parent"]}, lambda: self._ask_judge(at))
        return {"advice": key}

    def propose(self, at: At) -> At:
        """Have the Coder write candidates."""
        key = f"propose:{at['round']}"
        answer = self.journal.once(key, {"parent": at["parent"]}, lambda: self._ask_coder(at))
        return {"pending": answer["fresh"]}

    def evaluate(self, at: At) -> At:
        """Have the harness judge them."""
        state, round = self.journal.state, at["round"]
        note = state.done[f"propose:{round}"]["note"]
        for key in at["pending"]:
            if key in state.by_id:
                continue
            if self.journal.stop():
                return {"cut": True}
            self.journal.evaluate(state.sources[key], round, at["parent"], note)
        return {}

    def tune(self, at: At) -> At:
        """Find the numbers for what turned out well."""
        if at["cut"]:
            return {}
        plan = self.journal.decide(f"plan:{at['round']}", lambda: {"tune": self._promising(at)})
        for key in plan["tune"]:
            self._tune(self.journal.state.by_id[key])
        return {"cut": bool(plan["tune"]) and self.journal.stop() is not None}

    def archive(self, at: At) -> At:
        """Close the round."""
        if at["cut"]:
            return {}
        self.journal.decide(f"round:{at['round']}", dict)
        return {"round": at["round"] + 1}

    def _parent(self, round: int) -> str | None:
        """A failure worth repairing, else a draw from the archive, else nobody: start afresh."""
        drawn = self._repairable() or self.journal.state.archive.draw(
            random.Random(f"{self.settings.seed}:choose:{round}")
        )
        return drawn.candidate.id if drawn else None

    def _repairable(self) -> Attempt | None:
        """What came furthest in the last round, if nothing was accepted and it may be repaired."""
        state = self.journal.state
        last = [a for a in state.attempts if a.round == state.round]
        failed = [a for a in last if a.verdict.verdict == "rejected"]
        if not failed or any(a.verdict.accepted for a in last):
            return None
        best = max(failed, key=lambda a: STAGES.index(a.verdict.stage))
        return best if self._failures(best) <= self.settings.repairs else None

    def _failures(self, attempt: Attempt | None) -> int:
        """How many rejected attempts in a row led up to this one, itself included."""
        count = 0
        while attempt is not None and attempt.verdict.verdict == "rejected":
            count += 1
            attempt = self.journal.attempt(attempt.parent)
        return count

    def _ask_judge(self, at: At) -> Result:
        self.observer.working("judge", f"judge:{at['round']}")
        attempt = self.journal.attempt(at["parent"])
        assert attempt is not None
        advice = self.judge.advise(self._brief(at), attempt)
        return {"advice": advice_json(advice), "spend": spend_json(advice.spend)}, ()

    def _ask_coder(self, at: At) -> Result:
        """New candidates; copies of what was there before are dropped before they cost time."""
        self.observer.working("propose", f"propose:{at['round']}")
        try:
            answer = self.coder.propose(self._brief(at))
        except NoIdea as none:
            return {"candidates": [], "fresh": [], "note": "", "no_idea": str(none)}, ()
        fresh: dict[str, str] = {}
        for candidate in answer.candidates:
            if candidate.normalised not in self.journal.state.seen:
                fresh.setdefault(candidate.normalised, candidate.id)
        return {
            "candidates": [c.id for c in answer.candidates],
            "fresh": list(fresh.values()),
            "note": answer.note,
            "no_idea": None,
            "spend": spend_json(answer.spend),
        }, answer.candidates

    def _brief(self, at: At) -> Brief:
        state = self.journal.state
        key = at.get("advice")
        return Brief(
            task=self.task,
            device=self.device,
            language=self.settings.language,
            round=at["round"],
            seed=self.settings.seed,
            parent=self.journal.attempt(at["parent"]),
            advice=advice_from(state.done[key]["advice"]) if key else None,
            history=tuple(state.attempts),
        )

    def _promising(self, at: At) -> list[str]:
        """Which candidates of the round are worth tuning, fastest first."""
        if not self.settings.tune_trials:
            return []
        best = next(iter(self.journal.state.archive.elites()), None)
        least = self.settings.tune_share * (fitness(best) or 0.0) if best else 0.0
        new = [self.journal.state.by_id[key] for key in at["pending"]]
        gains = {a.candidate.id: speedup(a) for a in new if size(a.candidate.space) > 1}
        good = [(gain, key) for key, gain in gains.items() if gain is not None and gain >= least]
        return [key for _, key in sorted(good, reverse=True)]

    def _tune(self, attempt: Attempt) -> None:
        start = fitness(attempt)
        assert start is not None
        candidate, key = attempt.candidate, attempt.candidate.id

        def measure(choice: Choice) -> float | None:
            note = "tuned " + " ".join(f"{name}={value}" for name, value in choice.items())
            baked = candidate.baked(choice)
            return fitness(self.journal.evaluate(baked, attempt.round, key, note, choice))

        tune(
            candidate,
            start,
            measure,
            trials=self.settings.tune_trials,
            stall=self.settings.tune_stall,
            seed=(int(key, 16) ^ self.settings.seed) % 2**32,
            more=lambda: self.journal.stop() is None,
        )


LOOP = ("advise", "propose", "evaluate", "tune", "archive", "choose")


def build(search: Search, checkpointer: BaseCheckpointSaver[str] | None) -> Graph:
    """The loop as a LangGraph state graph."""
    from langgraph.graph import END, START, StateGraph

    graph = StateGraph(At)
    for name in LOOP:
        graph.add_node(name, getattr(search, name))
    graph.add_edge(START, "choose")
    graph.add_conditional_edges("choose", lambda at: END if at["over"] else "advise")
    for before, after in pairwise(LOOP):
        graph.add_edge(before, after)
    return graph.compile(checkpointer=checkpointer)


def run(search: Search, checkpoints: Path) -> None:
    """Search until a stop rule holds, from where the checkpointer says that the loop stands.

    Where it does not know (its file is new, lost or broken, or the last session ended), the loop
    enters at the round that the event log shows as last; what is finished there is not done again.
    """
    from langgraph.checkpoint.sqlite import SqliteSaver

    state = search.journal.state
    if not (state.done and _readable(checkpoints)):
        checkpoints.unlink(missing_ok=True)
    with closing(sqlite3.connect(checkpoints, check_same_thread=False)) as database:
        # It may fall behind the log in a power cut, which costs nothing: finished work is looked up.
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=NORMAL")
        graph = build(search, SqliteSaver(database))
        config: RunnableConfig = {
            "configurable": {"thread_id": "search"},
            "recursion_limit": 1_000_000_000,
        }
        start: At = {"round": state.round if state.round_open else state.round + 1}
        under_way = bool(graph.get_state(config).next)
        graph.invoke(None if under_way else start, config, durability="sync")


def _readable(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as database:
        try:
            return bool(database.execute("PRAGMA quick_check").fetchone() == ("ok",))
        except sqlite3.DatabaseError:
            return False
