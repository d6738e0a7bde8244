"""The search as a graph: choose -> propose -> evaluate -> tune -> test -> archive -> choose.

Every node does its work through the journal, which knows what is done already; so running a node again
costs nothing and changes nothing. That is why a run can be killed anywhere: the checkpointer says where
the loop stood, the event log says what is finished.

Several turns may be in flight: their models are asked side by side, while the nodes work on the oldest,
one candidate at a time. A turn is decided when the one that makes room for it is closed, so the speed of
the models changes nothing but the time that it takes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypedDict

from kernelwright.agents.budget import Stop
from kernelwright.agents.journal import Journal
from kernelwright.agents.planner import Cast, plan
from kernelwright.agents.ports import Observer
from kernelwright.agents.proposals import Proposals
from kernelwright.agents.roles import Attempt
from kernelwright.agents.settings import Settings
from kernelwright.agents.tuning import next_trial

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.graph.state import CompiledStateGraph

    Graph = CompiledStateGraph[Any, Any, Any, Any]


class At(TypedDict, total=False):
    """Where the loop stands. All else is in the event log."""

    turn: int
    """The oldest turn that is not closed."""
    cut: bool
    """Whether a stop rule cut the turn short; a later session finishes it."""
    over: bool


@dataclass
class Search:
    """The nodes of the graph."""

    settings: Settings
    cast: Cast
    journal: Journal
    proposals: Proposals
    observer: Observer
    harden: Callable[[Sequence[Attempt]], None] = lambda brought: None
    """Has a champion among these attempts attacked before anything is built on it."""
    ended: Stop | None = None
    """Why the loop ended."""

    def choose(self, at: At) -> At:
        """Decide turns until enough are in flight, and have their models asked; or stop."""
        turns = self.journal.state.turns
        self.ended = self.journal.stop()
        while self.ended is None and len(turns.open) < self.settings.parallel:
            self._decide(turns.last + 1)
            self.ended = self.journal.stop()
        if self.ended and (self.ended.ends_turns or not turns.open):
            if not self.ended.ends_turns:
                self._tuned(None)
                self.ended = self.journal.stop()
            return {"over": True}
        for number in turns.open:
            self.proposals.begin(number)
        return {"turn": turns.open[0], "cut": False, "over": False}

    def propose(self, at: At) -> At:
        """Wait for the oldest turn's candidates."""
        self.proposals.result(at["turn"])
        return {}

    def evaluate(self, at: At) -> At:
        """Have the harness judge them, but for copies of what was judged meanwhile."""
        state, number = self.journal.state, at["turn"]
        turn, said = state.turns.decided[number], state.done[f"propose:{number}"]
        for key in said["fresh"]:
            if key in state.by_id or state.is_copy(state.normalised[key]):
                continue
            if self.journal.must_stop():
                return {"cut": True}
            candidate = state.sources[key]
            self.journal.evaluate(candidate, number, turn.parent, said["note"], other=turn.other)
        return {}

    def tune(self, at: At) -> At:
        """Try numbers, as long as that is expected to gain more than a turn."""
        if at["cut"]:
            return {}
        return {"cut": self._tuned(at["turn"])}

    def test(self, at: At) -> At:
        """Have what became champion attacked: what a Tester breaks is champion no more."""
        if not at["cut"]:
            self.harden(self.journal.state.judged.get(at["turn"], ()))
        return {}

    def archive(self, at: At) -> At:
        """Close the turn, with what it gained and what it cost."""
        if at["cut"]:
            return {}
        number = at["turn"]
        self.journal.decide(f"round:{number}", lambda: self.journal.outcome(number))
        return {}

    def _tuned(self, turn: int | None) -> bool:
        """Make the trials that are worth it; True where a stop rule cut that short."""
        while (trial := next_trial(self.journal.state, self.settings, turn)) is not None:
            if self.journal.must_stop():
                return True
            line = trial.line
            self.journal.evaluate(
                trial.candidate, line.round, line.candidate.id, trial.note, trial.choice
            )
        return False

    def _decide(self, number: int) -> None:
        """What the next turn is about."""
        state = self.journal.state
        turn = self.journal.decide(
            f"choose:{number}", lambda: plan(state, self.settings, self.cast, number).to_json()
        )
        self.observer.round_started(number, self.journal.attempt(turn["parent"]))


LOOP = ("propose", "evaluate", "tune", "test", "archive", "choose")


def build(search: Search, checkpointer: BaseCheckpointSaver[str] | None) -> Graph:
    """The loop as a LangGraph state graph."""
    from langgraph.graph import END, START, StateGraph

    graph = StateGraph(At)
    for name in LOOP:
        graph.add_node(name, getattr(search, name))
    graph.add_edge(START, "choose")
    graph.add_conditional_edges("choose", lambda at: END if at["over"] else "propose")
    for before, after in pairwise(LOOP):
        graph.add_edge(before, after)
    return graph.compile(checkpointer=checkpointer)
