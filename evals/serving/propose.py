"""`python -m kernelwright.evals.serving.propose FD`: the built-in model's Coder, asked over a socket.

It traces a task's reference, which runs here. A request is a pickled brief: whoever asks is ours and started
us. What is answered is JSON, for the task may be a stranger's.
"""

from __future__ import annotations

import os
import pickle
import sys
from dataclasses import dataclass
from multiprocessing.connection import Connection

from pydantic import TypeAdapter

from kernelwright.agents.builtin.builtin import BuiltinCoder
from kernelwright.agents.roles import NoIdea
from kernelwright.harness.candidate import Candidate
from kernelwright.tasks.errors import TaskError


@dataclass(frozen=True)
class Answer:
    """Candidates with a note on them; or why there are none: no idea, or a fault of the task."""

    candidates: tuple[Candidate, ...] = ()
    note: str = ""
    no_idea: str | None = None
    fault: str | None = None


ANSWER = TypeAdapter(Answer)


def main() -> int:
    """Serve the connection whose descriptor is the argument, until it closes."""
    os.dup2(2, 1)  # what a task prints is no message
    connection = Connection(int(sys.argv[1]))
    while True:
        try:
            brief = pickle.loads(connection.recv_bytes())
        except EOFError:
            return 0
        try:
            found = BuiltinCoder().propose(brief)
            answer = Answer(found.candidates, found.note)
        except NoIdea as reason:
            answer = Answer(no_idea=str(reason))
        except TaskError as error:
            answer = Answer(fault=str(error))
        connection.send_bytes(ANSWER.dump_json(answer))


if __name__ == "__main__":
    sys.exit(main())
