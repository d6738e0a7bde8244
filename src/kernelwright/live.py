"""The display of a search on a terminal: round, phase, best speedup, latest verdicts, spend.

It draws twice a second: more would take time from the cores that candidates are timed on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from kernelwright import text
from kernelwright.agents.budget import Remaining, Spent
from kernelwright.agents.roles import Attempt
from kernelwright.progress import Progress, Title

FRAMES_PER_SECOND = 2
ROWS = 8
"""Attempts in the table, where the terminal is high enough."""
OTHER_LINES = 12
"""Lines of the display without the table's rows, and one for the command line below."""
WIDE = 96
"""From so many columns on there is room to say what a candidate is."""


@contextmanager
def live(title: Title, console: Console) -> Iterator[Progress]:
    """A display that stays below the command line, and is left standing at the end."""
    shown = LiveDisplay(title, console)
    with Live(
        console=console,
        get_renderable=shown.render,
        refresh_per_second=FRAMES_PER_SECOND,
        vertical_overflow="crop",
    ) as screen:
        try:
            yield shown
        except BaseException:
            screen.transient = not shown.attempts  # nothing to keep: the message stands alone
            raise
        finally:
            shown.over = True
            screen.refresh()


class LiveDisplay(Progress):
    """What is known of the search, as lines of figures."""

    def __init__(self, title: Title, console: Console) -> None:
        super().__init__()
        self.over = False
        self._title = title
        self._console = console
        self._spent_at = self.began

    def spent(self, spent: Spent, remaining: Remaining) -> None:
        """Remember when the figures were true: the clock goes on between them."""
        super().spent(spent, remaining)
        self._spent_at = self.clock()

    def render(self) -> RenderableType:
        """The whole display."""
        size = self._console.size
        parts: list[RenderableType] = [*self._head(), self._best()]
        if self.attempts:
            rows = max(1, min(ROWS, size.height - OTHER_LINES))
            parts += [Text(), self._table(rows, size.width)]
        parts += [Text(), self._figures(size.width)]
        if not self.over:
            parts.append(Text("Ctrl-C stops cleanly and keeps everything", style="dim"))
        return Group(*parts)

    def _head(self) -> Iterator[RenderableType]:
        yield Text.assemble(
            (self._title.task, "bold"),
            f"  {self._title.model}  ",
            (self._title.run, "dim"),
            no_wrap=True,
            overflow="ellipsis",
        )
        if self.over:
            line = Text(f"stopped: {self.stop.message}" if self.stop else "stopped")
        else:
            where = f"round {self.round}: " if self.round else ""
            line = Text.assemble(where, (self.phase, "cyan"), f"  {text.seconds(self.phase_s())}")
        yield Text.assemble(line, no_wrap=True, overflow="ellipsis")

    def _best(self) -> RenderableType:
        line = Text("best         ", style="dim", no_wrap=True, overflow="ellipsis")
        if self.best is None:
            return line.append("nothing faster than eager yet", "not dim")
        verdict = self.best.verdict
        line.append(text.ratio(verdict.speedup.get("eager")), "not dim bold green")
        line.append(" against eager", "not dim")
        compiled = verdict.speedup.get("compile")
        if compiled:
            line.append(f", {text.ratio(compiled)} against torch.compile", "not dim")
        line.append(f", candidate {self.best.candidate.id[:8]}", "not dim")
        if verdict.roofline:
            share = f"{verdict.roofline.fraction:.0%} of the {verdict.roofline.bound} roofline"
            line.append(f", {share}", "not dim")
        return line

    def _table(self, rows: int, width: int) -> RenderableType:
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", expand=True)
        table.add_column("round", justify="right", width=5)
        table.add_column("candidate", width=9)
        table.add_column("verdict", no_wrap=True, overflow="ellipsis", width=24)
        table.add_column("against eager", no_wrap=True, width=20)
        table.add_column("seconds", justify="right", width=7)
        if width >= WIDE:
            table.add_column("what", no_wrap=True, overflow="ellipsis", ratio=1)
        for attempt in self.attempts[-rows:]:
            verdict = attempt.verdict
            eager = verdict.speedup.get("eager")
            cells = [
                Text(str(attempt.round)),
                Text(attempt.candidate.id[:8]),
                Text(text.outcome(verdict), _style(attempt)),
                Text(text.ratio(eager) if eager else "", "bold" if attempt is self.best else ""),
                Text(f"{sum(verdict.seconds.values()):.1f}"),
            ]
            table.add_row(*cells, *([Text(text.what(attempt))] if width >= WIDE else []))
        return table

    def _figures(self, width: int) -> RenderableType:
        table = Table.grid(padding=(0, 2, 0, 0))
        bar_width = max(10, min(30, width // 4))
        spent, left = self.cost, self.remaining
        wall, budget = self._wall()
        done = spent.evaluations if spent else 0
        total = done + left.evaluations if left else None
        judged = f"{done} of {total}" if total else f"{done}"
        if self.attempts:
            judged += f", {self.accepted} of {len(self.attempts)} candidates accepted"
        clock = text.seconds(wall) + (f" of {text.seconds(budget)}" if budget else "")
        table.add_row(Text("evaluations", "dim"), _bar(done, total, bar_width), judged)
        table.add_row(Text("time", "dim"), _bar(wall, budget, bar_width), clock)
        rows: list[tuple[str, str]] = []
        if spent:
            rows.append(("cost", text.cost(spent)))
        if self.seconds:
            stages = [f"{name} {text.seconds(value)}" for name, value in self.seconds.items()]
            rows.append(("stages", ", ".join(stages)))
        lines = [Text.assemble((f"{name:13}", "dim"), value) for name, value in rows]
        return Group(table, *lines)

    def _wall(self) -> tuple[float, float | None]:
        """Seconds spent on the run, all sessions, and the budget for them, None without one."""
        if self.cost is None:
            return self.elapsed_s(), None
        left = self.remaining.wall_s if self.remaining else None
        budget = None if left is None else self.cost.wall_s + left
        return self.cost.wall_s + self.clock() - self._spent_at, budget


def _bar(done: float, total: float | None, width: int) -> RenderableType:
    """How much of a budget is used up; empty where there is no budget."""
    if not total:
        return Text()
    return ProgressBar(total=total, completed=min(done, total), width=width)


def _style(attempt: Attempt) -> str:
    styles = {"accepted": "green", "rejected": "red"}
    return styles.get(attempt.verdict.verdict, "yellow")
