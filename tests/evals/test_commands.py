"""leaderboard, compare and report as users call them."""

import csv
import json
from dataclasses import replace

import pytest
from synthetic import GPU, batch, kernel, large, ratios, result

from kernelwright.cli import main
from kernelwright.evals.board import board, entries
from kernelwright.evals.record import Cost, write
from kernelwright.evals.tables import to_csv, to_markdown
from kernelwright.evals.versus import versus
from kernelwright.harness.verdict import Speedup


def saved(folder, name, record):
    write(record, folder / f"{name}.json")
    return str(folder / f"{name}.json")


def entry(results, label="synthetic"):
    return entries([batch(results, label=label)])[0]


def test_leaderboard_writes_four_files_that_agree(tmp_path, capfd):
    path = saved(tmp_path, "a", large(8))
    out = tmp_path / "board"
    assert main(["leaderboard", path, "--out", str(out), "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert sorted(f.name for f in out.iterdir()) == [
        "index.html", "leaderboard.csv", "leaderboard.json", "leaderboard.md",
    ]  # fmt: skip
    data = json.loads((out / "leaderboard.json").read_text())
    assert data["entries"][0]["figures"] == told["entries"][0]["figures"]
    rows = list(csv.DictReader((out / "leaderboard.csv").open()))
    assert len(rows) == data["entries"][0]["n"] == 8
    correct = sum(int(r["correct"]) for r in rows) / 8
    assert data["entries"][0]["figures"]["correct"]["value"] == pytest.approx(correct)
    assert f"| {correct:.0%} [" in (out / "leaderboard.md").read_text()


def test_every_null_of_a_row_has_its_reason():
    row = board([batch([result("a", kernel(2.0), reasons={"samples": "none were drawn"})])])
    task = row["entries"][0]["tasks"][0]
    assert task["kernel"]["speedup"]["compile"] is None
    assert task["reasons"] == {"samples": "none were drawn", "speedup.compile": "synthetic"}
    figures = row["entries"][0]["figures"]
    for figure in (*figures["against"]["compile"].values(), figures["own_time"], figures["pass@1"]):
        assert figure["value"] is not None or figure["reason"]


def test_entries_of_several_devices_are_kept_apart():
    record = batch([result("a", kernel(2.0)), result("a", kernel(3.0), device=GPU), result("b")])
    found = entries([record])
    assert {(e.device.kind, len(e.results)) for e in found} == {("cpu", 2), ("cuda", 2)}
    assert len({e.id for e in found}) == 2


def test_entries_of_the_same_name_are_told_apart():
    found = board([batch([result("a")], id="one"), batch([result("a")], id="two")])
    assert {e["label"] for e in found["entries"]} == {"synthetic (one)", "synthetic (two)"}


def test_the_pareto_front():
    def one(label, gain, usd):
        spent = Cost(usd=usd, wall_s=60.0)
        return batch([result("a", kernel(gain), spent=spent)], label=label)

    cheap, dear, waste = one("cheap", 2.0, 1.0), one("dear", 4.0, 5.0), one("waste", 3.0, 6.0)
    found = {
        e["label"]: e["pareto"]["usd_per_kernel"] for e in board([cheap, dear, waste])["entries"]
    }
    assert found == {"cheap": True, "dear": True, "waste": False}


def test_tables_do_not_execute_what_they_hold():
    record = batch([result('=HYPERLINK("x")', state="failed", reason="a|b\n<c>")], label="|x|`")
    found = board([record])
    row = next(csv.DictReader(to_csv(found).splitlines(keepends=True)))
    assert row["task"].startswith("'=")
    assert "\\|x\\|\\`" in to_markdown(found)


def test_compare_says_who_wins_each_task():
    a = entry([*ratios(4.0, 2.0, 1.02, None), result("x", kernel(2.0))], "a")
    b = entry([*ratios(1.0, 2.01, None, 3.0), result("y", kernel(2.0))], "b")
    found = versus(a, b)
    assert [(p.task, p.winner) for p in found.pairs] == [
        ("core/t0", "a"), ("core/t1", "neither"), ("core/t2", "a"), ("core/t3", "b"),
    ]  # fmt: skip
    assert found.left_out == ("x", "y")
    # A: 4, 2, 1.02, 1; B: 1, 2.01, 1, 3
    assert found.figures["ratio"].value == pytest.approx((4 * 2 * 1.02 / (2.01 * 3)) ** 0.25)
    assert found.figures["ratio_both_correct"].value == pytest.approx((4 * 2 / 2.01) ** 0.5)
    assert found.figures["correct"].value == 0.0
    assert found.figures["fast_1"].value == pytest.approx(3 / 4 - 2 / 4)


def test_compare_is_fair():
    results = ratios(4.0, 2.0, 1.5, None, 3.0)
    same = versus(entry(results, "a"), entry(results, "b"))
    assert same.winner == "neither" and same.figures["ratio"].value == 1.0
    weaker = ratios(2.0, 1.0, 0.7, None, 1.4)
    one = versus(entry(results, "a"), entry(weaker, "b"))
    other = versus(entry(weaker, "b"), entry(results, "a"))
    assert (one.winner, other.winner) == ("a", "b")
    assert one.figures["ratio"].value == pytest.approx(1 / other.figures["ratio"].value)
    assert one.figures["ratio"].low == pytest.approx(1 / other.figures["ratio"].high, rel=0.15)


def test_one_task_is_decided_by_its_measurement():
    fast, slow = entry(ratios(4.0), "a"), entry(ratios(2.0), "b")
    assert (versus(fast, slow).winner, versus(slow, fast).winner) == ("a", "b")
    assert versus(fast, fast).winner == "neither"


def test_agreement_on_few_tasks_is_not_certain():
    found = versus(entry(ratios(4.0, 3.0), "a"), entry(ratios(4.0, 3.0), "b")).figures["correct"]
    assert (found.value, found.high) == (0.0, pytest.approx(1 - 0.025**0.5))


def test_noise_that_happens_to_agree_does_not_win():
    """Three tasks, each a little faster on one side, each far from told apart."""

    def noisy(*medians):
        found = []
        for number, median in enumerate(medians):
            best = kernel(median, median)
            wide = {"eager": Speedup(median, median * 0.3, median * 3, 10)}
            verdict = replace(best.verdict, speedup=wide)
            found.append(result(f"core/{number}", best.model_copy(update={"verdict": verdict})))
        return found

    found = versus(entry(noisy(2.6, 3.0, 2.2), "a"), entry(noisy(2.0, 2.0, 2.0), "b"))
    assert found.wins("neither") == 3
    assert found.winner == "neither"
    sure = versus(entry(ratios(2.6, 3.0, 2.2), "a"), entry(ratios(2.0, 2.0, 2.0), "b"))
    assert sure.winner == "a"


def test_tasks_of_another_text_are_not_compared():
    a = entry([result("core/a", kernel(2.0), task_hash="1"), result("core/b", kernel(2.0))], "a")
    b = entry([result("core/a", kernel(2.0), task_hash="2"), result("core/b", kernel(2.0))], "b")
    found = versus(a, b)
    assert found.left_out == ("core/a",) and [p.task for p in found.pairs] == ["core/b"]


def test_compare_on_the_command_line(tmp_path, capfd):
    a = saved(tmp_path, "a", batch(ratios(4.0, 2.0, None), label="model a"))
    b = saved(tmp_path, "b", batch(ratios(1.0, None, None), label="model b"))
    assert main(["compare", a, b, "--json"]) == 0
    data = json.loads(capfd.readouterr().out)
    assert data["wins"] == {"a": 2, "b": 0, "neither": 1} and data["n"] == 3
    assert main(["compare", a, b, "--against", "compile"]) == 0
    shown = capfd.readouterr().out
    assert "model a" in shown and "tasks won: A 2, B 0, not told apart 1" in shown
    c = saved(tmp_path, "c", batch([result("other", kernel(2.0))], label="model c"))
    assert main(["compare", a, c]) == 2
    assert "no task in common" in capfd.readouterr().err


def test_a_report_of_one_run(tmp_path, capfd):
    path = saved(tmp_path, "a", batch([result("core/a", kernel(2.0))]))
    assert main(["report", path, "--out", str(tmp_path / "page.html")]) == 0
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize("command", [["leaderboard"], ["compare", "x"], ["report"]])
def test_mistakes_end_in_one_line(command, tmp_path, capfd):
    assert main([*command, str(tmp_path / "nowhere")]) == 2
    told = capfd.readouterr().err.strip()
    assert "no such file" in told and "\n" not in told


def test_keys_do_not_reach_the_page(tmp_path, monkeypatch):
    secret = "sk-test-0123456789abcdefghij"
    monkeypatch.setenv("OPENAI_API_KEY", secret)
    record = batch([result("core/a", kernel(2.0, source=f"KEY = '{secret}'\n"))], label=secret)
    path = saved(tmp_path, "a", record)
    assert main(["leaderboard", path, "--out", str(tmp_path / "out")]) == 0
    assert all(secret not in file.read_text() for file in (tmp_path / "out").iterdir())
