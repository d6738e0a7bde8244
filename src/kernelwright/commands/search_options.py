"""The options that say how to search: those of `optimize`, which `bench` hands to every task."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from kernelwright.agents.ablations import ABLATIONS
from kernelwright.agents.models.spec import FORMS
from kernelwright.agents.settings import BUDGET_USD, BUILTIN_MINUTES, LANGUAGES, MEMORY, Settings
from kernelwright.commands.arguments import at_least_one, positive, seed
from kernelwright.tasks.errors import UsageError


def add_search_options(parser: argparse.ArgumentParser) -> None:
    """Declare them."""
    parser.add_argument(
        "--model",
        action="append",
        metavar="MODEL",
        help=f"who plays coder and judge: {FORMS} (default: builtin, which needs no key); given "
        "several times, a bandit chooses for each turn",
    )
    parser.add_argument(
        "--coder",
        action="append",
        metavar="MODEL",
        help="who writes the kernels, in place of --model; may be given several times",
    )
    parser.add_argument(
        "--judge",
        action="append",
        metavar="MODEL",
        help="who advises the coder, in place of --model; may be given several times",
    )
    parser.add_argument(
        "--tester",
        metavar="MODEL",
        help="who attacks champions with inputs of its own: a model, builtin or none (default: builtin)",
    )
    parser.add_argument(
        "--auditor",
        metavar="MODEL",
        help="who reads what is published for hacks, as a hint: a model, builtin or none (default: builtin)",
    )
    parser.add_argument(
        "--language",
        choices=LANGUAGES,
        help="what kernels are written in (default: cpp; with --device cuda: triton); cuda and triton "
        "without a GPU: values, memory errors and races are judged, speed stays unknown",
    )
    parser.add_argument(
        "--budget-evals",
        type=at_least_one,
        metavar="N",
        help=f"stop after N evaluations (default: {Settings().budget_evals})",
    )
    parser.add_argument(
        "--budget-minutes",
        type=positive,
        metavar="M",
        help="stop after M minutes of wall time "
        f"(default: {BUILTIN_MINUTES} for builtin, else no limit)",
    )
    dollars = parser.add_mutually_exclusive_group()
    dollars.add_argument(
        "--budget-usd",
        type=positive,
        metavar="X",
        help=f"never spend more than X dollars (default: {BUDGET_USD:g} where a provider sends a bill)",
    )
    dollars.add_argument("--no-dollar-cap", action="store_true", help="spend without a limit")
    parser.add_argument(
        "--budget-tokens",
        type=at_least_one,
        metavar="N",
        help="never use more than N tokens, input and output together (default: no limit)",
    )
    parser.add_argument(
        "--price",
        action="append",
        metavar="[MODEL=]IN,OUT[,CACHED]",
        help="dollars per million tokens, for a model whose price is not known or not yours",
    )
    parser.add_argument(
        "--rounds", type=at_least_one, metavar="N", help="stop after N rounds (default: no limit)"
    )
    parser.add_argument(
        "--ablate",
        action="append",
        metavar="PART",
        help=f"search without a part, to see what it is worth: {', '.join(ABLATIONS)}",
    )
    parser.add_argument("--seed", type=seed, metavar="N", help="seed of the search (default: 0)")
    parser.add_argument(
        "--memory",
        choices=MEMORY,
        help="whether models are told what was measured in runs of other tasks: of all, of those of "
        "other suites only, or none (default: all, in bench others; KERNELWRIGHT_MEMORY=off: none)",
    )
    parser.add_argument(
        "--no-memory", dest="memory", action="store_const", const="off", help="--memory off"
    )


def language_for(language: str | None, device: str | None) -> str | None:
    """The language that `--language` and `--device` ask for together; None: neither says.

    Raises UsageError where they cannot both be.
    """
    if device in (None, "auto"):
        return language
    if device not in ("cpu", "cuda"):
        raise UsageError(f"--device {device}: give auto, cpu or cuda (a part of a name with --ray)")
    if language is None:
        return "cpp" if device == "cpu" else "triton"
    if (language == "cpp") != (device == "cpu"):
        other = "cpu" if language == "cpp" else "cuda"
        raise UsageError(
            f"--device {device}: {language} kernels are for {other}: give --device {other}"
        )
    return language


def search_words(args: argparse.Namespace) -> Iterator[str]:
    """The same options again, as words of a command line; what was not given is left out."""
    declared = argparse.ArgumentParser(add_help=False)
    add_search_options(declared)
    actions = {action.dest: action for action in reversed(declared._actions)}  # one for each
    for action in reversed(actions.values()):
        value = getattr(args, action.dest)
        if value == action.default:
            continue
        option = action.option_strings[0]
        if action.nargs == 0:
            yield option
        elif isinstance(value, list):
            yield from (word for item in value for word in (option, str(item)))
        else:
            yield from (option, str(value))
