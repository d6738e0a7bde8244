"""The display of a batch: one table with a row a task, on a terminal; elsewhere a line a task."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from kernelwright import text
from kernelwright.agents.models.keys import redact
from kernelwright.evals import metrics
from kernelwright.evals.outcome import ratio
from kernelwright.evals.purse import Purse
from kernelwright.evals.record import BatchRecord, TaskResult

FRAMES_PER_SECOND = 2
OTHER_LINES = 9
"""Lines that are no rows of the table, and one for the command line below."""


@dataclass
class Board:
    """What is known of a batch while it runs: a `Watcher` (`evals/batch.py`) that remembers."""

    record: BatchRecord
    slots: int
    began: float = field(default_factory=time.monotonic)
    now: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What each running task last said, and since when it runs (`began`)."""
    stopping: bool = False
    purse: Purse | None = None
    """The budget of the batch, where it has one."""
    figures: str = "no task finished yet"
    """The batch so far, in a line: made once a task, for bootstraps beside a timing would be felt."""
    _took: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.figures = _figures([r for r in self.results if r.state != "not_started"])

    def told(self, task: str, said: Mapping[str, Any]) -> None:
        """Remember what a task says."""
        self.now.setdefault(task, {"began": time.monotonic()}).update(said)

    def done(self, result: TaskResult, record: BatchRecord) -> None:
        """A task has its result."""
        self.record = record
        self.figures = _figures([r for r in self.results if r.state != "not_started"])
        began = self.now.pop(result.task, {}).get("began")
        if began is not None:
            self._took.append(time.monotonic() - began)

    @property
    def results(self) -> tuple[TaskResult, ...]:
        """One a task, in order."""
        (device,) = self.record.devices
        return self.record.on(device)

    def left_s(self) -> float | None:
        """Seconds that the rest will take at the pace of this session; None before it is known."""
        if not self._took:
            return None
        mean = sum(self._took) / len(self._took)
        waiting = sum(r.state == "not_started" and r.task not in self.now for r in self.results)
        now = time.monotonic()
        under_way = sum(max(0.0, mean - now + float(said["began"])) for said in self.now.values())
        return (waiting * mean + under_way) / self.slots


@contextmanager
def shown(
    record: BatchRecord, slots: int, stream: TextIO, purse: Purse | None = None
) -> Iterator[Board]:
    """The display that suits the stream."""
    console = Console(file=stream)
    if not console.is_terminal or console.is_dumb_terminal:
        yield Lines(record, slots, purse=purse, stream=stream)
        return
    board = Board(record, slots, purse=purse)
    with Live(
        console=console,
        get_renderable=lambda: render(board, console.size.height),
        refresh_per_second=FRAMES_PER_SECOND,
        vertical_overflow="crop",
    ):
        yield board


@dataclass
class Lines(Board):
    """A line when a task begins and when it ends: for logs."""

    stream: TextIO = field(kw_only=True)

    def told(self, task: str, said: Mapping[str, Any]) -> None:
        """Say that a task begins."""
        if task not in self.now:
            self._say(f"{task}: begins")
        super().told(task, said)

    def done(self, result: TaskResult, record: BatchRecord) -> None:
        """Say what came of it."""
        super().done(result, record)
        finished = sum(r.state != "not_started" for r in self.results)
        self._say(
            f"{result.task}: {outcome(result)}  ({finished} of {len(record.tasks)}){self._budget()}"
        )

    def _budget(self) -> str:
        return f"  {_money(self.purse)}" if self.purse else ""

    def _say(self, line: str) -> None:
        elapsed = time.monotonic() - self.began
        print(f"[{elapsed:7.1f} s] {redact(line)}", file=self.stream, flush=True)


def outcome(result: TaskResult) -> str:
    """A result in a few words."""
    if result.best is not None:
        gained = result.best.verdict.speedup.get("eager")
        said = f"{text.ratio(gained)} against eager"
        faster = result.best.confirmed and gained is not None and gained.low > 1
        return said if faster else f"nothing faster: {said}"
    if result.state == "done":
        return f"nothing accepted: {text.first_line(result.reason or 'no reason')}"
    return f"{result.state.replace('_', ' ')}: {text.first_line(result.reason or 'no reason')}"


def render(board: Board, height: int) -> RenderableType:
    """The whole display: figures of the batch above its table."""
    results = board.results
    finished = [r for r in results if r.state != "not_started"]
    head = Table.grid(padding=(0, 2, 0, 0))
    bar = ProgressBar(total=len(results), completed=len(finished), width=30)
    left = board.left_s()
    clock = text.seconds(time.monotonic() - board.began)
    head.add_row(bar, f"{len(finished)} of {len(results)} tasks, {clock}{_left(left)}")
    parts: list[RenderableType] = [
        Text.assemble((board.record.suite.name, "bold"), f"  {board.record.name}  ",
                      (board.record.id, "dim"), no_wrap=True, overflow="ellipsis"),
        head,
        Text(board.figures, style="dim"),
        Text(_money(board.purse) if board.purse else "", style="dim"),
        _table(board, results, max(3, height - OTHER_LINES)),
        Text(),
    ]  # fmt: skip
    hint = "stopping: what runs is being confirmed; Ctrl-C again stops at once"
    parts.append(
        Text(hint if board.stopping else "Ctrl-C stops cleanly; the same command goes on", "dim")
    )
    return Group(*parts)


def _money(purse: Purse) -> str:
    return f"budget of the batch: {', '.join(balance.words for balance in purse.balances())}"


def _left(left: float | None) -> str:
    return "" if left is None else f", about {text.seconds(left)} left"


def _figures(finished: Sequence[TaskResult]) -> str:
    """The batch so far, in a line."""
    if not finished:
        return "no task finished yet"
    correct = sum(r.correct for r in finished)
    parts = [f"{correct} of {len(finished)} correct"]
    geomean = metrics.speed(finished, "eager")["geomean_all"]
    if geomean.value is not None:
        parts.append(f"geometric mean {geomean.value:.2f}x against eager")
    known = [r.spent.usd for r in finished]
    if all(usd is not None for usd in known):
        parts.append(f"${sum(usd for usd in known if usd is not None):.2f}")
    return ", ".join(parts)


def _table(board: Board, results: Sequence[TaskResult], rows: int) -> RenderableType:
    """Those that run, then what finished last, then who waits."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", expand=True)
    table.add_column("task", no_wrap=True, overflow="ellipsis", ratio=3)
    table.add_column("state", no_wrap=True, overflow="ellipsis", ratio=4)
    table.add_column("best", justify="right", width=7)
    table.add_column("tried", justify="right", width=5)
    table.add_column("spent", justify="right", width=8)
    table.add_column("left", justify="right", width=8)
    running = [r for r in results if r.task in board.now]
    finished = [r for r in results if r.state != "not_started" and r.task not in board.now]
    waiting = [r for r in results if r.state == "not_started" and r.task not in board.now]
    order = [r.task for r in board.record.results]
    finished.sort(key=lambda r: order.index(r.task), reverse=True)
    shown = [*running, *finished][: rows - bool(waiting)]
    for result in shown:
        table.add_row(*_row(board.now.get(result.task), result))
    hidden = len(running) + len(finished) - len(shown)
    if hidden or waiting:
        more = [f"{hidden} more finished"] if hidden else []
        more += [f"{len(waiting)} waiting"] if waiting else []
        table.add_row(Text(", ".join(more), "dim"))
    return table


def _row(now: Mapping[str, Any] | None, result: TaskResult) -> Sequence[RenderableType]:
    if now is not None:
        best, tried, usd = now.get("best"), now.get("evaluations"), now.get("usd")
        state, style = str(now.get("state", "starting")), "cyan"
        left = text.seconds(now["left_s"]) if now.get("left_s") is not None else ""
        if not left and now.get("left") is not None:
            left = f"{now['left']} ev."
    else:
        best, tried, usd = ratio(result, "eager"), result.attempts.n, result.spent.usd
        state = outcome(result) if result.best is None else "done"
        style, left = ("green" if result.best else "red"), ""
    return (
        Text(result.task),
        Text(state, style),
        Text(f"{best:.2f}x" if best else "", "bold"),
        Text(str(tried) if tried is not None else ""),
        Text(f"${usd:.2f}" if usd is not None else "?"),
        Text(left),
    )
