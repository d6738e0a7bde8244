"""What a bundle of a run holds: all from its folder, so that equal runs give equal bundles.

about.json            task, run, champion, its lineage, device, environment, what was left out
task.py               the reference, as it was
start.py              the kernel that it starts from; only where there is one
champion/kernel.py    the published kernel, and card.json beside it; only with a champion
candidates/<id>.py    every source that was judged
events.jsonl          the event log, an event a line
samples.json          raw samples of the final judgement, or why there are none
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from kernelwright.agents.events import Event, Stored, read
from kernelwright.agents.run_state import RunState, holds
from kernelwright.bundle.scrub import private, scrubbed
from kernelwright.harness.errors import HarnessError
from kernelwright.outputs import RunFolder
from kernelwright.tasks.errors import TaskError, UsageError
from kernelwright.tasks.load import read_task
from kernelwright.tasks.task import content_hash

NO_SAMPLES = "this run's final verdict is of a version that kept no raw samples"


class Contents(NamedTuple):
    """The files by name, and ids of candidates that are left out, with the reason."""

    files: dict[str, bytes]
    left_out: dict[str, str]


def contents(run: RunFolder) -> Contents:
    """The files of the bundle of a run. Raises UsageError for a run that cannot be bundled."""
    events, stored = read(run.path / "run.db")
    state = RunState.from_events(events, stored)
    task = _source(run, "task.py")
    name = _start(run)
    start = _source(run, name) if name else None
    held = content_hash(task.decode(), start.decode() if start is not None else None)
    if held != state.run.get("task_hash"):
        raise UsageError(f"{run.task} is not the task that the run was for: put the file back")
    card = _card(run)
    champion = str(card["kernel"]["candidate"]) if card else None
    sources, left_out = _sources(stored, champion)
    kernel = _source(run, "champion/kernel.py") if card else None
    files = {"task.py": task, **sources, "events.jsonl": _log(events)}
    if start is not None:
        files["start.py"] = start
    if card and kernel is not None:
        if hashlib.sha256(kernel).hexdigest() != card["kernel"]["sha256"]:
            raise UsageError(f"{run.kernel} was changed after it was judged: nothing to vouch for")
        files |= {"champion/kernel.py": kernel, "card.json": _text(scrubbed(card))}
        files["samples.json"] = _text(_samples(card))
    about = {
        "task": {"name": state.run.get("task"), "sha256": state.run.get("task_hash")},
        "run": run.name,
        "champion": champion,
        "lineage": _lineage(state, champion),
        "device": _device(events),
        "environment": card["environment"] if card else None,
        "verdict": card["verdict"] if card else None,
        "finished": state.stopped is not None,
        "candidates": len(sources),
        "left_out": left_out,
        "reasons": {} if card else {"champion": _why_none(state)},
    }
    files["about.json"] = _text(scrubbed(about))
    return Contents(files, left_out)


def _why_none(state: RunState) -> str:
    if state.stopped is None:
        return "the run has not ended"
    if any(holds(verdict) for verdict in state.confirmed.values()):
        return "a candidate was confirmed, but nothing was published"
    return "nothing was shown to be faster than the reference"


def _sources(
    stored: Mapping[str, Stored], champion: str | None
) -> tuple[dict[str, bytes], dict[str, str]]:
    """The candidates by file name, and those that would give something away."""
    files, left_out = {}, {}
    for key, kept in sorted(stored.items()):
        trouble = private(kept.candidate.source)
        if trouble and key == champion:
            raise UsageError(f"the champion cannot be bundled: {trouble}")
        if trouble:
            left_out[key] = trouble
        else:
            source = kept.candidate.source.encode(errors="surrogatepass")
            files[f"candidates/{key}.py"] = source
    return files, left_out


def _source(run: RunFolder, name: str) -> bytes:
    file = run.path / name
    try:
        data = file.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from error
    trouble = private(data.decode(errors="replace"))
    if trouble:
        raise UsageError(f"{file} cannot be bundled: {trouble}; take it out and run anew")
    return data


def _start(run: RunFolder) -> str | None:
    """The file of the start kernel. None for a task that cannot be read: its hash tells the user."""
    try:
        return read_task(run.task, run.name).meta.start
    except TaskError:
        return None


def _card(run: RunFolder) -> dict[str, Any] | None:
    if not run.card.is_file():
        return None
    try:
        card: dict[str, Any] = json.loads(run.card.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise HarnessError(f"{run.card} cannot be read: {error}") from error
    return card


def _samples(card: Mapping[str, Any]) -> dict[str, Any]:
    found = card["verdict"].get("samples")
    return dict(found) if found else {"seconds": None, "reasons": {"seconds": NO_SAMPLES}}


def _lineage(state: RunState, champion: str | None) -> list[dict[str, Any]]:
    """From the champion back to a first idea."""
    found: list[dict[str, Any]] = []
    attempt = state.by_id.get(champion or "")
    while attempt is not None and len(found) <= len(state.attempts):
        about = {"candidate": attempt.candidate.id, "round": attempt.round, "note": attempt.note}
        found.append({**about, "choice": dict(attempt.choice)})
        attempt = state.by_id.get(attempt.parent or "")
    return found


def _device(events: Sequence[Event]) -> Any:
    sessions = [event.data for event in events if event.kind == "session"]
    return sessions[-1].get("device") if sessions else None


def _log(events: Sequence[Event]) -> bytes:
    lines = [
        {"seq": e.seq, "time": e.time, "kind": e.kind, "key": e.key, "data": e.data} for e in events
    ]
    texts = (json.dumps(scrubbed(line), ensure_ascii=False, sort_keys=True) for line in lines)
    return "".join(f"{text}\n" for text in texts).encode()


def _text(data: Mapping[str, Any]) -> bytes:
    return (json.dumps(data, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()
