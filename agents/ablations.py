"""Ablations: the parts of the search that can be switched off, as the literature does.

Each is a name with what it sets; several together are one search with all of them off.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple

from kernelwright.agents.settings import Settings
from kernelwright.tasks.errors import UsageError


class Ablation(NamedTuple):
    """What is switched off, in a line, and the settings that do it."""

    says: str
    sets: Mapping[str, Any]


_NO_JUDGE = {"judge_corrects": False, "judge_optimizes": False}
_NO_ARCHIVE = {"parents": "best", "islands": 1, "crossover": 0.0}

ABLATIONS: Mapping[str, Ablation] = MappingProxyType(
    {
        "no-judge": Ablation("the Coder reads the verdicts itself", _NO_JUDGE),
        "correction-only": Ablation(
            "the Judge says what broke, never what to make faster", {"judge_optimizes": False}
        ),
        "optimization-only": Ablation(
            "the Judge says what to make faster, never what broke", {"judge_corrects": False}
        ),
        "full-counters": Ablation("models see every counter", {"full_counters": True}),
        "full-history": Ablation("models see every attempt in full", {"full_history": True}),
        "no-tuner": Ablation("candidates run with the numbers they came with", {"tune_trials": 0}),
        "no-archive": Ablation("the parent is always the best so far", _NO_ARCHIVE),
        "no-islands": Ablation("one population", {"islands": 1}),
        "no-crossover": Ablation("no two parents are crossed", {"crossover": 0.0}),
        "no-repair": Ablation("what fails is dropped", {"repairs": 0}),
        "no-strategies": Ablation("no strategies are offered", {"strategies": 0}),
        "no-memory": Ablation("nothing is learnt from other runs", {"memory": None}),
        "no-tester": Ablation("nobody attacks champions", {"tester_calls": 0}),
        "one-shot": Ablation(
            "one answer, judged as it is", {"rounds": 1, "tune_trials": 0, "repairs": 0}
        ),
        "self-refine": Ablation(
            "each answer starts from the last one and its verdict, and nothing else helps",
            {
                **_NO_JUDGE,
                **_NO_ARCHIVE,
                "parents": "last",
                "repairs": 0,
                "tune_trials": 0,
                "strategies": 0,
                "memory": None,
            },
        ),
    }
)


def ablated(settings: Settings, names: Iterable[str]) -> Settings:
    """The settings without the named parts. Raises UsageError for an unknown name."""
    names = tuple(dict.fromkeys(names))
    sets: dict[str, Any] = {}
    for name in names:
        if name not in ABLATIONS:
            raise UsageError(f"ablation {name!r}: give one of {', '.join(ABLATIONS)}")
        sets.update(ABLATIONS[name].sets)
    return replace(settings, **sets, ablations=names)
