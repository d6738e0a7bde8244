"""A progress bar for work that is counted: on a terminal only, gone when it is done."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


@contextmanager
def bar(stream: TextIO, items: int) -> Iterator[Bar]:
    """A bar over `items` pieces of work; silent where `stream` is no terminal."""
    if not stream.isatty():
        yield Bar(None, None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    shown = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=Console(file=stream), transient=True, refresh_per_second=2,
        redirect_stdout=sys.stdout.isatty(),  # results go above the bar, or to their own file
    )  # fmt: skip
    with shown:
        yield Bar(shown, shown.add_task("", total=items))


class Bar:
    """Knows how far the work is. `step` begins one piece."""

    def __init__(self, shown: Progress | None, row: TaskID | None) -> None:
        self._shown = shown
        self._row = row
        self._begun = 0

    def step(self, name: str) -> Callable[[int, int], None]:
        """Begin a piece; what is returned is told how many of its parts are done."""
        before = self._begun
        self._begun += 1

        def parts(done: int, of: int) -> None:
            if self._shown is not None and self._row is not None:
                what = f"{name}: mutant {done} of {of}"
                self._shown.update(self._row, completed=before + done // of, description=what)

        if self._shown is not None and self._row is not None:
            self._shown.update(self._row, completed=before, description=name)
        return parts
