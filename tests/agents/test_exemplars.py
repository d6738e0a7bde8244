"""Exemplars: honest kernels that the judge accepts, shown for other operators than their own."""

import ast
import re
from dataclasses import replace

import pytest

from kernelwright.agents.exemplars import Exemplar, exemplar, exemplars, families
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.evaluate import Evaluator
from kernelwright.tasks.load import load_task
from kernelwright.tasks.task import Task, TaskMeta

LANGUAGES = ("cpp", "cuda", "triton")
EVERY = [(language, e) for language in LANGUAGES for e in exemplars(language)]
SMALL = {
    "core/gated_residual": {"TOKENS": 9, "WIDTH": 37},
    "core/row_amax_scale": {"ROWS": 7, "COLS": 203},
    "core/l2_normalize": {"ROWS": 9, "WIDTH": 131},
    "core/matmul_transposed": {"M": 45, "N": 70, "K": 33},
    "core/log_sum_exp": {},
    "core/running_max": {"ROWS": 5, "COLS": 75},
    "core/embedding_bag_mean": {},
    "core/causal_conv1d_silu": {"BATCH": 2, "CHANNELS": 3, "TOKENS": 700, "TAPS": 4},
}
"""Sizes at which no loop comes out even."""
QUICK = ("core/gated_residual", "core/running_max", "core/matmul_transposed")


def task(category: str, source: str, name: str = "mine/op") -> Task:
    text = f"class Model:\n    def forward(self, x):\n        {source}\n"
    return Task(name, text, meta=TaskMeta(category=category))


def small(name: str) -> Task:
    """The task under another name, with small sizes."""
    whole = load_task(name)
    tree = ast.parse(whole.source)
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
            names = [t.id for t in node.targets[0].elts]
            old = [ast.literal_eval(v) for v in node.value.elts]
            new = [SMALL[name].get(n, v) for n, v in zip(names, old, strict=True)]
            node.value = ast.Tuple([ast.Constant(v) for v in new], ast.Load())
    meta = replace(whole.meta, shapes=(), hidden=(), operations=None, bytes_moved=None)
    return Task("other/operator", ast.unparse(ast.fix_missing_locations(tree)), meta=meta)


def test_there_are_enough():
    assert len(exemplars("cpp")) >= 6
    assert len(exemplars("cuda")) >= 3
    assert len(exemplars("triton")) >= 3
    assert {e.solves for e in exemplars("cpp")} == set(SMALL)


@pytest.mark.parametrize(("language", "one"), EVERY, ids=[f"{a}-{e.solves}" for a, e in EVERY])
def test_each_is_a_whole_small_file_without_its_head(language: str, one: Exemplar):
    candidate = Candidate(one.source, language)
    assert candidate.space, "it shows a tuning space"
    names = [n.name for n in ast.parse(one.source).body if isinstance(n, ast.ClassDef)]
    assert names == ["ModelNew"]
    assert len(one.source) < 4000
    assert not re.search(r"^# (families|solves|like)", one.source, re.M)
    assert one.source.startswith('"""' + one.operator)
    assert "$" not in one.source
    assert one.near(load_task(one.solves)), "it is never shown for the task that it solves"


@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in SMALL]
)
def test_the_judge_accepts_it(name: str):
    (one,) = (e for e in exemplars("cpp") if e.solves == name)
    with Evaluator(small(name)) as evaluator:
        verdict = evaluator.evaluate(Candidate(one.source))
    assert verdict.accepted, verdict.findings


@pytest.mark.parametrize(
    ("subject", "solves"),
    [
        (task("activation", "return x.tanh()"), "core/gated_residual"),
        (task("normalisation", "return F.layer_norm(x, (8,))"), "core/l2_normalize"),
        (task("attention", "return softmax(q @ k) @ v"), "core/log_sum_exp"),
        (task("uncategorised", "return torch.cumsum(x, 1)", "level1/89_op"), "core/running_max"),
        (task("uncategorised", "return nn.Linear(3, 4)(x)"), "core/matmul_transposed"),
        (task("uncategorised", "return x.amax(dim=1)"), "core/row_amax_scale"),
        (task("uncategorised", "return self.conv2d(x)"), "core/causal_conv1d_silu"),
        (task("uncategorised", "return table[ids]"), "core/embedding_bag_mean"),
        (task("uncategorised", "return x * 2"), "core/gated_residual"),
    ],
    ids=str,
)
def test_it_is_chosen_by_family(subject: Task, solves: str):
    found = exemplar(subject, "cpp")
    assert found is not None
    assert found.solves == solves, families(subject)


@pytest.mark.parametrize(
    "name",
    ["core/log_softmax", "core/cross_entropy", "core/cumsum", "core/running_max", "core/l2_normalize",
     "core/matmul_transposed", "core/gated_residual", "core/dilated_conv1d"],
)  # fmt: skip
def test_nobody_is_shown_the_solution_of_his_task(name: str):
    near = {"core/log_softmax": "core/log_sum_exp", "core/cross_entropy": "core/log_sum_exp",
            "core/cumsum": "core/running_max", "core/dilated_conv1d": "core/causal_conv1d_silu"}  # fmt: skip
    for language in LANGUAGES:
        found = exemplar(load_task(name), language)
        assert found is not None
        assert found.solves not in (name, near.get(name))


def test_a_language_without_exemplars_has_none():
    assert exemplar(task("reduction", "return x.sum()"), "fortran") is None
