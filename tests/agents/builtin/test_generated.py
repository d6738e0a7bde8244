"""Generated candidates against torch: operators, compositions and shapes that no bundled task has."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernelwright.agents.builtin.plan import Choices

ROWS = "torch.randn(13, 37)"
TWO = "torch.randn(13, 37), torch.randn(13, 37)"
IMAGES = "torch.randn(2, 6, 9, 11)"

CASES = {
    "broadcast": ("torch.relu(x * y + 1) / 3", "torch.randn(5, 1, 37), torch.randn(7, 1)", "pass"),
    "activations": (
        "F.gelu(x) + F.silu(y) * F.elu(x) - F.softplus(y) + F.mish(x) + F.leaky_relu(y) "
        "+ torch.tanh(x) * torch.erf(y) + F.hardswish(x) + F.gelu(y, approximate='tanh')",
        TWO,
        "pass",
    ),
    "rounding": ("x.floor() + y.round() + x.trunc() + y.ceil() + torch.remainder(x, 0.7)", TWO, "pass"),
    "powers": ("x.pow(3) + x.abs().pow(2.5) + y.abs().pow(-0.5) + torch.pow(2.0, y)", TWO, "pass"),
    "softmax": ("torch.softmax(x, -1)", "torch.randn(7, 1001)", "pass"),
    "softmax_middle": ("torch.softmax(x, 1) + torch.log_softmax(x, 0)", "torch.randn(5, 9, 33)", "pass"),
    "norms": ("self.g(self.l(x))", IMAGES, "self.l = nn.LayerNorm((9, 11)); self.g = nn.GroupNorm(3, 6)"),
    "batch_norm": ("F.relu(self.b(x))", IMAGES, "self.b = nn.BatchNorm2d(6)"),
    "variances": ("(x.var(-1), x.std(0), torch.var_mean(x, 0, correction=0), x.var())", ROWS, "pass"),
    "reductions": (
        "(x.sum(0), x.mean(), x.amax(-1, keepdim=True), x.prod(1), (x > 2).any(0), x.norm(dim=1))",
        ROWS,
        "pass",
    ),
    "places": ("(x.argmax(-1), x.argmin(0), x.max(0), x.argmax())", ROWS, "pass"),
    "long_sum": ("(x.sum(), x.sum(0), x.mean(1))", "torch.randn(700, 301)", "pass"),
    "scans": ("x.cumsum(-1) * 2 + x.cumsum(0), (x * 0.1 + 1).cumprod(1)", ROWS, "pass"),
    "views": (
        "(x.transpose(1, 2).reshape(4, -1).flip(-1), x.roll(3, 1), torch.cat([x, -x[:, :5]], 1) * 2)",
        "torch.randn(4, 9, 10)",
        "pass",
    ),
    "pads": ("F.pad(x, (1, 2, 3, 0), value=0.5).exp()", ROWS, "pass"),
    "triangle": ("torch.softmax(x.masked_fill(torch.triu(torch.ones(17, 17), 1) > 0, -1e9), -1)",
                 "torch.randn(3, 17, 17)", "pass"),
    "interleave": ("torch.stack((x[..., 0::2] * 2, -x[..., 1::2]), -1).flatten(-2)",
                   "torch.randn(6, 70)", "pass"),
    "lookups": (
        "self.e(x).sum(1) + self.e.weight[y]",
        "torch.randint(0, 11, (5, 3)), torch.randint(-11, 11, (5,))",
        "self.e = nn.Embedding(11, 19)",
    ),
    "gather": ("torch.gather(x, 1, y)", "torch.randn(9, 14), torch.randint(0, 14, (9, 33))", "pass"),
    "cross_entropy": (
        "F.cross_entropy(x, y, label_smoothing=0.1), F.cross_entropy(x, y, reduction='none')",
        "torch.randn(19, 23), torch.randint(0, 23, (19,))",
        "pass",
    ),
    "divergence": (
        "F.kl_div(F.log_softmax(x, -1), F.softmax(y, -1), reduction='batchmean')", TWO, "pass"
    ),
    "losses": ("F.mse_loss(x, y) + F.huber_loss(x, y) + F.cosine_similarity(x, y).mean()", TWO, "pass"),
    "pools": ("F.max_pool2d(x, 3, 2, 1) + F.avg_pool2d(x, 3, 2, 1)", IMAGES, "pass"),
    "integers": (
        "(x * 3 + y) // 2 - x % y, (x & y) | 1, x.float() / y",
        "torch.randint(-50, 50, (7, 33)), torch.randint(1, 50, (33,))",
        "pass",
    ),
    "bytes": ("x * y, (x.float() - 128) / 64", "torch.randint(0, 255, (7, 33), dtype=torch.uint8), "
              "torch.randint(0, 255, (33,), dtype=torch.uint8)", "pass"),
    "bfloat16": ("F.layer_norm(x, (37,)) * y", "torch.randn(13, 37).bfloat16(), torch.randn(37).bfloat16()",
                 "pass"),
    "float16": ("F.softmax(x, -1) + 1", "torch.randn(13, 37).half()", "pass"),
    "float64": ("torch.softmax(x, -1).log1p() + x.tanh().sum(0)", "torch.randn(13, 37).double()", "pass"),
    "linear": ("F.gelu(self.a(x)) + 1", "torch.randn(9, 21)", "self.a = nn.Linear(21, 35)"),
    "linear_softmax": ("self.a(x).softmax(-1)", "torch.randn(9, 21)", "self.a = nn.Linear(21, 35)"),
    "attention": (
        "torch.softmax(x @ y.transpose(-2, -1) / 4 + z, -1) @ y",
        "torch.randn(2, 3, 9, 16), torch.randn(2, 3, 11, 16), torch.randn(2, 1, 9, 11)",
        "pass",
    ),
    "conv": (
        "F.relu(self.b(self.c(x)))",
        IMAGES,
        "self.c = nn.Conv2d(6, 8, 3, padding=1, stride=2); self.b = nn.BatchNorm2d(8)",
    ),
    "causal_conv": ("F.silu(self.c(F.pad(x, (3, 0))))", "torch.randn(2, 5, 41)",
                    "self.c = nn.Conv1d(5, 5, 4, groups=5)"),
    "library": ("torch.sort(x)[0].softmax(-1), torch.topk(x, 3)[1]", ROWS, "pass"),
    "nested_outputs": ("{'a': x + 1, 'b': (x * 2, [x.sum()])}", ROWS, "pass"),
    "input_returned": ("x, x.t()", ROWS, "pass"),
    "one_element": ("x.softmax(-1) + x.sum()", "torch.randn(1)", "pass"),
    "no_dimension": ("x * y", "torch.tensor(2.5), torch.randn(7)", "pass"),
    "nothing": ("torch.relu(x), x.sum(0)", "torch.zeros(0, 7)", "pass"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_like_torch(name, checked, a_task):
    kinds = ("plain",) if name in ("nothing", "attention") else None
    task = a_task(*CASES[name])
    checked(task, **({"kinds": kinds} if kinds else {}))


@pytest.mark.parametrize(
    "choices", [Choices(), Choices(one_pass_variance=True), Choices(share_rows=False)], ids=str
)
def test_every_strategy_is_right(choices, checked, a_task):
    task = a_task(
        "self.l(x).softmax(-1) @ y",
        "torch.randn(6, 50), torch.randn(50, 5)",
        "self.l = nn.LayerNorm(50)",
    )
    checked(task, choices, ("plain", "strided", "special"))


STEPS = {
    "scale": "({}) * 0.5 + 1",
    "exp": "torch.exp(-({}).abs())",
    "tanh": "torch.tanh({})",
    "center": "({0}) - ({0}).mean(-1, keepdim=True)",
    "softmax": "torch.softmax({}, {d})",
    "turn": "({}).transpose(-1, 0)",
    "peak": "({0}) - ({0}).amax({d}, keepdim=True)",
    "fold": "({0}) + ({0}).sum({d}, keepdim=True) / 7",
    "flip": "({}).flip({d})",
    "run": "({}).cumsum({d}) * 0.1",
    "join": "torch.cat(({0}, ({0}) * 2), {d})",
    "cut": "({}).narrow({d}, 0, 1)",
}


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    st.lists(st.sampled_from([1, 2, 7, 16, 33]), min_size=1, max_size=3),
    st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.integers(-1, 0)), min_size=2, max_size=4),
)
def test_any_composition(checked, a_task, shape, steps):
    expression = "x"
    for name, dim in steps:
        expression = STEPS[name].format(expression, d=dim)
    checked(a_task(expression, f"torch.randn({shape})"), kinds=("plain", "strided", "special"))


def test_an_index_outside_of_its_tensor_is_refused(a_task, loaded, checked):
    import torch

    text = checked(
        a_task("self.e(x)", "torch.randint(0, 5, (9,))", "self.e = nn.Embedding(5, 3)"),
        kinds=("plain",),
    )
    model = loaded(text).ModelNew()
    with pytest.raises(IndexError):
        model(torch.tensor([0, 1, 2, 5, 0, 0, 0, 0, 0]))


def test_other_shapes_are_refused_in_words(a_task, loaded, checked):
    import torch

    text = checked(a_task("x + 1", "torch.randn(3, 4)"), kinds=("plain",))
    with pytest.raises(ValueError, match=r"made for torch.float32 \[3, 4\]"):
        loaded(text).ModelNew()(torch.randn(4, 3))


def test_results_are_fresh_on_every_call(a_task, loaded, checked):
    import torch

    text = checked(a_task("x + 1", "torch.randn(3, 4)"), kinds=("plain",))
    model = loaded(text).ModelNew()
    a, b = model(torch.zeros(3, 4)), model(torch.ones(3, 4))
    assert a.data_ptr() != b.data_ptr()
    assert a.max() == 1
