"""Names by which libraries of linear algebra and neural networks are known, wherever their code lies.

One name tells only where nobody else would choose it. A word with a prefix that anybody may choose
(`bli_gelu`: bias, linear, GELU) tells nothing; many of them do. Of BLIS, linked in for one sgemm alone, 759
functions of that prefix are exported.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

_MANY = 16
"""Names of one prefix that no kernel's own functions have."""
_PREFIX = re.compile(r"(?:scipy_)?(lapack|mkl|dnnl|goto|bli|xnn|armpl)_\w+", re.I)
_LEVELS = "(gemm|gemmt|gemv|ger|dotv?|axpyv?|trsm|trsv|trmm|trmv|syrk|syr2k|symm|symv|hemm|herk)"
_CERTAIN = re.compile(
    r"(scipy_|openblas_)?(cblas|LAPACKE|openblas)_\w+"
    r"|(scipy_)?[sdcz](gemm|gemv|dot|axpy|trsm|trmm|syrk|symm)_?(64)?_+"
    r"|(scipy_)?goto(blas\w*|_[sg]et_num_\w+)"
    r"|mkl_(blas|lapack|dft|dnn|graph|pds|serv|spblas|sparse|trans|vml|vsl)_\w+"
    r"|(?i:mkl_(malloc|free|free_buffers|[sg]et_(num|max|dynamic|version)\w*))"
    r"|(?i:mkl_(jit_|[sdcz]([io]mat|gemm|csr|csc|coo|bsr|dia)|cblas|sparse_[sdcz]_)\w*)"
    r"|dnnl_(sgemm|gemm_\w+|(primitive|engine|stream|memory)_\w+)"
    r"|xnn_(initialize|run_operator|\w+_ukernel_\w+|create_\w+_n(c|hwc|chw)_\w+)"
    rf"|bli_([sdcz]?{_LEVELS}(_\w+)?|(obj|cntx|cntl|gks|rntm|thrinfo|thrcomm|pba)_\w+)"
)


def of_a_library(names: Iterable[str]) -> bool:
    """Whether functions of these names are a library's."""
    prefixes: Counter[str] = Counter()
    for name in set(names):
        if _CERTAIN.fullmatch(name):
            return True
        if known := _PREFIX.fullmatch(name):
            prefixes[known[1].lower()] += 1
    return max(prefixes.values(), default=0) >= _MANY
