"""Tester and Auditor: what they write, malformed answers, and what becomes of a champion that breaks."""

import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import pytest
from search_fakes import PENNY, TASK, EchoJudge, FakeEvaluator, ScriptedCoder, Watcher, kernel

from kernelwright.agents.auditor import BuiltinAuditor, ModelAuditor
from kernelwright.agents.builtin.tester import MOST, BuiltinTester
from kernelwright.agents.events import EventLog
from kernelwright.agents.hardening import Hardening
from kernelwright.agents.journal import Journal
from kernelwright.agents.models.base import ModelError, Reply
from kernelwright.agents.optimize import optimize
from kernelwright.agents.run_state import RunState
from kernelwright.agents.settings import Settings
from kernelwright.agents.structured import schema_of
from kernelwright.agents.tester import (
    MOST_PROBES,
    Attack,
    Challenge,
    ModelTester,
    ProbeAnswer,
)
from kernelwright.agents.tester import (
    TesterAnswer as Answered,
)
from kernelwright.harness import casebook
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.counterexample import InputPlan, Probe
from kernelwright.harness.probing import Outcome
from kernelwright.harness.realise import InputFacts
from kernelwright.harness.verdict import Finding, Verdict

INPUTS = (InputFacts((8, 100), "float32"), InputFacts((8,), "int64", free=True), InputFacts(None))
SOURCE = "for (long i = 0; i + 8 <= n; i += 8) m = fmaxf(m, expf(x[i * stride]));  // BLOCK 128"


def challenge(source: str = SOURCE, seed: int = 0, **given: object) -> Challenge:
    return Challenge(TASK, Candidate(source), **{"inputs": INPUTS, "seed": seed, **given})


@dataclass
class Saying:
    """A model that gives these answers, one after the other."""

    answers: list[object]
    spec: str = "saying"
    asked: list[str] = field(default_factory=list)

    def ask(self, messages, *, label, schema=None, meter=None):
        self.asked.append(messages[-1].text)
        said = self.answers.pop(0)
        if isinstance(said, Exception):
            raise said
        return Reply(said if isinstance(said, str) else json.dumps(said), spend=PENNY)


# -- the built-in Tester --------------------------------------------------------------------------


def test_equal_challenges_draw_equal_probes_and_other_seeds_others():
    first, again, other = (BuiltinTester().attack(challenge(seed=s)) for s in (1, 1, 2))
    assert first == again != other
    assert len(first.probes) == MOST == len({probe.id for probe in first.probes})


def test_only_what_may_change_is_changed():
    kept = (InputFacts((3,), "int64"), InputFacts(None), InputFacts((0, 4), "float32"))
    assert BuiltinTester().attack(challenge(inputs=kept)).probes == ()
    for probe in BuiltinTester().attack(challenge()).probes:
        assert Probe.from_json(probe.to_json()) == probe and probe.advisory is None
        for plan in probe.inputs:
            assert plan.input in (0, 1)
            assert (plan.kind in ("reversed", "same", "extremes", "ties")) or plan.input == 0
            assert all(-100 <= edit.index < 100 for edit in plan.edits)


def test_the_source_says_where_to_aim():
    def edges(source: str) -> int:
        found = [
            edit.index
            for seed in range(40)
            for probe in BuiltinTester().attack(challenge(source, seed)).probes
            for plan in probe.inputs
            for edit in plan.edits
        ]
        return sum(index in (76, 77) for index in found)

    assert edges("fmaxf(x); const int W = 77;") > 4 * max(1, edges("fmaxf(x);"))


# -- a model as Tester ----------------------------------------------------------------------------

GOOD = {
    "why": "the last element is not in the maximum",
    "shape": "own",
    "inputs": [{"input": 0, "edits": [{"index": -1, "value": 200, "every_row": True}]}],
}


def test_a_model_writes_probes():
    model = Saying([{"probes": [GOOD, {**GOOD, "inputs": []}]}])
    attack = ModelTester(model).attack(challenge(shapes=("own", "N=3")))
    first, second = attack.probes
    assert first.inputs[0].edits[0].value == 200.0 and "maximum" in first.why
    assert second.inputs == () and attack.spend == PENNY and not attack.note
    (asked,) = model.asked
    assert SOURCE in asked and "`N=3`" in asked and "float32, shape [8, 100]" in asked


@pytest.mark.parametrize(
    "bad",
    [
        "x", 3, None, [], {"code": "import os"}, {**GOOD, "inputs": [{"input": "0"}]},
        {**GOOD, "inputs": [{"input": 0, "kind": "__import__"}]}, {**GOOD, "offset": 10**9},
        {**GOOD, "inputs": [{"input": 0, "edits": [{"index": 0, "value": "os.system"}]}]},
        {**GOOD, "inputs": [{"input": 0, "scale": 1e300}]}, {**GOOD, "shape": "a\nb"},
        {**GOOD, "inputs": [{"input": -1}]}, {**GOOD, "seed": 3},
    ],
)  # fmt: skip
def test_a_malformed_probe_costs_no_other(bad: object):
    attack = ModelTester(Saying([{"probes": [bad, GOOD]}])).attack(challenge())
    assert [p.inputs[0].input for p in attack.probes] == [0]
    assert attack.note.startswith("1 unusable: ") and "\n" not in attack.note


@pytest.mark.parametrize("said", ["", "no", "[]", '{"probes": 3}', '{"probe": []}', "{" * 5000])
def test_an_answer_that_is_none_is_sent_back_once(said: str):
    model = Saying([said, {"probes": [GOOD]}])
    attack = ModelTester(model).attack(challenge())
    assert len(attack.probes) == 1 and attack.spend == PENNY + PENNY
    attack = ModelTester(Saying([said, said])).attack(challenge())
    assert attack.probes == () and "no usable answer" in attack.note
    assert attack.spend == PENNY + PENNY


def test_no_answer_makes_it_raise_or_ask_too_much():
    draw = random.Random(7)
    scraps = [GOOD, {}, [], None, "nan", 1e400, -1, True, "\x00", "\ud800", {"input": 0}, 10**400]
    for _ in range(300):
        probes = [
            {key: draw.choice(scraps) for key in draw.sample(("why", "shape", "inputs", "offset",
             "seed"), 3)} if draw.random() < 0.8 else draw.choice(scraps)
            for _ in range(draw.randrange(20))
        ]  # fmt: skip
        said = json.dumps({"probes": probes})
        attack = ModelTester(Saying([said, said])).attack(challenge())
        assert len(attack.probes) <= MOST_PROBES
        assert all(Probe.from_json(p.to_json()) == p for p in attack.probes)


def test_the_schema_is_one_that_providers_enforce():
    body = json.dumps(schema_of(ProbeAnswer).body)
    assert '"additionalProperties": false' in body and '"default"' not in body
    assert schema_of(Answered).name == "testeranswer"


# -- the Auditor ----------------------------------------------------------------------------------


def test_a_model_audits_in_notes():
    said = {"suspicions": [
        {"kind": "caching", "line": 1, "reason": "keeps\nanswers", "confidence": 7.0},
        {"kind": "no work", "line": 99, "reason": "calls a library", "confidence": 0.25},
    ]}  # fmt: skip
    audit = ModelAuditor(Saying([said])).audit(TASK, Candidate("class ModelNew: ...\n"))
    one, two = (s.finding for s in audit.suspicions)
    assert one.severity == two.severity == "note" and one.code == "audit"
    assert one.message == "line 1: keeps answers (suspicion: caching, confidence 100%)"
    assert two.detail == {"class": "no work", "line": None, "confidence": 0.25}
    nothing = ModelAuditor(Saying(["?", '{"suspicions": [{"kind": "bad"}]}']))
    assert ModelAuditor(Saying([{"suspicions": []}])).audit(TASK, Candidate("x")).suspicions == ()
    assert "no usable answer" in nothing.audit(TASK, Candidate("x")).note


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("exec('x = 1')", "tampering"),
        ("import sys\nsys._getframe(1)", "memory"),
        ("import time\ntime.perf_counter = lambda: 0.0", "timing"),
        ("import torch\ntorch.allclose = print", "tampering"),
        ("def f(x):\n    try:\n        return g(x)\n    except Exception:\n"
         "        return torch.softmax(x, -1)", "no work"),
    ],
)  # fmt: skip
def test_static_rules_name_the_line(source: str, kind: str):
    (found,) = BuiltinAuditor().audit(TASK, Candidate(source)).suspicions
    assert found.kind == kind and found.line is not None


def test_ordinary_kernels_are_not_accused():
    source = "import torch\ndef f(x):\n    torch.backends\n    self.w = x.data_ptr()\n    return x"
    assert BuiltinAuditor().audit(TASK, Candidate(source)).suspicions == ()
    assert BuiltinAuditor().audit(TASK, Candidate("def (")).suspicions == ()


# -- hardening ------------------------------------------------------------------------------------

BREAKS = Probe(inputs=(InputPlan(0, "ties"),), seed=3, why="ties")


@dataclass
class Prober:
    inputs: tuple[InputFacts, ...] = INPUTS
    shapes: tuple[str, ...] = ("own",)


@dataclass
class Probed(FakeEvaluator):
    """Breaks the candidates of these speeds under `BREAKS`."""

    broken_speeds: tuple[float, ...] = ()
    learnt: list[Probe] = field(default_factory=list)
    probed: list[str] = field(default_factory=list)
    prober: Prober = field(default_factory=Prober)

    def learn(self, probes):
        self.learnt = list(probes)

    def probe(self, candidate, probes, *, seconds=None):
        self.probed.append(candidate.id)
        weak = any(f"SPEED = {s!r}" in candidate.source for s in self.broken_speeds)
        finding = Finding("wrong_value", f"{BREAKS.words}: it is wrong", detail={"wrong": 1})
        return tuple(
            Outcome(p, "broke", finding) if weak and p.id == BREAKS.id else Outcome(p, "stood")
            for p in probes
        )


class Ties:
    """A Tester that knows one trick."""

    def attack(self, challenge):
        return Attack((Probe(), BREAKS), "two ideas", PENNY)


class Silent:
    """A Tester that cannot be asked."""

    def attack(self, challenge):
        raise ModelError("gone", spend=PENNY)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KERNELWRIGHT_DATA", str(tmp_path / "data"))
    return tmp_path


def journal(log: EventLog, evaluator: FakeEvaluator) -> Journal:
    found = Journal(log, evaluator, Settings(), Watcher(), Event())
    if not found.state.run:
        found.record("run", "run", {"task": "scale", "task_hash": TASK.hash, "seed": 0,
                                    "language": "cpp"})  # fmt: skip
        found.decide("choose:1", lambda: {"parent": None})
    found.record("session", "1", {})
    return found


def test_a_champion_that_breaks_falls_and_the_case_lasts(data: Path):
    evaluator = Probed(broken_speeds=(3.0,))
    with EventLog(data / "run") as log:
        work = journal(log, evaluator)
        hardening = Hardening(TASK, work, evaluator, Watcher(), data / "run", Ties())
        slow = work.evaluate(Candidate(kernel(2.0)), 1, None, "slow")
        fast = work.evaluate(Candidate(kernel(3.0)), 1, None, "fast")
        assert work.state.champion is fast
        assert not hardening.attack(fast)
        assert work.state.champion is not None
        assert work.state.champion.candidate.id == slow.candidate.id
        assert [a.candidate.id for a in work.state.contenders()] == [slow.candidate.id]
        assert hardening.attack(slow) and evaluator.learnt == [BREAKS]
        decided = work.state.done[f"counterexample:{BREAKS.id}"]
        verdict = Verdict.from_json(decided["verdict"])
        assert (verdict.verdict, verdict.stage) == ("rejected", "correctness")
        assert BREAKS.words in verdict.errors[0].message
    assert casebook.known(TASK) == (BREAKS,)
    assert casebook.read(data / "run" / "counterexamples.json", TASK) == (BREAKS,)
    with EventLog(data / "run") as log:
        again = Probed()
        work = journal(log, again)
        hardening = Hardening(TASK, work, again, Watcher(), data / "run", Silent())
        hardening.take_up()
        assert again.learnt == [BREAKS]
        assert work.state.champion is not None
        assert hardening.attack(work.state.champion) and again.probed == []
        replayed = RunState.from_events(log.events(), log.candidates())
        assert replayed.champion is not None
        assert replayed.champion.candidate.id == slow.candidate.id


def test_a_tester_that_cannot_be_asked_breaks_nothing(data: Path):
    evaluator = Probed(broken_speeds=(3.0,))
    with EventLog(data / "run") as log:
        work = journal(log, evaluator)
        hardening = Hardening(TASK, work, evaluator, Watcher(), data / "run", Silent())
        fast = work.evaluate(Candidate(kernel(3.0)), 1, None, "fast")
        assert hardening.attack(fast) and work.state.champion is fast
        assert [e.data["error"] for e in log.events() if e.kind == "failed"] == ["gone"]


def test_attacks_are_counted_and_one_is_left_for_the_end(data: Path):
    evaluator = Probed()
    with EventLog(data / "run") as log:
        work = journal(log, evaluator)
        hardening = Hardening(TASK, work, evaluator, Watcher(), data / "run", Ties(), calls=2)
        found = []
        for speed in (2.0, 3.0, 4.0):
            found.append(work.evaluate(Candidate(kernel(speed)), 1, None, ""))
            hardening.turn(found[-1:])
        assert evaluator.probed == [found[0].candidate.id]
        assert hardening.attack(found[-1]) and len(evaluator.probed) == 2
        assert hardening.attack(found[1]) and len(evaluator.probed) == 2


def test_an_evaluator_that_knows_no_probes_is_left_alone(data: Path):
    with EventLog(data / "run") as log:
        work = journal(log, FakeEvaluator())
        hardening = Hardening(TASK, work, FakeEvaluator(), Watcher(), data / "run", Ties())
        hardening.take_up()
        fast = work.evaluate(Candidate(kernel(3.0)), 1, None, "")
        assert hardening.attack(fast)


def test_an_auditor_adds_notes_and_changes_no_verdict(data: Path):
    with EventLog(data / "run") as log:
        work = journal(log, FakeEvaluator())
        auditor = BuiltinAuditor()
        hardening = Hardening(TASK, work, FakeEvaluator(), Watcher(), data / "run", auditor=auditor)
        fast = work.evaluate(Candidate(kernel(3.0) + "exec('1')\n"), 1, None, "")
        verdict = hardening.audited(fast, fast.verdict)
        assert verdict.accepted and verdict.speedup == fast.verdict.speedup
        (note,) = verdict.findings
        assert note.code == "audit" and note.severity == "note"
        assert hardening.audited(fast, fast.verdict) == verdict
        assert sum(e.key.startswith("audit:") for e in log.events()) == 2


def test_a_search_publishes_what_no_tester_has_broken(data: Path):
    evaluator = Probed(broken_speeds=(3.0,))
    coder = ScriptedCoder([[kernel(2.0)], [kernel(3.0)]])
    settings = Settings(tune_trials=0, islands=1)
    outcome = optimize(
        TASK, evaluator, coder, EchoJudge(), settings, data / "run",
        tester=Ties(), auditor=BuiltinAuditor(),
    )  # fmt: skip
    assert outcome.champion is not None
    assert outcome.champion.attempt.candidate == Candidate(kernel(2.0))
    assert evaluator.learnt == [BREAKS]
    assert outcome.spent.by_role["tester"].usd == pytest.approx(0.02)
    probed = list(evaluator.probed)
    again = optimize(
        TASK, evaluator, coder, EchoJudge(), settings, data / "run", resume=True,
        tester=Ties(), auditor=BuiltinAuditor(),
    )  # fmt: skip
    assert again.champion is not None and evaluator.probed == probed
    assert again.champion.attempt.candidate == Candidate(kernel(2.0))
