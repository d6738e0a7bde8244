"""`kernelwright verify`: judge a kernel against a task."""

from __future__ import annotations

import argparse
from pathlib import Path

from kernelwright import text
from kernelwright.commands import bundle
from kernelwright.commands.arguments import Subparsers, add_command, add_json, at_least_one, seed
from kernelwright.console import Console
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.errors import HarnessError
from kernelwright.harness.parse import LANGUAGE_NAMES, language_of
from kernelwright.harness.verdict import Finding, Outcome, Verdict
from kernelwright.tasks.errors import TaskError, UsageError
from kernelwright.tasks.load import load_task

EXIT_STATUS: dict[Outcome, int] = {
    "accepted": 0,
    "rejected": 1,
    "task_error": 2,
    "harness_error": 3,
}


def add_parser(commands: Subparsers) -> None:
    """Declare `verify TASK KERNEL` and `verify --bundle FILE`."""
    parser = add_command(commands, "verify", "judge a kernel: is it right, and how fast is it")
    parser.add_argument(
        "task", metavar="TASK", nargs="?", help="a task file, or a name from `tasks list`"
    )
    parser.add_argument(
        "kernel", metavar="KERNEL", nargs="?", help="a Python file that defines ModelNew"
    )
    parser.add_argument(
        "--bundle", metavar="FILE", help="judge the champion of a bundle, and compare with its card"
    )
    parser.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="what the kernel is for; cuda without a GPU: values, memory errors and races, no speed",
    )
    parser.add_argument("--threads", type=at_least_one, metavar="N", help="default: every core")
    parser.add_argument(
        "--counters",
        action="store_true",
        help="count too: registers, occupancy, instructions, cache misses",
    )
    parser.add_argument(
        "--seed", type=seed, metavar="N", help="draw the same inputs again (default: secret ones)"
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, console: Console) -> int:
    """Judge the kernel; the status says how it went."""
    if args.bundle is not None:
        return _bundle(args, console)
    if args.task is None or args.kernel is None:
        raise UsageError("verify what? give TASK and KERNEL, or --bundle FILE (see --help)")
    candidate = read_candidate(args.kernel)
    _check_device(args, candidate)
    try:
        verdict = _judge(args, candidate, console)
    except TaskError as error:
        console.emit(_without_verdict("task_error", "task", error).to_json())
        raise
    except HarnessError as error:
        console.emit(_without_verdict("harness_error", "harness", error).to_json())
        raise
    console.emit(verdict.to_json())
    if verdict.verdict == "task_error":
        raise TaskError(text.first_line(verdict.findings[0].message))
    for line in text.describe(verdict):
        console.show(line)
    return EXIT_STATUS[verdict.verdict]


def _bundle(args: argparse.Namespace, console: Console) -> int:
    """Judge the champion of a bundle; the status says how it went."""
    if args.task is not None:
        raise UsageError("--bundle brings its own task and kernel: leave TASK and KERNEL out")
    verdict = bundle.judged_again(args, console)
    if verdict.verdict == "task_error":
        raise TaskError(text.first_line(verdict.findings[0].message))
    return EXIT_STATUS[verdict.verdict]


def _check_device(args: argparse.Namespace, candidate: Candidate) -> None:
    """Raises UsageError where the kernel is in no language of the device that was asked for."""
    for_gpu = candidate.language in ("cuda", "triton")
    if args.device != "auto" and for_gpu != (args.device == "cuda"):
        name = LANGUAGE_NAMES.get(candidate.language, candidate.language)
        other = "cuda" if for_gpu else "cpu"
        raise UsageError(f"--device {args.device}: {args.kernel} is {name}: give --device {other}")


def read_candidate(path: str) -> Candidate:
    """The kernel in that file. Raises UsageError."""
    try:
        source = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot read the kernel {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"the kernel {path} is not UTF-8 text") from error
    return Candidate(source, language_of(source))


def _judge(args: argparse.Namespace, candidate: Candidate, console: Console) -> Verdict:
    task = load_task(args.task)
    from kernelwright.evals.serving.fenced import judge_of

    with judge_of(task, candidate, threads=args.threads, seed=args.seed) as evaluator:
        console.note(f"judging {args.kernel} for {task.name} (torch.compile takes a while)")
        return evaluator.evaluate(candidate, effort="final", counters=args.counters)


def _without_verdict(outcome: Outcome, code: str, error: Exception) -> Verdict:
    """The JSON contract for a fault that is not the candidate's: no candidate was run."""
    return Verdict(outcome, "parse", (Finding(code, str(error)),))
