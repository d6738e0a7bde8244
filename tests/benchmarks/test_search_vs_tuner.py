import pytest
from search_vs_tuner import Row, known, report, settings, winner


def row(task="core/a", search=2.0, tuner=1.0, direct=(2.0, 1.8, 2.2), same=False, **more):
    return Row(task, 16, search, tuner, direct, same, (16, 16), ("", ""), "search", 1.0, **more)


@pytest.mark.parametrize(
    ("one", "who"),
    [
        (row(), "search"),
        (row(direct=(0.5, 0.4, 0.6)), "tuner"),
        (row(direct=(1.01, 0.9, 1.1)), "neither"),
        (row(same=True, direct=None), "same kernel"),
        (row(direct=None, tuner=1.0), "search"),
        (row(direct=None, search=1.0, tuner=1.0), "neither"),
    ],
)
def test_who_wins_is_told_by_the_direct_comparison(one, who):
    assert winner(one) == who


def test_both_sides_have_the_same_budget_and_only_the_tuner_side_one_turn():
    search, tuner = (settings(side, 16, 0) for side in ("search", "tuner"))
    assert search.budget_evals == tuner.budget_evals == 16
    assert search.rounds is None and tuner.rounds == 1 and tuner.tune_trials == 15


def test_the_report_names_losses_and_what_was_left_out():
    rows = [row(), row("core/b", 1.0, 4.0, (0.25, 0.2, 0.3)), row("core/c", None, None, None)]
    rows[2] = row("core/c", None, None, None, left_out="nothing to fuse")
    text = report(rows, "about")
    assert "2 tasks" in text and "search: 1, tuner: 1" in text and "nothing to fuse" in text
    assert "0.707x" in text  # sqrt(2 * 0.25)


def test_the_log_is_read_by_budget(tmp_path):
    import json
    from dataclasses import asdict

    log = tmp_path / "log.jsonl"
    log.write_text(json.dumps(asdict(row())) + "\n")
    assert list(known(log, 16)) == ["core/a"] and not known(log, 8)
