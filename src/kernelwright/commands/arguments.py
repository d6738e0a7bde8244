"""Types of command-line arguments, shared by the commands."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from argparse import _SubParsersAction

Subparsers: TypeAlias = "_SubParsersAction[argparse.ArgumentParser]"


def at_least_one(text: str) -> int:
    """A whole number of at least 1."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return number


def positive(text: str) -> float:
    """A finite number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def seed(text: str) -> int:
    """A whole number from 0 to 2**32 - 1."""
    try:
        number = int(text)
    except ValueError:
        number = -1
    if not 0 <= number < 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 4294967295")
    return number


def add_command(commands: Subparsers, name: str, what: str) -> argparse.ArgumentParser:
    """A command, with one line that says what it does."""
    return commands.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}.")


def add_json(parser: argparse.ArgumentParser) -> None:
    """The `--json` switch, the same everywhere."""
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object on stdout and nothing else"
    )
