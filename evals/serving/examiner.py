"""Audits and checks tasks: ours here, those of strangers in one process behind a fence."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from kernelwright.evals.serving.examine import ANSWER, CHECKED, FACTS, RECORD, TASK
from kernelwright.evals.serving.fenced import VETTED, fence_around, fenced_in
from kernelwright.evals.serving.messages import Lost
from kernelwright.evals.serving.process import ServerProcess
from kernelwright.evals.task_check import Checked, check, unrunnable
from kernelwright.harness.audit import MOST_MUTANTS, MOST_SECONDS, audit
from kernelwright.harness.device import DeviceFacts
from kernelwright.harness.vetting import Vetting
from kernelwright.tasks.audits import AuditRecord
from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.task import Task

T = TypeVar("T")
Progress = Callable[[int, int], None]
_MODULE = "kernelwright.evals.serving.examine"


class Examiner:
    """A context manager. A task that ends the process behind the fence costs its own result only."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._vetting = self._stack.enter_context(Vetting())
        self._server: ServerProcess | None = None

    def __enter__(self) -> Examiner:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._hang_up()
        self._stack.close()

    def audit(
        self,
        task: Task,
        *,
        seed: int = 0,
        most_mutants: int = MOST_MUTANTS,
        seconds: float = MOST_SECONDS,
        progress: Progress | None = None,
    ) -> AuditRecord:
        """As `harness.audit.audit`. Raises TaskError."""
        self._vetting.vet(task)
        options = {"seed": seed, "most_mutants": most_mutants, "seconds": seconds}
        if not fenced_in(task):
            return audit(
                task, seed=seed, most_mutants=most_mutants, seconds=seconds, progress=progress
            )
        answer = self._ask(task, {"what": "audit", "options": options}, progress)
        return _own(task, answer, RECORD)

    def check(
        self,
        task: Task,
        facts: DeviceFacts,
        *,
        record: AuditRecord | None = None,
        audit_seconds: float = MOST_SECONDS,
        progress: Progress | None = None,
    ) -> Checked:
        """As `task_check.check`, tried in the sandbox before; what is wrong with the task is a fault."""
        try:
            self._vetting.vet(task)
            if not fenced_in(task):
                return check(
                    task, facts, record=record, audit_seconds=audit_seconds, progress=progress
                )
            asked = {
                "what": "check",
                "facts": FACTS.dump_python(facts, mode="json"),
                "record": record and record.to_json(),
                "options": {"audit_seconds": audit_seconds},
            }
            found = _own(task, self._ask(task, asked, progress), CHECKED)
            return replace(found, task=task)
        except TaskError as error:
            return unrunnable(task, str(error))

    def _ask(self, task: Task, asked: Mapping[str, Any], progress: Progress | None) -> object:
        """What comes of a request behind the fence. Raises TaskError."""
        if self._server is None:
            self._server = ServerProcess(VETTED, module=_MODULE, inside=fence_around(task))
        request = {**asked, "task": TASK.dump_python(task, mode="json")}
        try:
            self._server.send(json.dumps(request).encode())
            while (answer := ANSWER.validate_json(self._server.receive())).progress:
                if progress:
                    progress(*answer.progress)
        except (Lost, ValidationError) as error:
            self._hang_up()
            raise _at_fault(task, str(error)) from error
        if answer.fault is not None:
            raise TaskError(answer.fault)
        return answer.result

    def _hang_up(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()


def _own(task: Task, answer: object, kind: TypeAdapter[T]) -> T:
    """The answer as what it is to be, about this very task. Raises TaskError."""
    try:
        found = kind.validate_python(answer)
    except ValidationError as error:
        raise _at_fault(task, str(error)) from error
    record = found.record if isinstance(found, Checked) else found
    if isinstance(record, AuditRecord) and (record.task, record.hash) != (task.name, task.hash):
        raise _at_fault(task, "an audit of another task")
    return found


def _at_fault(task: Task, why: str) -> TaskError:
    return TaskError(f"{task.path or task.name}: behind the fence: {why.splitlines()[0]}")
