"""C++ templates of the built-in optimizer: text in, text out; nothing here runs or builds anything.

`header()` is the small vector library that every generated kernel includes by text. `gemm`,
`attention` and `conv` produce whole kernels with a fused epilogue.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def header(name: str = "vec.h") -> str:
    """The text of a C++ file that lies in this folder."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
