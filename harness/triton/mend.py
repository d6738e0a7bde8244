"""Makes Triton's interpreter compute what a GPU would, where it does not (Triton 3.7).

- bfloat16: the interpreter does arithmetic on its bits as if they were integers, `tl.dot` included, and
  cuts off where it should round. Here every operation is done in fp32 and rounded to nearest.
- fp8: conversions round to nearest and saturate.
- TF32: `tl.dot` of fp32 numbers drops 13 bits of them unless `input_precision="ieee"` is given.
- `tl.maximum` and `tl.minimum` drop NaN unless told to propagate it.
- `tl.dot` refuses blocks that a GPU's tensor cores do not take (K below 16).
- libdevice: its functions are declarations only; they are taken from torch.

Not mended: inline assembly, which raises NotImplementedError; rounding of `tl.dot`'s partial sums.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import numpy as np
import torch

from kernelwright.harness.triton import small_floats as small

_LEAST_DOT = (1, 1, 16)
_ARITHMETIC = ("binary_op", "unary_op", "ternary_op", "create_fma", "create_rsqrt", "create_erf")
_SAME_NAME = (
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "ceil", "copysign", "cos", "cosh", "erf",
    "erfc", "erfinv", "exp", "exp2", "expm1", "floor", "fmod", "hypot", "lgamma", "log", "log10", "log1p",
    "log2", "pow", "rsqrt", "sin", "sinh", "sqrt", "tan", "tanh", "trunc", "abs", "isnan", "isinf", "i0",
    "i1",
)  # fmt: skip
_OTHER_NAMES: Mapping[str, Callable[..., torch.Tensor]] = {
    "fast_expf": torch.exp,
    "fast_exp2f": torch.exp2,
    "fast_exp10f": lambda x: torch.pow(10.0, x),
    "fast_logf": torch.log,
    "fast_log2f": torch.log2,
    "fast_log10f": torch.log10,
    "fast_sinf": torch.sin,
    "fast_cosf": torch.cos,
    "fast_tanf": torch.tan,
    "fast_tanhf": torch.tanh,
    "fast_powf": torch.pow,
    "fast_dividef": torch.div,
    "exp10": lambda x: torch.pow(10.0, x),
    "rint": torch.round,
    "nearbyint": torch.round,
    "round": lambda x: torch.sign(x) * torch.floor(x.abs() + 0.5),
    "fabs": torch.abs,
    "cbrt": lambda x: torch.sign(x) * x.abs().pow(1.0 / 3.0),
    "rcbrt": lambda x: torch.sign(x) / x.abs().pow(1.0 / 3.0),
    "tgamma": lambda x: torch.exp(torch.lgamma(x)),
    "div_rn": torch.div,
    "add_rn": torch.add,
    "mul_rn": torch.mul,
    "fma": lambda a, b, c: (a.double() * b.double() + c.double()).to(a.dtype),
    "finitef": torch.isfinite,
    "normcdf": torch.special.ndtr,
    "j0": torch.special.bessel_j0,
    "j1": torch.special.bessel_j1,
    "saturatef": lambda x: x.clamp(0.0, 1.0),
    "float2int_rn": lambda x: torch.round(x).int(),
    "float2int_rz": lambda x: torch.trunc(x).int(),
    "float2int_rd": lambda x: torch.floor(x).int(),
    "float2int_ru": lambda x: torch.ceil(x).int(),
}


def mend(interpreter: ModuleType) -> None:
    """Change `triton.runtime.interpreter` in place, before a kernel is there."""
    builder = interpreter.InterpreterBuilder
    _conversions(interpreter, builder)
    for name in _ARITHMETIC:
        setattr(builder, name, _in_fp32(interpreter, getattr(builder, name)))
    for name in ("ReduceOps", "ScanOps"):
        kind = getattr(interpreter, name)
        kind.apply_impl = _reduced_in_fp32(interpreter, kind.apply_impl)
    builder.create_maxnumf = lambda self, lhs, rhs: self.binary_op(lhs, rhs, np.fmax)
    builder.create_minnumf = lambda self, lhs, rhs: self.binary_op(lhs, rhs, np.fmin)
    builder.create_dot = _dot(interpreter, builder.create_dot)
    interpreter.interpreter_builder.codegen_fns["min_dot_size"] = lambda lhs, rhs: _LEAST_DOT
    _libdevice(interpreter)


def _conversions(interpreter: ModuleType, builder: Any) -> None:
    import triton.language as tl

    handle, cast, convert = interpreter.TensorHandle, builder.cast_impl, builder.create_fp_to_fp

    def widened(source: Any) -> Any:
        kind = source.dtype.scalar
        if kind == tl.bfloat16:
            return handle(small.from_bf16(source.data), tl.float32)
        if small.knows(kind.name):
            return handle(small.from_fp8(source.data, kind.name), tl.float32)
        return source

    def cast_impl(self: Any, source: Any, target: Any) -> Any:
        kind = target.scalar
        if source.dtype.scalar == kind:
            return handle(source.data, kind)
        source = widened(source)
        if kind == tl.bfloat16:
            return handle(small.to_bf16(source.data), kind)
        if small.knows(kind.name):
            return handle(small.to_fp8(source.data, kind.name), kind)
        return cast(self, source, target)

    def create_fp_to_fp(self: Any, source: Any, target: Any, rounding: Any) -> Any:
        if rounding == interpreter._ir.ROUNDING_MODE.RTZ:
            return convert(self, source, target, rounding)
        return cast_impl(self, source, target)

    builder.cast_impl = cast_impl
    builder.create_fp_to_fp = create_fp_to_fp


def _is_bf16(handle: Any) -> bool:
    return getattr(getattr(handle, "dtype", None), "scalar", None) is not None and (
        handle.dtype.scalar.name == "bf16"
    )


def _in_fp32(interpreter: ModuleType, operation: Callable[..., Any]) -> Callable[..., Any]:
    """An operation whose bfloat16 operands are widened, and whose result is rounded."""
    import triton.language as tl

    def widened(value: Any) -> Any:
        if not _is_bf16(value):
            return value
        return interpreter.TensorHandle(small.from_bf16(value.data), tl.float32, value.attr)

    def run(self: Any, *operands: Any) -> Any:
        if not any(_is_bf16(value) for value in operands):
            return operation(self, *operands)
        found = operation(self, *(widened(value) for value in operands))
        if found.data.dtype == np.bool_:
            return interpreter.TensorHandle(found.data, tl.int1)
        return interpreter.TensorHandle(small.to_bf16(found.data), tl.bfloat16)

    return run


def _reduced_in_fp32(interpreter: ModuleType, reduce: Callable[..., Any]) -> Callable[..., Any]:
    import triton.language as tl

    def with_data(tensor: Any, data: Any, kind: Any) -> Any:
        shape = tl.block_type(kind, list(data.shape)) if tensor.type.is_block() else kind
        return tl.core.tensor(interpreter.TensorHandle(data, kind), shape)

    def run(self: Any, given: tuple[Any, ...]) -> Any:
        narrow = [tensor.dtype.scalar == tl.bfloat16 for tensor in given]
        if not any(narrow):
            return reduce(self, given)
        wide = tuple(
            with_data(t, small.from_bf16(t.handle.data), tl.float32) if n else t
            for t, n in zip(given, narrow, strict=True)
        )
        found = reduce(self, wide)
        several = isinstance(found, list | tuple)
        results = list(found) if several else [found]
        back = [
            with_data(t, small.to_bf16(t.handle.data), tl.bfloat16)
            if t.dtype.scalar == tl.float32
            else t
            for t in results
        ]
        return back if several else back[0]

    return run


def _dot(interpreter: ModuleType, dot: Callable[..., Any]) -> Callable[..., Any]:
    import triton.language as tl

    handle, precision = interpreter.TensorHandle, interpreter._ir.INPUT_PRECISION

    def read(operand: Any, asked: Any) -> Any:
        kind = operand.dtype.scalar
        if kind == tl.bfloat16:
            return handle(small.from_bf16(operand.data), tl.float32)
        if small.knows(kind.name):
            return handle(small.from_fp8(operand.data, kind.name), tl.float32)
        if kind == tl.float32 and asked == precision.TF32:
            return handle(small.truncated_to_tf32(operand.data), tl.float32)
        return operand

    def create_dot(self: Any, a: Any, b: Any, sum_: Any, asked: Any, *rest: Any) -> Any:
        return dot(self, read(a, asked), read(b, asked), sum_, asked, *rest)

    return create_dot


def _libdevice(interpreter: ModuleType) -> None:
    from triton.language.extra import libdevice
    from triton.language.extra.cuda import libdevice as of_cuda

    functions = {name: getattr(torch, name) for name in _SAME_NAME if hasattr(torch, name)}
    for name, function in {**functions, **_OTHER_NAMES}.items():
        for module in (libdevice, of_cuda):
            if hasattr(module, name):
                setattr(module, name, _elementwise(interpreter, function))


def _elementwise(interpreter: ModuleType, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of tensors of torch as one of Triton's, on numbers and blocks."""
    import triton.language as tl

    kinds = {np.dtype(bool): tl.int1, np.dtype(np.int32): tl.int32}

    def run(*arguments: Any, _semantic: Any = None, **_: Any) -> Any:
        first = next(a for a in arguments if isinstance(a, tl.tensor))
        dtype = first.handle.data.dtype
        given = [
            torch.from_numpy(np.array(a.handle.data))
            if isinstance(a, tl.tensor)
            else torch.tensor(np.array(getattr(a, "value", a), dtype=dtype))
            for a in arguments
        ]
        with np.errstate(all="ignore"):
            found = function(*given).numpy()
        kind = kinds.get(found.dtype, first.dtype.scalar)
        block = tl.block_type(kind, list(found.shape)) if first.type.is_block() else kind
        return tl.tensor(interpreter.TensorHandle(found, kind), block)

    return run
