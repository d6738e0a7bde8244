"""A verified kernel as an operator of torch. Needs torch alone; exported files carry a copy of it.

The kernel runs where it was verified: those shapes, dtypes, strides, numbers, that device. Anywhere
else, under autocast and torch.func, and where it cannot be built the reference runs. The operator has a fake
implementation, so it lies whole in graphs of torch.compile. Its gradient is the reference's, by
recomputation; in eager mode a kernel whose backward pass was verified brings its own.
"""

from __future__ import annotations

import inspect
import threading
import types
import warnings
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch.func import functional_call

_KEPT = 8
"""Kernels with weights that are kept ready, for each thread."""


class TensorSpec(NamedTuple):
    """How a tensor was when the kernel was verified. `dtype` as in `torch.float32`, strides in elements."""

    dtype: str
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    def fits(self, tensor: torch.Tensor, device: str) -> bool:
        """Whether a tensor is like that; strides of dimensions of size 1 say nothing."""
        return (
            tuple(tensor.shape) == self.shape
            and str(tensor.dtype) == "torch." + self.dtype
            and tensor.device.type == device
            and all(
                size == 1 or ours == theirs
                for size, ours, theirs in zip(self.shape, self.stride, tensor.stride(), strict=True)
            )
        )


class Form(NamedTuple):
    """One place where the kernel was verified. `constants` are those of the reference's file that differ."""

    config: int
    inputs: tuple[Any, ...]
    state: tuple[TensorSpec, ...]
    constants: Mapping[str, int]


class Spec(NamedTuple):
    """What the operator is. `configs` are arguments of `Model`, positional and by name."""

    name: str
    arguments: tuple[str, ...]
    state: tuple[str, ...]
    configs: tuple[tuple[tuple[Any, ...], Mapping[str, Any]], ...]
    forms: tuple[Form, ...]
    outputs: Any
    """Where each flat output goes in what `forward` returns: its index, in nested tuples, lists and dicts."""
    returns: int
    """How many tensors those are."""
    backward: bool
    any_mode: bool
    """Whether training mode computes the same; otherwise the reference does it."""
    device: str


class Operator:
    """The operator. `reference` is the module that defines `Model`, `kernel` imports that of `ModelNew`."""

    def __init__(
        self, spec: Spec, reference: types.ModuleType, kernel: Callable[[], types.ModuleType]
    ) -> None:
        self.spec = spec
        self.reference = reference
        self.unavailable: str | None = None
        """Why the kernel cannot run here at all; None where nothing is known against it."""
        self._kernel = kernel
        self._module: types.ModuleType | None = None
        self._lock = threading.RLock()
        self._configs = [self._bound(*config) for config in spec.configs]
        self._models: dict[int, torch.nn.Module] = {}
        self._local = threading.local()
        self._warned: set[str] = set()
        self._tensors = [isinstance(value, TensorSpec) for value in spec.forms[0].inputs]
        self._op = torch.library.custom_op(
            spec.name, self._forward, mutates_args=(), schema=self._schema()
        )
        self._op.register_fake(self._fake)
        self._op.register_autograd(self._backward, setup_context=self._keep)

    # -- for callers ------------------------------------------------------------------------------

    def call(self, inputs: Sequence[Any], state: Sequence[torch.Tensor], config: int = 0) -> Any:
        """What `Model.forward` returns for these inputs, weights and arguments of `Model`."""
        eager = not torch.compiler.is_compiling()
        if torch.is_autocast_enabled(self.spec.device) or (eager and _transformed()):
            return self._nested(self._flat(self._reference(inputs, state, config)))
        if eager and self._own_gradient(inputs, state, config):
            found = self._try_kernel(inputs, state, config)
            if found is not None:
                return self._nested(found)
        found = self._op(*inputs, *state, config)
        return self._nested([found] if isinstance(found, torch.Tensor) else list(found))

    def of_module(
        self,
        module: torch.nn.Module,
        otherwise: Callable[..., Any],
        config: int,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> Any:
        """The same for a module that has the reference's parameters; `otherwise` is its own forward."""
        if len(args) != len(self._tensors) and len(args) + len(kwargs) == len(self._tensors):
            args = [*args, *(kwargs[n] for n in self.spec.arguments[len(args) :] if n in kwargs)]
        if len(args) != len(self._tensors) or (module.training and not self.spec.any_mode):
            return otherwise(*args, **kwargs)
        if [isinstance(value, torch.Tensor) for value in args] != self._tensors:
            return otherwise(*args, **kwargs)
        state = [_attribute(module, name) for name in self.spec.state]
        if not all(isinstance(value, torch.Tensor) for value in state):
            return otherwise(*args, **kwargs)
        return self.call(args, state, config)

    def uses_kernel(
        self, inputs: Sequence[Any], state: Sequence[torch.Tensor] = (), config: int = 0
    ) -> bool:
        """Whether the kernel would run for these; it is built to find out."""
        return self._fits(inputs, state, config) and self._loaded() is not None

    def config(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> int:
        """The number of these arguments of `Model`; a new one where the kernel was not verified so."""
        bound = self._bound(args, kwargs)
        with self._lock:
            for number, known in enumerate(self._configs):
                if repr(known) == repr(bound):
                    return number
            self._configs.append(bound)
            return len(self._configs) - 1

    # -- which code -------------------------------------------------------------------------------

    def _fits(self, inputs: Sequence[Any], state: Sequence[torch.Tensor], config: int) -> bool:
        return any(
            form.config == config
            and all(self._like(w, v) for w, v in zip(form.inputs, inputs, strict=True))
            and all(self._like(w, v) for w, v in zip(form.state, state, strict=True))
            for form in self.spec.forms
        )

    def _like(self, wanted: Any, value: Any) -> bool:
        if isinstance(wanted, TensorSpec):
            return isinstance(value, torch.Tensor) and wanted.fits(value, self.spec.device)
        return type(wanted) is type(value) and bool(wanted == value)

    def _own_gradient(
        self, inputs: Sequence[Any], state: Sequence[torch.Tensor], config: int
    ) -> bool:
        """Whether the kernel's own backward pass is wanted, and nothing but autograd looks on."""
        if not self.spec.backward or not torch.is_grad_enabled():
            return False
        tensors = [v for v in (*inputs, *state) if isinstance(v, torch.Tensor)]
        plain = all(type(t) in (torch.Tensor, torch.nn.Parameter) for t in tensors)
        return (
            plain
            and any(t.requires_grad for t in tensors)
            and not _watched()
            and self._fits(inputs, state, config)
        )

    def _loaded(self) -> types.ModuleType | None:
        """The kernel's module; None, with one warning, where it cannot be had here."""
        with self._lock:
            if self._module is None and self.unavailable is None:
                try:
                    self._module = self._kernel()
                except Exception as error:  # a compiler, a driver, a package may be missing
                    said = (str(error).strip().splitlines() or [type(error).__name__])[0]
                    self.unavailable = f"{type(error).__name__}: {said}"
                    self._warn(f"its kernel cannot be used here ({self.unavailable})")
            return self._module

    def _try_kernel(
        self, inputs: Sequence[Any], state: Sequence[torch.Tensor], config: int
    ) -> list[torch.Tensor] | None:
        """The kernel's flat outputs; None where it cannot run or refuses."""
        module = self._loaded()
        if module is None:
            return None
        try:
            kernel = self._instance(module, state, config)
            known = dict(zip(self.spec.state, state, strict=True))
            own = {name: known[name] for name in kernel.names if name in known}
            return self._flat(
                functional_call(kernel.model, own, tuple(inputs)) if own else kernel.model(*inputs)
            )
        except Exception as error:  # whatever it is: the reference is right, or raises it too
            said = (str(error).strip().splitlines() or [""])[0]
            self._warn(f"its kernel raised {type(error).__name__}: {said}")
            return None

    def _instance(
        self, module: types.ModuleType, state: Sequence[torch.Tensor], config: int
    ) -> _Kernel:
        """A `ModelNew` for these very weights: what it packs of them must not meet others."""
        kept: list[_Kernel] = self._local.__dict__.setdefault("kernels", [])
        for kernel in kept:
            if kernel.config == config and all(
                r() is t for r, t in zip(kernel.state, state, strict=True)
            ):
                return kernel
        args, kwargs = self._configs[config]
        model = module.ModelNew(*args, **kwargs).eval()
        own = (*model.named_parameters(), *model.named_buffers())
        names = tuple(name for name, _ in own)
        kernel = _Kernel(config, tuple(weakref.ref(t) for t in state), names, model)
        kept.insert(0, kernel)
        del kept[_KEPT:]
        return kernel

    def _reference(self, inputs: Sequence[Any], state: Sequence[torch.Tensor], config: int) -> Any:
        with self._lock:
            if config not in self._models:
                args, kwargs = self._configs[config]
                with torch.random.fork_rng(devices=[]):
                    self._models[config] = self.reference.Model(*args, **kwargs).eval()
        model = self._models[config]
        return functional_call(model, dict(zip(self.spec.state, state, strict=True)), tuple(inputs))

    # -- the operator -----------------------------------------------------------------------------

    def _schema(self) -> str:
        kinds = {bool: "bool", int: "int", float: "float"}
        given = [
            f"{'Tensor' if isinstance(v, TensorSpec) else kinds[type(v)]} {name}"
            for name, v in zip(self.spec.arguments, self.spec.forms[0].inputs, strict=True)
        ]
        given += [f"Tensor {name.replace('.', '_')}_" for name in self.spec.state]
        outputs = ", ".join(["Tensor"] * self.spec.returns)
        outputs = outputs if self.spec.returns == 1 else f"({outputs})"
        return f"({', '.join(given)}, int config=0) -> {outputs}"

    def _split(self, args: Sequence[Any]) -> tuple[list[Any], list[torch.Tensor], int]:
        inputs = len(self.spec.arguments)
        state = args[inputs : inputs + len(self.spec.state)]
        config = args[-1] if len(args) > inputs + len(self.spec.state) else 0
        return list(args[:inputs]), list(state), int(config)

    def _forward(self, *args: Any) -> Any:
        inputs, state, config = self._split(args)
        with torch.no_grad():
            found = None
            if self._fits(inputs, state, config):
                found = self._try_kernel(inputs, state, config)
            if found is None:
                found = self._flat(self._reference(inputs, state, config))
        given = [v for v in args if isinstance(v, torch.Tensor)]
        return self._returned(_apart(found, given))

    def _fake(self, *args: Any) -> Any:
        flat = self._flat(self._reference(*self._split(args)))
        return self._returned([torch.empty_like(t, memory_format=_PLAIN) for t in flat])

    def _returned(self, flat: Sequence[torch.Tensor]) -> Any:
        return flat[0] if self.spec.returns == 1 else tuple(flat)

    def _keep(self, ctx: Any, inputs: Sequence[Any], output: Any) -> None:
        ctx.save_for_backward(*(v for v in inputs if isinstance(v, torch.Tensor)))
        ctx.others = [None if isinstance(v, torch.Tensor) else v for v in inputs]
        ctx.tensors = [isinstance(v, torch.Tensor) for v in inputs]

    def _backward(self, ctx: Any, *grads: Any) -> tuple[torch.Tensor | None, ...]:
        saved, further = iter(ctx.saved_tensors), torch.is_grad_enabled()
        args = [next(saved) if t else o for t, o in zip(ctx.tensors, ctx.others, strict=True)]
        wanted = [i for i, needed in enumerate(ctx.needs_input_grad) if needed]
        with torch.enable_grad():
            for i in wanted:
                args[i] = args[i] if further else args[i].detach().requires_grad_()
            flat = self._flat(self._reference(*self._split(args)))
            pairs = [
                (o, g)
                for o, g in zip(flat, grads, strict=True)
                if g is not None and o.requires_grad
            ]
            found = torch.autograd.grad(
                [o for o, _ in pairs],
                [args[i] for i in wanted],
                [g for _, g in pairs],
                create_graph=further,
                allow_unused=True,
            )
        by_place = dict(zip(wanted, found, strict=True))
        return tuple(by_place.get(i) for i in range(len(args)))

    # -- pieces -----------------------------------------------------------------------------------

    def _bound(
        self, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        bound = inspect.signature(self.reference.Model).bind(*args, **kwargs)
        bound.apply_defaults()
        return bound.args, dict(bound.kwargs)

    def _flat(self, value: Any) -> list[torch.Tensor]:
        if isinstance(value, torch.Tensor):
            return [value]
        if isinstance(value, Mapping):
            value = list(value.values())
        return [] if value is None else [t for item in value for t in self._flat(item)]

    def _nested(self, flat: Sequence[torch.Tensor]) -> Any:
        def put(place: Any) -> Any:
            if isinstance(place, (tuple, list)):
                return type(place)(put(item) for item in place)
            if isinstance(place, dict):
                return {name: put(item) for name, item in place.items()}
            return None if place is None else flat[place]

        return put(self.spec.outputs)

    def _warn(self, said: str) -> None:
        if said not in self._warned:
            self._warned.add(said)
            warnings.warn(f"{self.spec.name}: {said}; the reference runs instead", stacklevel=2)


class _Kernel(NamedTuple):
    """A `ModelNew` that is ready, and the weights it is for."""

    config: int
    state: tuple[Any, ...]
    names: tuple[str, ...]
    model: torch.nn.Module


_PLAIN = torch.contiguous_format


def _apart(found: Sequence[torch.Tensor], given: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Contiguous outputs that share memory with no input and with each other: an operator's must."""
    taken = {t.untyped_storage().data_ptr() for t in given}
    outputs = []
    for tensor in found:
        output = tensor.contiguous()
        place = output.untyped_storage().data_ptr()
        if place in taken:
            output = output.clone(memory_format=_PLAIN)
            place = output.untyped_storage().data_ptr()
        taken.add(place)
        outputs.append(output)
    return outputs


def _attribute(module: Any, name: str) -> Any:
    for part in name.split("."):
        module = getattr(module, part)
    return module


def _transformed() -> bool:
    """Whether a transform of torch.func is on, which looks into no operator; unknown counts as no."""
    functorch = getattr(torch._C, "_functorch", None)
    level = getattr(functorch, "maybe_current_level", None)
    return level is not None and level() is not None


def _watched() -> bool:
    """Whether a dispatch mode is on; unknown counts as yes."""
    try:
        from torch.utils._python_dispatch import is_in_torch_dispatch_mode
    except ImportError:
        return True
    return bool(is_in_torch_dispatch_mode())
