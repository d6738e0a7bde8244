"""The built-in model's Coder, which runs a reference to trace it: for a stranger's task behind a fence."""

from __future__ import annotations

import pickle
import threading

from pydantic import ValidationError

from kernelwright.agents.builtin.builtin import BuiltinCoder
from kernelwright.agents.roles import Brief, NoIdea, Proposal
from kernelwright.evals.serving.fenced import VETTED, fence_around, fenced_in
from kernelwright.evals.serving.messages import Lost
from kernelwright.evals.serving.process import ServerProcess
from kernelwright.evals.serving.propose import ANSWER
from kernelwright.tasks.errors import TaskError

_MODULE = "kernelwright.evals.serving.propose"


class FencedCoder:
    """Asks a process behind a fence, which ends with this one; tasks of our own are traced here."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._server: ServerProcess | None = None

    def propose(self, brief: Brief) -> Proposal:
        """One turn. Raises NoIdea, and TaskError for a task at fault."""
        if not fenced_in(brief.task):
            return BuiltinCoder().propose(brief)
        try:
            with self._lock:
                if self._server is None:
                    fence = fence_around(brief.task)
                    self._server = ServerProcess(VETTED, module=_MODULE, inside=fence)
                self._server.send(pickle.dumps(brief))
                answer = ANSWER.validate_json(self._server.receive())
        except (Lost, ValidationError) as error:
            self._server = None
            first = str(error).splitlines()[0]
            raise TaskError(f"{brief.task.path}: traced behind the fence: {first}") from error
        if answer.no_idea is not None:
            raise NoIdea(answer.no_idea)
        if answer.fault is not None:
            raise TaskError(answer.fault)
        return Proposal(answer.candidates, answer.note)
