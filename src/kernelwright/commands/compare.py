"""`kernelwright compare A B`: two batches or runs paired by task, and who wins."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from kernelwright.commands.arguments import Subparsers, add_command, add_json
from kernelwright.console import Console
from kernelwright.tasks.errors import UsageError

if TYPE_CHECKING:
    from kernelwright.evals.board import Entry
    from kernelwright.evals.estimate import Estimate
    from kernelwright.evals.record import TaskResult
    from kernelwright.evals.versus import Versus


def add_parser(commands: Subparsers) -> None:
    """Declare `compare A B`."""
    parser = add_command(commands, "compare", "compare two batches or runs, paired by task")
    parser.add_argument("a", metavar="A", help="a batch.json, or the folder of a batch or of runs")
    parser.add_argument("b", metavar="B", help="the same, to compare it with")
    parser.add_argument(
        "--against",
        choices=("eager", "compile", "best"),
        default="eager",
        help="the baseline of the speedups (default: eager)",
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, console: Console) -> int:
    """Show the pairs and who wins; 0 whoever it is."""
    from kernelwright.evals.versus import versus

    found = versus(*_two(args.a, args.b, console), args.against)
    if not found.pairs:
        raise UsageError(f"{args.a} and {args.b} have no task in common: nothing to compare")
    console.emit(found.to_json())
    for line in _told(found):
        console.show(line)
    return 0


def _two(a: str, b: str, console: Console) -> tuple[Entry, Entry]:
    """Both entries; where one was measured on several devices, those of a device that both have."""
    first, second = _entries(a, console), _entries(b, console)
    for one in first:
        for other in second:
            if one.device == other.device:
                return one, other
    return first[0], second[0]


def _entries(path: str, console: Console) -> list[Entry]:
    from kernelwright.evals.board import entries
    from kernelwright.evals.collect import collect

    collected = collect([path])
    if len(collected.records) != 1:
        names = ", ".join(record.name for record in collected.records)
        raise UsageError(
            f"{path} holds {len(collected.records)} batches ({names}): give the folder of one"
        )
    for note in collected.notes:
        console.note(note)
    return entries(collected.records)


def _told(found: Versus) -> list[str]:
    width = max(len(pair.task) for pair in found.pairs)
    lines = [
        f"A: {found.a.record.name} ({found.a.id})",
        f"B: {found.b.record.name} ({found.b.id})",
        "",
        f"{'task':{width}}  {'A':>22}  {'B':>22}  {'A / B':>6}",
    ]
    for pair in sorted(found.pairs, key=lambda pair: pair.task):
        sides = [_side(result, found) for result in (pair.a, pair.b)]
        won = pair.why if pair.winner == "neither" else f"{pair.winner.upper()}: {pair.why}"
        lines.append(
            f"{pair.task:{width}}  {sides[0]:>22}  {sides[1]:>22}  {pair.ratio:6.2f}  {won}"
        )
    figures = found.figures
    lines += [
        "",
        f"tasks won: A {found.wins('a')}, B {found.wins('b')}, not told apart {found.wins('neither')}",
        f"correct:   A - B {_points(figures['correct'])}",
        f"fast_1:    A - B {_points(figures['fast_1'])}",
        f"speed:     A / B {_factor(figures['ratio'])} over all {len(found.pairs)} tasks "
        f"(geometric mean against {found.baseline}; failures and slower kernels at 1)",
        f"           A / B {_factor(figures['ratio_both_correct'])} where both are correct",
        *(f"note: {note}" for note in found.notes),
        {
            "a": "A wins: the whole interval is above 1",
            "b": "B wins: the whole interval is below 1",
            "neither": "not told apart: the interval holds 1",
        }[found.winner]
        if figures["ratio"].low is not None
        else f"not told apart: {figures['ratio'].reason}",
    ]
    return lines


def _side(result: TaskResult, found: Versus) -> str:
    from kernelwright import text
    from kernelwright.evals import outcome

    if result.best is None:
        return "failed" if result.state == "done" else result.state.replace("_", " ")
    gain = outcome.speedup(result.best, found.baseline)
    return text.ratio(gain) if gain else "speed unknown"


def _factor(figure: Estimate) -> str:
    if figure.value is None:
        return f"unknown ({figure.reason})"
    if figure.low is None:
        return f"{figure.value:.2f}x"
    return f"{figure.value:.2f}x [{figure.low:.2f}, {figure.high:.2f}]"


def _points(figure: Estimate) -> str:
    if figure.value is None:
        return f"unknown ({figure.reason})"
    if figure.low is None or figure.high is None:
        return f"{100 * figure.value:+.0f} points"
    return f"{100 * figure.value:+.0f} points [{100 * figure.low:+.0f}, {100 * figure.high:+.0f}]"
