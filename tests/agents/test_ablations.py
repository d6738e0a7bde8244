"""Each ablation switches something off, and only what it names."""

from dataclasses import fields, replace

import pytest

from kernelwright.agents.ablations import ABLATIONS, ablated
from kernelwright.agents.settings import Settings
from kernelwright.tasks.errors import UsageError

FULL = Settings(seed=7, memory="store.db", parallel=2)


@pytest.mark.parametrize("name", ABLATIONS)
def test_it_changes_what_it_says_and_nothing_else(name):
    changed = ablated(FULL, [name])
    assert changed.ablations == (name,)
    different = {f.name for f in fields(FULL) if getattr(changed, f.name) != getattr(FULL, f.name)}
    assert different - {"ablations"} == set(ABLATIONS[name].sets), "each override is one"


def test_several_together_are_all_off():
    changed = ablated(FULL, ["no-judge", "no-tuner", "no-judge"])
    assert (changed.judge_corrects, changed.judge_optimizes, changed.tune_trials) == (False,) * 3
    assert changed.ablations == ("no-judge", "no-tuner")


def test_none_is_the_full_search():
    assert ablated(FULL, []) == FULL


def test_self_refinement_has_nothing_but_the_last_attempt():
    plain = ablated(FULL, ["self-refine"])
    assert plain.parents == "last"
    assert plain.memory is None
    assert not any(
        (plain.judge_corrects, plain.judge_optimizes, plain.tune_trials, plain.strategies,
         plain.repairs, plain.crossover)
    )  # fmt: skip


def test_an_unknown_name_is_told_with_the_list():
    with pytest.raises(UsageError, match="'no-jugde': give one of no-judge, correction-only, "):
        ablated(FULL, ["no-jugde"])


@pytest.mark.parametrize(
    "wrong",
    [{"parallel": 0}, {"islands": 0}, {"crossover": 1.1}, {"rounds": 0}, {"repairs": -1},
     {"strategies": -1}, {"migrate_every": -1}],
)  # fmt: skip
def test_settings_that_cannot_work(wrong):
    with pytest.raises(UsageError):
        replace(FULL, **wrong)
