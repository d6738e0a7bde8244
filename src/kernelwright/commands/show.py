"""`kernelwright show`: how a run went, from its event log alone."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from kernelwright.agents.models.keys import redact
from kernelwright.commands.arguments import Subparsers, add_command, add_json
from kernelwright.console import Console
from kernelwright.tasks.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console as Screen

    from kernelwright.outputs import Asked
    from kernelwright.show.story import Story, Try

_HTML_COLUMNS = 120


def add_parser(commands: Subparsers) -> None:
    """Declare `show RUN`."""
    parser = add_command(commands, "show", "show how a run of optimize went")
    parser.add_argument(
        "wanted", metavar="RUN", help="a run's folder or name, or a task: then its latest run"
    )
    parser.add_argument(
        "--out", default="kernels_out", metavar="DIR", help="where runs lie (default: kernels_out)"
    )
    parser.add_argument(
        "--candidate", metavar="ID", help="one candidate in full, by the beginning of its id"
    )
    parser.add_argument(
        "--full", action="store_true", help="every turn, every trial and every line of a diff"
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the page to a file")
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, console: Console) -> int:
    """Show a run; always 0."""
    from kernelwright.show.find import find
    from kernelwright.show.story import tell

    folder = find(Path(args.out), args.wanted)
    story = tell(folder.path)
    asked = _asked(folder.path)
    one = _one(story, args.candidate) if args.candidate else None
    if args.json:
        from kernelwright.show.as_json import story_json, try_json

        console.emit(story_json(story, asked) if one is None else try_json(story, one))
        return 0

    def draw(screen: Screen) -> None:
        from kernelwright.show.page import draw, draw_one

        if one is None:
            draw(screen, story, asked, full=args.full)
        else:
            draw_one(screen, story, one, full=args.full)

    if args.html:
        _write_html(args.html, draw)
        console.note(f"written to {args.html}")
        return 0
    console.show(_drawn(draw).rstrip("\n"))
    return 0


def _drawn(draw: Callable[[Screen], None]) -> str:
    """The page as text, with colours where stdout is a terminal."""
    from rich.console import Console as Screen

    text = io.StringIO()
    like = Screen(file=sys.stdout)
    draw(Screen(file=text, force_terminal=like.is_terminal, width=like.width, highlight=False))
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


def _write_html(file: Path, draw: Callable[[Screen], None]) -> None:
    from rich.console import Console as Screen

    screen = Screen(
        file=io.StringIO(), record=True, width=_HTML_COLUMNS, force_terminal=True, highlight=False
    )
    draw(screen)
    try:
        file.write_text(redact(screen.export_html()), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}") from error


def _asked(folder: Path) -> Asked | None:
    """What the run was asked for; a run that no command line began has no such file."""
    from kernelwright.outputs import RunFolder

    return RunFolder(folder).asked() if (folder / "run.json").is_file() else None


def _one(story: Story, wanted: str) -> Try:
    """The candidate whose id begins so. Raises UsageError."""
    found = [one for one in story.tries if one.id.startswith(wanted.lower())]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(one.id for one in found[:4])
        raise UsageError(f"{len(found)} candidates begin with {wanted}: {ids}; give more digits")
    raise UsageError(f"no judged candidate {wanted} in {story.folder.name}")
