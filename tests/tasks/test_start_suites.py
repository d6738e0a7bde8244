"""Kernel-to-kernel and translation tasks: the start kernel computes what the reference does."""

import math
import types

import pytest
import torch

from kernelwright.harness.parse import language_of, parse_problem
from kernelwright.tasks.load import list_suite
from kernelwright.tasks.reference import Reference

K2K, TRANSLATION = list_suite("k2k"), list_suite("translation")
TASKS = [*K2K, *TRANSLATION]
NATIVE = [task for task in TASKS if language_of(task.start) == "cpp"]
PATTERNS = {
    "map", "reduction", "scan", "stencil", "matmul", "histogram", "sort", "n-body", "sparse", "softmax",
    "transposition",
}  # fmt: skip


def kernel(task, reference, model):
    """The start kernel's `ModelNew`, with the reference's parameters."""
    module = types.ModuleType("start_kernel")
    exec(compile(task.start, task.meta.start, "exec"), vars(module))
    args, kwargs = reference.init_args()
    made = module.ModelNew(*args, **kwargs)
    made.load_state_dict(model.state_dict())
    return made


def answers(task, variant, bend=lambda x: x):
    """What the start kernel gives and what the reference does, in float64."""
    reference = Reference(task, variant)
    model = reference.build(0)
    reference.randomise(model, 1)
    inputs = [bend(x) if x.is_floating_point() else x for x in reference.inputs(2)]
    with torch.no_grad():
        ours = kernel(task, reference, model)(*inputs)
    wide = [x.double() if x.is_floating_point() else x for x in inputs]
    (theirs,) = reference.run(model.double(), wide)
    return ours, theirs


@pytest.mark.parametrize("task", NATIVE, ids=lambda task: task.name)
def test_the_start_kernel_computes_the_reference(task):
    for variant in ({}, *task.meta.shapes, *task.meta.hidden):
        ours, theirs = answers(task, variant)
        assert ours.shape == theirs.shape
        assert ours.is_floating_point() == theirs.is_floating_point()
        torch.testing.assert_close(ours.double(), theirs.double(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("task", NATIVE, ids=lambda task: task.name)
def test_it_does_so_for_numbers_that_are_none(task):
    for special in (math.nan, math.inf, -math.inf):

        def bend(x, special=special):
            flat = x.clone().flatten()
            flat[:: max(7, flat.numel() // 3)] = special
            return flat.view_as(x)

        ours, theirs = answers(task, task.meta.shapes[0], bend)
        torch.testing.assert_close(
            ours.double(), theirs.double(), rtol=1e-4, atol=1e-4, equal_nan=True
        )


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_a_start_kernel_is_a_candidate_in_the_language_of_its_name(task):
    assert parse_problem(task.start) is None
    name = task.name.partition("/")[2]
    assert task.meta.start == f"start/{name}.py"
    language = language_of(task.start)
    endings = [word for word in ("cuda", "triton") if word in name.split("_")]
    assert [language] == (endings or ["cpp"])
    asked = task.meta.translate_to
    assert bool(asked) == task.name.startswith("translation/")
    assert language == "cpp" or language not in asked


def test_the_suites_are_as_wide_as_they_say():
    languages = [language_of(task.start) for task in K2K]
    assert languages.count("cpp") >= 8
    assert {"cuda", "triton"} <= set(languages)
    sources = [language_of(task.start) for task in TRANSLATION]
    assert sources.count("cpp") >= 10
    assert sources.count("cuda") >= 6
    assert {task.meta.category for task in TRANSLATION} == PATTERNS
    for task in TASKS:
        assert task.meta.shapes
        assert task.meta.hidden
        assert "hidden" not in task.shown
