"""What these tests share: tasks made of an expression, candidates run in this process."""

from __future__ import annotations

import types
from collections.abc import Callable

import pytest
import torch

from kernelwright.agents.builtin.compile import compile_traced
from kernelwright.agents.builtin.plan import Choices
from kernelwright.agents.builtin.trace import trace
from kernelwright.tasks.reference import Reference
from kernelwright.tasks.task import Task

FILE = """
import math
import torch
import torch.nn as nn
import torch.nn.functional as F


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        {init}

    def forward(self, x, y=None, z=None):
        return {expression}


def get_inputs():
    return [{inputs}]
"""


def make_task(expression: str, inputs: str, init: str = "pass") -> Task:
    return Task("made", FILE.format(expression=expression, inputs=inputs, init=init))


def load_candidate(text: str) -> types.ModuleType:
    module = types.ModuleType("candidate")
    exec(compile(text, "<candidate>", "exec"), vars(module))
    return module


def flat(value: object) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [t for item in value for t in flat(item)] if isinstance(value, list | tuple) else []


TOLERANCE = {torch.float32: 3e-5, torch.float64: 1e-12, torch.bfloat16: 1.6e-2, torch.float16: 2e-3}


def assert_like(found: torch.Tensor, wanted: torch.Tensor, eager: torch.Tensor) -> None:
    """`found` is as near to the float64 result as 4 times eager's error and the dtype's budget allow."""
    assert found.shape == eager.shape
    assert found.dtype == eager.dtype
    if not found.is_floating_point():
        assert torch.equal(found, eager)
        return
    a, b, e = found.double(), wanted.double(), eager.double()
    free = b.isfinite() != e.isfinite()
    same = (a == b) | (a.isnan() & b.isnan())
    finite = b.isfinite()
    clean = torch.where(finite, b, 0.0)
    rms = clean.square().mean().sqrt() if b.numel() else 0.0
    theirs = torch.where(finite & ~free, (e - b).abs(), 0.0)
    budget = TOLERANCE[found.dtype] * (clean.abs() + rms) + 4 * (theirs.max() if b.numel() else 0)
    right = torch.where(finite, (a - clean).abs() <= budget + 1e-8, same) | free
    assert bool(right.all()), (
        f"wrong at {(~right).nonzero()[0].tolist()}: {a[~right][0]}, not {b[~right][0]}"
    )


def bent(x: object, how: str) -> object:
    if not isinstance(x, torch.Tensor) or not x.is_floating_point() or not x.numel():
        return x
    if how == "offset":
        return x * 0.1 + 7
    if how == "constant":
        return torch.full_like(x, 3.7)
    if how == "special":
        x = x.clone()
        for k, value in enumerate((float("nan"), float("inf"), float("-inf"))):
            x.view(-1)[(7 * k + 3) % x.numel()] = value
        return x
    if how == "strided" and x.dim() > 1:
        return x.transpose(0, 1).contiguous().transpose(0, 1)
    return x


def check(
    task: Task,
    choices: Choices | None = None,
    kinds: tuple[str, ...] = ("plain", "strided", "offset", "constant", "special"),
) -> str:
    """Generate a candidate, run it, compare it with the reference; gives the candidate's text.

    At the task's own shape, and at all that it declares.
    """
    others = [trace(task, shape) for shape in task.meta.shapes]
    compiled = compile_traced(
        trace(task),
        choices or Choices(attention=True, products=True),
        {"EXP_DEGREE": (5,)},
        "",
        others,
    )
    assert compiled.left_out == ()
    module = load_candidate(compiled.text)
    for shape in ({}, *task.meta.shapes):
        compare(module, Reference(task, shape), kinds)
    return compiled.text


def compare(module: types.ModuleType, reference: Reference, kinds: tuple[str, ...]) -> None:
    """Outputs of a candidate against the reference, and inputs left alone."""
    model = reference.build(0)
    reference.randomise(model, 1)
    args, kwargs = reference.init_args()
    new = module.ModelNew(*args, **kwargs).eval()
    new.load_state_dict(model.state_dict())
    wide = reference.build(0).double()
    wide.load_state_dict(
        {k: v.double() if v.is_floating_point() else v for k, v in model.state_dict().items()}
    )
    for kind in kinds:
        inputs = [bent(x, kind) for x in reference.inputs(2)]
        kept = [x.clone() if isinstance(x, torch.Tensor) else x for x in inputs]
        doubled = [
            x.double() if isinstance(x, torch.Tensor) and x.is_floating_point() else x for x in kept
        ]
        with torch.no_grad():
            found, eager, wanted = flat(new(*inputs)), flat(model(*kept)), flat(wide(*doubled))
        assert len(found) == len(eager)
        for f, w, e in zip(found, wanted, eager, strict=True):
            assert_like(f, w, e)
        for before, after in zip(kept, inputs, strict=True):
            if isinstance(before, torch.Tensor):
                assert torch.equal(before.nan_to_num(), after.nan_to_num()), "an input was changed"


@pytest.fixture(scope="session")
def checked() -> Callable[..., str]:
    return check


@pytest.fixture(scope="session")
def a_task() -> Callable[..., Task]:
    return make_task


@pytest.fixture(scope="session")
def loaded() -> Callable[[str], types.ModuleType]:
    return load_candidate


@pytest.fixture(scope="session")
def compared() -> Callable[..., None]:
    return compare
