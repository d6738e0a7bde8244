"""The command line: reads the arguments, runs one command, turns errors into a line and a status.

Nothing here may import torch: `kernelwright --help` answers at once, and what torch reads from the
environment when it is loaded has to be set first.

Exit status: 0 accepted or done, 1 rejected or nothing better found, 2 bad usage or bad task,
3 the harness or its machine failed, 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from kernelwright import __version__
from kernelwright.agents.models.keys import guard_traces
from kernelwright.commands import (
    bench,
    bundle,
    compare,
    dataset,
    doctor,
    export,
    leaderboard,
    memory,
    models,
    optimize,
    report,
    show,
    tasks,
    verify,
)
from kernelwright.console import Console, complain
from kernelwright.harness.errors import HarnessError
from kernelwright.tasks.errors import UsageError

COMMANDS = (
    optimize,
    show,
    verify,
    bench,
    leaderboard,
    compare,
    report,
    bundle,
    export,
    tasks,
    models,
    memory,
    doctor,
    dataset,
)
DONE, NOT_BETTER, BAD_USAGE, HARNESS_FAILED, INTERRUPTED = 0, 1, 2, 3, 130


class _Parser(argparse.ArgumentParser):
    """An ArgumentParser that says what is wrong in one line, without the usage text."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see {self.prog} --help)")


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = _Parser(
        prog="kernelwright",
        description="Makes a PyTorch operator faster, and verifies that it is.",
        epilog="exit status: 0 accepted or done, 1 rejected or nothing better found, "
        "2 bad usage or bad task, 3 the harness or its machine failed",
    )
    parser.add_argument("--version", action="version", version=f"kernelwright {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    for command in COMMANDS:
        command.add_parser(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    # An OpenMP pool that spins after its work would steal the cores that candidates are timed on.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    guard_traces()
    try:
        args = build_parser().parse_args(argv)
        if args.command is None:
            raise UsageError("no command given: optimize makes an operator faster (see --help)")
        with Console(as_json=args.json) as console:
            status: int = args.run(args, console)
        return status
    except UsageError as error:
        complain(error)
        return BAD_USAGE
    except HarnessError as error:
        complain(error)
        return HARNESS_FAILED
    except BrokenPipeError:
        # Whoever read stdout has left (`| head`); Python would complain once more while it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except KeyboardInterrupt:
        complain("interrupted")
        return INTERRUPTED
