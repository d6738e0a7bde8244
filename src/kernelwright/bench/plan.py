"""What `bench` is asked to do: which tasks, by whom, and into which folder. Found out before any work."""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from kernelwright.agents.settings import BUDGET_USD, BUILTIN_MINUTES, Settings
from kernelwright.bench.kernels import Kernels, kernels_below
from kernelwright.commands.search_options import search_words
from kernelwright.evals.batch import take_up
from kernelwright.evals.from_run import task_facts
from kernelwright.evals.purse import CURRENCIES, Amounts, Currency
from kernelwright.evals.record import BatchRecord, Device, Machine, Suite
from kernelwright.harness.peaks import device_facts
from kernelwright.job import check_options
from kernelwright.machine import environment
from kernelwright.players import BUILTIN
from kernelwright.tasks.errors import UsageError
from kernelwright.tasks.load import load_suite
from kernelwright.tasks.loaders.loader import Refusal
from kernelwright.tasks.task import Task
from kernelwright.tasks.versions import suite_version

if TYPE_CHECKING:
    from kernelwright.evals.ray_cluster import Cluster


@dataclass(frozen=True)
class Plan:
    """One batch, all of it checked. `kernels` where there are kernels to judge and nobody to search."""

    tasks: tuple[Task, ...]
    folder: Path
    words: tuple[str, ...]
    """Options that every search is called with."""
    record: BatchRecord
    device: Device
    kernels: Kernels | None
    totals: Amounts = field(default_factory=dict)
    """What all searches together may spend."""
    most: Amounts = field(default_factory=dict)
    """What one of them may spend at most, where there are totals."""
    refused: tuple[Refusal, ...] = ()
    """Files of the suite that are no task."""


def plan(args: argparse.Namespace, cluster: Cluster | None = None) -> Plan:
    """The batch that the arguments ask for; the one on disk where it was begun. Raises UsageError.

    Its device is that of this machine, or of the `cluster`.
    """
    suite = load_suite(args.suite)
    if not suite.tasks:
        first = suite.refused[0]
        raise UsageError(
            f"{args.suite} holds no task that can be read: {first.name}: {first.reason}"
        )
    tasks = _chosen(suite.tasks, args.tasks)
    kernels = kernels_below(Path(args.kernels), tasks) if args.kernels else None
    words = tuple(search_words(args))
    idle = [word for word in words if word.startswith("--") and word != "--memory"]
    if kernels and idle:
        raise UsageError(f"--kernels judges what is there, nobody searches: leave out {idle[0]}")
    totals = {name: t for name in CURRENCIES if (t := getattr(args, f"total_{name}")) is not None}
    if kernels and totals:
        raise UsageError(f"--kernels spends nothing: leave out --total-{min(totals)}")
    most = _most(args)
    folder = _folder(args, tasks, words, kernels)
    command = ("kernelwright", "bench", args.suite, *_again(args, words))
    if "usd" in totals:  # each search gets a part of it
        words = tuple(word for word in words if word != "--no-dollar-cap")
        part = min(totals["usd"], most.get("usd", totals["usd"]))
        args = argparse.Namespace(**{**vars(args), "budget_usd": part, "no_dollar_cap": False})
    if not kernels:
        check_options(args, tasks[0])
    device, machine = (cluster.device, cluster.machine) if cluster else _this_machine()
    record = BatchRecord(
        id=folder.name,
        command=command,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        suite=Suite(name=args.suite, version=suite_version(tasks)),
        models=_models(args, kernels),
        machine=machine,
        devices=(device,),
        tasks=tuple(task.name for task in tasks),
        about={task.name: task_facts(task) for task in tasks},
    )
    kept = take_up(folder, record)
    return Plan(tuple(tasks), folder, words, kept, device, kernels, totals, most, suite.refused)


def _this_machine() -> tuple[Device, Machine]:
    facts = device_facts(len(os.sched_getaffinity(0)))
    device = Device(kind=facts.kind, name=facts.name, threads=facts.threads)
    return device, Machine(environment=environment(), isa=facts.isa)


def _most(args: argparse.Namespace) -> Amounts:
    """What one search may spend: as asked, else by default; without a cap in dollars where none is wanted."""
    found: dict[Currency, float] = {"evals": args.budget_evals or Settings().budget_evals}
    if not args.no_dollar_cap:
        found["usd"] = args.budget_usd or BUDGET_USD
    if args.budget_tokens is not None:
        found["tokens"] = args.budget_tokens
    builtin = _models(args, None) == (BUILTIN,)
    minutes = args.budget_minutes or (BUILTIN_MINUTES if builtin else None)
    if minutes is not None:
        found["minutes"] = minutes
    return found


def _chosen(tasks: Sequence[Task], patterns: Sequence[str] | None) -> list[Task]:
    """The tasks that a pattern names, by their whole name or without the suite's."""
    if not patterns:
        return list(tasks)
    wanted = [p for text in patterns for p in text.split(",") if p]
    chosen: set[str] = set()
    for pattern in wanted:
        found = {
            t.name
            for t in tasks
            if fnmatch.fnmatchcase(t.name, pattern)
            or fnmatch.fnmatchcase(t.name.partition("/")[2], pattern)
        }
        if not found:
            raise UsageError(f"--tasks {pattern}: no task of the suite is called so")
        chosen |= found
    return [task for task in tasks if task.name in chosen]


def _models(args: argparse.Namespace, kernels: Kernels | None) -> tuple[str, ...]:
    if kernels:
        return (f"kernels:{kernels.folder.name}",)
    named = [args.coder, args.judge, args.model]
    flat = [spec for one in named for spec in (one if isinstance(one, list) else [one]) if spec]
    return tuple(dict.fromkeys(flat)) or ("builtin",)


def _folder(
    args: argparse.Namespace, tasks: Sequence[Task], words: Sequence[str], kernels: Kernels | None
) -> Path:
    """The same command means the same folder, so that starting it again goes on."""
    whose = kernels.digest if kernels else " ".join(words)
    text = "\n".join([args.suite, suite_version(tasks), whose, *filter(None, [args.device])])
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    who = _slug("-".join(_models(args, kernels)))[:40]
    return Path(args.out) / (args.name or f"{_slug(args.suite)}-{who}-{digest}")


def _slug(text: str) -> str:
    return re.sub(r"[^\w.-]+", "-", text).strip("-.")


def _again(args: argparse.Namespace, words: Sequence[str]) -> list[str]:
    """The words that ask for the same batch again."""
    found = list(words)
    named = [("--kernels", args.kernels), ("--name", args.name), ("--device", args.device)]
    named += [(f"--total-{name}", getattr(args, f"total_{name}")) for name in CURRENCIES]
    for option, value in named:
        found += [option, str(value)] if value else []
    for pattern in args.tasks or ():
        found += ["--tasks", pattern]
    return found
