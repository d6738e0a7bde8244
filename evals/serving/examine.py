"""`python -m kernelwright.evals.serving.examine FD`: audits and checks tasks, asked over a socket.

A request is a JSON object with `what` (`audit` or `check`), the task, and what the function takes. It is
answered by any number of `progress`, and at last by a `result` or a `fault` (what is wrong with the task).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from pydantic import TypeAdapter

from kernelwright.evals.task_check import Checked, check
from kernelwright.harness.audit import audit
from kernelwright.harness.device import DeviceFacts
from kernelwright.tasks.audits import AuditRecord
from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.task import Task


@dataclass(frozen=True)
class Answer:
    """One of the three."""

    progress: tuple[int, int] | None = None
    """Done, of how many."""
    fault: str | None = None
    result: Any = None


ANSWER, TASK, FACTS = TypeAdapter(Answer), TypeAdapter(Task), TypeAdapter(DeviceFacts)
CHECKED, RECORD = TypeAdapter(Checked), TypeAdapter(AuditRecord)


def main() -> int:
    """Serve the connection whose descriptor is the argument, until it closes."""
    os.dup2(2, 1)  # what a task prints is no message
    connection = Connection(int(sys.argv[1]))

    def say(answer: Answer) -> None:
        connection.send_bytes(ANSWER.dump_json(answer))

    while True:
        try:
            asked = json.loads(connection.recv_bytes())
        except EOFError:
            return 0
        try:
            say(Answer(result=_done(asked, lambda done, total: say(Answer((done, total))))))
        except TaskError as error:
            say(Answer(fault=str(error)))


def _done(asked: dict[str, Any], progress: Callable[[int, int], None]) -> object:
    """What `harness.audit.audit` or `task_check.check` gives, as JSON. Raises TaskError."""
    task = TASK.validate_python(asked["task"])
    if asked["what"] == "audit":
        return RECORD.dump_python(audit(task, progress=progress, **asked["options"]), mode="json")
    facts = FACTS.validate_python(asked["facts"])
    record = RECORD.validate_python(asked["record"]) if asked["record"] else None
    found = check(task, facts, record=record, progress=progress, **asked["options"])
    return CHECKED.dump_python(found, mode="json")


if __name__ == "__main__":
    sys.exit(main())
