"""Tasks that declare further shapes: one candidate that is right at all of them."""

from __future__ import annotations

import copy

import pytest
import torch

from kernelwright.agents.builtin import builtin
from kernelwright.agents.builtin.builtin import BuiltinCoder
from kernelwright.agents.builtin.plan import Choices
from kernelwright.agents.roles import Brief, NoIdea
from kernelwright.harness import inline_cpp
from kernelwright.harness.device import DeviceFacts
from kernelwright.tasks.load import list_suite, load_task
from kernelwright.tasks.reference import Reference
from kernelwright.tasks.task import Task, TaskMeta

FILE = """
import torch
import torch.nn as nn
import torch.nn.functional as F

ROWS, COLS, OUT = 16, 32, 24
{more}

class Model(nn.Module):
    def __init__(self{parameters}):
        super().__init__()
        {init}

    def forward(self, x, y=None):
        return {expression}


def get_inputs():
    return [{inputs}]


def get_init_inputs():
    return {arguments}
"""
ODD = ({"ROWS": 13, "COLS": 37}, {"ROWS": 1, "COLS": 7})


def make(
    expression: str,
    shapes=ODD,
    inputs="torch.randn(ROWS, COLS)",
    init="pass",
    parameters="",
    arguments="[]",
    more="",
) -> Task:
    text = FILE.format(
        expression=expression, inputs=inputs, init=init, parameters=parameters,
        arguments=arguments, more=more,
    )  # fmt: skip
    return Task("made", text, meta=TaskMeta(shapes=tuple(shapes)))


def propose(task: Task):
    device = DeviceFacts("cpu", "some CPU", 2, ("avx2", "avx512f"))
    return BuiltinCoder().propose(Brief(task, device, "cpp", 0, 7))


WIDE = {"parameters": ", width, out", "arguments": "[COLS, OUT]"}
IMAGES = {
    "inputs": "torch.randn(2, CHANNELS, SIZE, SIZE + 2)",
    "parameters": ", channels",
    "arguments": "[CHANNELS]",
    "more": "CHANNELS, SIZE = 16, 14",
}
HEADS = {"inputs": "*[torch.randn(1, 2, n, 16) for n in (ROWS, COLS)]"}

CASES = {
    "by inputs": make("torch.softmax(x, -1)"),
    "by arguments": make(
        "self.l(x)",
        ({"ROWS": 13, "COLS": 37}, {"COLS": 7}, {"ROWS": 5}),
        init="self.l = nn.LayerNorm(width)",
        **WIDE,
    ),
    "weights alone": make(
        "torch.relu(self.a(x))",
        ({"OUT": 33}, {"ROWS": 3, "COLS": 61, "OUT": 5}),
        init="self.a = nn.Linear(width, out)",
        **WIDE,
    ),
    "by keywords": make(
        "F.silu(self.a(x))",
        ({"COLS": 35},),
        init="self.a = nn.Linear(width, 9)",
        parameters=", width",
        arguments="{'width': COLS}",
    ),
    "constants": make(
        "x * self.c",
        init="self.c = torch.arange(16.0)[:, None]",
        shapes=({"COLS": 33}, {"COLS": 5}),
    ),
    "constants by arguments": make(
        "x + self.c", ({"COLS": 33},), init="self.c = torch.arange(float(width))", **WIDE
    ),
    "numbers": make("x * y", ({"ROWS": 3},), inputs="torch.randn(4, 5), ROWS"),
    "lookups": make(
        "self.e(x)",
        ({"ROWS": 3, "COLS": 19},),
        inputs="torch.randint(0, COLS, (ROWS,))",
        init="self.e = nn.Embedding(width, 11)",
        **WIDE,
    ),
    "attention": make("F.scaled_dot_product_attention(x, y, y)", ODD, **HEADS),
    "attention by hand": make("torch.softmax(x @ y.transpose(-2, -1) / 4, -1) @ y", ODD, **HEADS),
    "convolution": make(
        "F.relu(self.c(x))",
        ({"CHANNELS": 13, "SIZE": 9}, {"SIZE": 7}, {"CHANNELS": 1, "SIZE": 3}),
        init="self.c = nn.Conv2d(channels, channels, 3, padding=1)",
        **IMAGES,
    ),
    "depthwise": make(
        "F.hardswish(self.c(x))",
        ({"CHANNELS": 7, "SIZE": 11},),
        init="self.c = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)",
        **IMAGES,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_right_at_every_shape(name, checked):
    checked(CASES[name], kinds=("plain",))


@pytest.mark.parametrize("task", list_suite("core-mini"), ids=lambda task: task.name)
def test_core_tasks_are_right_at_the_shapes_that_they_declare(task, loaded, compared):
    try:
        proposal = propose(task)
    except NoIdea as none:
        pytest.skip(str(none))
    assert "refuses" not in proposal.note
    module = loaded(proposal.candidates[0].source)
    for shape in task.meta.shapes:
        compared(module, Reference(task, shape), ("plain", "strided", "offset", "special"))


@pytest.mark.parametrize("choices", [Choices(), Choices(share_rows=False)], ids=str)
def test_every_strategy_is_right_at_every_shape(choices, checked):
    task = make(
        "self.l(x).softmax(-1) @ y",
        inputs="torch.randn(ROWS, COLS), torch.randn(COLS, 5)",
        init="self.l = nn.LayerNorm(width)",
        **WIDE,
    )
    checked(task, choices, ("plain", "strided", "special"))


def test_the_file_is_deterministic():
    first = propose(CASES["by arguments"]).candidates
    builtin._traced_source.cache_clear()
    assert propose(CASES["by arguments"]).candidates == first


def test_the_tuning_space_is_that_of_the_timed_shape():
    task = make("torch.softmax(x, -1)", ({"ROWS": 900, "COLS": 333},))
    alone = propose(Task(task.name, task.source)).candidates[0].space
    together = propose(task).candidates[0].space
    assert alone.items() <= together.items()
    assert all(len(together[name]) == 1 for name in together.keys() - alone.keys())


def test_what_other_shapes_need_beside_it_is_not_tuned():
    """Own: few elements, one thread, no exponential. The other: many of both."""
    task = make("x.exp() if ROWS > 99 else x + 1", ({"ROWS": 900, "COLS": 333},))
    space = propose(task).candidates[0].space
    assert space["THREADS"] == (2,)
    assert len(space["EXP_DEGREE"]) == 1


def test_a_tuned_candidate_is_right_at_every_shape(loaded):
    candidate = propose(make("torch.softmax(x, -1)")).candidates[0]
    module = loaded(candidate.baked({"VEC": 8, "STASH": 0}).source)
    for shape in ((16, 32), (13, 37), (1, 7)):
        x = torch.randn(shape)
        assert torch.allclose(module.ModelNew()(x), x.softmax(-1), atol=1e-6)


def test_another_shape_is_built_when_it_is_used(loaded, monkeypatch):
    built = []

    def builder(source, flags):
        built.append(source)
        return inline_cpp.build_here(source, flags)

    monkeypatch.setattr(inline_cpp, "BUILDER", builder)
    model = loaded(propose(make("torch.softmax(x, -1)")).candidates[0].source).ModelNew()
    model(torch.randn(16, 32))
    assert len(built) == 1
    for _ in range(2):
        model(torch.randn(13, 37))
    assert len(built) == 2


def test_no_shape_beside_them_is_taken(loaded):
    by_inputs = loaded(propose(CASES["by inputs"]).candidates[0].source)
    with pytest.raises(ValueError, match=r"made for torch.float32 \[16, 32\] or .*\[13, 37\] or"):
        by_inputs.ModelNew()(torch.randn(3, 4))
    by_arguments = loaded(propose(CASES["by arguments"]).candidates[0].source)
    with pytest.raises(ValueError, match=r"made for torch.float32 \[16, 32\] or .*\[5, 32\] on"):
        by_arguments.ModelNew(32, 24)(torch.randn(13, 37))


def test_a_copy_keeps_its_shape(loaded):
    module = loaded(propose(CASES["by arguments"]).candidates[0].source)
    for width, x in ((32, torch.randn(16, 32)), (37, torch.randn(13, 37))):
        model = module.ModelNew(width, 24)
        torch.nn.init.ones_(model.get_parameter("l.weight"))
        again = copy.deepcopy(model)
        assert isinstance(again, module.ModelNew)
        assert torch.equal(again(x), model(x))
        assert torch.allclose(again(x), torch.layer_norm(x, (width,)), atol=1e-5)


@pytest.mark.parametrize(
    "task, reason",
    [
        (make("x + 1 if ROWS > 15 else torch.linalg.qr(x)[0]"), "linalg_qr"),
        (make("x + 1 if ROWS > 15 or x.sum() > 0 else -x"), "cannot trace"),
        (make("x + ROWS", ({"ROWS": 3},), inputs="torch.randn(4, 5)"), "tell it from"),
        (make("self.l(x)", init="self.l = nn.LayerNorm(COLS)"), "its weights"),
    ],
)
def test_a_shape_that_it_cannot_do_is_named_and_refused(task, reason, loaded):
    proposal = propose(task)
    assert "refuses the declared shape ROWS=" in proposal.note
    assert reason in proposal.note
    module = loaded(proposal.candidates[0].source)
    if reason != "tell it from":
        with pytest.raises(ValueError, match="made for"):
            module.ModelNew()(torch.randn(13, 37))


def test_steps_that_depend_on_each_other_are_not_written_out_one_by_one():
    with pytest.raises(NoIdea, match="has no loop over steps that depend on each other"):
        propose(load_task("core/gated_scan"))


def test_a_whole_reduction_is_not_divided_with_what_follows_it(checked):
    """The sum runs along the very loop that is shared among threads, in blocks of 4096."""
    task = make(
        "x - (x.square().sum() + y.sum()).abs().sqrt() * x, y * x.square().sum()",
        ({"ROWS": 61, "COLS": 131},),
        inputs="torch.randn(ROWS, COLS), torch.randn(77)",
    )
    checked(task, kinds=("plain", "offset"))
