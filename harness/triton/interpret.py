"""Runs Triton kernels on the CPU, in this process: mended, and under a guard.

`prepare` comes before the candidate's code and before anything else imports Triton.
"""

from __future__ import annotations

import dataclasses
import importlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any, NoReturn

import numpy as np
import torch

from kernelwright.harness.triton import driver
from kernelwright.harness.triton.fresh import Fresh
from kernelwright.harness.triton.guard import Guard
from kernelwright.harness.triton.mend import mend

MODULE = __name__
_KEEP_OWNER = (
    "create_addptr", "create_splat", "create_broadcast", "create_expand_dims", "create_reshape",
    "create_trans", "create_bitcast", "create_unsplat",
)  # fmt: skip
"""Operations whose result points into the tensor that their first operand points into."""
_MOST_GRID = (2**31 - 1, 65_535, 65_535)
_ORDERS = {"ACQUIRE": "acquire", "RELEASE": "release", "RELAXED": "relaxed"}


def prepare(scratch: str) -> Callable[[], Mapping[str, Any]]:
    """Make this process one in which Triton interprets; returns what asks for complaints.

    Raises ImportError where Triton is not installed.
    """
    os.environ["TRITON_INTERPRET"] = "1"
    return install().report


def install() -> Interpreter:
    """The same for whoever is in the process itself. Sets TRITON_INTERPRET beforehand."""
    _forget_triton()
    import triton
    import triton.language

    interpreter = importlib.import_module("triton.runtime.interpreter")
    if not triton.knobs.runtime.interpret:
        raise RuntimeError("TRITON_INTERPRET=1 must be set before anything imports triton")
    triton.knobs.compilation.front_end_debugging = True  # exceptions keep the kernel's line
    options = dataclasses.replace(
        interpreter.interpreter_builder.options, debug=True, sanitize_overflow=False
    )
    interpreter.interpreter_builder.options = options  # so that tl.device_assert counts
    np.seterr(all="ignore")  # a GPU says nothing of overflow
    driver.install()
    mend(interpreter)
    fresh = Fresh()
    fresh.watch()
    return Interpreter(interpreter, Guard(fresh))


def _forget_triton() -> None:
    """Have Triton imported anew: parts of torch import it, and then it does not interpret.

    Its compiled part stays, for it can be loaded only once.
    """
    for name in [n for n in sys.modules if n == "triton" or n.startswith("triton.")]:
        if not name.startswith("triton._C"):
            del sys.modules[name]


class CannotBeEmulated(NotImplementedError):
    """The kernel does what nothing but a GPU can do: that says nothing of whether it is right."""


class Interpreter:
    """Triton's interpreter, watched. There is one in a process."""

    def __init__(self, module: ModuleType, guard: Guard) -> None:
        self.guard = guard
        self._module = module
        self._launches()
        self._owners()
        self._accesses()

    def report(self) -> Mapping[str, Any]:
        """Complaints since it was asked last, and masked loads that may explain a wrong answer."""
        return {
            "complaints": [c.to_json() for c in self.guard.taken()],
            "undefined": [c.to_json() for c in self.guard.undefined],
        }

    def _launches(self) -> None:
        module, guard = self._module, self.guard
        executor, builder = module.GridExecutor, module.InterpreterBuilder
        initialise, restore = executor._init_args_hst, executor._restore_args_dev
        set_index, set_grid = builder.set_grid_idx, builder.set_grid_dim

        def _init_args_hst(self: Any, given: Sequence[Any], named: Mapping[str, Any]) -> Any:
            arguments, keywords = initialise(self, given, named)
            pairs = [*zip(self.arg_names, arguments, strict=False), *keywords.items()]
            guard.launch(self.fn.__name__, dict(_tensors(pairs)))
            return arguments, keywords

        def _restore_args_dev(self: Any, given: Any, there: Any, *rest: Any) -> None:
            tensors = [t for _, t in _tensors((str(i), a) for i, a in enumerate(given))]
            if any(t.device.type != "cpu" for t in tensors):
                restore(self, given, there, *rest)  # on the CPU they are the same memory

        def set_grid_dim(self: Any, *sizes: int) -> None:
            for axis, size, most in zip("xyz", sizes, _MOST_GRID, strict=True):
                if size > most:
                    raise ValueError(f"a grid of {size} programs along {axis}: at most {most}")
            set_grid(self, *sizes)

        def set_grid_idx(self: Any, x: int, y: int, z: int) -> None:
            _, ny, nz = self.grid_dim
            set_index(self, x, y, z)
            guard.begin((x * ny + y) * nz + z)

        executor._init_args_hst = _init_args_hst
        executor._restore_args_dev = _restore_args_dev
        builder.set_grid_dim, builder.set_grid_idx = set_grid_dim, set_grid_idx

    def _owners(self) -> None:
        """Each pointer knows which argument it comes from."""
        module, guard = self._module, self.guard
        convert = module._implicit_cvt

        def _implicit_cvt(value: Any) -> Any:
            found = convert(value)
            if hasattr(value, "data_ptr"):
                _own(found.handle, guard.place_of(value.data_ptr()))
            return found

        vars(module)["_implicit_cvt"] = _implicit_cvt
        for name in _KEEP_OWNER:
            _keep_owner(module.InterpreterBuilder, name)
        for handle in (module.BlockPointerHandle, module.TensorDescHandle):
            handle.materialize_pointers = _with_owner_of_base(handle.materialize_pointers)
        patch = module._patch_lang_core

        def _patch_lang_core(lang: Any, scope: Any) -> None:
            patch(lang, scope)
            hinted = lang.multiple_of

            def multiple_of(block: Any, values: Any) -> Any:
                wanted = values if isinstance(values, list | tuple) else [values]
                guard.hint(
                    "multiple_of", [int(getattr(v, "value", v) or 0) for v in wanted], _data(block)
                )
                return hinted(block, values)

            scope.set_attr(lang, "multiple_of", multiple_of)

        vars(module)["_patch_lang_core"] = _patch_lang_core

    def _accesses(self) -> None:
        module, guard = self._module, self.guard
        builder, handle = module.InterpreterBuilder, module.TensorHandle
        truth = module.tl.int1
        load, store = builder.create_masked_load, builder.create_masked_store
        swap, update = builder.create_atomic_cas, builder.create_atomic_rmw

        def create_masked_load(
            self: Any, pointers: Any, mask: Any, other: Any, *rest: Any, **named: Any
        ) -> Any:
            kind = pointers.get_element_ty()
            on = np.broadcast_to(mask.data, np.shape(pointers.data)).astype(bool)
            allowed = guard.loaded(pointers, on, _bytes(kind))
            if other is None:
                other = handle(_undefined(on, module._get_np_dtype(kind)), kind)
                if not on.all():
                    guard.undefined_lanes(pointers)
            found = load(self, pointers, handle(allowed, truth), other, *rest, **named)
            guard.read_unwritten(pointers, allowed, found.data, kind.name)
            lost = on & ~allowed
            if lost.any():
                found.data[lost] = _poison((), found.data.dtype)
            return found

        def create_masked_store(self: Any, pointers: Any, value: Any, mask: Any, *rest: Any) -> Any:
            kind = pointers.get_element_ty()
            allowed = guard.stored(pointers, value.data, mask.data, _bytes(kind))
            return store(self, pointers, value, handle(allowed, truth), *rest)

        def create_atomic_cas(
            self: Any, pointers: Any, old: Any, new: Any, order: Any, scope: Any
        ) -> Any:
            on = np.ones(np.shape(pointers.data), bool)
            kind = pointers.get_element_ty()
            if not guard.updated(pointers, on, _bytes(kind), _order(order, kind)).all():
                return handle(np.array(old.data), old.dtype.scalar)
            return swap(self, pointers, old, new, order, scope)

        def create_atomic_rmw(
            self: Any, what: Any, pointers: Any, value: Any, mask: Any, order: Any, scope: Any
        ) -> Any:
            kind = pointers.get_element_ty()
            allowed = guard.updated(pointers, mask.data, _bytes(kind), _order(order, kind))
            return update(self, what, pointers, value, handle(allowed, truth), order, scope)

        def create_inline_asm(self: Any, *_: Any, **__: Any) -> Any:
            refuse("inline assembly (tl.inline_asm_elementwise)")

        def create_extern_elementwise(self: Any, _: Any, __: Any, symbol: Any, *___: Any) -> Any:
            refuse(f"the device function {symbol}")

        def refuse(what: str) -> NoReturn:
            what = f"{what} runs on a GPU only: it cannot be emulated"
            guard.cannot(what)
            raise CannotBeEmulated(what)

        builder.create_inline_asm = create_inline_asm
        builder.create_extern_elementwise = create_extern_elementwise
        builder.create_masked_load = create_masked_load
        builder.create_masked_store = create_masked_store
        builder.create_atomic_cas = create_atomic_cas
        builder.create_atomic_rmw = create_atomic_rmw


def _keep_owner(builder: Any, name: str) -> None:
    operation = getattr(builder, name)
    from_second = name == "create_splat"  # its first operand is a type

    def run(self: Any, *operands: Any) -> Any:
        found = operation(self, *operands)
        _own(found, getattr(operands[from_second], "attr", {}).get("argument"))
        return found

    setattr(builder, name, run)


def _with_owner_of_base(materialize: Callable[..., Any]) -> Callable[..., Any]:
    def run(self: Any, *given: Any) -> Any:
        pointers, masks = materialize(self, *given)
        _own(pointers, self.base.attr.get("argument"))
        return pointers, masks

    return run


def _own(handle: Any, owner: int | None) -> None:
    if owner is not None:
        handle.attr["argument"] = owner


def _tensors(pairs: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """Tensors among arguments, those in tuples, descriptors and wrappers included."""
    for name, value in pairs:
        if isinstance(value, tuple):
            yield from _tensors((f"{name}[{i}]", item) for i, item in enumerate(value))
        elif isinstance(value, torch.Tensor):
            yield name, value
        elif isinstance(getattr(value, "base", None), torch.Tensor):
            yield name, value.base


def _bytes(kind: Any) -> int:
    return max(1, int(kind.primitive_bitwidth) // 8)


def _order(order: Any, kind: Any) -> str:
    """Sums of floating numbers order nothing: nobody waits for their value."""
    if kind.is_floating():
        return "relaxed"
    return _ORDERS.get(getattr(order, "name", str(order)).rsplit(".")[-1], "acquire_release")


def _data(block: Any) -> Any:
    handle = getattr(block, "handle", None)
    return np.asarray(block if handle is None else handle.data)


def _undefined(on: Any, dtype: Any) -> Any:
    """What lanes that are off may hold: by turns huge, huge and negative, and NaN, so that sums, maxima and
    minima all show it; the languages' own small types know only NaN."""
    lanes = _poison(on.shape, dtype)
    if dtype.kind == "f":
        turn = np.cumsum(~on.reshape(-1)).reshape(on.shape) % 3
        most = np.finfo(dtype).max
        lanes = np.where(turn == 1, most, np.where(turn == 2, -most, lanes)).astype(dtype)
    return lanes


def _poison(shape: tuple[int, ...], dtype: Any) -> Any:
    """NaN in floating types, -1 in integers, true in truth values."""
    if dtype == np.bool_:
        return np.ones(shape, bool)
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    return np.full(size, 0xFF, np.uint8).view(dtype).reshape(shape)
