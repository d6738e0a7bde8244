"""A batch that is killed twice on its way and started again: is anything lost, is anything run twice?

Runs `kernelwright bench core --model builtin` over tasks of every category, ends it with SIGINT in the first
third of its tasks and with SIGKILL in the second, each time amid an evaluation, and starts the same command
again until it is through, and once more when nothing is left. What is compared are the record and the event
logs before and after each session. Then the leaderboard is built of it. Exit status 1 where a check fails.

    python benchmarks/killed_batch.py                     24 core tasks, some fifteen minutes
    python benchmarks/killed_batch.py --tasks 6 --budget-evals 3 --evidence /tmp

Times and speedups in the evidence mean something on a quiet machine only; the checks hold on any.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path

from kernelwright.agents.events import Event
from kernelwright.agents.events import read as read_log
from kernelwright.evals.batch import AGAIN
from kernelwright.evals.record import FILE_NAME, BatchRecord, read
from kernelwright.evals.webpage import MOST_BYTES
from kernelwright.tasks.errors import UsageError
from kernelwright.tasks.load import list_suite

EVIDENCE = Path(__file__).resolve().parents[1] / "evals" / "evidence"
NAME = "killed-batch"
_GONE_S = 20.0
_LOOK_S = 0.5


@dataclass(frozen=True)
class Process:
    """A process of a batch: its id, and when it started, for ids are given again."""

    pid: int
    started: str

    @property
    def alive(self) -> bool:
        """Whether it still runs; one that only waits to be reaped does not."""
        found = _stat(self.pid)
        return found is not None and found[2] == self.started and found[0] != "Z"


@dataclass(frozen=True)
class State:
    """A batch as it lies on disk: its results that stand, and its event logs by run."""

    results: dict[str, str]
    logs: dict[str, list[Event]]

    def keys(self, kind: str, step: str) -> list[str]:
        """Of the events of a kind, those of a step: `evaluate`, `confirm`."""
        return [
            f"{run} {event.key}"
            for run, log in self.logs.items()
            for event in log
            if event.kind == kind and event.key.startswith(f"{step}:")
        ]


@dataclass(frozen=True)
class Session:
    """One start of the command, from its first moment to its end."""

    how: str
    status: int
    seconds: float
    before: State
    after: State
    cut: tuple[str, ...]
    """Steps that were begun in it and have no end in their log."""
    survivors: int
    """Processes of it that still ran afterwards."""


def pick(number: int) -> list[str]:
    """So many core tasks: one of each category in turn, by name."""
    by_category: dict[str, list[str]] = {}
    for task in sorted(list_suite("core"), key=lambda task: task.name):
        by_category.setdefault(task.meta.category, []).append(task.name)
    in_turn = zip_longest(*(by_category[category] for category in sorted(by_category)))
    names = [name for names in in_turn for name in names if name]
    return names[:number]


def state(folder: Path) -> State:
    """What lies in the folder of a batch."""
    logs = {str(log.parent.relative_to(folder)): _events(log) for log in _logs(folder)}
    return State(_standing(folder), logs)


def session(
    command: list[str], folder: Path, log: Path, how: signal.Signals | None, done: int
) -> Session:
    """Start the command; end it by `how` amid the first evaluation after `done` results, or let it end."""
    before, begin = state(folder), time.monotonic()
    with log.open("a") as stderr:
        batch = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr)
    crew: list[Process] = []
    while batch.poll() is None:
        if how is not None and _amid(folder, done):
            crew = list(_family(batch.pid))
            batch.send_signal(how)
            break
        time.sleep(_LOOK_S)
    status = batch.wait()
    _until(lambda: not any(process.alive for process in crew))
    after = state(folder)
    return Session(
        how.name if how else "to its end",
        status,
        time.monotonic() - begin,
        before,
        after,
        tuple(_cut(before, after)),
        sum(process.alive for process in crew),
    )


def checks(sessions: list[Session], tasks: list[str], record: BatchRecord) -> dict[str, bool]:
    """What has to hold, in words, and whether it does."""
    interrupted, killed, through, again = sessions
    last = again.after
    judged = last.keys("finished", "evaluate")
    begun = last.keys("started", "evaluate")
    cut = [key for s in sessions for key in s.cut if " evaluate:" in key]
    (device,) = record.devices
    counted = sum(result.spent.evaluations or 0 for result in record.on(device))
    return {
        "both were ended amid the work: exit status 130 after SIGINT, -9 after SIGKILL": (
            (interrupted.status, killed.status) == (130, -signal.SIGKILL)
        ),
        "no process of a batch that was ended lived on": not any(s.survivors for s in sessions),
        "results that stood before a session stand after it, letter for letter": all(
            s.after.results.get(task) == text
            for s in sessions
            for task, text in s.before.results.items()
        ),
        "event logs only grew: each begins with what it held before": all(
            s.after.logs.get(run, [])[: len(log)] == log
            for s in sessions
            for run, log in s.before.logs.items()
        ),
        "every task was judged, and has one run": (
            set(last.results) == set(tasks) and len(last.logs) == len(tasks)
        ),
        "no evaluation was finished twice": len(judged) == len(set(judged)),
        "evaluations begun = finished + cut off by a signal": len(begun) == len(judged) + len(cut),
        "what was cut off was done again, unless the time of its run was up": all(
            _time_was_up(last.logs[key.partition(" ")[0]]) for key in _under_way(last)
        ),
        "the record counts as many evaluations as the logs hold": counted == len(judged),
        "the last session ended by itself, and one more did nothing": (
            through.status in (0, 1)
            and again.status == through.status
            and (again.before.results, again.before.logs) == (last.results, last.logs)
        ),
    }


def report(
    sessions: list[Session], held: dict[str, bool], record: BatchRecord, board: Path, said: str
) -> str:
    """The evidence, as a page of text."""
    page = (board / "index.html").stat().st_size
    (device,) = record.devices
    table = (board / "leaderboard.md").read_text(encoding="utf-8").removeprefix("# Leaderboard\n")
    torch = record.machine.environment.get("torch") or "unknown"
    lines = [
        "# A batch, killed twice",
        "",
        f"{record.started[:10]}, {device.name}, {device.threads} threads, torch {torch}, load at the end "
        f"{os.getloadavg()[0]:.1f}.",
        f"Command: `{f'python benchmarks/killed_batch.py {said}'.strip()}`",
        f"Batch: `{' '.join(record.command)}`",
        "",
        "| session | ended by | exit status | seconds | tasks judged | evaluations finished | cut off |",
        "|---|---|---|---|---|---|---|",
    ]
    for number, s in enumerate(sessions, 1):
        finished = len(s.after.keys("finished", "evaluate"))
        before = len(s.before.keys("finished", "evaluate"))
        cut = ", ".join(key.partition(" ")[2] for key in s.cut) or "nothing"
        lines.append(
            f"| {number} | {s.how} | {s.status} | {s.seconds:.0f} | {len(s.before.results)} to "
            f"{len(s.after.results)} of {len(record.tasks)} | {before} to {finished} | {cut} |"
        )
    lines += ["", "| check | |", "|---|---|"]
    lines += [f"| {words} | {'yes' if good else '**no**'} |" for words, good in held.items()]
    lines += [
        "",
        f"The page: {page / 1e6:.2f} MB for {len(record.tasks)} tasks, "
        f"at most {MOST_BYTES / 1e6:.0f} MB for 250.",
        "",
        "## The leaderboard",
        "",
        table.strip().replace("\n#", "\n##"),
    ]
    return "\n".join(lines) + "\n"


def _amid(folder: Path, done: int) -> bool:
    """Whether so many results stand and a candidate is being judged.

    This runs beside timings: it reads the record where that has changed, and then one log.
    """
    file = folder / FILE_NAME
    if not file.is_file() or _count(folder, file.stat().st_mtime_ns) < done:
        return False
    latest = max(_logs(folder), key=lambda log: log.parent.stat().st_mtime_ns, default=None)
    return latest is not None and bool(_under_way(State({}, {"": _events(latest)})))


@functools.lru_cache(maxsize=1)
def _count(folder: Path, changed: int) -> int:
    return len(_standing(folder))


def _standing(folder: Path) -> dict[str, str]:
    if not (folder / FILE_NAME).is_file():
        return {}
    results = read(folder).results
    return {r.task: r.model_dump_json() for r in results if r.state not in AGAIN}


def _logs(folder: Path) -> list[Path]:
    return sorted((folder / "runs").rglob("run.db"))


def _under_way(now: State) -> list[str]:
    """Evaluations and confirmations that have begun and not ended."""
    open_steps = []
    for step in ("evaluate", "confirm"):
        ended = {*now.keys("finished", step), *now.keys("failed", step)}
        open_steps += [key for key in dict.fromkeys(now.keys("started", step)) if key not in ended]
    return open_steps


def _cut(before: State, after: State) -> list[str]:
    """What was begun between two states and is still open."""
    was, now = (
        Counter(s.keys("started", "evaluate") + s.keys("started", "confirm"))
        for s in (before, after)
    )
    return [key for key in _under_way(after) if now[key] > was[key]]


def _time_was_up(log: list[Event]) -> bool:
    ends = [event.key for event in log if event.kind == "stopped"]
    return ends[-1:] == ["wall_time"]


def _events(log: Path) -> list[Event]:
    try:
        return read_log(log)[0]
    except UsageError:  # its tables are being made
        return []


def _stat(pid: int) -> list[str] | None:
    """State, parent and start of a process: fields 3, 4 and 22 of proc(5)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return [fields[0], fields[1], fields[19]]


def _family(root: int) -> Iterator[Process]:
    """A process and all that descend from it."""
    known = {int(p.name): _stat(int(p.name)) for p in Path("/proc").iterdir() if p.name.isdigit()}
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        if found := known.get(pid):
            yield Process(pid, found[2])
        waiting += [child for child, of in known.items() if of and of[1] == str(pid)]


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + _GONE_S
    while not holds() and time.monotonic() < end:
        time.sleep(_LOOK_S)


@contextmanager
def _folder(given: str | None) -> Iterator[Path]:
    if given is not None:
        yield Path(given)
        return
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


def main() -> int:
    """Run, check, print, and keep the evidence."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tasks", type=int, default=24, help="how many (default: 24)")
    parser.add_argument("--budget-evals", type=int, default=12, help="a task (default: 12)")
    parser.add_argument("--budget-minutes", type=float, help="a task (default: the command's own)")
    parser.add_argument("--out", help="keep batch and leaderboard in this new folder")
    parser.add_argument("--evidence", type=Path, default=EVIDENCE, help="folder for the summary")
    given = parser.parse_args()
    tasks = pick(given.tasks)
    words = ["--tasks", ",".join(tasks), "--model", "builtin"]
    words += ["--budget-evals", str(given.budget_evals)]
    words += ["--budget-minutes", str(given.budget_minutes)] if given.budget_minutes else []
    with _folder(given.out) as out:
        kernelwright = [sys.executable, "-m", "kernelwright"]
        command = [*kernelwright, "bench", "core", *words, "--out", str(out), "--name", NAME]
        folder, log = out / NAME, out / "stderr.log"
        if folder.exists():
            parser.error(f"{folder} is there already: give a new folder")
        out.mkdir(parents=True, exist_ok=True)
        sessions = []
        third = max(1, len(tasks) // 3)
        for how, done in (
            (signal.SIGINT, third),
            (signal.SIGKILL, 2 * third),
            (None, 0),
            (None, 0),
        ):
            sessions.append(session(command, folder, log, how, done))
            told = sessions[-1]
            print(
                f"{told.how}: status {told.status} after {told.seconds:.0f} s, "
                f"{len(told.after.results)} of {len(tasks)} tasks judged",
                flush=True,
            )
        board = [*kernelwright, "leaderboard", str(folder), "--out", str(out / "board")]
        subprocess.run(board, check=True, stdout=subprocess.DEVNULL)
        record = read(folder)
        held = checks(sessions, tasks, record)
        text = report(sessions, held, record, out / "board", " ".join(sys.argv[1:]))
        print(json.dumps(held, indent=1))
    given.evidence.mkdir(parents=True, exist_ok=True)
    file = given.evidence / f"{datetime.now(UTC).date()}-{NAME}.md"
    file.write_text(text, encoding="utf-8")
    print(file)
    return 0 if all(held.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
