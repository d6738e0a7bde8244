"""Runs to rows in a file: found, filtered, split, scrubbed, written one by one in an order that stays."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from kernelwright.evals.dataset.formats import Format, Row, Which, rows
from kernelwright.evals.dataset.operator_hash import in_test
from kernelwright.evals.dataset.samples import Sample, samples
from kernelwright.evals.dataset.scrub import scrub, scrubbed
from kernelwright.evals.from_run import is_run
from kernelwright.tasks.errors import UsageError


@dataclass(frozen=True)
class Choice:
    """Which samples, in which shape."""

    shape: Format = "raw"
    which: Which = "sent"
    correct: bool = False
    concise: int | None = None
    """Most characters of reasoning and answer together."""
    dedupe: bool = False
    min_speedup: float | None = None
    """What the low end of the interval against eager reaches at least."""
    holdout: float = 0.0
    """Share of the operators that go to the test file."""


@dataclass
class Counts:
    """What became of the samples."""

    runs: int = 0
    samples: int = 0
    train: int = 0
    test: int = 0
    operators: dict[str, set[str]] = field(default_factory=lambda: {"train": set(), "test": set()})
    left_out: dict[str, int] = field(default_factory=dict)

    def drop(self, why: str) -> None:
        """One sample less."""
        self.left_out[why] = self.left_out.get(why, 0) + 1


def runs_of(paths: Sequence[str]) -> list[Path]:
    """The run folders that are given, or lie below what is given, each once, sorted by task and name."""
    found: set[Path] = set()
    for given in paths:
        path = Path(given).expanduser()
        if not path.exists():
            raise UsageError(f"no such file or folder: {given}")
        below = [path] if is_run(path) else [f.parent for f in path.rglob("run.db")]
        known = {run.resolve() for run in below if is_run(run)}
        if not known:
            raise UsageError(f"{given} holds no run of optimize or bench")
        found |= known
    return sorted(found, key=lambda run: (run.parent.name, _task_hash(run), run.name, str(run)))


def _task_hash(run: Path) -> str:
    try:
        return str(json.loads((run / "run.json").read_text(encoding="utf-8"))["task_hash"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""  # what is wrong with it is told when it is read


def export(
    runs: Sequence[Path],
    choice: Choice,
    out: Path,
    step: Callable[[str], object] = lambda name: None,
) -> Counts:
    """Write the rows to `out`, those held out to `held_out_file(out)`; `step` is told each run.

    Whole files are put in place at the end. Raises UsageError when they cannot be written.
    """
    counts = Counts(runs=len(runs))
    files = {"train": out, **({"test": held_out_file(out)} if choice.holdout else {})}
    news = {split: file.with_name(f".{file.name}.new") for split, file in files.items()}
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            streams = {
                split: stack.enter_context(new.open("w", encoding="utf-8", errors="replace"))
                for split, new in news.items()
            }
            for group in _groups(runs, choice, counts, step):
                held = in_test(group[0].operator, choice.holdout)
                split = "test" if held else "train"
                for row in rows(group, choice.shape, choice.which):
                    _write(streams[split], {**row, "split": split})
                    counts.operators[split].add(group[0].operator)
                    if held:
                        counts.test += 1
                    else:
                        counts.train += 1
        for split, new in news.items():
            new.replace(files[split])
    except OSError as error:
        raise UsageError(f"cannot write {error.filename or out}: {error.strerror}") from error
    finally:
        for new in news.values():
            new.unlink(missing_ok=True)
    return counts


def held_out_file(out: Path) -> Path:
    """`data.jsonl` becomes `data.test.jsonl`."""
    return out.with_name(f"{out.stem}.test{out.suffix}")


def _groups(
    runs: Sequence[Path], choice: Choice, counts: Counts, step: Callable[[str], object]
) -> Iterator[list[Sample]]:
    """The samples that are wanted, those of one task together: runs of a task lie side by side."""
    group: list[Sample] = []
    seen: set[str] = set()
    for run in runs:
        step(f"{run.parent.name}/{run.name}")
        for sample in samples(run):
            if group and sample.task.hash != group[0].task.hash:
                yield group
                group, seen = [], set()
            counts.samples += 1
            why = _unwanted(sample, choice, seen)
            if why:
                counts.drop(why)
            else:
                group.append(sample)
    if group:
        yield group


def _unwanted(sample: Sample, choice: Choice, seen: set[str]) -> str | None:
    """Why a sample is left out; None: it is not."""
    if choice.correct and not sample.correct:
        return "not correct"
    least = choice.min_speedup
    if least is not None and (sample.speedup is None or sample.speedup.low < least):
        return "too slow"
    if choice.concise is not None and sample.length > choice.concise:
        return "too long"
    if scrub(sample.source) != sample.source:
        return "a path or a key in the kernel"  # the verdict would not hold for what is left
    if choice.dedupe:
        key = sample.attempt.candidate.normalised
        if key in seen:
            return "a copy"
        seen.add(key)
    return None


def _write(stream: IO[str], row: Row) -> None:
    stream.write(json.dumps(scrubbed(row), ensure_ascii=False, allow_nan=False) + "\n")
