"""The built-in Coder and Judge: what they propose, in what order, and what they say when they stop."""

from __future__ import annotations

import pytest

from kernelwright.agents.builtin.builtin import BuiltinCoder, BuiltinJudge, explain
from kernelwright.agents.builtin.strategy import name_of
from kernelwright.agents.roles import Advice, Attempt, Brief, NoIdea
from kernelwright.harness.device import DeviceFacts
from kernelwright.harness.verdict import Finding, Roofline, Verdict

DEVICE = DeviceFacts("cpu", "some CPU", 2, ("avx2", "avx512f"))


def brief(task, history=(), advice=None, language="cpp"):
    return Brief(task, DEVICE, language, len(history), 7, history=tuple(history), advice=advice)


def attempt(candidate, verdict=None):
    return Attempt(candidate, verdict or Verdict("accepted", "done"), 0)


def all_proposals(task):
    history, coder = [], BuiltinCoder()
    while True:
        try:
            proposal = coder.propose(brief(task, history))
        except NoIdea as end:
            return history, str(end)
        history += [attempt(c) for c in proposal.candidates]
        assert len(history) < 20


def test_candidates_are_deterministic(a_task):
    task = a_task("torch.softmax(x, -1)", "torch.randn(9, 33)")
    first = BuiltinCoder().propose(brief(task)).candidates
    from kernelwright.agents.builtin import builtin

    builtin._traced_source.cache_clear()
    again = BuiltinCoder().propose(brief(task)).candidates
    assert [c.space for c in first] == [c.space for c in again]
    assert len(first) == len(again) == 1
    assert first[0].source == again[0].source


def test_no_candidate_comes_twice_and_it_ends(a_task):
    task = a_task("self.l(x)", "torch.randn(9, 33)", "self.l = nn.LayerNorm(33)")
    history, end = all_proposals(task)
    assert len(history) >= 2
    assert len({a.candidate.normalised for a in history}) == len(history)
    assert "tried all" in end


def test_a_tuned_candidate_counts_as_tried(a_task):
    task = a_task("torch.softmax(x, -1)", "torch.randn(900, 33)")
    first = BuiltinCoder().propose(brief(task)).candidates[0]
    name, values = next((n, v) for n, v in first.space.items() if len(v) > 1)
    baked = first.baked({name: values[1]})
    second = BuiltinCoder().propose(brief(task, [attempt(baked)])).candidates[0]
    assert name_of(second) != name_of(first)


def test_the_tuning_space_is_declared(a_task):
    task = a_task("torch.softmax(x, -1)", "torch.randn(900, 333)")
    space = BuiltinCoder().propose(brief(task)).candidates[0].space
    assert space["VEC"][0] == 16
    assert {"THREADS", "UNROLL", "EXP_DEGREE"} <= space.keys()
    assert "KC" not in space


@pytest.mark.parametrize("expression, operator", [
    ("torch.fft.rfft(x).abs()", "_fft_r2c"),
    ("torch.linalg.qr(x)[0]", "linalg_qr"),
    ("torch.sort(x)[0]", "sort"),
])  # fmt: skip
def test_what_stops_it_is_named(a_task, expression, operator):
    with pytest.raises(NoIdea, match=operator) as caught:
        BuiltinCoder().propose(brief(a_task(expression, "torch.randn(8, 8)")))
    assert "--model openai:NAME" in str(caught.value)


def test_control_flow_on_values_is_no_idea(a_task):
    task = a_task("x if x.sum() > 0 else -x", "torch.randn(8, 8)")
    with pytest.raises(NoIdea, match="cannot trace"):
        BuiltinCoder().propose(brief(task))


def test_other_languages_are_no_idea(a_task):
    with pytest.raises(NoIdea, match="fortran"):
        BuiltinCoder().propose(brief(a_task("x + 1", "torch.randn(3)"), language="fortran"))


def test_a_random_constant_cannot_be_known(a_task):
    task = a_task("x + self.c", "torch.randn(3)", "self.c = torch.randn(3)")
    with pytest.raises(NoIdea, match="random"):
        BuiltinCoder().propose(brief(task))


def test_a_failed_strategy_is_left_out(a_task):
    task = a_task("torch.relu(x @ y)", "torch.randn(9, 33), torch.randn(33, 20)")
    first = BuiltinCoder().propose(brief(task)).candidates[0]
    rejected = Verdict("rejected", "build", (Finding("build_failed", "no such type"),))
    advice = BuiltinJudge().advise(brief(task), attempt(first, rejected))
    assert advice.kind == "correct"
    assert advice.directive["drop"] == [name_of(first)]
    second = BuiltinCoder().propose(brief(task, [attempt(first, rejected)], advice)).candidates[0]
    assert name_of(second) not in (None, name_of(first))


def test_inaccuracy_asks_for_the_precise_strategy(a_task):
    task = a_task("torch.softmax(x, -1)", "torch.randn(9, 33)")
    first = BuiltinCoder().propose(brief(task)).candidates[0]
    rejected = Verdict("rejected", "correctness", (Finding("precision", "off by 1e-3"),))
    advice = BuiltinJudge().advise(brief(task), attempt(first, rejected))
    assert advice.directive["precise"] is True
    second = BuiltinCoder().propose(brief(task, [attempt(first, rejected)], advice)).candidates[0]
    assert name_of(second) == "precise"
    assert second.space.get("EXP_DEGREE") == (6,)


def test_optimization_advice_names_what_binds(a_task):
    task = a_task("self.l(x)", "torch.randn(9, 300)", "self.l = nn.LayerNorm(300)")
    first = BuiltinCoder().propose(brief(task)).candidates[0]
    done = Verdict("accepted", "done", roofline=Roofline("memory", 0.4))
    advice = BuiltinJudge().advise(brief(task), attempt(first, done))
    assert advice.kind == "optimize"
    assert "memory" in advice.cause and "40%" in advice.cause
    wanted = advice.directive["strategy"]
    second = BuiltinCoder().propose(brief(task, [attempt(first, done)], advice)).candidates[0]
    assert name_of(second) == wanted


def test_advice_that_names_nothing_known_is_survived(a_task):
    task = a_task("x + 1", "torch.randn(3)")
    advice = Advice("optimize", "", "", directive={"strategy": "no such thing"})
    assert BuiltinCoder().propose(brief(task, advice=advice)).candidates


def test_explain_names_kernels(a_task):
    text = explain(a_task("torch.relu(x @ y).sum(0)", "torch.randn(9, 33), torch.randn(33, 20)"))
    assert "aten.mm" in text
    assert "kernel" in text
