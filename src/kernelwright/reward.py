"""A reward for training models on kernels: what the harness makes of a source, as a number.

    from kernelwright import reward

    judged = reward.reward("core/softmax", source)      # one source
    judged.value, judged.correct, judged.format, judged.verdict

    with reward.Rewards() as rewards:                   # many: one warm evaluator a task
        rewards("core/softmax", [source, other])

The formula, with S the low end of the 95% interval of the speedup against eager:

    reward = 0                                              rejected, or not Python with a ModelNew
    reward = 0.3 + min(S, 10)                               accepted
    reward = 0.3                                            accepted, but a library does the work

0.3 for correctness beside the speedup is Kevin-32B's (Baronio et al. 2025, arXiv:2507.11948). The low end
and not the median, so that noise earns nothing; the cap, so that one kernel does not drown a batch;
nothing for a call of the library, or every policy ends there.

A verdict that the machine failed to give has no reward: `value` is None, and NaN in a list of floats, which
TRL leaves out of its means. It is never charged to the source.
"""

from __future__ import annotations

import math
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

from kernelwright.evals.worth import Judged, worth
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.parse import language_of, parse_problem
from kernelwright.harness.turnstile import ROOM
from kernelwright.harness.verdict import Finding, Verdict
from kernelwright.tasks.errors import UsageError
from kernelwright.tasks.load import load_task, parse_source
from kernelwright.tasks.metadata import read_metadata
from kernelwright.tasks.task import Task

if TYPE_CHECKING:
    from kernelwright.evals.serving.evaluator import ServedEvaluator

_OWN = "own"
"""What a task is called that comes as a source."""
Effort = Literal["loop", "final"]
TaskLike: TypeAlias = "Task | str | Path"
"""A task, the name or file of one, or its source."""


def reward(task: TaskLike, source: str, *, effort: Effort = "loop") -> Judged:
    """Judge one source. Starting a task takes seconds: for many sources use `Rewards`."""
    with Rewards(warm=1) as judge:
        return judge(task, [source], effort=effort)[0]


def rewards(task: TaskLike, sources: Sequence[str], *, effort: Effort = "loop") -> list[Judged]:
    """Judge several sources of one task; each source once, however often it is in the list."""
    with Rewards(warm=1) as judge:
        return judge(task, sources, effort=effort)


class Rewards:
    """Judges sources, with evaluators that stay warm: one for each of the tasks used last.

    Each is a process of its own. One that crashes is replaced and takes nothing along. Calls from
    several threads wait for each other: a device times one kernel at a time.
    """

    def __init__(self, *, warm: int = 2, threads: int | None = None) -> None:
        """`warm`: tasks whose evaluators are kept. `threads` of baseline and candidate."""
        if warm < 1:
            raise UsageError(f"{warm} warm evaluators: give at least 1")
        self._warm = warm
        self._threads = threads
        self._evaluators: OrderedDict[str, ServedEvaluator] = OrderedDict()
        self._lock = threading.Lock()
        self._folder = tempfile.TemporaryDirectory(prefix="kernelwright-reward-")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all evaluators."""
        with self._lock:
            while self._evaluators:
                self._evaluators.popitem()[1].close()
            self._folder.cleanup()

    def __call__(
        self, task: TaskLike, sources: Sequence[str], *, effort: Effort = "loop"
    ) -> list[Judged]:
        """One judgement for each source, in their order. Raises TaskError for what is no task."""
        found = as_task(task)
        known: dict[str, Judged] = {}
        with self._lock:
            for source in dict.fromkeys(sources):
                problem = parse_problem(source)
                if problem:  # no need to wake anybody
                    known[source] = worth(_not_a_kernel(*problem), source)
                    continue
                candidate = Candidate(source, language_of(source))
                verdict = self._evaluator(found).evaluate(candidate, effort=effort)
                known[source] = worth(verdict, source)
        return [known[source] for source in sources]

    def _evaluator(self, task: Task) -> ServedEvaluator:
        """The warm evaluator of a task; the one that was used longest ago makes room."""
        from kernelwright.evals.serving.evaluator import ServedEvaluator
        from kernelwright.evals.serving.process import ServerProcess

        if task.hash in self._evaluators:
            self._evaluators.move_to_end(task.hash)
            return self._evaluators[task.hash]
        while len(self._evaluators) >= self._warm:
            self._evaluators.popitem(last=False)[1].close()
        folder = Path(self._folder.name)
        environment = {ROOM: str(folder / "room")}
        made = ServedEvaluator(
            task,
            lambda: ServerProcess(environment, folder / f"{task.hash[:12]}.log"),
            threads=self._threads,
        ).__enter__()
        self._evaluators[task.hash] = made
        return made


def trl_reward(
    judge: Rewards | None = None, *, column: str = "reference", effort: Effort = "loop"
) -> Callable[..., list[float]]:
    """A reward function as TRL's GRPOTrainer calls it: `f(prompts, completions, **columns)`.

    The dataset's `column` has the task of each row: its source, as `dataset --format rl` writes it, or its
    name or file. A completion is a text, or a list of messages of
    which the last counts; of its code blocks the last that defines ModelNew is judged. NaN: not judged.
    """
    judges = judge or Rewards()

    def kernelwright_reward(
        prompts: Sequence[object], completions: Sequence[object], **columns: Any
    ) -> list[float]:
        if column not in columns:
            raise UsageError(f"the dataset has no column {column!r} that says which task it is")
        answers = [_text(completion) for completion in completions]
        groups: dict[str, list[int]] = {}
        for row, task in enumerate(columns[column]):
            groups.setdefault(str(task), []).append(row)
        found = [math.nan] * len(answers)
        for task, rows in groups.items():
            sources = [extract(answers[row]) for row in rows]
            for row, judged in zip(rows, judges(task, sources, effort=effort), strict=True):
                found[row] = math.nan if judged.value is None else judged.value
        return found

    return kernelwright_reward


def verl_score(
    judge: Rewards | None = None, *, effort: Effort = "loop"
) -> Callable[..., dict[str, float]]:
    """A scoring function as verl calls it: `f(data_source, solution_str, ground_truth, extra_info)`.

    `ground_truth` is a task: its name, its file, or its source, as `dataset --format rl` writes it. verl
    takes numbers only: what the machine failed to judge scores 0 and has `judged` 0, to be left out.
    """
    judges = judge or Rewards()

    def compute_score(
        data_source: str, solution_str: str, ground_truth: str, extra_info: object = None
    ) -> dict[str, float]:
        judged = judges(ground_truth, [extract(solution_str)], effort=effort)[0]
        return {
            "score": 0.0 if judged.value is None else judged.value,
            "judged": 0.0 if judged.value is None else 1.0,
            "correct": judged.correct,
            "format": judged.format,
            "speed": judged.speed,
        }

    return compute_score


def extract(answer: str) -> str:
    """The kernel in a model's answer: its last file that defines ModelNew; the whole answer without one."""
    from kernelwright.agents import answers

    found = answers.files(answer, 1)
    return found[-1] if found else answer


def as_task(task: TaskLike) -> Task:
    """The task that is meant. Raises TaskError."""
    if isinstance(task, Task):
        return task
    if isinstance(task, str) and "\n" in task:
        return Task(_OWN, task, None, read_metadata(parse_source(task, _OWN), _OWN))
    return load_task(task)


def _text(completion: object) -> str:
    """The words of a completion."""
    if isinstance(completion, str):
        return completion
    if isinstance(completion, Sequence) and completion:
        last = completion[-1]
        if isinstance(last, Mapping):
            return str(last.get("content") or "")
    raise UsageError(
        f"a completion is a text or a list of messages, not {type(completion).__name__}"
    )


def _not_a_kernel(code: str, message: str) -> Verdict:
    return Verdict("rejected", "parse", (Finding(code, message),), language="python")
