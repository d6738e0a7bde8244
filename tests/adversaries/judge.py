"""A judge in a process of its own, so that an attack which fells or hangs it fails one test only.

`python judge.py` reads requests as JSON lines, `{"task": path, "candidate": path, "again": bool,
"effort": "loop" or "final", "patient": bool}`, and answers each with one line: the verdict, what the
evaluation left behind, and with `again` the verdict on the task's honest kernel afterwards. One Evaluator a
task serves all its candidates.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

from kernelwright.harness import builds, contest, memory, worker
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.errors import HarnessError
from kernelwright.harness.evaluate import Evaluator
from kernelwright.harness.verdict import Finding, Verdict
from kernelwright.harness.without_gpu import emulation
from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.load import load_task

CALL_SECONDS, LOAD_SECONDS, BUILD_SECONDS, STOP_SECONDS = 2.0, 4.0, 12.0, 1.5
"""What a hang may cost here; the harness itself is more patient."""
CALLS = 8
"""So many calls a leg, however slow the machine seems at the moment; one for the task `large`."""
STARTS, MOST_STARTS = 2, 3
"""Of the processes in a final judgement: here it is the verdict that counts, not the width of an interval."""
_HERE = Path(__file__).parent


def main() -> None:
    """Serve until stdin closes."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    builds.BUILD_SECONDS = BUILD_SECONDS
    memory._STOP_SECONDS = STOP_SECONDS
    contest._STARTS["final"], contest._MOST_STARTS = STARTS, MOST_STARTS
    patient, patience = worker.Worker.__init__, worker.COMPILE_SECONDS

    @functools.wraps(patient)
    def impatient(self: worker.Worker, *args: Any, **kwargs: Any) -> None:
        patient(self, *args, **{**kwargs, "timeout": CALL_SECONDS})

    worker.Worker.__init__ = impatient  # type: ignore[method-assign]
    evaluators: dict[str, Evaluator] = {}
    for line in sys.stdin:
        request = json.loads(line)
        task = request["task"]
        worker.COMPILE_SECONDS = patience if request["patient"] else CALL_SECONDS
        worker.LOAD_SECONDS = patience if request["patient"] else LOAD_SECONDS
        try:
            if task not in evaluators:
                evaluators[task] = Evaluator(load_task(Path(task)), threads=1).__enter__()
                evaluators[task]._crew.compile_reason = "not compared with here"
                evaluators[task].contest.calls = 1 if Path(task).stem == "large" else CALLS
            answer = judge(evaluators[task], request)
        except TaskError as error:
            answer = refused(error)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
        verdicts = [answer.get(name, {}).get("verdict") for name in ("verdict", "again")]
        if "raised" in answer or "harness_error" in verdicts:
            os._exit(1)  # it may be poisoned; the next candidate deserves a fresh one
    for evaluator in evaluators.values():
        evaluator.__exit__(None, None, None)


def refused(error: TaskError) -> dict[str, Any]:
    """The answer for any candidate of a task that cannot be judged."""
    verdict = Verdict("task_error", "parse", (Finding("task", str(error)),))
    return {"verdict": verdict.to_json(), "left": {}, "seconds": 0.0, "grew_mib": 0}


def judge(evaluator: Evaluator, request: dict[str, Any]) -> dict[str, Any]:
    """One candidate's verdict, and the traces of its evaluation."""
    crew = evaluator._crew
    final = request["effort"] == "final"
    if (
        final
    ):  # the process of the sanitizers stays for the next ones, eager's is a new one each time
        crew.inspector.prepare()
        crew.restart_eager()
    else:
        crew.eager()
    with contextlib.suppress(HarnessError):
        if emulation(Path(request["candidate"]).read_text()):
            evaluator._emulator._crew.eager()  # started for the first of its kind, and stays for the next
    before = traces()
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak of resident memory
    resident = status_mib("VmRSS")
    begin = time.perf_counter()
    try:
        verdict = verdict_of(evaluator, Path(request["candidate"]), request["effort"])
    except Exception:
        return {"raised": traceback.format_exc(limit=-3)}
    seconds = time.perf_counter() - begin
    if final:
        crew.restart_eager()
    after = traces()
    left = {name: sorted(set(after[name]) - set(before[name])) for name in before}
    answer = {
        "verdict": verdict.to_json(),
        "left": {name: found for name, found in left.items() if found},
        "seconds": seconds,
        "grew_mib": status_mib("VmHWM") - resident,
    }
    if request["again"]:
        honest = _HERE / "honest" / f"{evaluator.task.name}.py"
        answer["again"] = verdict_of(evaluator, honest).to_json()
    return answer


def verdict_of(evaluator: Evaluator, candidate: Path, effort: Any = "loop") -> Any:
    """The verdict on a file."""
    return evaluator.evaluate(Candidate(candidate.read_text()), effort=effort)


def status_mib(field: str) -> int:
    """A size of this process."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{field}:")[2].split()[0]) >> 10


def traces() -> dict[str, list[str]]:
    """What a candidate may have left: processes, files, shared memory of the system."""
    scratch = Path(tempfile.gettempdir())
    escapes = [*Path("/tmp").glob("kernelwright-escape*"), *Path("/dev/shm").glob("kernelwright*")]
    return {
        "processes": [str(pid) for pid in descendants(os.getpid())],
        "files": [*(str(p) for p in scratch.glob("kernelwright-*/w*")), *map(str, escapes)],
        "shared memory": [
            row for kind in ("shm", "msg", "sem") for row in _table(f"/proc/sysvipc/{kind}")
        ],
    }


def descendants(pid: int) -> list[int]:
    """All processes below `pid`."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += [int(child), *descendants(int(child))]
    return found


def _table(path: str) -> list[str]:
    """Key and id of each row: the other columns change."""
    with contextlib.suppress(OSError):
        return [" ".join(row.split()[:2]) for row in Path(path).read_text().splitlines()[1:]]
    return []


if __name__ == "__main__":
    main()
