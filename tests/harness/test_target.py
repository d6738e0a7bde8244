"""What there is to gain, in figures."""

from dataclasses import replace

import torch

from kernelwright.harness.oracle import Case
from kernelwright.harness.precision import expect
from kernelwright.harness.roofline import Floor
from kernelwright.harness.target import eager_call, error_budget, target


def case(*rights: torch.Tensor) -> Case:
    eager = [r.float() if r.is_floating_point() else r for r in rights]
    expected = tuple(expect(r, e, [r], "fp32") for r, e in zip(rights, eager, strict=True))
    layout = tuple((e.dtype, tuple(e.shape)) for e in eager)
    labels = tuple(f"output {i}" for i in range(len(rights)))
    return Case("own", (), expected, layout, "fp32", labels=labels)


RIGHT = torch.randn(8, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_the_budget_is_a_number_at_the_scale_of_the_outputs():
    said = error_budget(case(RIGHT * 100))
    assert said.startswith("class fp32, |error| at most ")
    assert "root mean square of 1" in said
    smallest = float(said.split("at most ")[1].split(" to ")[0])
    assert 3e-3 < smallest < 1e-2
    assert "must be equal" in error_budget(case(RIGHT, torch.arange(3)))
    many = error_budget(case(*[RIGHT] * 5))
    assert "output 2: " in many
    assert "output 3" not in many
    assert "2 more alike" in many


def test_a_target_says_what_binds_and_how_long_eager_takes():
    calls: list[int] = []
    found = target(lambda: calls.append(1), Floor(2e-3, 1e-3), (10, 20), case(RIGHT))
    assert (found.floor_ms, found.bound) == (2.0, "memory")
    assert (found.operations, found.bytes_moved) == (10, 20)
    assert found.eager_ms is not None and found.eager_ms < 1000
    assert len(calls) >= 2, "the first call warms up"
    unknown = target(lambda: None, Floor(None, None), (None, None), case(RIGHT))
    assert (unknown.floor_ms, unknown.bound) == (None, None)


def test_the_call_that_is_timed_leaves_the_inputs_alone():
    class Twice(torch.nn.Module):
        def forward(self, x):
            return x.mul_(2)

    x = torch.ones(3)
    own = case(RIGHT)
    call = eager_call(None, Twice(), replace(own, inputs=(x,)))
    call()
    call()
    assert x.tolist() == [1, 1, 1]
