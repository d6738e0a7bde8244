"""The journal: does work that costs at most once, and writes it down before and after.

It holds the log together with the state that is folded from it, the clock and the stop rules. The
nodes of the graph (`agents/graph.py`) do all their work through it.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from kernelwright.agents.budget import Remaining, Spent, Stop, stop_rule
from kernelwright.agents.dedupe import code_of, taken_over
from kernelwright.agents.events import Data, Event, EventLog
from kernelwright.agents.kept import spend_json
from kernelwright.agents.ledger.effort import Effort, effort_json
from kernelwright.agents.ledger.ledger import Caps, Ledger
from kernelwright.agents.models.base import ModelError
from kernelwright.agents.ports import Counting, Evaluator, Observer
from kernelwright.agents.roles import Attempt
from kernelwright.agents.run_state import RunState
from kernelwright.agents.settings import Settings
from kernelwright.agents.traits import traits
from kernelwright.agents.tuner import Choice
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.errors import HarnessError
from kernelwright.harness.verdict import Verdict
from kernelwright.tasks.errors import TaskError

Result = tuple[Data, Iterable[Candidate]]
"""What a finished event says, and the candidates that it names."""


class Journal:
    """The one way to spend money or time in a run."""

    def __init__(
        self,
        log: EventLog,
        evaluator: Evaluator,
        settings: Settings,
        observer: Observer,
        interrupt: threading.Event,
    ) -> None:
        """Take up the run that `log` tells of."""
        self.state = RunState.from_events(log.events(), log.candidates())
        self.coders: Sequence[str] = ("",)
        """Names of all Coders that can be asked; the search ends when all have no idea left."""
        self._log = log
        self._evaluator = evaluator
        self._settings = settings
        self._observer = observer
        self._interrupt = interrupt
        self._began = time.monotonic()
        self._lock = threading.RLock()
        caps = Caps(settings.budget_usd, settings.budget_tokens)
        self.ledger = Ledger(self.record, self.state.account, caps, self._lock)

    def record(self, kind: str, key: str, data: Data, named: Iterable[Candidate] = ()) -> Event:
        """Append an event and take it into the state. Any thread may."""
        named = tuple(named)
        with self._lock:
            event = self._log.append(kind, key, data, named)
            for candidate in named:
                self.state.learn(candidate, candidate.normalised)
            self.state.apply(event)
        return event

    def decide(self, key: str, choose: Callable[[], Data]) -> Data:
        """A choice that comes out the same whenever the run is taken up again."""
        if key not in self.state.done:
            self.record("decided", key, choose())
        return self.state.done[key]

    def once(self, key: str, about: Data, work: Callable[[], Result]) -> Data:
        """The result of the work named `key`: from the log, or done now.

        A ModelError is written down with what it cost, and raised. Any thread may ask for work of its
        own.
        """
        if key not in self.state.done:
            self.record("started", key, about)
            try:
                data, named = work()
            except ModelError as error:
                lost = {"error": str(error), "spend": spend_json(error.spend)}
                self.record("failed", key, lost)
                raise
            finally:
                self._observer.done(key)
            self.record("finished", key, data, named)
            self._observer.spent(self._totals(), self.remaining())
        return self.state.done[key]

    def evaluate(
        self,
        candidate: Candidate,
        round: int,
        parent: str | None,
        note: str,
        choice: Choice | None = None,
        other: str | None = None,
    ) -> Attempt:
        """The attempt with this candidate, judged against the champion of the moment.

        One whose compiled code was judged before takes over that verdict: it costs no evaluation.
        """
        champion = self.state.champion
        about = {
            "round": round,
            "parent": parent,
            "other": other,
            "note": note,
            "choice": dict(choice or {}),
            "against": champion.candidate.id if champion else None,
        }
        key = f"evaluate:{candidate.id}"
        known = key in self.state.done

        def work() -> Result:
            self._observer.working("evaluate", key)
            held = champion.candidate if champion else None
            effort = Effort()
            code = code_of(self._evaluator, candidate)
            twin = self.attempt(self.state.by_code.get(code)) if code else None
            if twin:
                verdict = taken_over(twin)
            else:
                verdict = self._evaluator.evaluate(candidate, effort="loop", champion=held)
                verdict = self._counted(verdict, candidate)
            found = {
                "verdict": verdict.to_json(),
                "took": effort_json(effort.of(verdict)),
                "code": code,
                "twin": twin.candidate.id if twin else None,
                "traits": traits(candidate).to_json(),
            }
            return {**about, **found}, (candidate,)

        self.once(key, about, work)
        attempt = self.state.by_id[candidate.id]
        if not known:
            self._observer.evaluated(attempt)
            if self.state.champion is attempt:
                self._observer.new_best(attempt)
        return attempt

    def _counted(self, verdict: Verdict, candidate: Candidate) -> Verdict:
        """With counters, where the speed of what was accepted is unknown: then they are all there is."""
        untimed = verdict.accepted and not verdict.speedup.get("eager")
        if not untimed or self._settings.language == "cpp":
            return verdict
        if isinstance(self._evaluator, Counting):
            with contextlib.suppress(HarnessError, TaskError):
                return self._evaluator.counted(verdict, candidate)
        return verdict

    def confirm(self, attempt: Attempt) -> Verdict:
        """The final verdict of a candidate, from a clean process.

        A `harness_error` says nothing of the candidate: it is not kept as its result, so a later
        session asks again.
        """
        key = f"confirm:{attempt.candidate.id}"
        if key in self.state.done:
            return Verdict.from_json(self.state.done[key]["verdict"])
        self._observer.working("confirm", key)
        self.record("started", key, {})
        effort = Effort()
        try:
            verdict = self._evaluator.evaluate(attempt.candidate, effort="final")
        finally:
            self._observer.done(key)
        took = effort_json(effort.of(verdict))
        kind = "failed" if verdict.verdict == "harness_error" else "finished"
        self.record(kind, key, {"verdict": verdict.to_json(), "took": took})
        self._observer.spent(self._totals(), self.remaining())
        return verdict

    def stop(self) -> Stop | None:
        """The stop rule that holds now, if one does."""
        interrupted = self._interrupt.is_set()
        return stop_rule(self.state, self._settings, self.wall_s(), interrupted, self.coders)

    def must_stop(self) -> bool:
        """Whether to break off the turn at hand; a later session finishes it."""
        stop = self.stop()
        return stop is not None and stop.ends_turns

    def outcome(self, turn: int) -> Data:
        """What came of a turn: its best new attempt, what that gained, and what all of it cost."""
        state = self.state
        with self._lock:
            line = state.account.of_round(turn)
        took = [state.effort[a.candidate.id].wall_s for a in state.judged.get(turn, ())]
        best, gain = state.brought_best(turn), state.gain(turn)
        return {
            "best": best.candidate.id if best and gain is not None else None,
            "gain": gain,
            "cost": {"usd": line.usd, "tokens": line.tokens, "seconds": round(sum(took), 6)},
        }

    def wall_s(self) -> float:
        """Wall time of the run, earlier sessions included, in seconds."""
        return self.state.earlier_s() + time.monotonic() - self._began

    def spent(self) -> Spent:
        """What the run has cost, earlier sessions included."""
        with self._lock:
            return self._capped(self.state.spent(self.wall_s()))

    def _totals(self) -> Spent:
        """The same for a display, which is told after every step: without the details."""
        with self._lock:
            return self._capped(self.state.totals(self.wall_s()))

    def _capped(self, spent: Spent) -> Spent:
        settings = self._settings
        return replace(spent, budget_usd=settings.budget_usd, budget_tokens=settings.budget_tokens)

    def remaining(self) -> Remaining:
        """What is left of the budgets."""
        settings = self._settings
        minutes = settings.budget_minutes
        return Remaining(
            max(0, settings.budget_evals - self.state.evaluations),
            None if minutes is None else max(0.0, 60 * minutes - self.wall_s()),
        )

    def done(self, key: str) -> Data | None:
        """The result of finished work, or a decision."""
        return self.state.done.get(key)

    def attempt(self, key: str | None) -> Attempt | None:
        """The finished attempt with this candidate id."""
        return self.state.by_id.get(key) if key else None
