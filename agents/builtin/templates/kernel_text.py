"""The nouns that all templates share: operands, epilogues, and how they turn into C++ text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kernelwright.tasks.errors import UsageError

C_TYPES = {"float32": "float", "bfloat16": "kw::bf16", "float16": "kw::fp16"}
"""Element types that the templates read and write, by torch's name."""

Extent = int | str
"""A size or stride: a number, or a C++ expression over the kernel's parameters."""


@dataclass(frozen=True)
class Operand:
    """A batch of matrices in memory.

    `strides` are (batch, row, column) in elements. A transposed operand is one whose row stride is
    1: for `x @ w.T` with `w` of shape (n, k), the second operand (k x n) has strides (0, 1, k).
    `offset` replaces the batch stride where one number cannot say it: a C++ expression over `b`,
    the flat batch index, in elements (`"b / 12 * 98304 + b % 12 * 64"`).
    `map` is the body of a function of `V x` that is applied to every element read
    (`"return x * kw::sigmoid(x);"`).
    """

    pointer: str
    strides: tuple[Extent, Extent, Extent]
    dtype: str = "float32"
    offset: str = ""
    map: str = ""

    @property
    def parameter(self) -> str:
        """Its declaration in the kernel's prototype."""
        return f"const {c_type(self.dtype)}* {self.pointer}"


@dataclass(frozen=True)
class Epilogue:
    """What becomes of the sums while they are in cache.

    `parameters` are the C++ declarations that the kernel takes after the operands' pointers, e.g.
    `("const float* bias", "float* out")`; `body` sees them by name. Element-wise (`rows=False`),
    body is that of a function of `V acc` (a vector of consecutive columns, or one float in a tail)
    and `long b, i, j` (matrix, row, first column), and stores the result itself:
    `kw::store(out + i * 512 + j, kw::max(acc + kw::load<V>(bias + j), kw::set<V>(0)));`.
    With `rows=True` it is that of a function of `float* row` (a complete row, free to change) and
    `long b, i`. `helpers` is text that stands before the kernel at namespace scope.
    """

    parameters: tuple[str, ...]
    body: str
    rows: bool = False
    helpers: str = ""


def c_type(dtype: str) -> str:
    """C++ element type. Raises UsageError for a dtype that the templates cannot read."""
    if dtype not in C_TYPES:
        raise UsageError(f"C++ templates read {', '.join(C_TYPES)}; not {dtype}")
    return C_TYPES[dtype]


def parameter_name(declaration: str) -> str:
    """`const float* bias` -> `bias`. Raises UsageError for what is no declaration."""
    found = re.fullmatch(r"\s*[\w:\s*]*[\s*](\w+)\s*", declaration)
    if not found:
        raise UsageError(f"not a C++ parameter: {declaration!r}")
    return found.group(1)


def unique(declarations: Sequence[str]) -> tuple[str, ...]:
    """The declarations without repetitions of a name, first ones kept."""
    return tuple(
        {parameter_name(d): d for d in reversed(declarations)}[n] for n in _names(declarations)
    )


def _names(declarations: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(parameter_name(d) for d in declarations))


def functor(name: str, parameters: Sequence[str], signature: str, body: str) -> str:
    """A struct that holds the parameters and is called with `signature`."""
    members = "".join(f"  {declaration};\n" for declaration in parameters)
    template = "  template <class V>\n" if re.search(r"\bV\b", signature) else ""
    return (
        f"struct {name} {{\n{members}{template}"
        f"  KW_INLINE_MEMBER void operator()({signature}) const {{\n{indented(body)}\n  }}\n}};\n"
    )


def construct(name: str, parameters: Sequence[str]) -> str:
    """The expression that fills the struct of `functor` from the kernel's own parameters."""
    return f"{name}{{{', '.join(parameter_name(d) for d in parameters)}}}"


def indented(body: str, by: int = 4) -> str:
    """The text with each line moved to the right."""
    return "\n".join(
        " " * by + line if line.strip() else line for line in body.strip().splitlines()
    )


def defaults(**macros: object) -> str:
    """`#ifndef NAME / #define NAME value / #endif` for each: the numbers that a tuner may set."""
    return "".join(f"#ifndef {n}\n#define {n} {v}\n#endif\n" for n, v in macros.items())
