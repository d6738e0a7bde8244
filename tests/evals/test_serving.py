"""An evaluator elsewhere: used like one here, replaced when it is lost, and never a candidate's fault."""

from __future__ import annotations

import contextlib
import inspect
import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from served_fakes import CANDIDATE, OPENED, PROBE, TASK, verdict

from kernelwright.evals.serving import server
from kernelwright.evals.serving.evaluator import TRIES, Probed, ServedEvaluator
from kernelwright.evals.serving.messages import Lost, Reply, Request
from kernelwright.evals.serving.process import PipeChannel, ServerProcess
from kernelwright.evals.serving.rooms import device_room
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.errors import HarnessError
from kernelwright.harness.evaluate import Evaluator
from kernelwright.harness.verdict import Verdict
from kernelwright.tasks.errors import TaskError, UsageError
from kernelwright.tasks.task import Task


@dataclass
class FakeChannel:
    """Answers, until `dies_at` requests were put to it."""

    asked: list[Request]
    dies_at: int = 1000
    closed: bool = field(default=False)

    def call(self, request: Request) -> Reply:
        self.asked.append(request)
        if len(self.asked) >= self.dies_at:
            raise Lost("the node burnt down")
        match request.what:
            case "open":
                return Reply(OPENED)
            case "evaluate":
                return Reply(verdict(2.0))
            case _:
                return Reply(None)

    def close(self) -> None:
        self.closed = True


class Counted(contextlib.nullcontext[None]):
    """An evaluator that only counts."""

    facts, target, counterexamples = OPENED.facts, OPENED.target, ()
    prober = Probed(("own",), ())

    def __init__(self, task: Task, *, threads: int | None, seed: int | None) -> None:
        super().__init__()

    def __enter__(self) -> Counted:  # type: ignore[override]
        return self

    def evaluate(
        self, candidate: Candidate, *, effort: str, champion: object, counters: bool
    ) -> Verdict:
        return replace(verdict(2.0), counters={"asked": int(counters)})

    def counted(self, found: Verdict, candidate: Candidate) -> Verdict:
        return replace(found, counters={"later": 1})


def starter(*channels: FakeChannel) -> Callable[[], FakeChannel]:
    left = list(channels)
    return lambda: left.pop(0)


def test_a_lost_evaluator_is_replaced_and_told_what_the_first_had_learnt() -> None:
    first, second = FakeChannel([], dies_at=4), FakeChannel([])
    with ServedEvaluator(TASK, starter(first, second)) as evaluator:
        evaluator.learn([PROBE])
        assert evaluator.evaluate(CANDIDATE, effort="final") == verdict(2.0)
        assert evaluator.counterexamples == (PROBE,)
    assert [r.what for r in second.asked] == ["open", "learn", "evaluate"]
    assert second.asked[1].arguments == ((PROBE,),)
    assert second.asked[2].arguments == (CANDIDATE, "final", None, False)
    assert first.closed and second.closed


def test_it_takes_what_the_real_one_takes() -> None:
    for name in ("evaluate", "counted", "fingerprint", "probe", "learn"):
        ours = inspect.signature(getattr(ServedEvaluator, name)).parameters
        real = inspect.signature(getattr(Evaluator, name)).parameters
        assert list(ours) == list(real), name
        assert [p.default for p in ours.values()] == [p.default for p in real.values()], name


def test_the_server_counts_where_it_is_asked_to(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = multiprocessing.Pipe()
    monkeypatch.setattr(server, "judge_of", Counted)
    serving = threading.Thread(target=server.serve, args=(theirs,), daemon=True)
    serving.start()
    channel = PipeChannel(ours)
    replies = [
        channel.call(request).result()
        for request in (
            Request("open", (TASK, None, None)),
            Request("evaluate", (CANDIDATE, "loop", None, True)),
            Request("counted", (verdict(2.0), CANDIDATE)),
        )
    ]
    channel.close()
    serving.join(10.0)
    assert [dict(found.counters) for found in replies[1:]] == [{"asked": 1}, {"later": 1}]


def test_a_candidate_with_which_evaluators_are_lost_is_not_charged() -> None:
    channels = [FakeChannel([], dies_at=3) for _ in range(TRIES)]
    with ServedEvaluator(TASK, starter(*channels)) as evaluator:
        found = evaluator.evaluate(CANDIDATE)
    assert found.verdict == "harness_error" and "burnt down" in found.findings[0].message


def test_faults_of_the_task_come_through_as_they_are() -> None:
    class Bad(FakeChannel):
        def call(self, request: Request) -> Reply:
            return Reply.of(TaskError("no Model"))

    with pytest.raises(TaskError, match="no Model"), ServedEvaluator(TASK, starter(Bad([]))):
        pass
    with pytest.raises(HarnessError, match="lost"):
        ServedEvaluator(TASK, lambda: FakeChannel([], dies_at=1)).__enter__()


def test_a_process_that_is_killed_is_told_as_lost() -> None:
    process = ServerProcess({})
    os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(Lost, match="SIGKILL"):
        process.call(Request("fingerprint", (CANDIDATE,)))


@pytest.mark.slow
def test_a_real_evaluator_that_is_killed_is_replaced() -> None:
    made: list[ServerProcess] = []

    def start() -> ServerProcess:
        made.append(ServerProcess({}))
        return made[-1]

    with ServedEvaluator(TASK, start) as evaluator:
        assert evaluator.facts.kind == "cpu" and evaluator.environment["torch"]
        os.kill(made[0].pid, signal.SIGKILL)
        found = evaluator.evaluate(CANDIDATE)
    assert found.accepted and found.track == "library" and len(made) == 2


def test_locks_lie_in_a_folder_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = tmp_path / f"kernelwright-{os.getuid()}"
    assert device_room() == device_room() == folder / "cpu"
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(UsageError, match="not a folder of yours"):
        device_room()
