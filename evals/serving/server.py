"""`python -m kernelwright.evals.serving.server FD`: one evaluator, asked over a socket until it closes.

It has a process of its own so that whatever ends it (memory, a signal, a fault of the harness) ends
nothing else, and so that environment, threads and signals are as the harness wants them.
"""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import replace
from multiprocessing.connection import Connection

from kernelwright.evals.serving.codec import reply_bytes, request_from
from kernelwright.evals.serving.evaluator import ServedEvaluator
from kernelwright.evals.serving.fenced import judge_of
from kernelwright.evals.serving.messages import FAULTS, Opened, Reply, Request
from kernelwright.harness.evaluate import Evaluator
from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.load import load_task
from kernelwright.tasks.task import Task


def main() -> int:
    """Serve the connection whose descriptor is the argument."""
    os.dup2(2, 1)  # what a task prints is no message
    serve(Connection(int(sys.argv[1])))
    return 0


def serve(connection: Connection) -> None:
    """Answer until the other side is gone. Faults that are not foreseen end this process."""
    with contextlib.ExitStack() as stack:
        evaluator: Evaluator | ServedEvaluator | None = None
        while True:
            try:
                request = request_from(connection.recv_bytes())
            except (EOFError, ConnectionError):
                return
            try:
                if request.what == "open":
                    task, threads, seed = request.arguments
                    made = judge_of(_here(task), threads=threads, seed=seed)
                    stack.enter_context(made)
                    evaluator = made
                    reply = Reply(_opened(evaluator))
                else:
                    assert evaluator is not None, "the first request opens a task"
                    reply = Reply(_answer(evaluator, request))
            except FAULTS as error:
                reply = Reply.of(error)
            try:
                connection.send_bytes(reply_bytes(request.what, reply))
            except ConnectionError:
                return


def _answer(evaluator: Evaluator | ServedEvaluator, request: Request) -> object:
    match request.what:
        case "evaluate":
            candidate, effort, champion, counters = request.arguments
            return evaluator.evaluate(
                candidate, effort=effort, champion=champion, counters=counters
            )
        case "counted":
            return evaluator.counted(*request.arguments)
        case "fingerprint":
            return evaluator.fingerprint(*request.arguments)
        case "probe":
            candidate, probes, seconds = request.arguments
            return evaluator.probe(candidate, probes, seconds=seconds)
        case "learn":
            evaluator.learn(*request.arguments)
            return None
        case _:
            raise ValueError(f"unknown request {request.what!r}")


def _opened(evaluator: Evaluator | ServedEvaluator) -> Opened:
    from kernelwright.machine import environment

    prober = evaluator.prober
    return Opened(
        evaluator.facts,
        evaluator.target,
        prober.shapes,
        prober.inputs,
        evaluator.counterexamples,
        environment(),
    )


def _here(task: Task) -> Task:
    """The task with a path that holds on this machine: audits and counterexamples lie beside it."""
    if task.path is not None and task.path.is_file():
        return task
    try:
        bundled = load_task(task.name)
    except TaskError:
        bundled = None
    path = bundled.path if bundled is not None and bundled.hash == task.hash else None
    return replace(task, path=path)


if __name__ == "__main__":
    sys.exit(main())
