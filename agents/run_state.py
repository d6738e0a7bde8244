"""RunState: what the event log says of a run so far. A fold, and nothing but a fold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from kernelwright.agents.archive import Archive, fitness
from kernelwright.agents.budget import Evaluating, Spent
from kernelwright.agents.events import Data, Event, Stored, all_kept
from kernelwright.agents.kept import advice_from, attempt_from, spend_from
from kernelwright.agents.ledger.account import Account
from kernelwright.agents.ledger.effort import effort_from
from kernelwright.agents.repairs import Repairs
from kernelwright.agents.roles import Attempt, Turn
from kernelwright.agents.turns import Horizon, Turns, log_gain
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.verdict import Speedup, Verdict

START = 0
"""The turn of the kernel that a task starts from."""
_ROLES = {"judge": "judge", "tester": "tester", "audit": "auditor"}
"""Who works for an event; the Coder for all others."""


class RunState:
    """Attempts, champion, advice, spend and progress of one run."""

    def __init__(self, stored: Mapping[str, Stored] | None = None) -> None:
        """An empty run. `stored` holds the sources that the events to come will name."""
        self.sources: dict[str, Candidate] = {}
        self.normalised: dict[str, str] = {}
        """Normalised hash of each of them, by candidate id."""
        self.run: Data = {}
        self.began = 0.0
        """When the run began, in seconds since the epoch."""
        self.sessions = 0
        self.done: dict[str, Data] = {}
        """Results of finished work and decisions, by key."""
        self.attempts: list[Attempt] = []
        self.by_id: dict[str, Attempt] = {}
        self.judged: dict[int, list[Attempt]] = {}
        """Attempts by turn."""
        self.first: dict[str, int] = {}
        """Place in `attempts` of the first with each normalised hash."""
        self.by_code: dict[str, str] = {}
        """Id of the first that was judged with each fingerprint of compiled code."""
        self.turns = Turns()
        self.repairs = Repairs()
        self.archive = Archive()
        self.islands = 1
        self.migrate_every = 0
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
        self.closed = 0
        """Turns that are over."""
        self.rounds_since_progress = 0
        self.empty_rounds = 0
        self.idle: dict[str, str] = {}
        """Coders that have nothing more to propose, and what they say."""
        self.task_error: str | None = None
        self.harness_errors = 0
        """Verdicts `harness_error` in a row, in the last session."""
        self.harness_message = ""
        self.stopped: str | None = None
        """Why the last session ended its search; None while one is under way or was killed."""
        self._best_at_round_end: str | None = None
        self._earlier_s = 0.0
        self._session_began = 0.0
        self._session_last = 0.0
        for item in (stored or {}).values():
            self.learn(item.candidate, item.normalised)

    @property
    def start(self) -> Attempt | None:
        """The kernel that the task starts from, where it was judged here: all turns come after it."""
        return next(iter(self.judged.get(START, ())), None)

    @property
    def round(self) -> int:
        """The turn decided last; 0 before the first."""
        return self.turns.last

    @staticmethod
    @all_kept()
    def from_events(events: Iterable[Event], stored: Mapping[str, Stored]) -> RunState:
        """The state after these events."""
        state = RunState(stored)
        for event in events:
            state.apply(event)
        return state

    def learn(self, candidate: Candidate, normalised: str) -> None:
        """Keep a source that events may name."""
        self.sources[candidate.id] = candidate
        self.normalised[candidate.id] = normalised

    def is_copy(self, normalised: str, known: int | None = None) -> bool:
        """Whether a candidate with this text, layout and comments aside, was judged already.

        With `known` only the oldest so many attempts count.
        """
        place = self.first.get(normalised)
        return place is not None and (known is None or place < known)

    def ancestor(self, key: str | None) -> Attempt | None:
        """The nearest accepted attempt that this candidate comes of; itself, if it is one."""
        attempt = self.by_id.get(key or "")
        while attempt is not None and not attempt.verdict.accepted:
            attempt = self.by_id.get(attempt.parent or "")
        return attempt

    def island_of(self, attempt: Attempt) -> int:
        """Where an attempt was made."""
        turn = self.turns.decided.get(attempt.round)
        return turn.island if turn else 0

    def brought_best(self, turn: int) -> Attempt | None:
        """The best new attempt of a turn; one that failed where none was accepted."""
        new = [a for a in self.judged.get(turn, ()) if not a.twin]
        return max(new, key=lambda a: (fitness(a) or 0.0, a.verdict.accepted), default=None)

    def gain(self, turn: int) -> float | None:
        """Logarithm of what the turn gained in speed over its parents; None where it brought none."""
        decided = self.turns.decided[turn]
        parents = [self.ancestor(decided.parent), self.ancestor(decided.other)]
        before = [fitness(a) for a in parents if a is not None]
        return log_gain(self.brought_best(turn), max((f for f in before if f), default=1.0))

    def earlier_s(self) -> float:
        """Wall time of all sessions but the one under way, in seconds."""
        return self._earlier_s

    def wall_s(self) -> float:
        """Wall time of all sessions up to the last event, in seconds."""
        return self._earlier_s + self._session_last - self._session_began

    def totals(self, wall_s: float | None = None) -> Spent:
        """What the run has cost, in all: the same effort however long the run is."""
        line = self.account.settled()
        return Spent(
            line.usd,
            line.tokens,
            self.evaluations,
            self.wall_s() if wall_s is None else wall_s,
            unknown=self.account.unknown(),
            usd_at_most=line.usd_at_most,
        )

    def spent(self, wall_s: float | None = None) -> Spent:
        """What the run has cost, by role, model and candidate."""
        return replace(
            self.totals(wall_s),
            by_role=self.account.by_role(),
            by_model=self.account.by_model(),
            by_candidate=self.account.by_candidate(self.brought),
            effort=dict(self.effort),
            evaluating=sum(self.effort.values(), Evaluating()),
        )

    def contenders(self) -> list[Attempt]:
        """Who may be published, best first: the champion, then all that may be faster than the baseline.

        A burst of noise in the loop must not lose a champion: the confirmation, longer and on new
        inputs, decides.
        """
        standing = [a for a in self.attempts if a.candidate.id not in self._fallen()]
        fast = [a for a in standing if _may_hold(a) and not a.twin]
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
                self.run, self.began = event.data, event.time
            case "session":
                self._begin_session(event, previous)
            case "decided":
                self.done[event.key] = event.data
                if kind == "choose":
                    self._decide(int(rest), Turn.from_json(event.data))
                elif kind == "round":
                    self._close(int(rest), event.data)
                elif kind == "counterexample":
                    self._fall(event.data["candidate"], Verdict.from_json(event.data["verdict"]))
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
        settings = event.data.get("settings", {})
        self.islands = settings.get("islands", 1)
        self.migrate_every = settings.get("migrate_every", 0)

    def _decide(self, number: int, turn: Turn) -> None:
        parent = self.by_id.get(turn.parent or "")
        if parent is not None:
            if parent.verdict.accepted:
                self.archive.tried(parent)
            else:
                self.repairs.began(parent.candidate.id)
                turn = replace(turn, kind="repair")  # older logs do not say
        champion = self.champion.candidate.id if self.champion else None
        horizon = Horizon(
            len(self.attempts), len(self.turns.predictions), self.evaluations, champion
        )
        self.turns.decide(number, turn, horizon)

    def _finish(self, kind: str, rest: str, data: Data) -> None:
        if kind == "propose":
            self.brought[int(rest)] = data["fresh"]
        elif kind == "evaluate":
            self._add(attempt_from(self.sources[rest], data), data)
        elif kind == "confirm":
            self.confirmed[rest] = Verdict.from_json(data["verdict"])
            self._depose()

    def _add(self, attempt: Attempt, data: Data) -> None:
        verdict, key = attempt.verdict, attempt.candidate.id
        self._count(attempt)
        self.first.setdefault(self.normalised[key], len(self.attempts))
        self.attempts.append(attempt)
        self.by_id[key] = attempt
        self.judged.setdefault(attempt.round, []).append(attempt)
        if data.get("code") and verdict.verdict in ("accepted", "rejected"):
            self.by_code.setdefault(data["code"], key)
        self.archive.add(attempt, self.island_of(attempt))
        if verdict.accepted:
            self.repairs.mended(attempt)
        elif verdict.verdict == "rejected":
            self._take_in_failure(attempt)
        if (
            not attempt.twin
            and attempt is not self.start
            and self._is_champion(verdict, data["against"])
        ):
            self.champion = attempt

    def _count(self, attempt: Attempt) -> None:
        """What the harness did, and whether it or the task is at fault."""
        if attempt.twin:
            return
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

    def _is_champion(self, verdict: Verdict, against: str | None) -> bool:
        """Surely faster than the baseline, and than the champion of the moment if there is one."""
        if not holds(verdict):
            return False
        if self.champion is None:
            return True
        measured = verdict.speedup.get("champion")
        return against == self.champion.candidate.id and measured is not None and measured.low > 1

    def _fall(self, key: str, verdict: Verdict) -> None:
        """An accepted attempt was broken by a Tester: it stands as rejected from now on."""
        before = self.by_id[key]
        if not before.verdict.accepted:
            return
        after = self.by_id[key] = replace(before, verdict=verdict)
        for attempts in (self.attempts, self.judged[before.round]):
            attempts[next(i for i, a in enumerate(attempts) if a is before)] = after
        self.archive.drop(before)
        self._take_in_failure(after)
        if self.champion is before:
            self.champion = after
        self._depose()

    def _depose(self) -> None:
        """Make the next best the champion, where the one of the moment does not stand any more."""
        held = self.champion
        if held and (not held.verdict.accepted or held.candidate.id in self._fallen()):
            self.champion = None
            self.champion = next(iter(self.contenders()), None)

    def _take_in_failure(self, attempt: Attempt) -> None:
        """A rejected attempt of a Coder may be worth mending; its ancestor says how much."""
        if not attempt.choice and not attempt.twin:
            ancestor = self.ancestor(attempt.parent)
            self.repairs.failed(attempt, (fitness(ancestor) or 0.0) if ancestor else 0.0)

    def _fallen(self) -> set[str]:
        """Candidates that their final confirmation did not bear out."""
        return {key for key, verdict in self.confirmed.items() if not holds(verdict)}

    def _close(self, number: int, outcome: Data) -> None:
        turn = self.turns.decided[number]
        judge = self.done.get(f"judge:{number}")
        advice = advice_from(judge["advice"]) if judge else None
        self.turns.close(number, advice, self.brought_best(number), outcome)
        if turn.kind == "repair" and turn.parent:
            self.repairs.ended(turn.parent)
        self.closed += 1
        founded = len(self.turns.founded)
        if self.migrate_every and founded > 1 and self.closed % self.migrate_every == 0:
            self.archive.migrate(founded)
        silent = self.done.get(f"propose:{number}", {}).get("no_idea")
        if silent:
            self.idle[turn.coder] = silent
        best = self.champion.candidate.id if self.champion else None
        self.rounds_since_progress = (
            self.rounds_since_progress + 1 if best == self._best_at_round_end else 0
        )
        self._best_at_round_end = best
        self.turns.stood(turn, self.archive.all.best())
        written = [a for a in self.judged.get(number, ()) if not a.choice and not a.twin]
        self.empty_rounds = 0 if written else self.empty_rounds + 1

    def _charge(self, event: Event) -> None:
        """What a role says that it spent beside the ledger, and what an evaluation took."""
        kind, _, rest = event.key.partition(":")
        if "spend" in event.data:
            role = _ROLES.get(kind, "coder")
            self.account.charge(role, event.key, spend_from(event.data["spend"]))
        if kind in ("evaluate", "confirm"):
            took = effort_from(event.data.get("took"))
            self.effort[rest] = self.effort.get(rest, Evaluating()) + took


def baseline(verdict: Verdict) -> Speedup | None:
    """The speedup that counts: against the task's start kernel where that was timed, else eager."""
    return verdict.speedup.get("start") or verdict.speedup.get("eager")


def holds(verdict: Verdict) -> bool:
    """Whether a final verdict lets a candidate be published: accepted, and faster than the baseline."""
    gained = baseline(verdict)
    return verdict.accepted and gained is not None and gained.low > 1


def _may_hold(attempt: Attempt) -> bool:
    gained = baseline(attempt.verdict)
    new = attempt.round != START
    return new and attempt.verdict.accepted and gained is not None and gained.median > 1
