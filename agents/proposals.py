"""Proposals: what Judges and Coders say to the turns in flight, each turn in a thread of its own.

Nothing here decides anything: a turn's models know what stood in the log when it was decided, and what
they say is taken up when it is the turn's time. So a search is the same however long its models take.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TypeVar

from kernelwright.agents.events import Data
from kernelwright.agents.journal import Journal, Result
from kernelwright.agents.kept import advice_from, advice_json, spend_json
from kernelwright.agents.ports import Observer
from kernelwright.agents.roles import Advice, Brief, Coder, Judge, NoIdea

Player = TypeVar("Player")


@dataclass
class Proposals:
    """Asks the models. With a `width` of 1 they are asked when the answer is wanted, in this thread."""

    journal: Journal
    observer: Observer
    coders: Mapping[str, Coder]
    judges: Mapping[str, Judge]
    width: int
    brief: Callable[[int], Brief]
    """The Brief of a decided turn."""
    _pool: ThreadPoolExecutor | None = None
    _begun: dict[int, Future[Data]] = field(default_factory=dict)

    def begin(self, number: int) -> None:
        """See to it that the models are asked about a turn, if they still have to be."""
        if (
            self.width == 1
            or number in self._begun
            or f"propose:{number}" in self.journal.state.done
        ):
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.width, thread_name_prefix="turn")
        self._begun[number] = self._pool.submit(self._ask, self.brief(number))

    def result(self, number: int) -> Data:
        """What the `propose` event of a turn says, once it is there.

        Raises what came of asking instead: ModelError of all kinds, UsageError.
        """
        self.begin(number)
        asked = self._begun.pop(number, None)
        if asked is not None:
            return asked.result()
        return self.journal.done(f"propose:{number}") or self._ask(self.brief(number))

    def close(self, wait: bool) -> None:
        """No turn is begun any more; with `wait` answers that are coming in may arrive."""
        if self._pool is not None:
            self._pool.shutdown(wait, cancel_futures=True)

    def _ask(self, brief: Brief) -> Data:
        if brief.judged and brief.parent is not None:
            brief = replace(brief, advice=self._advice(brief))
        key, parent = f"propose:{brief.round}", brief.turn.parent
        return self.journal.once(key, {"parent": parent}, lambda: self._propose(key, brief))

    def _advice(self, brief: Brief) -> Advice:
        attempt, judge = brief.parent, _named(self.judges, brief.turn.judge)
        assert attempt is not None
        key = f"judge:{brief.round}"

        def ask() -> Result:
            self.observer.working("judge", key)
            advice = judge.advise(brief, attempt)
            return {"advice": advice_json(advice), "spend": spend_json(advice.spend)}, ()

        said = self.journal.once(key, {"attempt": attempt.candidate.id}, ask)
        return advice_from(said["advice"])

    def _propose(self, key: str, brief: Brief) -> Result:
        """New candidates; copies of what had been judged are dropped before they cost time."""
        self.observer.working("propose", key)
        try:
            answer = _named(self.coders, brief.turn.coder).propose(brief)
        except NoIdea as none:
            return {"candidates": [], "fresh": [], "note": "", "no_idea": str(none)}, ()
        fresh: dict[str, str] = {}
        for candidate in answer.candidates:
            if not self.journal.state.is_copy(candidate.normalised, len(brief.history)):
                fresh.setdefault(candidate.normalised, candidate.id)
        return {
            "candidates": [c.id for c in answer.candidates],
            "fresh": list(fresh.values()),
            "note": answer.note,
            "no_idea": None,
            "spend": spend_json(answer.spend),
        }, answer.candidates


def _named(players: Mapping[str, Player], name: str) -> Player:
    """Who plays; a name of an earlier session that is not among them falls to the first."""
    return players.get(name) or next(iter(players.values()))
