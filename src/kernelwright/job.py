"""What `optimize` is asked to do: everything that can be wrong with it is found out here,

before anything is spent and before a folder is left behind.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kernelwright.agents.ablations import ablated
from kernelwright.agents.ledger.ledger import unpriced
from kernelwright.agents.memory.store import default_path
from kernelwright.agents.models.keys import no_secret
from kernelwright.agents.models.prices import Quote, quote, read_price
from kernelwright.agents.models.spec import asked_models
from kernelwright.agents.settings import BUDGET_USD, BUILTIN_MINUTES, LANGUAGES, MEMORY, Settings
from kernelwright.evals.pool import EVALUATOR
from kernelwright.outputs import Asked, RunFolder, asked_text, create_run, find_run
from kernelwright.players import BUILTIN, NOBODY, Players, players
from kernelwright.tasks.errors import UsageError
from kernelwright.tasks.load import load_task
from kernelwright.tasks.task import Task

LATEST = "latest"
"""What `--resume` holds when it names no run."""


@dataclass(frozen=True)
class Job:
    """What is to be done, all of it checked."""

    task: Task
    asked: Asked
    folder: RunFolder
    players: Players
    settings: Settings
    quotes: tuple[Quote, ...]
    """What each model that is asked is billed at."""
    resume: bool
    out: Path
    notes: tuple[str, ...] = ()
    """What the user should know before it begins."""


def prepare(args: argparse.Namespace) -> Job:
    """The job that the arguments of `optimize` ask for. Raises UsageError."""
    out = Path(args.out)
    if args.resume is None:
        if args.task is None:
            raise UsageError("no task given: a .py file, or a name of `kernelwright tasks`")
        task = load_task(args.task)
        asked = _asked(args, task, None)
        folder = None
    else:
        task, folder = _resumed(args, out)
        asked = _asked(args, task, folder.asked())
    roles, quotes, settings = _terms(args, asked, folder)
    asked = replace(asked, prices=tuple(quote.to_json() for quote in quotes))
    if folder is None:
        folder = create_run(out, task, asked)
    elif asked != folder.asked():
        folder.write(folder.path / "run.json", asked_text(asked))
    begun = (folder.path / "run.db").exists()
    return Job(task, asked, folder, roles, settings, quotes, begun, out, _notes(asked))


def check_options(args: argparse.Namespace, task: Task) -> None:
    """Find out what is wrong with the options of a search, whatever its task. Raises UsageError."""
    asked = _asked(argparse.Namespace(**{**vars(args), "task": task.name}), task, None)
    _terms(args, asked, None)


def _terms(
    args: argparse.Namespace, asked: Asked, folder: RunFolder | None
) -> tuple[Players, tuple[Quote, ...], Settings]:
    """Who plays, at what prices, within which bounds."""
    settings = _settings(asked)
    if getattr(args, "ray", None) is None and EVALUATOR not in os.environ:
        _need_compiler()  # else the machine that judges does
    coders, judges = ([no_secret(spec, "the model") for spec in specs] for specs in asked.specs)
    tester, auditor = (no_secret(spec, "the model") for spec in _watchers(asked))
    roles = players(coders, judges, tester, auditor, seed=asked.seed)
    quotes = _quotes(args, asked, folder)
    return roles, quotes, replace(settings, budget_usd=_dollars(asked, quotes))


def _resumed(args: argparse.Namespace, out: Path) -> tuple[Task, RunFolder]:
    """The task and the run to go on with. `--resume TASK` and `--resume FOLDER` are understood."""
    wanted = None if args.resume == LATEST else args.resume
    spec = args.task
    if spec is None and wanted is not None:
        if (Path(wanted) / "run.json").is_file():
            folder = RunFolder(Path(wanted).resolve())
            return _task_of(folder), folder
        spec, wanted = wanted, None
    if spec is None:
        raise UsageError("resume which task? kernelwright optimize TASK --resume [RUN]")
    task = load_task(spec)
    return task, find_run(out, task, wanted)


def _task_of(folder: RunFolder) -> Task:
    """The task of a run; where its file is not there any more, the copy that the run has kept."""
    asked = folder.asked()
    try:
        return load_task(asked.task)
    except UsageError:
        if not folder.task.is_file():
            raise
        return replace(load_task(str(folder.task)), name=asked.task_name)


def _asked(args: argparse.Namespace, task: Task, before: Asked | None) -> Asked:
    """What the arguments say; what they leave open is as it was `before`, else the default."""
    spec = args.task or (before.task if before else args.resume)
    bundled = task.path is None or task.name == spec
    evals, minutes = args.budget_evals, args.budget_minutes
    usd, tokens, capped = args.budget_usd, args.budget_tokens, not args.no_dollar_cap
    price = tuple(args.price or ())
    if before is not None:
        evals = before.budget_evals if evals is None else evals
        minutes = before.budget_minutes if minutes is None else minutes
        tokens = before.budget_tokens if tokens is None else tokens
        if usd is None and capped:
            usd, capped = before.budget_usd, before.dollar_cap
        price = price or before.price
        if args.seed not in (None, before.seed):
            raise UsageError(f"--seed {args.seed}: the run began with {before.seed} and keeps it")
        if args.language not in (None, before.language):
            raise UsageError(
                f"--language {args.language}: the run began with {before.language} and keeps it"
            )
        if args.ablate and tuple(args.ablate) != before.ablate:
            began = ", ".join(before.ablate) or "the whole search"
            raise UsageError(f"--ablate: the run began with {began} and keeps it")
    return Asked(
        task=task.name if bundled else str(spec),
        task_name=task.name,
        task_hash=task.hash,
        model=_specs(args.model) or (before.model if before else (BUILTIN,)),
        coder=_role(args.coder, args.model, before.coder if before else ()),
        judge=_role(args.judge, args.model, before.judge if before else ()),
        seed=before.seed if before else args.seed or 0,
        budget_evals=evals,
        budget_minutes=minutes,
        budget_usd=usd,
        budget_tokens=tokens,
        dollar_cap=capped,
        price=price,
        tester=args.tester or (before.tester if before else None),
        auditor=args.auditor or (before.auditor if before else None),
        language=before.language if before else args.language or LANGUAGES[0],
        memory=args.memory or (before.memory if before else None),
        parallel=args.parallel or (before.parallel if before else None),
        rounds=args.rounds or (before.rounds if before else None),
        ablate=before.ablate if before else tuple(args.ablate or ()),
    )


def _specs(given: Sequence[str] | None) -> tuple[str, ...]:
    """Each model once."""
    return tuple(dict.fromkeys(given or ()))


def _role(
    asked: Sequence[str] | None, everybody: Sequence[str] | None, before: tuple[str, ...]
) -> tuple[str, ...]:
    """Who plays a role: a new `--model` is for all whom no option of their own names."""
    return _specs(asked) or (() if everybody else before)


def _notes(asked: Asked) -> tuple[str, ...]:
    """Where the search is not quite what was asked for."""
    notes = []
    if asked.language != LANGUAGES[0]:
        from kernelwright.harness.gpu.cuda import found

        gpu = found()
        if isinstance(gpu, str):
            notes.append(
                f"--language {asked.language}: kernels are emulated on the CPU ({gpu}); values, memory errors"
                " and races are judged, speed stays unknown, so no champion can be confirmed"
            )
        else:
            notes.append(f"--language {asked.language}: judged on {gpu.name}")
    if (asked.parallel or 1) > 1 and BUILTIN in asked.specs[0]:
        notes.append(
            "--parallel 1: the built-in model needs the processor that candidates are timed on"
        )
    return tuple(notes)


def _settings(asked: Asked) -> Settings:
    minutes = asked.budget_minutes
    if minutes is None and asked.specs == ((BUILTIN,), (BUILTIN,)):
        minutes = BUILTIN_MINUTES
    settings = Settings(
        budget_minutes=minutes,
        seed=asked.seed,
        language=asked.language,
        budget_tokens=asked.budget_tokens,
    )
    if asked.budget_evals is not None:
        settings = replace(settings, budget_evals=asked.budget_evals)
    alone = BUILTIN in asked.specs[0]
    settings = replace(settings, rounds=asked.rounds, parallel=1 if alone else asked.parallel or 1)
    settings = _with_memory(
        settings, asked.memory or os.environ.get("KERNELWRIGHT_MEMORY") or "all"
    )
    return ablated(settings, asked.ablate)


def _with_memory(settings: Settings, which: str) -> Settings:
    """Which other runs teach this one. Raises UsageError for a word that is none of `MEMORY`."""
    if which not in MEMORY:
        raise UsageError(f"KERNELWRIGHT_MEMORY={which}: set it to {', '.join(MEMORY)}")
    if which == "off":
        return settings
    path = default_path().absolute()
    return replace(settings, memory=str(path), memory_same_suite=which == "all")


def _quotes(args: argparse.Namespace, asked: Asked, folder: RunFolder | None) -> tuple[Quote, ...]:
    """The price of every model that will be asked: the run's own, else the user's, else the kept."""
    told = dict(read_price(text) for text in asked.price)
    kept = _kept_quotes(folder) if folder else {}
    quotes = []
    for spec in billed(asked):
        now, before = quote(spec, told), kept.get(spec)
        if before is None or before.price is None:
            quotes.append(now)
            continue
        if args.price and now.price and now.price.tiers != before.price.tiers:
            raise UsageError(f"--price: the run keeps the price that {spec} had when it began")
        quotes.append(before)
    return tuple(quotes)


def billed(asked: Asked) -> tuple[str, ...]:
    """The specs of the models that a run will call."""
    watchers = [spec for spec in _watchers(asked) if spec != NOBODY]
    specs = (spec for role in (*asked.specs, watchers) for spec in role)
    return tuple(dict.fromkeys(one for spec in specs for one in asked_models(spec)))


def _watchers(asked: Asked) -> tuple[str, str]:
    """Who plays Tester, and who plays Auditor."""
    return asked.tester or BUILTIN, asked.auditor or BUILTIN


def mailboxes(asked: Asked) -> list[str]:
    """The folders in which somebody has to answer."""
    found = [spec.partition(":")[2] for spec in billed(asked) if spec.startswith("mailbox:")]
    return [folder.partition("?")[0] for folder in found]


def _kept_quotes(folder: RunFolder) -> dict[str, Quote]:
    """What the run has billed its models at so far."""
    if not (folder.path / "run.db").exists():
        return {}
    from kernelwright.agents.optimize import load

    return load(folder.path).account.quotes


def _dollars(asked: Asked, quotes: Sequence[Quote]) -> float | None:
    """The dollar budget in force; None: no limit. Raises UsageError where it cannot be kept."""
    if not asked.dollar_cap:
        return None
    due = any(quote.capped and not (quote.price and quote.price.free) for quote in quotes)
    budget = asked.budget_usd or (BUDGET_USD if due else None)
    unknown = [quote.spec for quote in quotes if quote.price is None]
    if budget is not None and unknown:
        raise UsageError(unpriced(unknown[0]))
    return budget


def _need_compiler() -> None:
    from kernelwright.harness import inline_cpp

    try:
        inline_cpp.compiler()
    except inline_cpp.BuildError as error:
        raise UsageError(str(error)) from error
