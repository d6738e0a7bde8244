"""Further rivals: what cuBLASLt is told, which algorithm is kept, and that each is the task's own model."""

from typing import Any

import pytest
import torch

from kernelwright.harness.gpu import baselines, cublaslt
from kernelwright.harness.gpu.cublaslt import Layout, LtError, Product, layout
from kernelwright.tasks.load import load_task


class FakeLt:
    """cuBLASLt by torch: remembers what it is told, and refuses one algorithm."""

    def __init__(self, proposals: int = 3, refused: int | None = None) -> None:
        self.count, self.refused = proposals, refused
        self.made_of: list[tuple[str, list[int]]] = []
        self.told: list[tuple[str, int, int]] = []
        self.ran: list[int] = []

    def made(self, what: str, *arguments: Any) -> str:
        self.made_of.append((what, [a.value for a in arguments]))
        return what

    def set(self, what: str, place: Any, attribute: int, value: Any) -> None:
        self.told.append((what, attribute, value.value))

    def proposals(self, *_: Any) -> list[Any]:
        found = [cublaslt._Proposal() for _ in range(self.count)]
        for number, proposal in enumerate(found):
            proposal.algorithm.data[0] = number
        return found

    def matmul(self, *arguments: Any) -> None:
        number = arguments[11]._obj.data[0]
        if number == self.refused:
            raise LtError("cublasLtMatmul failed with status 15")
        self.ran.append(number)


def test_row_major_matrices_as_cublas_sees_them():
    x = torch.zeros(5, 7)
    assert layout(x) == Layout(7, 5, 7, False)
    assert layout(x.t()) == Layout(7, 5, 7, True)
    assert layout(torch.zeros(3, 5, 7)) == Layout(7, 5, 7, False, 3, 35)
    with pytest.raises(LtError, match="strides"):
        layout(torch.zeros(5, 14)[:, ::2])


def test_a_product_is_handed_over_the_other_way_round():
    fake = FakeLt()
    Product(fake, torch.zeros(5, 7), torch.zeros(3, 7).t(), tf32=True)
    shapes = [numbers[1:] for what, numbers in fake.made_of if what == "MatrixLayout"]
    assert shapes == [[7, 3, 7], [7, 5, 7], [3, 5, 3]]
    assert ("MatmulDesc", 3, 1) in fake.told and ("MatmulDesc", 4, 0) in fake.told
    assert ("MatmulDesc", [77, 0]) in fake.made_of
    with pytest.raises(LtError, match="no product"):
        Product(fake, torch.zeros(5, 7), torch.zeros(7, 3).double(), tf32=False)
    with pytest.raises(LtError, match="proposes no algorithm"):
        Product(FakeLt(0), torch.zeros(5, 7), torch.zeros(7, 3), tf32=False)


def test_the_fastest_that_runs_is_kept():
    fake = FakeLt(4, refused=2)
    a, b = torch.zeros(5, 7), torch.zeros(7, 3)
    product = Product(fake, a, b, tf32=False)
    assert product(a, b).shape == (5, 3) and fake.ran == [0]
    times = iter([3.0, 1.0, 2.0])

    def seconds(call: Any) -> float:
        call()
        return next(times)

    assert product.tune(a, b, seconds) == {0: 3.0, 1: 1.0, 3: 2.0}
    product(a, b)
    assert fake.ran[-1] == 1


def model_of(baseline: baselines.Baseline) -> Any:
    space: dict[str, Any] = {}
    assert baseline.source
    exec(compile(baseline.source, "baseline.py", "exec"), space)
    return space


def test_each_rival_is_the_tasks_own_model(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cublaslt, "library_path", lambda: "libcublasLt.so.13")
    task = load_task("core/matmul")
    found = {b.name: b for b in baselines.baselines(task)}
    assert set(found) == set(baselines.WAYS)
    seen: list[tuple[int, ...]] = []

    def multiply(self: Any, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        seen.append((*a.shape, *b.shape))
        return torch.matmul(a, b)

    monkeypatch.setattr(baselines.Products, "__call__", multiply)
    for name in ("cublas", "cublaslt", "cublaslt_autotuned"):
        space = model_of(found[name])
        inputs = space["get_inputs"]()
        with torch.no_grad():
            expected = space["Model"]()(*inputs)
            model = space["Baseline"]()
            for _ in range(2):
                torch.testing.assert_close(model(*inputs), expected)
    assert len(seen) == 4


def test_what_cannot_be_had_says_why(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cublaslt, "library_path", lambda: None)
    found = {b.name: b for b in baselines.baselines(load_task("core/matmul"))}
    assert found["cublaslt"].source is None
    assert "CUDA toolkit" in str(found["cublaslt"].reason)
    with pytest.raises(LtError, match="libcublasLt"):
        cublaslt.CublasLt()
    names = {b.name for b in baselines.baselines(load_task("core/softmax"))}
    assert names == {"max_autotune", "cuda_graph"}


def test_a_model_without_a_plain_product_is_refused():
    class Model(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + 1

    class Baseline(Model):
        pass

    with pytest.raises(LtError, match="no plain product"):
        baselines.substituted(Baseline(), Model().forward, torch.matmul)


def test_parameters_are_those_of_the_model_that_was_loaded():
    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(2, 2))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x @ self.weight

    class Baseline(Model):
        pass

    model = Baseline()
    model.load_state_dict({"weight": torch.full((2, 2), 3.0)})
    run = baselines.substituted(model, model.forward, torch.matmul)
    assert run(torch.eye(2)).tolist() == [[3.0, 3.0], [3.0, 3.0]]
