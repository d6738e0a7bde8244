"""Judges what a bundle holds again, on this machine, and says how the two results compare."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from kernelwright import text
from kernelwright.bundle.archive import read, sha256_of
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.device import DeviceFacts
from kernelwright.harness.verdict import Speedup, Verdict
from kernelwright.tasks.errors import UsageError
from kernelwright.tasks.task import Task, content_hash

_NEAR = 1e-9
"""Relative: a figure that was computed again from the same samples."""


@dataclass(frozen=True)
class Bundle:
    """A bundle that was read and checked. Nothing of it has run."""

    sha256: str
    task_name: str
    task_source: str
    start_source: str | None
    """The kernel that the task starts from, where it has one."""
    kernel: Candidate
    then: Verdict
    device: Mapping[str, Any]
    environment: Mapping[str, Any]
    from_samples: bool | None
    """Whether the speedups are those of the raw samples; None: it holds no samples."""


class Compared(NamedTuple):
    """One baseline, then and now; `overlap` of the 95% intervals."""

    then: Speedup
    now: Speedup | None
    overlap: bool | None


def open_bundle(file: Path) -> Bundle:
    """Read and check a bundle. Raises UsageError, in one line."""
    files = read(file)
    try:
        about = json.loads(files["about.json"])
        if about["champion"] is None:
            why = str(about.get("reasons", {}).get("champion") or "no reason given")
            raise UsageError(f"the bundle {file} holds no champion to judge: {why}")
        return _checked(file, files, about, json.loads(files["card.json"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        said = text.first_line(str(error)) or type(error).__name__
        raise UsageError(f"{file} is no bundle that this can read: {said}") from error


def _checked(
    file: Path, files: Mapping[str, bytes], about: Mapping[str, Any], card: Mapping[str, Any]
) -> Bundle:
    kernel, start = files["champion/kernel.py"], files.get("start.py")
    task = files["task.py"].decode("utf-8-sig")
    start_source = None if start is None else start.decode("utf-8-sig")
    for what, digest, said in (
        ("task", content_hash(task, start_source), about["task"]["sha256"]),
        ("kernel", hashlib.sha256(kernel).hexdigest(), card["kernel"]["sha256"]),
    ):
        if digest != said:
            raise UsageError(f"the bundle {file} contradicts itself: its {what} has another hash")
    for name, data in files.items():
        folder, _, key = name.removesuffix(".py").rpartition("/")
        source = data.decode(errors="surrogatepass") if folder == "candidates" else ""
        if folder == "candidates" and Candidate(source).id != key:
            raise UsageError(f"the bundle {file} contradicts itself: {name} has another hash")
    then = Verdict.from_json(card["verdict"])
    if not then.accepted:
        raise UsageError(f"the bundle {file} calls a kernel its champion that was not accepted")
    return Bundle(
        sha256=sha256_of(file),
        task_name=str(about["task"]["name"]),
        task_source=task,
        start_source=start_source,
        kernel=Candidate(kernel.decode(), str(card["kernel"]["language"])),
        then=then,
        device=about["device"] or {},
        environment=card["environment"],
        from_samples=_from_samples(then),
    )


def _from_samples(verdict: Verdict) -> bool | None:
    """Whether the intervals come out again from the samples."""
    if verdict.samples is None:
        return None
    from kernelwright.harness.timing import Timings

    seconds = {name: list(values) for name, values in verdict.samples.seconds.items()}
    timings = Timings(seconds, verdict.samples.starts)
    return all(
        _same(timings.speedup(name), claimed)
        for name, claimed in verdict.speedup.items()
        if claimed is not None and name in seconds
    )


def _same(a: Speedup, b: Speedup) -> bool:
    figures = zip((a.median, a.low, a.high), (b.median, b.low, b.high), strict=True)
    return a.pairs == b.pairs and all(math.isclose(x, y, rel_tol=_NEAR) for x, y in figures)


def task_in(bundle: Bundle, folder: Path) -> Task:
    """The task as a file in a folder of ours; the bundled one of that name where it is the same."""
    from kernelwright.tasks.errors import TaskError
    from kernelwright.tasks.load import load_task, read_task
    from kernelwright.tasks.start import start_file

    if not bundle.task_name.endswith(".py"):
        try:
            ours = load_task(bundle.task_name)
        except TaskError:
            ours = None
        same = bundle.task_source, bundle.start_source
        if ours is not None and (ours.source, ours.start) == same:
            return ours
    file = folder / "task.py"
    file.write_text(bundle.task_source, encoding="utf-8")
    if bundle.start_source is not None:
        start = start_file(file)
        if start is not None:
            start.parent.mkdir(parents=True, exist_ok=True)
            start.write_text(bundle.start_source, encoding="utf-8")
    return read_task(file, "task")


def judge(
    bundle: Bundle, task: Task, threads: int | None, seed: int | None
) -> tuple[Verdict, DeviceFacts]:
    """The final judgement of the champion, here. Raises TaskError and HarnessError."""
    from kernelwright.evals.serving.fenced import judge_of

    with judge_of(task, threads=threads, seed=seed) as evaluator:
        return evaluator.evaluate(bundle.kernel, effort="final"), evaluator.facts


def compared(then: Verdict, now: Verdict) -> dict[str, Compared]:
    """By baseline, those that were known then."""
    found: dict[str, Compared] = {}
    for name, before in then.speedup.items():
        if before is None or name == "champion":
            continue
        after = now.speedup.get(name)
        overlap = None if after is None else before.low <= after.high and after.low <= before.high
        found[name] = Compared(before, after, overlap)
    return found


def same_machine(bundle: Bundle, facts: DeviceFacts, threads: int) -> list[str]:
    """What differs between the machine of then and this one, in words; empty: nothing that is known."""
    from kernelwright.machine import environment

    here = environment()
    differ = [
        f"{name} {then} then, {now} now"
        for name, then, now in (
            ("device", bundle.device.get("name"), facts.name),
            ("threads", bundle.device.get("threads"), threads),
        )
        if then != now
    ]
    return differ + [
        f"{name} {bundle.environment.get(name)} then, {here[name]} now"
        for name in ("processor", "torch", "python", "compiler", "kernelwright")
        if bundle.environment.get(name) != here[name]
    ]
