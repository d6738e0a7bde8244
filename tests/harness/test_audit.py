"""The audit: planted weak tasks of each kind are found weak, sound ones sound; the cheap part refuses."""

import textwrap
import time
from dataclasses import replace

import pytest
import torch

from kernelwright.harness import answers, audit
from kernelwright.harness.answers import known_weak, refuse_weak, weakness
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.comparison import compare
from kernelwright.harness.evaluate import Evaluator
from kernelwright.harness.limited import TooLong, limited
from kernelwright.harness.oracle import Oracle
from kernelwright.tasks import audits
from kernelwright.tasks.audits import AuditRecord, MutantFound
from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.reference import Reference
from kernelwright.tasks.task import Task, TaskMeta


def task(
    body: str, inputs: str = "torch.randn(8, 64)", *, init: str = "pass", arguments: str = "x",
    **meta: object,
) -> Task:  # fmt: skip
    source = f"""import torch
class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
{textwrap.indent(init, " " * 8)}
    def forward(self, {arguments}):
{textwrap.indent(textwrap.dedent(body), " " * 8)}
def get_inputs():
    return [{inputs}]
"""
    return Task("planted", source, meta=TaskMeta(**meta))  # type: ignore[arg-type]


def oracle(planted: Task) -> Oracle:
    return Oracle(Reference(planted), 3)


def survivors(record: AuditRecord) -> set[str]:
    return {mutant.name for mutant in record.survivors}


WEAK = {
    "zero": (task("return torch.relu(x) - x.clamp_min(0)"), "zeros"),
    "constant": (task("return torch.softmax(x.mean(1, keepdim=True), 1)"), "one constant"),
    "identity": (
        task("return self.drop(x)", init="self.drop = torch.nn.Dropout(0.5)"),
        "input 0 passed through",
    ),
    "second input": (
        task("return y + 0 * x", "torch.randn(8, 64), torch.randn(8, 64)", arguments="x, y"),
        "input 1 passed through",
    ),
    "whole numbers": (task("return torch.zeros_like(x).long() + 3"), "one constant"),
}
"""Answers without work that pass for each."""


@pytest.mark.parametrize("kind", WEAK)
def test_what_needs_no_work_is_refused_at_once(kind: str):
    planted, answer = WEAK[kind]
    judge = oracle(planted)
    assert weakness(judge) == answer
    with pytest.raises(TaskError, match=f"planted is weak: {answer} passes every check") as error:
        refuse_weak(judge)
    assert "\n" not in str(error.value)
    record = audit.audit(planted)
    assert record.verdict == "weak" and answer in survivors(record)


def test_an_evaluator_refuses_a_weak_task():
    with pytest.raises(TaskError, match="planted is weak"), Evaluator(WEAK["constant"][0]):
        pass


def test_a_term_below_the_tolerance_is_found_with_its_line():
    planted = task("y = torch.tanh(x)\nreturn y + 1e-8 * torch.sin(x)")
    assert weakness(oracle(planted)) is None
    record = audit.audit(planted)
    assert record.verdict == "weak"
    dropped = next(m for m in record.survivors if m.name == "y + 1e-08 * torch.sin(x) -> y")
    assert dropped.kind == "source"
    assert planted.source.splitlines()[dropped.line - 1].strip() == "return y + 1e-8 * torch.sin(x)"
    assert record.mutants == record.killed + len(record.equivalent) + len(record.survivors)


def test_an_answer_that_does_not_depend_on_the_inputs_is_found():
    """Every draw of this task has the same answer, though inputs differ and it is no constant."""
    planted = task(
        "return self.w.expand(x.shape[0], 64) + 1e-9 * x.isfinite()",
        init="self.w = torch.nn.Parameter(torch.randn(64))",
    )
    record = audit.audit(planted)
    assert record.verdict == "weak"
    assert {"the output of other inputs", "the output of the previous call"} <= {
        m.name for m in (*record.survivors, *record.equivalent)
    }


def test_a_parameter_that_does_not_matter_is_found():
    planted = task(
        "return torch.tanh(x) * (1 + 1e-8 * self.bias)",
        init="self.bias = torch.nn.Parameter(torch.zeros(64))",
    )
    assert "bias -> all 0" in survivors(audit.audit(planted))


def test_an_input_that_does_not_matter_is_found():
    planted = task(
        "return torch.tanh(x) * (1 + 1e-9 * index)", "torch.randn(8, 64), torch.randint(9, (64,))",
        arguments="x, index",
    )  # fmt: skip
    assert "input 1 -> all 0" in survivors(audit.audit(planted))


@pytest.mark.parametrize(
    "planted",
    [
        task("return torch.nn.functional.gelu(x * 0.5 + 1.25)"),
        task("return self.norm(x)", init="self.norm = torch.nn.LayerNorm(64)"),
        task("return self.layers(x)", init="self.layers = torch.nn.Sequential(\n"
             "    torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 64))"),
        task("return torch.argmax(x, -1)"),
        task("return (x > 0.5) & (x < 1.5)"),
        task("return table[index]", "torch.randn(8, 64), torch.randint(8, (64,))",
             arguments="table, index"),
        task("return torch.sigmoid(x) * x", "torch.randn(8, 64).bfloat16()"),
        task("return torch.sin(x) * x", "torch.randn(8, 64).double()"),
        task("return torch.relu(x), x.clone()"),
        task("return x.mean(1, keepdim=True).expand(8, 64).clone()"),
        task("return torch.tanh(x * self.w)", backward=True,
             init="self.w = torch.nn.Parameter(torch.ones(64))"),
    ],
    ids=["pointwise", "norm", "sequential", "integers", "truths", "gather", "bf16", "fp64",
         "copy beside work", "equal rows", "backward"],
)  # fmt: skip
def test_sound_tasks_are_sound(planted: Task):
    assert weakness(oracle(planted)) is None
    record = audit.audit(planted)
    assert record.verdict == "sound", survivors(record)
    assert record.killed >= 5 and record.left_out == 0


def test_dead_code_and_identities_are_equivalent_not_weak():
    planted = task(
        "unused = x * 3\nreturn torch.tanh(self.drop(x)) + (x - x.clone()).nan_to_num(0, 0, 0)",
        init="self.drop = torch.nn.Dropout(0.1)",
    )
    record = audit.audit(planted)
    same = {m.name for m in record.equivalent}
    assert {"x * 3 -> x", "self.drop(x) -> x", "drop -> Identity", "x.clone() -> x"} <= same
    assert record.verdict == "sound", survivors(record)


def test_equal_seeds_give_equal_results():
    planted = task("return torch.tanh(x * 1.0000001)")
    one, same = audit.audit(planted, seed=5), audit.audit(planted, seed=5)
    assert one == same and one.survivors


def test_a_reference_that_fails_its_own_checks_is_no_sound_task(monkeypatch: pytest.MonkeyPatch):
    """Every mutant of it would be killed, and that would mean nothing."""
    monkeypatch.setattr(audit._Bench, "_rejected", lambda *_: True)
    with pytest.raises(TaskError, match="gives other answers"):
        audit.audit(task("return torch.tanh(x)"))


def test_state_that_no_kernel_is_given_makes_a_task_weak():
    """Eager and float64 disagree as much as two draws of it, and so much is then forgiven."""
    planted = task(
        "return x * self.secret",
        init="self.register_buffer('secret', torch.randn(64), persistent=False)",
    )
    assert weakness(oracle(planted)) == "zeros"


def test_what_is_left_out_is_said():
    planted = task("return torch.tanh(x * 3 + 1)")
    whole = audit.audit(planted)
    few = audit.audit(planted, most_mutants=4)
    assert few.mutants == 4 and few.left_out == whole.mutants - 4
    hurried = audit.audit(planted, seconds=0.0)
    assert hurried.mutants == 1 and hurried.left_out == whole.mutants - 1


def test_a_mutant_that_never_ends_is_killed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(audit, "_MUTANT_SECONDS", 0.2)
    planted = task("i = 0\nwhile i < 3:\n    x = torch.tanh(x) * 1.5\n    i += 1\nreturn x")
    record = audit.audit(planted)
    assert record.verdict == "sound", survivors(record)


def test_waiting_for_the_processor_is_no_endless_loop() -> None:
    with limited(0.05):
        time.sleep(0.1)
    with pytest.raises(TooLong), limited(0.02):
        time.sleep(5)
    with pytest.raises(TooLong), limited(0.02):
        while True:
            pass


def test_a_reference_that_fails_before_its_own_judge_is_told_where() -> None:
    planted = task(
        "return torch.tanh(x) if x.is_contiguous() else torch.tanh(x) + 0.1",
        "torch.randn(2, 3, 4, 5)",
    )
    with pytest.raises(TaskError, match=r"answers inputs 'permuted' outside the error budget"):
        audit.audit(planted)


def test_the_short_way_to_wrong_is_that_of_the_judge() -> None:
    judge = oracle(task("return torch.tanh(x * 3 + 1)"))
    seen = set()
    for case in judge.cases():
        for answer in [answers.Answer("right", answers.right), *answers.answers(judge)]:
            outputs = answer.make(case)
            if outputs is None:
                continue
            for given in (outputs, [outputs[0][..., :-1]], [outputs[0].double()], []):
                found = answers.wrong(case, given)
                assert found == (compare(case, given) is not None)
                seen.add(found)
    assert seen == {False, True}


def test_the_reference_and_the_random_state_stay_as_they_were():
    planted = task("return x * self.w", init="self.w = torch.nn.Parameter(torch.ones(64))")
    bench = audit._Bench(planted, 1)
    before = torch.random.get_rng_state()
    inputs = [v.clone() for v in bench.oracle.own.inputs if isinstance(v, torch.Tensor)]
    for mutant in bench.mutants():
        bench.fate(mutant)
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(map(torch.equal, inputs, bench.oracle.own.inputs))


def test_the_right_answer_passes_and_any_class_below_fails():
    judge = oracle(task("return torch.tanh(x)"))
    cases = judge.cases()
    assert answers.passes(answers.Answer("right", answers.right), cases)
    for name in ("bf16", "tf32"):
        coarse = answers.Answer(name, lambda case, name=name: answers._rounded(case, name))  # type: ignore[misc]
        assert not answers.passes(coarse, cases)


def test_tf32_keeps_ten_bits():
    value = torch.tensor([1 + 2.0**-10, 1 + 2.0**-12, 1 + 2.0**-11 + 2.0**-13, float("inf")])
    assert answers._round(value, "tf32").tolist() == [1 + 2.0**-10, 1.0, 1 + 2.0**-10, float("inf")]


def test_verdicts_on_a_task_known_as_weak_carry_a_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
):
    monkeypatch.setenv("KERNELWRIGHT_CACHE", str(tmp_path_factory.mktemp("audits")))
    planted = task("return torch.tanh(x)")
    assert known_weak(planted) == ()
    mutant = MutantFound("y -> x", "source", 3)
    record = AuditRecord(
        "planted", planted.hash, "weak", 9, 8, (), (mutant,), 0, 0, "2026-01-01"
    )  # fmt: skip
    audits.keep(record)
    (finding,) = known_weak(planted)
    assert (finding.code, finding.severity) == ("weak_task", "warning")
    assert "y -> x" in finding.message
    assert known_weak(replace(planted, source=planted.source + "\n")) == (), (
        "a stale entry is ignored"
    )
    with Evaluator(planted, threads=1) as evaluator:
        verdict = evaluator.evaluate(Candidate("no python"))
    assert [(f.code, f.severity) for f in verdict.findings] == [
        ("syntax_error", "error"), ("weak_task", "warning"),
    ], "the reason for a rejection comes first"  # fmt: skip
    audits.keep(replace(record, verdict="sound", survivors=()))
    assert known_weak(planted) == ()
