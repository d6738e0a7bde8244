"""Which candidates of a turn are tuned, and how: the tuner on one side, the harness on the other."""

from __future__ import annotations

from kernelwright.agents.archive import fitness, speedup
from kernelwright.agents.journal import Journal
from kernelwright.agents.roles import Attempt
from kernelwright.agents.run_state import RunState
from kernelwright.agents.settings import Settings
from kernelwright.agents.tuner import Choice, size, tune
from kernelwright.harness.verdict import Speedup


def promising(state: RunState, settings: Settings, turn: int) -> list[str]:
    """Ids of the candidates of a turn that are worth tuning, fastest first."""
    if not settings.tune_trials:
        return []
    best = state.archive.all.best()
    least = settings.tune_share * (fitness(best) or 0.0) if best else 0.0
    new = [a for a in state.judged.get(turn, ()) if not a.choice and not a.twin]
    gains = {a.candidate.id: speedup(a) for a in new if size(a.candidate.space) > 1}
    good = [(gain, key) for key, gain in gains.items() if gain is not None and gain >= least]
    return [key for _, key in sorted(good, reverse=True)]


def tune_attempt(journal: Journal, settings: Settings, attempt: Attempt) -> None:
    """Find the numbers of an accepted attempt. What a later session finds tried costs nothing."""
    candidate, key = attempt.candidate, attempt.candidate.id
    start = _measured(attempt)
    assert start is not None

    def measure(choice: Choice) -> Speedup | None:
        note = "tuned " + " ".join(f"{name}={value}" for name, value in choice.items())
        baked = candidate.baked(choice)
        return _measured(journal.evaluate(baked, attempt.round, key, note, choice))

    tune(
        candidate,
        start,
        measure,
        trials=settings.tune_trials,
        stall=settings.tune_stall,
        seed=(int(key, 16) ^ settings.seed) % 2**32,
        more=lambda: not journal.must_stop(),
    )


def _measured(attempt: Attempt) -> Speedup | None:
    return attempt.verdict.speedup.get("eager") if attempt.verdict.accepted else None
