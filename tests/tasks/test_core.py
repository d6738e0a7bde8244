"""Every core task is sound: it runs, and no kernel that leaves work out would pass for it."""

import time
from collections.abc import Mapping
from typing import NamedTuple

import pytest
import torch
from torch import nn

from kernelwright.tasks.load import list_suite
from kernelwright.tasks.reference import Reference
from kernelwright.tasks.task import Task

TASKS = list_suite("core")
MIB = 2**20
Tensors = tuple[torch.Tensor, ...]

every_task = pytest.mark.parametrize(
    "task", TASKS, ids=lambda task: task.name.removeprefix("core/")
)


def distance(one: Tensors, other: Tensors) -> float:
    """The largest relative difference (Euclidean) between two lists of outputs."""
    far = [0.0]
    for a, b in zip(one, other, strict=True):
        wide = a.double()
        far.append(float((wide - b.double()).norm() / wide.norm().clamp_min(1e-30)))
    return max(far)


class Case(NamedTuple):
    task: Task
    reference: Reference
    model: nn.Module
    inputs: Tensors
    outputs: Tensors
    seconds: float
    """Processor time that all of the above took."""


@pytest.fixture(scope="module", params=TASKS, ids=lambda task: task.name.removeprefix("core/"))
def case(request: pytest.FixtureRequest) -> Case:
    start = time.process_time()
    reference = Reference(request.param)
    model = reference.build(0)
    reference.randomise(model, 1)
    inputs = reference.inputs(2)
    assert all(isinstance(x, torch.Tensor) for x in inputs)
    outputs = reference.run(model, inputs)
    return Case(request.param, reference, model, inputs, outputs, time.process_time() - start)


def test_it_says_what_it_is(case):
    meta = case.task.meta
    assert meta.title
    assert meta.category != "uncategorised"
    assert meta.level in (1, 2)
    assert meta.operations
    assert meta.bytes_moved
    assert case.task.source.startswith('"""')


def test_it_is_light_and_gives_finite_numbers(case):
    task, _, _, inputs, outputs, seconds = case
    assert seconds < 2.0
    assert all(bool(t.isfinite().all()) for t in outputs)
    assert all(x.is_contiguous() for x in inputs)
    assert len({x.untyped_storage().data_ptr() for x in inputs}) == len(inputs), "memory is shared"
    size = sum(x.numel() * x.element_size() for x in inputs)
    assert size <= 64 * MIB
    floating = {str(t.dtype) for t in inputs if t.is_floating_point()}
    declared = {f"torch.{name}" for name in task.meta.dtypes} or {"torch.float32"}
    assert floating <= declared


def test_zeros_a_constant_an_old_answer_or_the_input_would_not_pass(case):
    _, reference, model, inputs, outputs, _ = case
    assert all(bool(t.any()) for t in outputs), "zeros would pass"
    for t in outputs:
        if t.numel() > 1:
            assert bool((t != t.flatten()[0]).any()), "a constant would pass"
    later = reference.run(model, reference.inputs(3))
    for have, want in zip(later, outputs, strict=True):
        assert distance((want,), (have,)) > 2e-3, "an old answer would pass"
        for x in inputs:
            if x.shape == want.shape:
                assert distance((want,), (x,)) > 2e-2, "an input would pass"


def test_every_input_matters(case):
    _, reference, model, inputs, outputs, _ = case
    other = reference.inputs(4)
    for i in range(len(inputs)):
        mixed = (*inputs[:i], other[i], *inputs[i + 1 :])
        assert distance(outputs, reference.run(model, mixed)) > 1e-3, f"input {i} is not used"


def test_no_parameter_or_statistic_can_be_left_out(case):
    _, reference, model, inputs, outputs, _ = case
    state: Mapping[str, torch.Tensor] = model.state_dict()
    for name, value in state.items():
        if not value.is_floating_point():
            continue
        kept = value.clone()
        value.fill_(1.0 if bool((value > 0).all()) else 0.0)
        assert distance(outputs, reference.run(model, inputs)) > 1e-4, f"{name} can be left out"
        value.copy_(kept)


def test_declared_costs_agree_with_what_can_be_counted(case):
    task, reference, model, inputs, outputs, _ = case
    bare = Reference(Task(task.name, task.source, task.path))
    counted = bare.operations(inputs)
    declared = reference.operations(inputs)
    # Counting sees no zeros above a causal diagonal, and one operation in a whole softmax.
    assert 0.5 * counted <= declared <= max(8 * counted, 16 * sum(x.numel() for x in inputs))
    whole = bare.bytes_moved(inputs, outputs, model)
    written = sum(t.numel() * t.element_size() for t in outputs)
    # A table may be touched in part, so only the upper bound is sharp.
    assert written < reference.bytes_moved(inputs, outputs, model) <= 1.01 * whole


def test_the_suite_covers_the_field():
    categories = {task.meta.category for task in TASKS}
    assert categories >= {
        "pointwise", "gated activation", "softmax", "normalisation", "position", "loss",
        "reduction", "scan", "gather", "pooling", "matmul", "attention", "convolution",
    }  # fmt: skip
    assert sum("bfloat16" in task.meta.dtypes for task in TASKS) >= 2
