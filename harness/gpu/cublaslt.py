"""cuBLASLt by ctypes: products of matrices with each of the algorithms that its heuristic proposes.

PyTorch takes the first proposal; here each is timed and the fastest kept. Row-major tensors are handed over
as what column-major cuBLAS sees: C = A B becomes C^T = B^T A^T. Source of names and numbers: cublasLt.h.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import os
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

_TYPES = {torch.float32: 0, torch.float64: 1, torch.float16: 2, torch.bfloat16: 14}
"""cudaDataType_t."""
_COMPUTE = {torch.float32: 68, torch.float64: 70, torch.float16: 68, torch.bfloat16: 68}
_TF32 = 77
"""cublasComputeType_t: 32F, 64F; 32F_FAST_TF32."""
_TRANSA, _TRANSB = 3, 4
_BATCH_COUNT, _BATCH_OFFSET = 5, 6
_MAX_WORKSPACE = 1
WORKSPACE = 32 << 20
"""Bytes that an algorithm may use."""
PROPOSALS = 32
"""Algorithms that are asked for."""
_WARM_UPS, _RUNS = 2, 10
MISSING = "no libcublasLt here: it comes with torch's CUDA build, or with the CUDA toolkit"


class LtError(RuntimeError):
    """cuBLASLt is not there, or refused."""


class _Algorithm(ctypes.Structure):
    _fields_ = (("data", ctypes.c_uint64 * 8),)


class _Proposal(ctypes.Structure):
    """cublasLtMatmulHeuristicResult_t."""

    _fields_ = (
        ("algorithm", _Algorithm),
        ("workspace", ctypes.c_size_t),
        ("state", ctypes.c_int),
        ("waves", ctypes.c_float),
        ("reserved", ctypes.c_int * 4),
    )


@dataclass(frozen=True)
class Layout:
    """A row-major matrix as column-major cuBLAS has it. `turned`: it must be transposed."""

    rows: int
    columns: int
    leading: int
    turned: bool
    batch: int = 1
    offset: int = 0
    """Elements from one matrix of the batch to the next."""


def layout(x: torch.Tensor) -> Layout:
    """Of a tensor with 2 or 3 dimensions. Raises LtError for strides that cuBLAS cannot have."""
    batch, offset = (x.shape[0], x.stride(0)) if x.dim() == 3 else (1, 0)
    rows, columns = x.shape[-2:]
    down, right = x.stride()[-2:]
    if right == 1 and down >= columns:
        return Layout(columns, rows, max(down, 1), False, batch, offset)
    if down == 1 and right >= rows:
        return Layout(rows, columns, max(right, 1), True, batch, offset)
    raise LtError(f"cuBLASLt takes no matrix with strides {tuple(x.stride())}")


def library_path() -> Path | None:
    """In the wheels, in a toolkit, or of the system."""
    homes = [os.environ[name] for name in ("CUDA_HOME", "CUDA_PATH") if os.environ.get(name)]
    wheels = Path(sysconfig.get_paths()["purelib"]) / "nvidia"
    folders = [
        *sorted(wheels.glob("*/lib")), *(Path(h) / "lib64" for h in [*homes, "/usr/local/cuda"])
    ]  # fmt: skip
    found = [path for folder in folders for path in sorted(folder.glob("libcublasLt.so.[0-9]*"))]
    if found:
        return found[-1]
    name = ctypes.util.find_library("cublasLt")
    return Path(name) if name else None


class CublasLt:
    """The library with a handle on the current device. Raises LtError."""

    def __init__(self) -> None:
        path = library_path()
        if path is None:
            raise LtError(MISSING)
        try:
            self._dll: Any = ctypes.CDLL(str(path))
        except OSError as error:
            raise LtError(f"{path} cannot be loaded: {error}") from None
        self._handle = ctypes.c_void_p()
        self._do("Create", ctypes.byref(self._handle))

    def product(self, a: torch.Tensor, b: torch.Tensor, *, tf32: bool = False) -> Product:
        """Of matrices like these. Raises LtError."""
        return Product(self, a, b, tf32=tf32)

    def made(self, what: str, *arguments: Any) -> ctypes.c_void_p:
        """A descriptor, a layout or a preference, which lives as long as the process."""
        place = ctypes.c_void_p()
        self._do(f"{what}Create", ctypes.byref(place), *arguments)
        return place

    def set(self, what: str, place: ctypes.c_void_p, attribute: int, value: Any) -> None:
        """One attribute; `value` is a ctypes number."""
        self._do(
            f"{what}SetAttribute",
            place,
            ctypes.c_int(attribute),
            ctypes.byref(value),
            ctypes.c_size_t(ctypes.sizeof(value)),
        )

    def proposals(self, descriptor: Any, layouts: Any, preference: Any) -> list[_Proposal]:
        """Of the heuristic, the one that it thinks best first."""
        found = (_Proposal * PROPOSALS)()
        count = ctypes.c_int()
        a, b, c = layouts
        self._do(
            "MatmulAlgoGetHeuristic", self._handle, descriptor, a, b, c, c, preference,
            ctypes.c_int(PROPOSALS), found, ctypes.byref(count),
        )  # fmt: skip
        return [p for p in list(found)[: count.value] if p.state == 0]

    def matmul(self, *arguments: Any) -> None:
        """cublasLtMatmul, after its handle."""
        self._do("Matmul", self._handle, *arguments)

    def _do(self, function: str, *arguments: Any) -> None:
        status = self._dll[f"cublasLt{function}"](*arguments)
        if status:
            raise LtError(f"cublasLt{function} failed with status {status}")


@functools.cache
def cublaslt() -> CublasLt:
    """The one of this process. Raises LtError."""
    return CublasLt()


class Product:
    """C = A B for matrices of one shape, type and layout; batches alike."""

    def __init__(self, library: Any, a: torch.Tensor, b: torch.Tensor, *, tf32: bool) -> None:
        alike = a.dtype == b.dtype and a.dim() == b.dim() and a.shape[:-2] == b.shape[:-2]
        if a.dtype not in _TYPES or not alike or a.shape[-1] != b.shape[-2]:
            raise LtError(
                f"no product of {a.dtype} {tuple(a.shape)} and {b.dtype} {tuple(b.shape)}"
            )
        self._library = library
        self._shape = (*a.shape[:-1], b.shape[-1])
        kind = _TYPES[a.dtype]
        scale = torch.float64 if a.dtype == torch.float64 else torch.float32
        compute = _TF32 if tf32 and a.dtype == torch.float32 else _COMPUTE[a.dtype]
        self._descriptor = library.made(
            "MatmulDesc", ctypes.c_int(compute), ctypes.c_int(_TYPES[scale])
        )
        first, second = layout(b), layout(a)  # the other way round: see above
        for attribute, matrix in ((_TRANSA, first), (_TRANSB, second)):
            turned = ctypes.c_int32(int(matrix.turned))
            library.set("MatmulDesc", self._descriptor, attribute, turned)
        rows, columns = self._shape[-2:]
        batch = self._shape[0] if a.dim() == 3 else 1
        out = Layout(columns, rows, columns, False, batch, rows * columns)
        self._layouts = [self._made(m, kind) for m in (first, second, out)]
        preference = library.made("MatmulPreference")
        library.set("MatmulPreference", preference, _MAX_WORKSPACE, ctypes.c_uint64(WORKSPACE))
        self._proposals = library.proposals(self._descriptor, self._layouts, preference)
        if not self._proposals:
            raise LtError("cuBLASLt proposes no algorithm for this product")
        number = ctypes.c_double if scale == torch.float64 else ctypes.c_float
        self._one, self._zero = number(1.0), number(0.0)
        self._workspace = torch.empty(WORKSPACE, dtype=torch.uint8, device=a.device)
        self.chosen = 0
        """Which of the proposals is used: the first is what the heuristic thinks best."""

    def __call__(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """The product, on torch's current stream."""
        out = torch.empty(self._shape, dtype=a.dtype, device=a.device)
        proposal = self._proposals[self.chosen]
        first, second, third = self._layouts
        place = ctypes.c_void_p(out.data_ptr())
        self._library.matmul(
            self._descriptor, ctypes.byref(self._one), ctypes.c_void_p(b.data_ptr()), first,
            ctypes.c_void_p(a.data_ptr()), second, ctypes.byref(self._zero), place, third, place, third,
            ctypes.byref(proposal.algorithm), ctypes.c_void_p(self._workspace.data_ptr()),
            ctypes.c_size_t(WORKSPACE), ctypes.c_void_p(_stream(a)),
        )  # fmt: skip
        return out

    def tune(
        self, a: torch.Tensor, b: torch.Tensor, seconds: Callable[[Callable[[], object]], float]
    ) -> dict[int, float]:
        """Time every proposal and keep the fastest; the seconds of those that ran. Raises LtError."""
        taken: dict[int, float] = {}
        for number in range(len(self._proposals)):
            self.chosen = number
            try:
                taken[number] = seconds(lambda: self(a, b))
            except LtError:
                continue  # a proposal may not run after all
        if not taken:
            raise LtError("none of cuBLASLt's proposals ran")
        self.chosen = min(taken, key=lambda n: taken[n])
        return taken

    def _made(self, matrix: Layout, kind: int) -> ctypes.c_void_p:
        place: ctypes.c_void_p = self._library.made(
            "MatrixLayout", ctypes.c_int(kind), ctypes.c_uint64(matrix.rows),
            ctypes.c_uint64(matrix.columns), ctypes.c_int64(matrix.leading),
        )  # fmt: skip
        if matrix.batch > 1:
            self._library.set("MatrixLayout", place, _BATCH_COUNT, ctypes.c_int32(matrix.batch))
            self._library.set("MatrixLayout", place, _BATCH_OFFSET, ctypes.c_int64(matrix.offset))
        return place


def by_events(call: Callable[[], object]) -> float:
    """Seconds of the fastest of some calls, by CUDA events."""
    event: Any = torch.cuda.Event
    for _ in range(_WARM_UPS):
        call()
    taken = []
    for _ in range(_RUNS):
        begin, end = (event(enable_timing=True) for _ in range(2))
        begin.record()
        call()
        end.record()
        end.synchronize()
        taken.append(begin.elapsed_time(end) * 1e-3)
    return float(min(taken))


def _stream(x: torch.Tensor) -> int:
    return int(torch.cuda.current_stream(x.device).cuda_stream) if x.is_cuda else 0
