"""Every own task is sound: it runs, and no kernel that leaves work out would pass for it."""

import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import nn

from kernelwright.tasks.load import list_suite
from kernelwright.tasks.reference import Reference
from kernelwright.tasks.task import Task

CORE, PAPERS = list_suite("core"), list_suite("papers")
TASKS = [*CORE, *PAPERS]
MIB = 2**20
CATEGORIES = (
    "activation", "normalisation", "reduction", "matmul", "convolution", "pooling", "attention",
    "loss", "embedding and indexing", "elementwise and broadcast", "fused blocks", "optimizers",
    "resize and layout", "full architectures",
)  # fmt: skip
"""MultiKernelBench's (arXiv:2507.17773)."""
DTYPES = {torch.float32, torch.bfloat16, torch.float16, torch.int64, torch.bool}
SPARSE = {"core/sliding_window_attention"}
"""The reference computes much that is thrown away."""
RECORDED = {"core/cumsum", "core/volume_rendering_weights"}
"""Recorded runs know their text as it is shown."""
Tensors = tuple[torch.Tensor, ...]

every_task = pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)


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


@pytest.fixture(scope="module", params=TASKS, ids=lambda task: task.name)
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
    assert meta.category in CATEGORIES
    assert meta.level in (1, 2, 3, 4)
    assert case.task.source.startswith('"""')


def test_it_is_light_and_gives_finite_numbers(case):
    task, _, _, inputs, outputs, seconds = case
    assert seconds < 2.0
    assert all(bool(t.isfinite().all()) for t in outputs)
    assert {t.dtype for t in outputs} <= DTYPES
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
    least = 0.05 if task.name in SPARSE else 0.5
    assert least * counted <= declared <= max(8 * counted, 16 * sum(x.numel() for x in inputs))
    whole = bare.bytes_moved(inputs, outputs, model)
    written = sum(t.numel() * t.element_size() for t in outputs)
    # A table may be touched in part, so only the upper bound is sharp.
    assert written < reference.bytes_moved(inputs, outputs, model) <= 1.01 * whole


def test_the_suite_covers_the_field():
    categories = Counter(task.meta.category for task in CORE)
    assert set(categories) == set(CATEGORIES)
    assert min(categories.values()) >= 6
    assert len(CORE) >= 120
    assert sum("bfloat16" in task.meta.dtypes for task in CORE) >= 4
    assert sum("float16" in task.meta.dtypes for task in CORE) >= 1
    assert sum(task.meta.backward for task in CORE) >= 8
    assert {task.meta.level for task in CORE} == {1, 2, 3, 4}
    assert any("train" in task.meta.modes for task in CORE)


@every_task
def test_it_has_shapes_to_show_and_one_to_hide(task):
    variants = (*task.meta.shapes, *task.meta.hidden)
    assert task.meta.hidden
    assert task.meta.shapes or task.name in RECORDED
    assert len({tuple(sorted(v.items())) for v in variants}) == len(variants)
    assert "hidden" not in task.shown
    for variant in variants:
        reference = Reference(task, variant)
        assert any(reference.constants[name] != Reference(task).constants[name] for name in variant)
        outputs = reference.run(
            reference.build(0, train=task.meta.modes[0] == "train"), reference.inputs(0)
        )
        assert all(bool(t.isfinite().all()) for t in outputs)


@pytest.mark.parametrize("task", PAPERS, ids=lambda task: task.name)
def test_a_task_of_a_paper_names_it_and_knows_its_sizes(task):
    said = task.source.split('"""')[1]
    assert "arXiv:" in said or "doi:" in said
    (full,) = task.meta.full
    assert set(full) <= set(Reference(task).constants)


def test_the_table_of_papers_is_the_suite():
    rows = (Path(__file__).parents[2] / "docs" / "suites.md").read_text().splitlines()
    table = {row.split("`")[1]: row for row in rows if row.startswith("| `") and "](http" in row}
    assert set(table) == {task.name.partition("/")[2] for task in PAPERS}
    for task in PAPERS:
        row = table[task.name.partition("/")[2]]
        constants = Reference(task).constants
        (full,) = task.meta.full
        assert task.meta.title in row
        for sizes in ({name: constants[name] for name in full}, full):
            assert ", ".join(f"{name} {size}" for name, size in sizes.items()) in row
