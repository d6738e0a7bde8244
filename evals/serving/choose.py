"""Who judges: an evaluator in this process, or one that a batch has put at the end of a socket."""

from __future__ import annotations

import os
from multiprocessing.connection import Connection

from kernelwright.evals.pool import EVALUATOR
from kernelwright.evals.serving.evaluator import ServedEvaluator
from kernelwright.evals.serving.fenced import judge_of
from kernelwright.evals.serving.messages import Reply, Request
from kernelwright.evals.serving.process import PipeChannel
from kernelwright.harness import evaluate
from kernelwright.tasks.task import Task


def evaluator_for(task: Task, language: str | None = None) -> evaluate.Evaluator | ServedEvaluator:
    """The evaluator of this process for a task, and for candidates most of which are in that language."""
    if EVALUATOR not in os.environ:
        return judge_of(task, language=language)
    way = _Kept(PipeChannel(Connection(int(os.environ[EVALUATOR]))))
    return ServedEvaluator(task, lambda: way)


class _Kept:
    """A channel that outlives the evaluators behind it: whoever opens again gets the next one."""

    def __init__(self, channel: PipeChannel) -> None:
        self._channel = channel

    def call(self, request: Request) -> Reply:
        """What is answered. Raises Lost."""
        return self._channel.call(request)

    def close(self) -> None:
        """It goes with the process."""
