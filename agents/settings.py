"""What a user may set of a search. Each field stands with its unit and default."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from kernelwright.tasks.errors import UsageError

BUILTIN_MINUTES = 1.5
"""Wall budget of the built-in model, which costs nothing but time."""
BUDGET_USD = 5.0
"""Dollar budget where a provider sends a bill and the user names no other."""
LANGUAGES = ("cpp", "cuda", "triton")
"""What kernels may be written in; all but the first are for a GPU."""
MEMORY = ("all", "others", "off")
"""Which other runs teach this one: all, those of other suites, or none."""
Parents = Literal["archive", "best", "last"]


@dataclass(frozen=True)
class Settings:
    """Settings of one run. Raises UsageError for what cannot work."""

    budget_evals: int = 40
    """Evaluations of candidates, tuning trials included, the final confirmation not."""
    budget_minutes: float | None = None
    """Wall time of all sessions of the run, the final confirmation included; None: no limit."""
    budget_usd: float | None = None
    """US dollars for models, all sessions of the run together; None: no limit."""
    budget_tokens: int | None = None
    """Input and output tokens of models, all sessions together; None: no limit."""
    reserve_s: float = 25.0
    """Part of the wall budget that is kept for the final confirmation."""
    seed: int = 0
    language: str = LANGUAGES[0]
    target_roofline: float = 0.95
    """Stop when the champion reaches this share of the physical floor."""
    patience: int = 6
    """Stop after this many rounds without a new champion."""
    rounds: int | None = None
    """Stop after so many turns; None: no limit."""
    parallel: int = 1
    """Turns in flight: so many Coders may write at once, while one candidate is on the device."""
    repairs: int = 3
    """How often in a row a failed candidate is handed back for repair before it is given up."""
    parents: Parents = "archive"
    """Where parents come from: drawn from the archive, the best so far, or the last attempt."""
    islands: int = 2
    """Populations that grow apart, each from a founder of its own."""
    migrate_every: int = 6
    """Turns between two migrations: the best of each island is copied to the next; 0: none."""
    crossover: float = 0.15
    """Share of the turns that cross two parents, once there are two good lines."""
    strategies: int = 3
    """How many strategies of the catalogue are offered a turn; 0: none."""
    judge_corrects: bool = True
    """Whether the Judge is asked why a candidate was rejected."""
    judge_optimizes: bool = True
    """Whether the Judge is asked what limits an accepted one."""
    memory: str | None = None
    """The store of measured edits of other runs (`agents/memory/`), a path; None: none is used."""
    memory_same_suite: bool = True
    """Whether lessons may come from the task's own suite; a benchmark says no."""
    full_history: bool = False
    """Show models every attempt in full."""
    full_counters: bool = False
    """Show models every counter."""
    ablations: tuple[str, ...] = ()
    """Names of the parts that were switched off (`agents/ablations.py`), for the record."""
    tune_trials: int = 12
    """Most evaluations that tuning one candidate may take; 0: no tuning."""
    tune_gain: float = 0.006
    """A trial of numbers must be expected to raise the logarithm of the best speed by so much."""
    tester_calls: int = 4
    """Champions that a Tester may attack, the last of them before the final confirmation; 0: none."""
    tester_seconds: float = 3.0
    """Seconds of probes after which none is begun, for each attack."""
    confirmations: int = 3
    """How many candidates may be tried for the final confirmation, best first."""

    def __post_init__(self) -> None:
        if self.language not in LANGUAGES:
            raise UsageError(f"language {self.language}: give {', '.join(LANGUAGES)}")
        if self.budget_evals < 1:
            raise UsageError(f"evaluation budget {self.budget_evals}: give at least 1")
        if self.budget_minutes is not None and not self.budget_minutes > 0:
            raise UsageError(f"budget of {self.budget_minutes} minutes: give more than 0")
        if self.budget_usd is not None and not 0 < self.budget_usd < math.inf:
            raise UsageError(f"budget of {self.budget_usd} dollars: give more than 0")
        if self.budget_tokens is not None and self.budget_tokens < 1:
            raise UsageError(f"budget of {self.budget_tokens} tokens: give at least 1")
        if not 0 < self.target_roofline <= 1:
            raise UsageError(f"target roofline {self.target_roofline}: give a share in (0, 1]")
        if self.rounds is not None and self.rounds < 1:
            raise UsageError(f"{self.rounds} rounds: give at least 1")
        if self.parallel < 1 or self.islands < 1:
            raise UsageError("turns in flight and islands: at least 1 of each")
        if self.repairs < 0 or self.strategies < 0 or self.migrate_every < 0:
            raise UsageError("repairs, strategies and turns between migrations: at least 0")
        if not 0 <= self.crossover <= 1:
            raise UsageError(f"crossover {self.crossover}: give a share in [0, 1]")
        if self.tester_calls < 0 or not 0 < self.tester_seconds < math.inf:
            raise UsageError("attacks of the Tester: at least 0, each of more than 0 seconds")
        if self.patience < 1 or self.tune_trials < 0 or self.confirmations < 1:
            raise UsageError("patience and confirmations: at least 1; tuning trials: at least 0")
        if not self.tune_gain >= 0:
            raise UsageError(f"least gain of a trial {self.tune_gain}: give at least 0")

    @property
    def search_s(self) -> float | None:
        """Seconds of wall time after which no new work starts, None without a wall budget.

        The reserve is at most a quarter of the budget, so that a short one still searches.
        """
        if self.budget_minutes is None:
            return None
        budget = 60.0 * self.budget_minutes
        return budget - min(self.reserve_s, budget / 4)

    def to_json(self) -> dict[str, Any]:
        """For the event log."""
        return asdict(self)
