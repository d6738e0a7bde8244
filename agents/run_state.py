"""RunState: what the event log says of a run so far. A fold, and nothing but a fold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from kernelwright.agents.archive import Archive, fitness, speedup
from kernelwright.agents.budget import Evaluating, Spent
from kernelwright.agents.events import Data, Event, Stored
from kernelwright.agents.ledger.account import Account
from kernelwright.agents.ledger.effort import effort_from
from kernelwright.agents.roles import Advice, Attempt, Spend
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.verdict import Verdict


class RunState:
    """Attempts, champion, advice, spend and progress of one run."""

    def __init__(self, stored: Mapping[str, Stored] | None = None) -> None:
        """An empty run. `stored` holds the sources that the events to come will name."""
        self.sources: dict[str, Candidate] = {}
        self.seen: set[str] = set()
        """Normalised hashes of every candidate that was ever proposed or tried."""
        self.run: Data = {}
        self.sessions = 0
        self.done: dict[str, Data] = {}
        """Results of finished work and decisions, by key."""
        self.attempts: list[Attempt] = []
        self.by_id: dict[str, Attempt] = {}
        self.archive = Archive()
        self.champion: Attempt | None = None
        self.confirmed: dict[str, Verdict] = {}
        """Verdicts of final confirmations, by candidate id."""
        self.account = Account()
        """Calls of models and what they cost, all roles, all sessions."""
        self.effort: dict[str, Evaluating] = {}
        """What judging each candidate took, by its id; its confirmations included."""
        self.brought: dict[int, list[str]] = {}
        """Ids of the new candidates of each round."""
        self.evaluations = 0
        self.round = 0
        """The round in progress or last ended; 0 before the first."""
        self.round_open = False
        self.rounds_since_progress = 0
        self.empty_rounds = 0
        self.no_idea: str | None = None
        self.task_error: str | None = None
        self.harness_errors = 0
        """Verdicts `harness_error` in a row, in the last session."""
        self.harness_message = ""
        self.stopped: str | None = None
        """Why the last session ended its search; None while one is under way or was killed."""
        self._fresh = 0
        self._best_at_round_end: str | None = None
        self._earlier_s = 0.0
        self._session_began = 0.0
        self._session_last = 0.0
        for item in (stored or {}).values():
            self.learn(item.candidate, item.normalised)

    @staticmethod
    def from_events(events: Iterable[Event], stored: Mapping[str, Stored]) -> RunState:
        """The state after these events."""
        state = RunState(stored)
        for event in events:
            state.apply(event)
        return state

    def learn(self, candidate: Candidate, normalised: str) -> None:
        """Keep a source that events may name."""
        self.sources[candidate.id] = candidate
        self.seen.add(normalised)

    def earlier_s(self) -> float:
        """Wall time of all sessions but the one under way, in seconds."""
        return self._earlier_s

    def wall_s(self) -> float:
        """Wall time of all sessions up to the last event, in seconds."""
        return self._earlier_s + self._session_last - self._session_began

    def spent(self, wall_s: float | None = None) -> Spent:
        """What the run has cost."""
        wall = self.wall_s() if wall_s is None else wall_s
        line = self.account.settled()
        return Spent(
            line.usd,
            line.tokens,
            self.evaluations,
            wall,
            unknown=self.account.unknown(),
            usd_at_most=line.usd_at_most,
            by_role=self.account.by_role(),
            by_model=self.account.by_model(),
            by_candidate=self.account.by_candidate(self.brought),
            effort=dict(self.effort),
            evaluating=sum(self.effort.values(), Evaluating()),
        )

    def contenders(self) -> list[Attempt]:
        """Who may be published, best first: the champion, then all that may be faster than eager.

        A burst of noise in the loop must not lose a champion: the confirmation, longer and on new
        inputs, decides.
        """
        standing = [a for a in self.attempts if a.candidate.id not in self._fallen()]
        fast = [a for a in standing if (speedup(a) or 0.0) > 1]
        fast.sort(key=lambda a: fitness(a) or 0.0, reverse=True)
        if self.champion is None:
            return fast
        return [self.champion, *(a for a in fast if a is not self.champion)]

    def apply(self, event: Event) -> None:
        """Take in the next event."""
        previous, self._session_last = self._session_last, event.time
        self.account.apply(event)
        kind, _, rest = event.key.partition(":")
        match event.kind:
            case "run":
                self.run = event.data
            case "session":
                self._begin_session(event, previous)
            case "decided":
                self.done[event.key] = event.data
                if kind == "choose":
                    self.round, self.round_open, self._fresh = int(rest), True, 0
                elif kind == "round":
                    self._end_round()
            case "finished":
                self.done[event.key] = event.data
                self._charge(event)
                self._finish(kind, rest, event.data)
            case "failed":
                self._charge(event)
            case "stopped":
                self.stopped = event.key

    def _begin_session(self, event: Event, previous: float) -> None:
        if self.sessions:
            self._earlier_s += max(0.0, previous - self._session_began)
        self._session_began = event.time
        self.sessions += 1
        self.harness_errors = 0
        self.stopped = None

    def _finish(self, kind: str, rest: str, data: Data) -> None:
        if kind == "propose":
            self.no_idea = data["no_idea"]
            self._fresh = len(data["fresh"])
            self.brought[int(rest)] = data["fresh"]
        elif kind == "evaluate":
            self._add(attempt_from(self.sources[rest], data), data["against"])
        elif kind == "confirm":
            self.confirmed[rest] = Verdict.from_json(data["verdict"])
            if self.champion and self.champion.candidate.id in self._fallen():
                self.champion = None
                self.champion = next(iter(self.contenders()), None)

    def _add(self, attempt: Attempt, against: str | None) -> None:
        self.evaluations += 1
        verdict = attempt.verdict
        message = verdict.findings[0].message if verdict.findings else verdict.verdict
        if verdict.verdict == "harness_error":
            self.harness_errors += 1
            self.harness_message = message
        else:
            self.harness_errors = 0
        if verdict.verdict == "task_error":
            self.task_error = message
        self.attempts.append(attempt)
        self.by_id[attempt.candidate.id] = attempt
        self.archive.add(attempt)
        if self._is_champion(verdict, against):
            self.champion = attempt

    def _is_champion(self, verdict: Verdict, against: str | None) -> bool:
        """Surely faster than eager, and than the champion of the moment if there is one."""
        if not holds(verdict):
            return False
        if self.champion is None:
            return True
        measured = verdict.speedup.get("champion")
        return against == self.champion.candidate.id and measured is not None and measured.low > 1

    def _fallen(self) -> set[str]:
        """Candidates that their final confirmation did not bear out."""
        return {key for key, verdict in self.confirmed.items() if not holds(verdict)}

    def _end_round(self) -> None:
        best = self.champion.candidate.id if self.champion else None
        self.rounds_since_progress = (
            self.rounds_since_progress + 1 if best == self._best_at_round_end else 0
        )
        self._best_at_round_end = best
        self.empty_rounds = 0 if self._fresh else self.empty_rounds + 1
        self.round_open = False

    def _charge(self, event: Event) -> None:
        """What a role says that it spent beside the ledger, and what an evaluation took."""
        kind, _, rest = event.key.partition(":")
        if "spend" in event.data:
            role = "judge" if kind == "judge" else "coder"
            self.account.charge(role, event.key, spend_from(event.data["spend"]))
        if kind in ("evaluate", "confirm"):
            took = effort_from(event.data.get("took"))
            self.effort[rest] = self.effort.get(rest, Evaluating()) + took


def holds(verdict: Verdict) -> bool:
    """Whether a final verdict lets a candidate be published: accepted, and faster than eager."""
    eager = verdict.speedup.get("eager")
    return verdict.accepted and eager is not None and eager.low > 1


def attempt_from(candidate: Candidate, data: Data) -> Attempt:
    """The attempt that a finished `evaluate` event tells of."""
    return Attempt(
        candidate,
        Verdict.from_json(data["verdict"]),
        data["round"],
        data["parent"],
        data["note"],
        data["choice"],
    )


def spend_json(spend: Spend) -> dict[str, Any]:
    """For an event."""
    return {
        "usd": spend.usd,
        "input_tokens": spend.input_tokens,
        "output_tokens": spend.output_tokens,
    }


def spend_from(data: Data) -> Spend:
    """The inverse of `spend_json`."""
    return Spend(data["usd"], data["input_tokens"], data["output_tokens"])


def advice_json(advice: Advice) -> dict[str, Any]:
    """For an event; the spend stands beside it."""
    return {
        "kind": advice.kind,
        "cause": advice.cause,
        "change": advice.change,
        "predicted_gain": advice.predicted_gain,
        "directive": dict(advice.directive),
    }


def advice_from(data: Data) -> Advice:
    """The inverse of `advice_json`."""
    return replace(Advice("correct", "", ""), **data)
