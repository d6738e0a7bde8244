"""Runs in which a language model played Coder and Judge, replayed from `evals/evidence/real-runs`.

A call's label holds the round and nothing that was measured, so the answers of a recording give the
same candidates whatever the timings of today are. What does depend on timings is left out: which parent
a round starts from, which tuned members are tried (`tune_trials=0`), and who is champion.
"""

import json
import random
import socket
from pathlib import Path

import pytest
from search_fakes import CPU

from kernelwright.agents.llm_roles import ModelCoder, ModelJudge
from kernelwright.agents.models.spec import make_model
from kernelwright.agents.optimize import Outcome, Settings, optimize
from kernelwright.agents.roles import Brief
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.evaluate import Evaluator
from kernelwright.harness.verdict import Finding, Speedup, Verdict
from kernelwright.tasks.load import load_task

RUNS = Path(__file__).parents[2] / "evals/evidence/real-runs"
TASKS = ["core-cumsum", "core-volume_rendering_weights"]


def recorded(run: str) -> dict:
    return json.loads((RUNS / run / "candidates.json").read_text())


def written(run: str) -> list[dict]:
    """What the model wrote itself; the rest are members that the tuner made of it."""
    return [row for row in recorded(run)["recorded"] if not row["choice"]]


def replay(run: str, evaluator, folder: Path) -> Outcome:
    model = make_model(f"replay:{RUNS / run / 'recording.jsonl'}")
    settings = Settings(budget_evals=len(written(run)), tune_trials=0, islands=1)
    task = load_task(recorded(run)["task"])
    return optimize(task, evaluator, ModelCoder(model), ModelJudge(model), settings, folder)


def brief(run: str, number: int):
    return Brief(load_task(recorded(run)["task"]), CPU, language="cpp", round=number, seed=0)


class Dice:
    """An evaluator of which only the seed knows what it will say."""

    facts = CPU

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def evaluate(self, candidate, *, effort="loop", champion=None):
        if self._random.random() < 0.4:
            stage = self._random.choice(["build", "run", "correctness"])
            return Verdict("rejected", stage, (Finding("wrong", "unlucky"),))
        middle = self._random.uniform(0.5, 4)
        measured = Speedup(middle, middle * 0.9, middle * 1.1, 5)
        return Verdict("accepted", "done", (), "custom", speedup={"eager": measured})


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("run", TASKS)
def test_the_same_candidates_whatever_was_measured(run, seed, tmp_path):
    outcome = replay(run, Dice(seed), tmp_path)
    assert outcome.stop.reason == "evaluations"
    found = [(a.round, a.candidate.id) for a in outcome.attempts]
    assert found == [(row["round"], row["candidate"]) for row in written(run)]
    assert all(a.note for a in outcome.attempts)


@pytest.mark.parametrize("run", TASKS)
def test_tuned_members_have_the_ids_that_were_recorded(run, tmp_path):
    sources = {a.candidate.id: a.candidate for a in replay(run, Dice(0), tmp_path).attempts}
    both = [*recorded(run)["recorded"], *recorded(run)["replayed"]]
    tuned = [row for row in both if row["choice"]]
    assert tuned
    for row in tuned:
        assert sources[row["from"]].baked(row["choice"]).id == row["candidate"]


@pytest.mark.parametrize("run", TASKS)
def test_every_advice_of_the_judge_is_understood(run, tmp_path):
    model = make_model(f"replay:{RUNS / run / 'recording.jsonl'}")
    lines = [json.loads(x) for x in (RUNS / run / "recording.jsonl").read_text().splitlines()]
    rounds = [int(x["label"].split(":")[1]) for x in lines if x["label"].startswith("judge:")]
    assert rounds == list(range(2, len(written(run)) + 1))
    [first, *_] = replay(run, Dice(1), tmp_path).attempts
    for number in rounds:
        advice = ModelJudge(model).advise(brief(run, number), first)
        assert advice.change
        assert "no usable advice" not in advice.cause


class Searching:
    """The real harness without the final confirmation: it builds torch.compile and says of the
    candidates nothing that the loop did not."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.facts = evaluator.facts
        self._evaluate = evaluator.evaluate

    def evaluate(self, candidate, *, effort="loop", champion=None):
        return self._evaluate(candidate, champion=champion)


@pytest.mark.slow
@pytest.mark.parametrize("run", TASKS)
def test_the_harness_judges_as_it_did(run, tmp_path, monkeypatch):
    def refuse(self, address):
        raise AssertionError(f"a replay asked the network: {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with Evaluator(load_task(recorded(run)["task"])) as evaluator:
        if "avx512f" not in evaluator.facts.isa:
            pytest.skip("the kernels of these runs need AVX-512")
        outcome = replay(run, Searching(evaluator), tmp_path / "run")
        published = Candidate((RUNS / run / "champion.py").read_text(), "cpp")
        champion = evaluator.evaluate(published)
    judged = [(a.candidate.id, a.verdict.verdict, a.verdict.stage) for a in outcome.attempts]
    said = [a.verdict.errors for a in outcome.attempts]
    assert judged == [(r["candidate"], r["verdict"], r["stage"]) for r in written(run)], said
    assert (champion.verdict, champion.stage) == ("accepted", "done"), champion.findings
