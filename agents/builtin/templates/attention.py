"""Scaled dot-product attention in one pass: softmax(scale Q K^T + mask) V without the score matrix.

The algorithm is in attention.h. Tuning names, as macros with defaults: MR and NR (register tile),
QUERIES (rows of a block), KEYS (columns of a tile, a multiple of NR), EXP_DEGREE (3 to 6), THREADS.
Few queries (decoding) go another way, which reads K and V once, as they lie; it is parallel over
batch and key heads only, and its names are EXP_DEGREE and THREADS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kernelwright.agents.builtin.templates import header
from kernelwright.agents.builtin.templates.kernel_text import (
    Extent,
    c_type,
    construct,
    defaults,
    indented,
)

Strides = tuple[Extent, Extent, Extent, Extent]
"""Element strides (batch, head, sequence, dimension); 0 broadcasts."""


@dataclass(frozen=True)
class Score:
    """A change to the scaled scores: body of a function of `V s`, `long b, h, i, j` that returns V.

    Column j is the first of the vector's keys. `parameters` are further C++ parameters that it names.
    """

    parameters: tuple[str, ...] = ()
    body: str = "return s;"


def additive_mask(strides: Strides, *, pointer: str = "mask", dtype: str = "float32") -> Score:
    """Add a mask or bias; strides are those of (batch, head, query, key)."""
    return Score(
        (f"const {c_type(dtype)}* {pointer}",), f"return s + {_element(pointer, strides)};"
    )


def boolean_mask(strides: Strides, *, pointer: str = "mask", keep: bool = True) -> Score:
    """-inf where the mask is not `keep`; strides are those of (batch, head, query, key)."""
    visible = f"{_element(pointer, strides)} {'!=' if keep else '=='} 0.0f"
    return Score(
        (f"const bool* {pointer}",), f"return kw::select({visible}, s, -__builtin_inff());"
    )


def attention_source(
    name: str,
    *,
    batch: Extent,
    heads: Extent,
    kv_heads: Extent,
    q_len: Extent,
    kv_len: Extent,
    head_dim: int,
    value_dim: Extent,
    scale: float | str,
    q_strides: Strides,
    k_strides: Strides,
    v_strides: Strides,
    out_strides: Strides,
    dtype: str = "float32",
    causal: bool = False,
    diagonal: Extent = 0,
    score: Score | None = None,
    empty_rows: Literal["nan", "zero"] = "nan",
    headers: bool = True,
) -> str:
    """C++ text with `extern "C" void NAME(q, k, v, *score.parameters, out)`.

    Query head h reads key head h // (heads // kv_heads). `causal` hides keys j > i + diagonal. A row
    with no visible key gives NaN as softmax does, or zeros as `scaled_dot_product_attention` does.
    Raises UsageError for a dtype that cannot be read.
    """
    element = c_type(dtype)
    change = score or Score()
    parameters = [f"const {element}* {pointer}" for pointer in "qkv"]
    parameters += [*change.parameters, f"{element}* out"]
    members = "".join(f"  {declaration};\n" for declaration in change.parameters)
    views = ", ".join(
        f"{{{pointer}, {', '.join(str(s) for s in strides)}}}"
        for pointer, strides in zip(
            ("q", "k", "v", "out"), (q_strides, k_strides, v_strides, out_strides), strict=True
        )
    )
    flags = f"{str(score is not None).lower()}, {str(empty_rows == 'zero').lower()}, {element}"
    arguments = (
        f"    {{{batch}, {heads}, {kv_heads}, {q_len}, {kv_len}, {head_dim}, {value_dim}}},\n"
        f"    {views},\n"
        f"    {scale if isinstance(scale, str) else f'{float(scale)!r}f'}, "
        f"{diagonal if causal else 'kw::ALL_KEYS'}, {construct(f'{name}_score', change.parameters)}"
    )
    rows = _thin_rows(heads, kv_heads, q_len, k_strides, v_strides)
    macros: dict[str, object] = {"EXP_DEGREE": 5, "THREADS": "omp_get_max_threads()"}
    if rows:
        call = (
            f"kw::attention_thin<{rows}, {head_dim}, EXP_DEGREE, {flags}>(\n{arguments}, THREADS);"
        )
    else:
        best = f"kw::best_rows({q_len}, kw::MOST_ROWS)"
        macros |= {"MR": best if isinstance(q_len, int) else "kw::MOST_ROWS"}
        macros |= {"NR": "(2 * kw::WIDTH)", "QUERIES": 64, "KEYS": 128}
        call = (
            f"kw::attention<MR, NR / kw::WIDTH, {head_dim}, KEYS, EXP_DEGREE, {flags}>(\n"
            f"{arguments}, QUERIES, THREADS);"
        )
    files = ("vec.h", "gemm.h", "thin.h", "attention.h")
    return "\n".join(
        [
            "".join(map(header, files)) if headers else "",
            defaults(**macros),
            f"struct {name}_score {{\n{members}  template <class V>\n"
            f"  KW_INLINE_MEMBER V operator()(V s, long b, long h, long i, long j) const {{\n"
            f"{indented(change.body)}\n  }}\n}};\n",
            f'extern "C" void {name}({", ".join(parameters)}) {{\n{indented(call, 2)}\n}}\n',
        ]
    )


def _thin_rows(
    heads: Extent, kv_heads: Extent, q_len: Extent, k_strides: Strides, v_strides: Strides
) -> int:
    """Queries that share a key head where they are few and K and V can be read as they lie, else 0."""
    if not (isinstance(heads, int) and isinstance(kv_heads, int) and isinstance(q_len, int)):
        return 0
    rows = heads // kv_heads * q_len
    return rows if 1 <= rows <= 8 and k_strides[3] == 1 and v_strides[3] == 1 else 0


def _element(pointer: str, strides: Strides) -> str:
    """Expression for the V of a mask at (b, h, i, j)."""
    terms = [f"{c} * ({s}L)" for c, s in zip("bhi", strides[:3], strict=True) if s != 0]
    base = " + ".join([pointer, *terms])
    if strides[3] == 0:
        return f"kw::set<V>(kw::load<float>({base}))"
    if strides[3] == 1:
        return f"kw::load<V>({base} + j)"
    return f"kw::load_strided<V>({base} + j * ({strides[3]}L), {strides[3]}L)"
