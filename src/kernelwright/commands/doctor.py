"""`kernelwright doctor`: what this machine can do, and what is missing."""

from __future__ import annotations

import argparse

from kernelwright.commands.arguments import Subparsers, add_command, add_json
from kernelwright.console import Console

_MARKS = {"ok": "ok", "absent": "-", "weak": "weak", "missing": "MISSING"}


def add_parser(commands: Subparsers) -> None:
    """Declare `doctor`."""
    parser = add_command(commands, "doctor", "say what this machine can do and what is missing")
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, console: Console) -> int:
    """Examine the machine; 0 when operators can be optimized on it, else 3."""
    from kernelwright.machine import examine

    checks = examine()
    able = all(check.status != "missing" for check in checks)
    console.emit(
        {
            "able": able,
            "checks": [
                {"name": c.name, "status": c.status, "value": c.value, "advice": c.advice}
                for c in checks
            ],
        }
    )
    for check in checks:
        console.show(f"{_MARKS[check.status]:8} {check.name:10} {check.value}")
        if check.advice:
            console.show(f"{'':19} {check.advice}")
    if able:
        console.show("\nReady: kernelwright optimize core/bias_gelu_erf")
    else:
        console.show("\nNot ready: mend what is MISSING first.")
    return 0 if able else 3
