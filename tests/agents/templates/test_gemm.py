"""gemm: every stride, element type, tail and epilogue against float64."""

from __future__ import annotations

import itertools

import pytest
import torch

from kernelwright.agents.builtin.templates.gemm import gemm_source
from kernelwright.agents.builtin.templates.kernel_text import Epilogue, Operand
from kernelwright.harness.inline_cpp import cpp
from kernelwright.tasks.errors import UsageError

SIZES = [
    (1, 1, 1),
    (3, 5, 0),
    (7, 33, 2),
    (14, 32, 16),
    (29, 70, 45),
    (64, 130, 300),
    (130, 17, 515),
]
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def layouts(rows: int, columns: int) -> dict[str, tuple[torch.Tensor, tuple[int, int]]]:
    """The same matrix in memory by rows, by columns, and with gaps both ways."""
    values = torch.randn(rows, columns)
    gaps = torch.empty(rows, columns * 3 + 5)[:, : columns * 3 : 3]
    gaps.copy_(values)
    return {
        "rows": (values, (columns, 1)),
        "columns": (values.T.contiguous(), (1, rows)),
        "gaps": (gaps, (columns * 3 + 5, 3)),
    }


def close(got: torch.Tensor, a: torch.Tensor, b: torch.Tensor, want: torch.Tensor) -> bool:
    """Within what fp32 sums in any order may err: 2^-23 sqrt(k) of the sum of magnitudes."""
    bound = 2**-23 * max(a.shape[-1], 1) ** 0.5 * (a.double().abs() @ b.double().abs()) + 1e-30
    return bool(((got.double() - want).abs() <= bound).all())


@pytest.mark.parametrize("m,n,k", SIZES)
def test_product_in_every_layout(m: int, n: int, k: int) -> None:
    a_layouts, b_layouts = layouts(m, k), layouts(k, n)
    text, calls = "", []
    for index, (la, lb) in enumerate(itertools.product(a_layouts, b_layouts)):
        (a, (a_row, a_col)), (b, (b_row, b_col)) = a_layouts[la], b_layouts[lb]
        text += gemm_source(
            f"f{index}",
            m=m,
            n=n,
            k=k,
            a=Operand("a", (0, a_row, a_col)),
            b=Operand("b", (0, b_row, b_col)),
            epilogue=Epilogue(("float* out",), f"kw::store(out + i * {n} + j, acc);"),
            headers=index == 0,
        )
        calls.append((la, lb, a, b))
    lib = cpp(text, flags=["-O1"])
    values_a, values_b = a_layouts["rows"][0], b_layouts["rows"][0]
    want = values_a.double() @ values_b.double()
    for index, (la, lb, a, b) in enumerate(calls):
        out = torch.full((m, n), float("nan"))
        getattr(lib, f"f{index}")(a, b, out)
        assert close(out, values_a, values_b, want), (la, lb)


@pytest.mark.parametrize("dtype", DTYPES)
def test_element_types_with_batch_and_map(dtype: str) -> None:
    batch, m, n, k = 3, 20, 40, 50
    a = torch.randn(batch, m, k).to(DTYPES[dtype])
    b = torch.randn(batch, n, k).to(DTYPES[dtype])
    element = {"float32": "float", "bfloat16": "kw::bf16", "float16": "kw::fp16"}[dtype]
    text = gemm_source(
        "f",
        m=m,
        n=n,
        k=k,
        batch=batch,
        a=Operand("a", (m * k, k, 1), dtype, map="return kw::max(x, kw::set<V>(0.0f));"),
        b=Operand("b", (n * k, 1, k), dtype),
        epilogue=Epilogue((f"{element}* out",), f"kw::store(out + (b * {m} + i) * {n} + j, acc);"),
    )
    out = torch.empty(batch, m, n, dtype=DTYPES[dtype])
    cpp(text).f(a, b, out)
    want = a.double().relu() @ b.double().mT
    assert torch.allclose(out.double(), want, rtol=2 * torch.finfo(out.dtype).eps, atol=1e-4)


def test_fused_epilogue_sees_every_coordinate_once() -> None:
    batch, m, n, k = 2, 31, 77, 19
    a, b, bias = torch.randn(batch, m, k), torch.randn(k, n), torch.randn(n)
    residual, counts = torch.randn(batch, m, n), torch.zeros(batch, m, n)
    body = f"""
        long o = (b * {m} + i) * {n} + j;
        V y = acc + kw::load<V>(bias + j);
        kw::store(out + o, y * kw::sigmoid(y) * scale + kw::load<V>(residual + o));
        kw::store(counts + o, kw::load<V>(counts + o) + 1.0f);
    """
    text = gemm_source(
        "f",
        m=m,
        n=n,
        k=k,
        batch=batch,
        a=Operand("a", (m * k, k, 1)),
        b=Operand("b", (0, n, 1)),
        epilogue=Epilogue(
            (
                "const float* bias",
                "const float* residual",
                "float scale",
                "float* counts",
                "float* out",
            ),
            body,
        ),
    )
    out = torch.empty(batch, m, n)
    cpp(text, defines={"MC": 28, "NC": 32, "KC": 8}).f(a, b, bias, residual, 0.5, counts, out)
    want = torch.nn.functional.silu(a.double() @ b.double() + bias) * 0.5 + residual
    assert torch.allclose(out.double(), want, rtol=1e-5, atol=1e-5)
    assert bool((counts == 1).all())


@pytest.mark.parametrize(
    "batch,m,n,k", [(1, 45, 83, 600), (3, 10, 40, 33), (1, 1, 7, 5), (2, 3, 5, 0)]
)
def test_whole_rows(batch: int, m: int, n: int, k: int) -> None:
    a, b = torch.randn(batch, m, k), torch.randn(batch, n, k)
    body = f"""
        float sum = 0;
        for (long j = 0; j < {n}; j++) sum += row[j];
        for (long j = 0; j < {n}; j++) out[(b * {m} + i) * {n} + j] = row[j] - sum / {n};
    """
    text = gemm_source(
        "f",
        m=m,
        n=n,
        k=k,
        batch=batch,
        a=Operand("a", (m * k, k, 1)),
        b=Operand("b", (n * k, 1, k)),
        epilogue=Epilogue(("float* out",), body, rows=True),
    )
    out = torch.full((batch, m, n), float("nan"))
    cpp(text).f(a, b, out)
    product = a.double() @ b.double().mT
    want = product - product.mean(-1, keepdim=True)
    assert torch.allclose(out.double(), want, rtol=1e-4, atol=1e-4)


def test_sizes_may_be_parameters_and_specials_travel() -> None:
    body = "kw::store(out + i * n + j, acc);"
    text = gemm_source(
        "f",
        m="m",
        n="n",
        k="k",
        a=Operand("x", (0, 24, 1)),
        b=Operand("x", (0, 1, 24)),
        epilogue=Epilogue(("long m", "long n", "long k", "float* out"), body),
    )
    x = torch.randn(9, 24)
    x[2, 3], x[4, 5] = float("nan"), float("inf")
    out = torch.empty(9, 9)
    cpp(text).f(x, 9, 9, 24, out)
    want = x.double() @ x.double().T
    assert torch.allclose(out.double(), want, rtol=1e-5, atol=1e-5, equal_nan=True)


def test_every_tuning_choice_gives_the_same_product() -> None:
    a, b = torch.randn(50, 90), torch.randn(90, 100)
    text = gemm_source(
        "f",
        m=50,
        n=100,
        k=90,
        a=Operand("a", (0, 90, 1)),
        b=Operand("b", (0, 100, 1)),
        epilogue=Epilogue(("float* out",), "kw::store(out + i * 100 + j, acc);"),
    )
    want = a.double() @ b.double()
    for defines in ({"MR": 4, "NR": 16}, {"MR": 5, "KC": 32, "NC": 64}, {"MC": 8, "THREADS": 3}):
        out = torch.empty(50, 100)
        cpp(text, defines=defines).f(a, b, out)
        assert close(out, a, b, want), defines


def test_unknown_element_type_is_a_users_error() -> None:
    with pytest.raises(UsageError, match="int8"):
        gemm_source(
            "f",
            m=1,
            n=1,
            k=1,
            a=Operand("a", (0, 1, 1), "int8"),
            b=Operand("b", (0, 1, 1)),
            epilogue=Epilogue((), ""),
        )
