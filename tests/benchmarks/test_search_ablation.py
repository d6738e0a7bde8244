import numpy as np
import pytest
from search_ablation import CAP, CONFIGURATIONS, Job, Result, grid, missed, play, ratio, report
from simulated import QUALITIES, SimulatedEvaluator, State, write

STRONG = QUALITIES[2]


def job(configuration="full", seed=0, cap=60, noise=0.0):
    return Job("core/one", STRONG, configuration, seed, cap, noise)


def test_the_best_known_can_be_evaluated(land):
    best = write(land, State(frozenset({"THREADS", "WIDE", "BLOCK"}), {"LANES": 8}))
    assert SimulatedEvaluator(land, 0).true_speedup(best) == land.best


@pytest.mark.parametrize("configuration", ["full", "self-refine"])
def test_a_run_reaches_the_best_and_counts_its_evaluations(land, tmp_path, configuration):
    result = play(land, job(configuration), tmp_path / "run")
    assert result.reached and 0.95 <= result.share <= 1.0
    assert 1 < result.needed <= 60 and result.calls > 0 and result.usd > 0


def test_equal_seeds_give_equal_runs(land, tmp_path):
    first, again = (play(land, job(seed=5, noise=1.0), tmp_path / n) for n in ("a", "b"))
    assert (first.needed, first.calls, first.usd) == (again.needed, again.calls, again.usd)


def test_what_does_not_get_there_counts_as_the_cap_and_is_named(land, tmp_path):
    result = play(land, job(cap=1), tmp_path / "run")
    assert result.needed == 1 and not result.reached
    assert "seed 0" in missed([result])[0]


def test_every_configuration_of_the_table_can_be_made():
    from search_ablation import settings

    made = [settings(name, 0, CAP) for name in CONFIGURATIONS]
    assert len(set(made)) == len(made)
    assert all(s.budget_evals == CAP for s in made)


def test_ratios_are_geometric_means_of_pairs():
    base = np.array([[10.0, 40.0], [20.0, 80.0]])
    half = ratio(base / 2, base)
    assert half.value == pytest.approx(0.5) and half.low == pytest.approx(0.5)
    mixed = ratio(base * np.array([[2.0, 0.5], [2.0, 0.5]]), base)
    assert mixed.value == pytest.approx(1.0) and mixed.low < 1 < mixed.high


def result(configuration, task, seed, needed):
    reached = needed < CAP
    return Result(task, "middle", configuration, seed, needed, reached, "", 1.0, 0.5, 3, 0.1, 1.0)


def test_the_report_pairs_by_task_and_seed():
    results = [
        result(name, task, seed, needed)
        for name, needed in (("full", 10), ("self-refine", 40))
        for task in ("core/one", "core/two")
        for seed in (1, 0)
    ]
    assert grid(results, "middle", "full").shape == (2, 2)
    about = {"date": "", "runs": 8, "seconds": 1.0, "command": "", "pool": ""}
    text = report(results, {**about, "cap": CAP, "seeds": 2, "tasks": 2})
    assert "0.25 [0.25, 0.25]" in text and "None." in text
