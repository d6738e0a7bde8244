"""The reward: its formula, whom it judges how often, and what trainers call."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
from frontdoor_fakes import KERNEL, TASK, accepted, rejected

from kernelwright import reward
from kernelwright.evals.serving import evaluator, process
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.verdict import Finding, Speedup, Verdict
from kernelwright.tasks.errors import UsageError

ANSWER = f"Here it is.\n\n```python\n{KERNEL}\n```\n"
BROKEN = "class Other: pass"


class FakeServed:
    """In the place of `ServedEvaluator`: `says` has verdicts by what stands in a source."""

    says: Mapping[str, Verdict] = {}
    log: list[str]

    def __init__(self, task: Any, start: Any, *, threads: int | None = None) -> None:
        self.task = task
        self.log.append(f"start {task.name}")

    def __enter__(self) -> FakeServed:
        return self

    def close(self) -> None:
        self.log.append(f"end {self.task.name}")

    def evaluate(self, candidate: Candidate, *, effort: str) -> Verdict:
        self.log.append(f"{effort} {candidate.id}")
        known = (v for words, v in self.says.items() if words in candidate.source)
        return next(known, accepted(2.0))


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> type[FakeServed]:
    monkeypatch.setattr(FakeServed, "log", [], raising=False)
    monkeypatch.setattr(FakeServed, "says", {})
    monkeypatch.setattr(evaluator, "ServedEvaluator", FakeServed)
    monkeypatch.setattr(process, "ServerProcess", None)
    return FakeServed


@pytest.mark.parametrize(
    ("verdict", "value"),
    [
        (accepted(2.0), 0.3 + 1.9),
        (accepted(400.0), 0.3 + 10.0),
        (Verdict("accepted", "done", track="library", speedup={"eager": Speedup(1, 1, 1, 9)}), 0.3),
        (Verdict("accepted", "done"), 0.3),
        (rejected(), 0.0),
        (Verdict("harness_error", "run", (Finding("harness", "no"),)), None),
        (Verdict("task_error", "run", (Finding("task", "no"),)), None),
    ],
)
def test_the_formula(verdict: Verdict, value: float | None) -> None:
    judged = reward.worth(verdict, KERNEL)
    assert judged.value == (None if value is None else pytest.approx(value))
    assert judged.format == 1.0 and judged.correct == float(verdict.accepted)
    assert reward.worth(rejected(), BROKEN).format == 0.0


def test_each_source_once_and_one_warm_evaluator_a_task(served: type[FakeServed]) -> None:
    with reward.Rewards(warm=1) as judge:
        found = judge(TASK, [KERNEL, BROKEN, KERNEL])
        judge(TASK, [KERNEL])
        judge("core/softmax", [KERNEL])
    assert [j.value for j in found] == [pytest.approx(2.2), 0.0, pytest.approx(2.2)]
    assert found[1].verdict.stage == "parse"
    loop = f"loop {Candidate(KERNEL).id}"
    assert served.log == [
        *("start own", loop, loop, "end own"),
        *("start core/softmax", loop, "end core/softmax"),
    ]


def test_as_trl_calls_it(served: type[FakeServed]) -> None:
    failed = KERNEL.replace("compiler =", "faulty =")
    served.says = {"faulty =": Verdict("harness_error", "run", (Finding("harness", "no"),))}
    scored = reward.trl_reward(reward.Rewards())
    completions = [
        [{"role": "assistant", "content": ANSWER}],
        ANSWER,
        "I would rather not.",
        failed,
    ]
    tasks = [TASK, "core/softmax", TASK, TASK]
    found = scored(prompts=["p"] * 4, completions=completions, reference=tasks, other=[1] * 4)
    assert found[:3] == [pytest.approx(2.2), pytest.approx(2.2), 0.0] and math.isnan(found[3])
    assert all(isinstance(value, float) for value in found)
    with pytest.raises(UsageError, match="no column 'reference'"):
        scored(prompts=["p"], completions=["c"])


def test_as_verl_calls_it(served: type[FakeServed]) -> None:
    score = reward.verl_score(reward.Rewards())
    found = score("kernelwright/core", ANSWER, TASK, None)
    assert found["score"] == pytest.approx(2.2) and found["correct"] == found["judged"] == 1.0


@pytest.mark.slow
def test_a_batch_with_the_real_harness() -> None:
    """A right kernel, a wrong one, and one that kills its process: none harms the next."""
    wrong = KERNEL.replace("SCALE * x[i]", "SCALE * x[i] + 1")
    killed = KERNEL.replace("        y = torch", "        import os; os.abort()\n        y = torch")
    right, *others = reward.rewards(TASK, [KERNEL, wrong, killed, KERNEL])
    assert right.correct == 1.0 and right.value is not None and right.value >= 0.3
    assert [j.value for j in others[:2]] == [0.0, 0.0]
    assert others[2] is right
