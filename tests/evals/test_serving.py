"""An evaluator elsewhere: used like one here, replaced when it is lost, and never a candidate's fault."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from served_fakes import CANDIDATE, OPENED, PROBE, TASK, verdict

from kernelwright.evals.serving.evaluator import TRIES, ServedEvaluator
from kernelwright.evals.serving.messages import Lost, Reply, Request
from kernelwright.evals.serving.process import ServerProcess
from kernelwright.harness.errors import HarnessError
from kernelwright.tasks.errors import TaskError


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
    assert second.asked[2].arguments == (CANDIDATE, "final", None)
    assert first.closed and second.closed


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
