"""`kernelwright show`: what a stranger reads of a run, and what a program gets."""

import fcntl
import io
import json
import random
from pathlib import Path

import pytest
from rich.console import Console
from show_runs import CROSSED, FIRST, MENDED, SECOND, TUNED, WRONG, Writer, accepted, kernel, write

from kernelwright.cli import main
from kernelwright.show.curve import ROWS, curve
from kernelwright.show.diff import coloured, diff
from kernelwright.show.facts import arms, calibration
from kernelwright.show.holder import holder
from kernelwright.show.page import draw
from kernelwright.show.story import tell
from kernelwright.show.tree import lineage


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "out" / "own-op" / "20260101-000000-abcd"
    write(folder)
    return folder


@pytest.fixture
def page(run: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["show", str(run)]) == 0
    return capfd.readouterr().out


def test_the_head(page: str, run: Path) -> None:
    assert page.startswith(f"own/op  {run.name}  stopped\n")
    assert "seed 7, cpp" in page
    assert "a processor, 4 threads" in page
    assert "5 of 12 evaluations" in page
    assert "$0.18 of $1.00, 9,000 tokens" in page
    assert "4.20x [3.78, 4.62] against PyTorch eager" in page
    assert f"candidate {MENDED.id[:8]} of turn 4, confirmed in a clean process" in page


def test_the_lineage(page: str) -> None:
    lines = page[page.index("Lineage") : page.index("Turns")].splitlines()[1:]
    tree = [line.rstrip() for line in lines if line]
    second = f"{SECOND.id[:8]} improve 3.00x, tuned 4.00x [3.60, 4.40] (1) fuse"
    assert tree[:-1] == [
        "own/op in PyTorch eager",
        f"└── {FIRST.id[:8]} fresh 2.00x [1.80, 2.20]",
        f"    └── {second}",
        f"        └── {WRONG.id[:8]} improve ✗ correctness: wrong_values of {TUNED.id[:8]}",
        f"            └── ★ {MENDED.id[:8]} repair 4.40x [3.96, 4.84]",
    ]
    assert f"└── {CROSSED.id[:8]} cross 4.40x" in tree[-1]


@pytest.mark.parametrize(
    "said",
    [
        "Turn 1  from nothing  new best",
        "1 candidate was dropped as copies of earlier ones",
        f"Turn 2  improves {FIRST.id[:8]}, bound by memory  new best",
        "offered    fuse, tile",
        "0.80x [0.70, 0.90] in other/task: unrolled twice",
        "it waits",
        "rests on 50% of the roofline",
        "→ fuse the [loops] (fuse)",
        "foretold 1.50x, came out 2.00x",
        "fused",
        f"1.50x [1.30, 1.73] over {FIRST.id[:8]}",
        f"1 trial; best {TUNED.id[:8]} 4.00x [3.60, 4.40] with N=2",
        "Tester     2 cases: 1 broke it, 1 stood; rows a row of one: off by 9",
        "Auditor    1 suspicion suspicion: reads the first row twice",
        "Tester     0 cases Auditor no suspicion; plain",
        f"+2 -2 lines against {FIRST.id[:8]}",
        '-    kind = "first"',
        "$0.04, 2,000 tokens, 2 calls in 0.0 s; 2 evaluations in 4.0 s",
        "error: off by 3 at [0, 1]",
        f"Turn 4  repairs {WRONG.id[:8]}",
        f"1.10x [0.95, 1.27] over {TUNED.id[:8]}",
        "confirmed  4.20x [3.78, 4.62] against PyTorch eager",
        f"Turn 5  crosses {MENDED.id[:8]} and {FIRST.id[:8]}, island 1",
        "no candidate: knows nothing more",
        "1 of 2 predictions could be measured: 1 went the way it said, 0 came within",
        "strategy  fuse",
        "stopped (no_idea): knows nothing more",
    ],
)
def test_the_turns(page: str, said: str) -> None:
    assert " ".join(said.split()) in " ".join(page.split())


def test_eighty_columns_are_enough(page: str) -> None:
    assert max(len(line) for line in page.splitlines()) <= 80
    assert "\x1b" not in page


def test_colours_on_a_terminal(run: Path) -> None:
    screen = Console(file=io.StringIO(), force_terminal=True, width=100, highlight=False)
    draw(screen, tell(run), None, full=True)
    assert isinstance(screen.file, io.StringIO)
    assert "\x1b[1;32m" in screen.file.getvalue()


def test_json(run: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(run), "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert (found["task"], found["status"], found["stop"]["reason"]) == (
        "own/op",
        "stopped",
        "no_idea",
    )
    assert found["champion"]["candidate"] == MENDED.id
    assert found["champion"]["confirmed"] is True
    assert [point["best"] and round(point["best"], 2) for point in found["curve"]] == [
        1.8, 2.7, 3.6, 3.6, 3.96,
    ]  # fmt: skip
    second = found["turns"][1]
    assert second["advice"]["strategy"] == "fuse"
    assert second["lessons"][0]["task"] == "other/task"
    assert second["gain"] == pytest.approx(2.0)
    assert second["candidates"][0]["trials"][0]["choice"] == {"N": 2}
    assert second["candidates"][0]["tester"]["broken"]
    assert found["turns"][3]["kind"] == "repair"
    assert found["predictions"]["measured"] == 1
    assert found["spent"]["budget"]["usd"] == 1.0
    assert {arm["name"] for arm in found["arms"]} == {"fresh", "improve", "repair", "cross", "fuse"}


def test_one_candidate(run: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(run), "--candidate", MENDED.id[:6]]) == 0
    page = capfd.readouterr().out
    assert page.startswith(f"{MENDED.id}  evaluation 5 of {run.name}")
    way = [MENDED, WRONG, TUNED, SECOND, FIRST]
    assert " ← ".join(candidate.id[:8] for candidate in way) in page
    assert "accepted" in page
    assert main(["show", str(run), "--candidate", WRONG.id, "--json"]) == 0
    one = json.loads(capfd.readouterr().out)
    assert one["source"] == WRONG.source
    assert '+    kind = "wrong"' in one["diff"]


def test_html(run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(run), "--html", str(tmp_path / "page.html")]) == 0
    assert capfd.readouterr().out == ""
    text = (tmp_path / "page.html").read_text()
    assert text.startswith("<!DOCTYPE html>")
    assert "fuse the [loops]" in text
    assert main(["show", str(run), "--html", str(tmp_path / "no" / "page.html")]) == 2


@pytest.mark.parametrize(
    ("until", "status", "end"),
    [
        ("started", "killed", "ended without a word: it was killed"),
        ("empty", "killed", "ended without a word at propose:1"),
        ("killed", "killed", f"ended without a word at evaluate:{MENDED.id}"),
    ],
)
def test_runs_that_did_not_end(
    tmp_path: Path, until: str, status: str, end: str, capfd: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, until=until)
    assert main(["show", str(tmp_path)]) == 0
    page = capfd.readouterr().out
    assert f"  {status}\n" in page
    assert end in page
    assert main(["show", str(tmp_path), "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["stop"] is None


def test_a_run_under_way(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    writer = Writer(tmp_path)
    writer.choose(1)
    writer.event("started", "propose:1")
    assert main(["show", str(tmp_path)]) == 0
    assert "under way at propose:1 (process" in capfd.readouterr().out
    writer.log.close()


def test_who_holds_a_lock(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    assert holder(lock) is None
    with lock.open("w") as file:
        assert holder(lock) is None
        fcntl.flock(file, fcntl.LOCK_EX)
        assert holder(lock) is not None
    assert holder(lock) is None


def test_how_a_run_is_found(
    run: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    later = run.parent / "20270101-000000-abcd"
    write(later, until="empty")
    out = ["--out", str(run.parent.parent)]

    def shown(wanted: str) -> str:
        assert main(["show", wanted, *out]) == 0
        return capfd.readouterr().out.splitlines()[0]

    assert later.name in shown("own/op")
    assert run.name in shown(run.name)
    assert run.name in shown(str(run))
    assert run.name in shown(str(run / "run.db"))
    assert later.name in shown(str(run.parent))


@pytest.mark.parametrize("wanted", ["nothing", "core/softmax", "no/such/folder", "x.py", "."])
def test_runs_that_are_not_there(
    wanted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["show", wanted]) == 2
    complaint = capfd.readouterr()
    assert complaint.out == ""
    assert complaint.err.count("\n") == 1
    assert "no run" in complaint.err


@pytest.mark.parametrize("key", ["ffff", "", "0" * 16])
def test_candidates_that_are_not_there(
    run: Path, key: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", str(run), "--candidate", key or "zz"]) == 2
    assert "no judged candidate" in capfd.readouterr().err


def test_a_log_that_is_none(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run.db").write_text("not a database " * 99)
    assert main(["show", str(tmp_path)]) == 2
    assert capfd.readouterr().err.count("\n") == 1


def test_many_turns_are_folded(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    writer = Writer(tmp_path)
    rng = random.Random(1)
    parent = None
    for number in range(1, 61):
        own = kernel(f"k{number}")
        writer.choose(number, parent)
        writer.propose(number, own)
        writer.evaluate(number, own, accepted(1 + rng.random()), parent)
        writer.close(number)
        parent = own
    writer.log.close()
    assert main(["show", str(tmp_path)]) == 0
    page = capfd.readouterr().out
    assert "turns without a new best are left out" in page
    assert "Turn 60" in page
    assert page.count("\nTurn ") < 20
    assert "more that led to no new best" not in page
    assert max(len(line) for line in page.splitlines()) <= 80
    assert main(["show", str(tmp_path), "--full"]) == 0
    assert capfd.readouterr().out.count("\nTurn ") == 60


def test_a_large_tree_shows_what_led_to_the_best(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    root = kernel("root")
    for number in range(1, 121):
        own = kernel(f"k{number}") if number > 1 else root
        writer.choose(number, root if number > 1 else None)
        writer.propose(number, own)
        speed = 3.0 if number == 50 else 1.5
        writer.evaluate(number, own, accepted(speed), root if number > 1 else None)
        writer.close(number)
    writer.log.close()
    screen = Console(file=io.StringIO(), width=100)
    screen.print(lineage(tell(tmp_path)))
    screen.print(lineage(tell(tmp_path), full=True))
    assert isinstance(screen.file, io.StringIO)
    folded, _, whole = screen.file.getvalue().partition("--full)")
    assert kernel("k50").id[:8] in folded
    assert len(folded.splitlines()) < 15
    assert len(whole.splitlines()) > 120


def test_the_curve(run: Path) -> None:
    tries = tell(run).tries
    lines = [line.plain for line in curve(tries, 60)]
    assert len(lines) == ROWS + 2
    assert all(len(line) <= 60 for line in lines)
    assert lines[-3].count("✗") == 1
    assert "╭" in "".join(lines) and "╯" in "".join(lines)
    assert "1.00x" in "".join(lines)
    assert curve([], 60) == []
    assert len(curve(tries[:1], 60)) == ROWS + 2


def test_diffs() -> None:
    found = diff("a\nb\nc\n", "a\nB\nc\nd\n")
    assert (found.added, found.removed) == (2, 1)
    assert found.lines[0].startswith("@@")
    assert diff("a", "a").lines == ()
    folded = coloured([f"+{i}" for i in range(50)], 10, "  ", cut=True)
    assert len(folded) == 11
    assert "40 more lines" in folded[-1].plain
    assert len(coloured([f"+{i}" for i in range(11)], 10, "", cut=True)) == 11
    assert len(coloured([f"+{i}" for i in range(50)], None, "", cut=True)) == 50


def test_facts(run: Path) -> None:
    story = tell(run)
    found = calibration(story.rounds)
    assert [(f.round, f.predicted) for f in found.forecasts] == [(2, 1.5), (3, 1.2)]
    assert (found.measured, found.near, found.direction, found.failed) == (1, 0, 1, 1)
    assert found.bias == pytest.approx(0.75)
    fuse = next(arm for arm in arms(story.rounds, {}) if arm.name == "fuse")
    assert (fuse.kind, fuse.pulls, fuse.accepted, fuse.best) == ("strategy", 1, 1, 2.0)
    assert fuse.usd == pytest.approx(0.04)
