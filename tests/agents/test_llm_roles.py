"""Coder and Judge played by a model: what they ask, what they make of the answer, what it costs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from search_fakes import CPU, TASK, FakeEvaluator, kernel

from kernelwright.agents import briefing
from kernelwright.agents.llm_roles import JudgeAnswer, ModelCoder, ModelJudge
from kernelwright.agents.models.base import Message, ModelError, Reply, Schema
from kernelwright.agents.roles import Advice, Attempt, Brief, Spend
from kernelwright.agents.strategies import catalogue
from kernelwright.agents.structured import read, schema_of
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.verdict import Finding, Roofline, Speedup, Verdict
from kernelwright.tasks.errors import UsageError

PENNY = Spend(0.01, 100, 10)
ADVICE = {"cause": "two passes", "change": "fuse them", "predicted_gain": 1.5}


@dataclass
class Scripted:
    """A model that answers from a list."""

    answers: list[str | Exception]
    spec: str = "scripted"
    asked: list[tuple[str, tuple[Message, ...]]] = field(default_factory=list)
    stop: str = "end"
    schemas: list[Schema | None] = field(default_factory=list)

    def ask(self, messages: Sequence[Message], *, label: str, schema=None, meter=None) -> Reply:
        self.asked.append((label, tuple(messages)))
        self.schemas.append(schema)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return Reply(answer, self.stop, spend=PENNY)


def attempt(speed=1.5, **settings) -> Attempt:
    candidate = Candidate(kernel(speed, **settings))
    return Attempt(candidate, FakeEvaluator().evaluate(candidate), 1, None, "first")


def brief(**changes) -> Brief:
    return Brief(
        **{"task": TASK, "device": CPU, "language": "cpp", "round": 2, "seed": 0} | changes
    )


def test_the_coder_returns_the_file():
    model = Scripted([f"NOTE: tiled\n```python\n{kernel(1.0)}```"])
    proposal = ModelCoder(model).propose(brief())
    assert proposal.note == "tiled"
    assert proposal.spend == PENNY
    assert [c.language for c in proposal.candidates] == ["cpp"]
    assert proposal.candidates[0].source.strip() == kernel(1.0).strip()
    assert model.asked[0][0] == "propose:2"


@pytest.mark.parametrize(
    ("answer", "stop", "why"),
    [
        ("no", "end", "no file"),
        ("```python\nclass", "length", "cut off"),
        ("no!", "refused", "no!"),
    ],
)
def test_an_unusable_answer_is_sent_back_once_charged_and_explained(answer, stop, why):
    asked = 1 if stop == "refused" else 2
    model = Scripted([answer] * asked, stop=stop)
    proposal = ModelCoder(model).propose(brief())
    assert proposal.candidates == ()
    assert why in proposal.note
    assert proposal.spend == sum([PENNY] * (asked - 1), PENNY)
    assert [label for label, _ in model.asked] == ["propose:2", "propose:2:repair"][:asked]
    if asked == 2:
        assert why in model.asked[1][1][-1].text


def test_a_mended_answer_counts():
    model = Scripted(["Which file?", f"NOTE: here\n```python\n{kernel(1.0)}```"])
    proposal = ModelCoder(model).propose(brief())
    assert [c.source.strip() for c in proposal.candidates] == [kernel(1.0).strip()]
    assert (proposal.note, proposal.spend) == ("here", PENNY + PENNY)
    assert [m.role for m in model.asked[1][1]] == ["system", "user", "assistant", "user"]


def test_a_failed_repair_of_a_file_does_not_lose_what_was_spent():
    model = Scripted(["", ModelError("down", spend=Spend(0.02, 1, 1))])
    with pytest.raises(ModelError) as caught:
        ModelCoder(model).propose(brief())
    assert caught.value.spend == Spend(0.03, 101, 11)
    assert model.asked[1][1][2].text == "(nothing)", "providers take no empty messages"


def test_half_a_file_is_no_candidate_and_a_whole_one_is():
    half = "```python\nclass ModelNew:\n    def forward(self, x"
    model = Scripted([half, f"```python\n{kernel(1.0)}```\nand so"], stop="length")
    assert len(ModelCoder(model).propose(brief()).candidates) == 1
    assert len(model.asked) == 2
    model = Scripted([half], stop="end")
    assert len(ModelCoder(model).propose(brief()).candidates) == 1, "the harness says what is wrong"


def test_a_long_answer_is_not_sent_back_whole():
    model = Scripted(["a" + "x" * 100_000 + "z", "no"])
    ModelCoder(model).propose(brief())
    echoed = model.asked[1][1][2].text
    assert len(echoed) < 10_000
    assert (echoed[0], echoed[-1]) == ("a", "z")


def test_changes_to_the_parent_are_an_answer():
    parent = attempt(1.5)
    diff = "```diff\n@@ -1,2 +1,2 @@\n-SPEED = 1.5\n+SPEED = 1.75\n FAILS = ''\n```"
    (found,) = ModelCoder(Scripted([diff])).propose(brief(parent=parent)).candidates
    assert found.source.strip() == parent.candidate.source.replace("1.5", "1.75", 1).strip()


def test_several_candidates_in_one_answer():
    answer = "".join(f"NOTE: n\n```python\n{kernel(speed)}```\n" for speed in (1.1, 1.2, 1.3))
    found = ModelCoder(Scripted([answer]), candidates=2).propose(brief()).candidates
    assert [c.source.strip() for c in found] == [kernel(1.2).strip(), kernel(1.3).strip()]


def test_the_front_of_a_turn_is_the_same_in_every_turn():
    fronts = set()
    for round, parent in ((1, None), (2, attempt(1.5)), (3, attempt(1.0, fails="build"))):
        model = Scripted(["no", "no"])
        history = (parent,) if parent else ()
        ModelCoder(model).propose(brief(round=round, parent=parent, history=history))
        turn = model.asked[0][1][1]
        assert 0 < turn.stable < len(turn.text)
        fronts.add(turn.text[: turn.stable])
    (front,) = fronts
    for part in (TASK.source.strip(), "test cpu", "cpp("):
        assert part in front


def test_the_coder_is_told_what_it_needs():
    parent = attempt(1.5, V=[1, 2])
    failed = attempt(1.0, fails="build")
    advice = Advice("optimize", "two passes", "fuse them", 1.5)
    model = Scripted(["no", "no"])
    ModelCoder(model).propose(brief(parent=parent, advice=advice, history=(parent, failed)))
    system, user = (m.text for m in model.asked[0][1])
    for part in (TASK.source.strip(), "test cpu", "avx2", "from kernelwright.inline import cpp, tuned",
                 parent.candidate.source.strip(), "1.51x", "Change: fuse them", "1.50x",
                 "rejected at build: wrong", "`" + failed.candidate.id + "`"):  # fmt: skip
        assert part in user, part
    assert "ModelNew" in system
    assert "$" not in user


def test_the_format_that_the_coder_is_shown_is_a_candidate():
    text = briefing.prompt("languages/cpp")
    source = text.split("```python\n")[1].split("```\n")[0]
    assert Candidate(source).space == {"UNROLL": (4, 8), "THREADS": (2, 1)}


def test_a_language_without_a_format_is_a_usage_error():
    with pytest.raises(UsageError, match=r"fortran.*cpp"):
        ModelCoder(Scripted([])).propose(brief(language="fortran"))


@pytest.mark.parametrize("fails", ["", "correctness"])
def test_the_judge_gives_advice(fails):
    model = Scripted([json.dumps(ADVICE)])
    advice = ModelJudge(model).advise(brief(), attempt(fails=fails))
    kind = "correct" if fails else "optimize"
    gain = None if fails else 1.5  # a correction promises nothing
    assert advice == Advice(kind, "two passes", "fuse them", gain, spend=PENNY)
    assert model.asked[0][0] == "judge:2"
    assert ("fails at correctness" in model.asked[0][1][1].text) == bool(fails)


FULL = {
    **ADVICE,
    "metrics": ["21% of the floor", " ", "0.4 ms", "c", "d", "e"],
    "bottleneck": "memory",
    "strategy": " `Fuse` ",
}


def test_the_judge_names_metrics_a_bottleneck_and_a_strategy_on_offer():
    offered = tuple(s for s in catalogue("cpp") if s.name in ("fuse", "layout"))
    advice = ModelJudge(Scripted([json.dumps(FULL)])).advise(brief(strategies=offered), attempt())
    assert advice.metrics == ("21% of the floor", "0.4 ms", "c", "d")
    assert advice.directive == {"bottleneck": "memory"}
    assert advice.strategy == "fuse"
    assert advice.predicted_gain == 1.5


@pytest.mark.parametrize("named", ["vectorise", "none", "", None])
def test_a_strategy_that_was_not_offered_is_none(named):
    offered = tuple(s for s in catalogue("cpp") if s.name == "fuse")
    model = Scripted([json.dumps({**FULL, "strategy": named})])
    advice = ModelJudge(model).advise(brief(strategies=offered), attempt())
    assert advice.strategy is None
    assert advice.change == "fuse them"


def test_what_the_judge_leaves_open_is_null():
    said = json.dumps({**ADVICE, "metrics": None, "bottleneck": None, "strategy": None})
    advice = ModelJudge(Scripted([said])).advise(brief(), attempt())
    assert (advice.metrics, advice.directive, advice.strategy) == ((), {}, None)


@pytest.mark.parametrize(
    ("field", "value"), [("bottleneck", "speed"), ("metrics", "one"), ("strategy", 3)]
)
def test_answers_of_another_shape_are_sent_back(field, value):
    model = Scripted([json.dumps({**FULL, field: value}), json.dumps(FULL)])
    assert ModelJudge(model).advise(brief(), attempt()).change == "fuse them"
    assert f'"{field}' in model.asked[1][1][-1].text


def test_each_mode_of_the_judge_has_its_prompt_and_its_form():
    model = Scripted([json.dumps(ADVICE)] * 2)
    ModelJudge(model).advise(brief(), attempt())
    ModelJudge(model).advise(brief(), attempt(fails="correctness"))
    assert [s and s.name for s in model.schemas] == ["judgeanswer", "correction"]
    optimize, correct = (talk[0].text for _, talk in model.asked)
    assert "exactly one bottleneck" in optimize
    assert "least change that mends it" in correct


def test_a_patch_that_does_not_fit_is_told_why():
    parent = attempt(1.5)
    patch = "```\n<<<<<<< SEARCH\nSPEED = 9.9\n=======\nSPEED = 2.0\n>>>>>>> REPLACE\n```"
    model = Scripted([patch, patch.replace("9.9", "1.5")])
    (found,) = ModelCoder(model).propose(brief(parent=parent)).candidates
    assert "'SPEED = 9.9' do not stand exactly once in the parent" in model.asked[1][1][-1].text
    assert "SPEED = 2.0" in found.source


def test_a_long_note_is_cut_between_words():
    long = "NOTE: " + "word " * 200
    model = Scripted([f"{long}\n```python\n{kernel(1.0)}```"])
    said = ModelCoder(model).propose(brief()).note
    assert said.endswith("word…")
    assert 300 < len(said) <= 400


def test_an_answer_that_is_no_advice_is_sent_back_once():
    model = Scripted(["I think it is slow.", json.dumps(ADVICE)])
    advice = ModelJudge(model).advise(brief(), attempt())
    assert advice.change == "fuse them"
    assert advice.spend == PENNY + PENNY
    (_, first), (label, second) = model.asked
    assert label == "judge:2:repair"
    assert second[: len(first)] == first
    assert [m.role for m in second] == ["system", "user", "assistant", "user"]
    assert "no JSON object" in second[-1].text


def test_advice_that_stays_unusable_is_charged_and_says_nothing():
    model = Scripted(["no", '{"cause": 3}'])
    advice = ModelJudge(model).advise(brief(), attempt())
    assert advice.change == ""
    assert '"cause": Input should be a valid string' in advice.cause
    assert advice.spend == PENNY + PENNY
    assert briefing.advice_section(advice) == ""


def test_a_failed_repair_does_not_lose_what_was_spent():
    model = Scripted(["no", ModelError("down", retryable=True, spend=Spend(0.02, 1, 1))])
    with pytest.raises(ModelError) as caught:
        ModelJudge(model).advise(brief(), attempt())
    assert caught.value.spend == Spend(0.03, 101, 11)


@pytest.mark.parametrize("gain", [0, -1, True, "fast", [1], float("inf"), float("nan"), 1e9])
def test_gains_that_are_none(gain):
    data, fault = read(Reply(json.dumps({**ADVICE, "predicted_gain": gain})), JudgeAnswer)
    assert data is None
    assert "predicted_gain" in fault


def test_gain_may_be_left_out():
    data, fault = read(Reply('{"cause": "a", "change": " b ", "more": 3}'), JudgeAnswer)
    assert (data, fault) == (JudgeAnswer(cause="a", change="b"), "")


def test_advice_is_asked_for_by_a_schema_that_providers_enforce():
    assert schema_of(JudgeAnswer).body == {
        "description": "What the Judge is asked for.",
        "type": "object",
        "properties": {
            "metrics": {
                "anyOf": [{"items": {"type": "string"}, "type": "array"}, {"type": "null"}]
            },
            "bottleneck": {
                "anyOf": [
                    {"enum": ["memory", "compute", "latency", "overhead"], "type": "string"},
                    {"type": "null"},
                ]
            },
            "cause": {"type": "string"},
            "change": {"type": "string"},
            "strategy": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "predicted_gain": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        },
        "required": ["metrics", "bottleneck", "cause", "change", "strategy", "predicted_gain"],
        "additionalProperties": False,
    }
    model = Scripted(["no", json.dumps(ADVICE)])
    ModelJudge(model).advise(brief(), attempt())
    assert [schema.name for schema in model.schemas] == ["judgeanswer"] * 2


def test_advice_that_is_declined_is_not_asked_for_again():
    model = Scripted(["I will not"], stop="refused")
    advice = ModelJudge(model).advise(brief(), attempt())
    assert (advice.change, advice.spend) == ("", PENNY)
    assert "declined: I will not" in advice.cause


def test_advice_that_was_cut_off_is_asked_for_again():
    model = Scripted(['{"cause": "slo', json.dumps(ADVICE)], stop="length")
    assert ModelJudge(model).advise(brief(), attempt()).change == "fuse them"
    assert "cut off" in model.asked[1][1][-1].text


def test_a_verdict_in_words():
    said = briefing.verdict(
        Verdict("accepted", "done", (Finding("spill", "uses the stack", "note"),), "custom",
                time_ms={"candidate": 0.5, "compile": None},
                speedup={"eager": Speedup(2.0, 1.9, 2.1, 40), "compile": None},
                roofline=Roofline("memory", 0.71), counters={"l1_misses": 12, "deep": {}})
    )  # fmt: skip
    for part in ("custom", "2.00x (95% interval 1.90 to 2.10)", "0.5 ms", "71% of the memory",
                 "l1_misses: 12", "note spill: uses the stack"):  # fmt: skip
        assert part in said
    assert "compile" not in said
    assert "deep" not in said


def test_long_findings_are_cut_in_the_middle():
    long = "first line\n" + "x" * 100_000 + "\nlast line"
    said = briefing.verdict(Verdict("rejected", "build", (Finding("compile", long),)))
    assert "first line" in said
    assert "last line" in said
    assert len(said) < 2000


def test_the_table_is_short_and_keeps_the_best():
    speeds = [1.0, 3.0, *(1.0 + i / 100 for i in range(1, 58))]
    tried = [replace(attempt(s), round=i, note=f"n{i}") for i, s in enumerate(speeds, 1)]
    table = briefing.history_section(tried).splitlines()
    assert len([row for row in table if row.startswith("| ")]) <= briefing.SHOWN + 3
    assert any("3.00x, low end" in row for row in table)
    assert any("n59" in row for row in table)


def test_tuned_attempts_stand_with_their_origin():
    first = attempt(1.5, V=[1, 20])
    baked = first.candidate.baked({"V": 20})
    tuned = Attempt(baked, FakeEvaluator().evaluate(baked), 1, first.candidate.id, "", {"V": 20})
    table = briefing.history_section([first, tuned])
    assert "1.70x, low end 1.68x, tuned V=20 (best of 2 choices)" in table
    assert baked.id not in table
