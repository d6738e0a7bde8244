"""Matrix multiplication with a fused epilogue: C[b,i,j] = epilogue(sum_k A[b,i,k] B[b,k,j]).

The algorithm is in gemm.h; this module writes the operands, the epilogue and the entry point.
Tuning names, as macros with defaults: MR (rows of the register tile), NR (its columns, a multiple of
the vector), KC (depth of a block), MC and NC (rows and columns of a block), THREADS. Up to four rows
go through thin.h instead, which reads B as it lies; its names are NC and THREADS.

On AVX-512 it runs at about twice the rate of MKL on AMD processors, where MKL stays with AVX2.
"""

from __future__ import annotations

from kernelwright.agents.builtin.templates import header
from kernelwright.agents.builtin.templates.kernel_text import (
    Epilogue,
    Extent,
    Operand,
    c_type,
    construct,
    defaults,
    functor,
    indented,
    unique,
)


def gemm_source(
    name: str,
    *,
    m: Extent,
    n: Extent,
    k: Extent,
    a: Operand,
    b: Operand,
    epilogue: Epilogue,
    batch: Extent = 1,
    headers: bool = True,
) -> str:
    """C++ text with `extern "C" void NAME(a, b, *epilogue.parameters)`.

    Sizes are numbers, or C++ expressions over the parameters (declare those in the epilogue). Sums
    are fp32 whatever the operands are. With `headers=False` the text leaves out vec.h and gemm.h, for
    a source that has them already. Raises UsageError for a dtype that cannot be read.
    """
    parameters = unique((a.parameter, b.parameter, *epilogue.parameters))
    finish = construct(f"{name}_epilogue", epilogue.parameters)
    extent = f"{{{batch}, {m}, {n}, {k}}}, {name}_a{{{a.pointer}}}"
    files = ["vec.h", "gemm.h"]
    if is_thin(m, b, epilogue):
        files.append("thin.h")
        macros = defaults(NC=64, THREADS="omp_get_max_threads()")
        call = f"kw::gemm_thin<{m}>({extent}, {name}_b{{{b.pointer}}}, {finish}, NC, THREADS);"
    else:
        macros = tuning(m, n, epilogue.rows)
        form, blocks = ("gemm_rows", "MC") if epilogue.rows else ("gemm_tiles", "MC, NC")
        call = (
            f"kw::{form}<MR, NR / kw::WIDTH, KC>(\n"
            f"    {extent}, kw::packed_matrix<NR / kw::WIDTH, {name}_b>{{{{{b.pointer}}}}},\n"
            f"    {finish}, {blocks}, THREADS);"
        )
    signature = "float* row, long b, long i" if epilogue.rows else "V acc, long b, long i, long j"
    return "\n".join(
        [
            "".join(map(header, files)) if headers else "",
            macros,
            epilogue.helpers,
            operand_struct(f"{name}_a", a),
            operand_struct(f"{name}_b", b),
            functor(f"{name}_epilogue", epilogue.parameters, signature, epilogue.body),
            f'extern "C" void {name}({", ".join(parameters)}) {{\n{indented(call, 2)}\n}}\n',
        ]
    )


def is_thin(m: Extent, b: Operand, epilogue: Epilogue) -> bool:
    """Whether thin.h serves it: few rows, and a B that can be read as it lies."""
    return isinstance(m, int) and 1 <= m <= 4 and 1 in b.strides[1:] and not epilogue.rows


def tuning(m: Extent, n: Extent, rows: bool) -> str:
    """The macros that a tuner may set, with defaults for this size."""
    narrow = isinstance(n, int)
    return defaults(
        MR=f"kw::best_rows({m}, kw::MOST_ROWS)" if isinstance(m, int) else "kw::MOST_ROWS",
        NR=f"({n} <= kw::WIDTH ? kw::WIDTH : 2 * kw::WIDTH)" if narrow else "(2 * kw::WIDTH)",
        KC=256,
        MC=64 if rows else 512,
        NC=256,
        THREADS="omp_get_max_threads()",
    )


def operand_struct(name: str, operand: Operand) -> str:
    """The C++ type of an operand, as gemm.h wants it. Strides: numbers or global constants."""
    batch, row, column = operand.strides
    offset = operand.offset or f"b * ({batch}L)"
    body = operand.map or "return x;"
    return (
        f"struct {name} {{\n"
        f"  typedef {c_type(operand.dtype)} type;\n"
        f"  const type* base;\n"
        f"  static constexpr long row = {row}, col = {column};\n"
        f"  KW_INLINE_MEMBER const type* at(long b) const {{ return base + ({offset}); }}\n"
        f"  template <class V> KW_INLINE_MEMBER V map(V x) const {{ {body} }}\n"
        f"}};\n"
    )
