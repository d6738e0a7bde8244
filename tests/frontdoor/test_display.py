"""What the displays show."""

import io
import re

import pytest
from frontdoor_fakes import accepted, rejected
from rich.console import Console

from kernelwright import text
from kernelwright.agents.budget import Remaining, Spent, Stop
from kernelwright.agents.roles import Attempt
from kernelwright.display import PlainDisplay, display
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.verdict import Speedup, Verdict
from kernelwright.live import LiveDisplay
from kernelwright.progress import Progress, Title

TITLE = Title("core/softmax", "builtin", "20260101-000000-abcd")
GOOD = Attempt(Candidate("good"), accepted(2.0), 1, note="one [pass] over rows")
BAD = Attempt(Candidate("bad"), rejected(), 2, parent=GOOD.candidate.id, choice={"VEC": 16})


def play(shown: Progress) -> None:
    """A short search."""
    shown.round_started(1, None)
    shown.working("propose", "propose:1")
    shown.working("evaluate", "evaluate:1")
    shown.evaluated(GOOD)
    shown.new_best(GOOD)
    shown.spent(Spent(None, 1234, 1, 30.0), Remaining(39, 60.0))
    shown.round_started(2, GOOD)
    shown.evaluated(BAD)


def rendered(shown: LiveDisplay, width: int, height: int) -> str:
    """The live display as text."""
    console = Console(file=io.StringIO(), width=width, height=height, record=True)
    shown._console = console
    console.print(shown.render())
    return console.export_text()


@pytest.mark.parametrize(("width", "height"), [(120, 40), (80, 24), (60, 14), (30, 5)])
def test_the_live_display_fits_every_terminal(width: int, height: int) -> None:
    shown = LiveDisplay(TITLE, Console())
    assert "core/softmax" in rendered(shown, width, height)
    play(shown)
    lines = rendered(shown, width, height).splitlines()
    assert all(len(line.rstrip()) <= width for line in lines)


def test_what_the_live_display_shows() -> None:
    now = [0.0]
    shown = LiveDisplay(TITLE, Console())
    shown.clock = lambda: now[0]
    shown.began = shown.phase_began = 0.0
    play(shown)
    now[0] = 5.0
    screen = rendered(shown, 120, 40)
    assert "round 2" in screen
    assert "2.00x [1.90, 2.10] against eager" in screen
    assert "50% of the memory roofline" in screen
    assert "correctness: wrong_value" in screen
    assert "one [pass] over rows" in screen
    assert "tuned VEC=16" in screen
    assert "1 of 40" in screen
    assert "35.0 s of 90.0 s" in screen
    assert "price unknown, 1,234 tokens" in screen
    assert "build 0.6 s" in screen
    shown.stopped(Stop("no_idea", "nothing left"))
    shown.over = True
    assert "stopped: nothing left" in rendered(shown, 120, 40)


def test_plain_lines() -> None:
    stream = io.StringIO()
    shown = PlainDisplay(TITLE, stream)
    assert stream.getvalue() == ""
    play(shown)
    shown.stopped(Stop("no_idea", "nothing left"))
    lines = [re.sub(r"^\[ *[\d.]+ s\] ", "", line) for line in stream.getvalue().splitlines()]
    assert lines == [
        "core/softmax with builtin, run 20260101-000000-abcd",
        "round 1",
        "  the Coder writes a candidate",
        f"  {GOOD.candidate.id}  accepted  2.00x [1.90, 2.10]  one [pass] over rows",
        "  new best: 2.00x [1.90, 2.10] against eager",
        f"round 2 from {GOOD.candidate.id}",
        f"  {BAD.candidate.id}  correctness: wrong_value  tuned VEC=16",
        "stopped: nothing left; price unknown, 1,234 tokens",
    ]


def test_no_terminal_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    with display(TITLE, io.StringIO()) as shown:
        assert isinstance(shown, PlainDisplay)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.04, "0.0 s"), (99.94, "99.9 s"), (99.96, "1 min 40 s"), (3599.6, "1 h 00 min")],
)
def test_seconds(value: float, expected: str) -> None:
    assert text.seconds(value) == expected


def test_an_unknown_speedup_has_its_reason() -> None:
    shown = text.speedups(accepted(2.0))
    assert "unknown against torch.compile (torch.compile failed: no idea)" in shown
    assert text.ratio(Speedup(0.004, 0.0039, 0.0041, 9)) == "0.004x [0.004, 0.004]"


def test_a_verdict_for_people() -> None:
    lines = list(text.describe(rejected()))
    assert lines[0] == "rejected at correctness (cpp, cpu)"
    assert lines[1] == "  error: wrong_value: the output is wrong"
    assert text.outcome(Verdict("harness_error", "build")) == "harness error build"


def test_a_resumed_run_says_where_it_goes_on() -> None:
    from kernelwright.agents.run_state import RunState

    state = RunState()
    state.attempts, state.champion, state.turns.last = [GOOD, BAD], GOOD, 2
    stream = io.StringIO()
    plain = PlainDisplay(TITLE, stream)
    plain.take_up(state)
    plain.working("propose", "propose:3")
    heading = stream.getvalue().splitlines()[0]
    assert heading.endswith("goes on after 2 candidates, the best at 2.00x [1.90, 2.10]")
    shown = LiveDisplay(TITLE, Console())
    shown.take_up(state)
    assert "2.00x [1.90, 2.10] against eager" in rendered(shown, 120, 40)
