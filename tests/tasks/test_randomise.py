import copy

import pytest
import torch
from torch import nn

from kernelwright.tasks.randomise import randomise


def is_varied(tensor: torch.Tensor) -> bool:
    return tensor.unique().numel() > tensor.numel() // 2


@pytest.mark.parametrize(
    "model",
    [nn.LayerNorm(64), nn.GroupNorm(4, 64), nn.BatchNorm1d(64), nn.RMSNorm(64), nn.Linear(64, 32),
     nn.Embedding(10, 8, padding_idx=0), nn.Conv2d(4, 8, 3)],
    ids=lambda m: type(m).__name__,
)  # fmt: skip
def test_every_parameter_and_statistic_varies_and_depends_on_the_seed(model):
    def values(seed):
        fresh = copy.deepcopy(model)
        randomise(fresh, seed)
        return {k: v for k, v in fresh.state_dict().items() if v.is_floating_point()}

    one, same, other = values(1), values(1), values(2)
    for name, value in one.items():
        assert is_varied(value), name
        assert bool(value.isfinite().all())
        assert torch.equal(value, same[name])
        assert not torch.equal(value, other[name])


def test_values_stay_in_their_domain():
    model = nn.BatchNorm1d(4096).requires_grad_(False)
    randomise(model, 0)
    assert 0.2 < float(model.running_var.min()) < float(model.running_var.max()) < 1.8
    assert 0.2 < float(model.weight.min()) < float(model.weight.max()) < 1.8
    assert abs(float(model.weight.mean()) - 1) < 0.05
    assert 0.1 < float(model.running_mean.std()) < 0.4
    assert int(model.num_batches_tracked) == 0


def test_random_values_keep_their_scale_and_bounds():
    layer = nn.Linear(1024, 64).requires_grad_(False)
    before, bound = float(layer.weight.std()), 1024**-0.5
    for seed in range(20):
        randomise(layer, seed)
    assert abs(float(layer.weight.std()) / before - 1) < 0.05
    assert float(layer.weight.abs().max()) <= bound
    positive = nn.Module()
    positive.rate = nn.Parameter(0.01 + torch.rand(1000), requires_grad=False)
    randomise(positive, 0)
    assert float(positive.rate.min()) >= 0.01


def test_a_matrix_of_zeros_is_scaled_by_its_inputs():
    model = nn.Module()
    model.up = nn.Parameter(torch.zeros(64, 400), requires_grad=False)
    randomise(model, 0)
    assert abs(float(model.up.std()) * 20 - 1) < 0.1


def test_tied_parameters_stay_tied():
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    model[1].weight = model[0].weight
    randomise(model, 0)
    assert model[1].weight is model[0].weight


def test_tables_factors_and_what_is_not_saved_are_left_alone():
    model = nn.Module()
    model.register_buffer("table", torch.arange(8.0))
    model.register_buffer("mask", torch.full((3, 3), float("-inf")).triu(1))
    model.register_buffer("factor", torch.tensor(0.5))
    model.register_buffer("ids", torch.zeros(3, dtype=torch.int64))
    model.register_buffer("hidden", torch.ones(3), persistent=False)
    model.register_buffer("shift", torch.zeros(3))
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    randomise(model, 0)
    changed = {n for n, buffer in model.named_buffers() if not torch.equal(buffer, before[n])}
    assert changed == {"shift"}


def test_half_precision_parameters_vary_too():
    model = nn.LayerNorm(256, dtype=torch.bfloat16)
    randomise(model, 0)
    assert model.weight.dtype == torch.bfloat16
    assert model.weight.unique().numel() > 50
