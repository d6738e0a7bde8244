"""Further rivals on a GPU: max-autotune, the reference as a CUDA graph, and for products cuBLAS and cuBLASLt.

Each is a source whose `Baseline` is the task's own `Model` run in another way, so a judge starts it as it
starts eager, and its times mean the same. It prepares itself at its first call: that belongs to the warm-up.
One that cannot be had says why, instead of a source.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from kernelwright.harness.gpu import cublaslt
from kernelwright.harness.gpu.cublaslt import LtError
from kernelwright.tasks.task import Task

ENTRY = "Baseline"
_WARM_UPS = 3
_PRODUCTS: frozenset[object] = frozenset({torch.matmul, torch.mm, torch.bmm, operator.matmul})
_METHODS = frozenset({"matmul", "mm", "bmm", "__matmul__"})
Forward = Callable[..., Any]
Multiply = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Baseline:
    """A rival by its name in `speedup`: a source, or why there is none."""

    name: str
    source: str | None = None
    reason: str | None = None
    seconds: float = 60.0
    """That its first call may take."""


def baselines(task: Task) -> tuple[Baseline, ...]:
    """Beside eager and torch.compile, all that there are for a task."""
    found = [_baseline(task, "max_autotune", 600.0), _baseline(task, "cuda_graph")]
    if task.meta.category != "matmul":
        return tuple(found)
    found.append(_baseline(task, "cublas"))
    lacking = cublaslt.MISSING if cublaslt.library_path() is None else None
    for name in ("cublaslt", "cublaslt_autotuned"):
        found.append(Baseline(name, reason=lacking) if lacking else _baseline(task, name))
    return tuple(found)


def _baseline(task: Task, name: str, seconds: float = 60.0) -> Baseline:
    return Baseline(name, task.source + _WRAPPER.format(name=name), seconds=seconds)


_WRAPPER = '''


class Baseline(Model):
    """The model above, run in another way."""

    def forward(self, *arguments):
        if "_prepared" not in self.__dict__:
            from kernelwright.harness.gpu.baselines import prepared

            self.__dict__["_prepared"] = prepared("{name}", self, super().forward, arguments)
        return self.__dict__["_prepared"](*arguments)
'''


def prepared(
    name: str, model: torch.nn.Module, forward: Forward, arguments: Sequence[Any]
) -> Forward:
    """What runs a model's `forward` in the way of that name. Raises LtError or RuntimeError."""
    return WAYS[name](model, forward, arguments)


def _max_autotune(model: torch.nn.Module, forward: Forward, arguments: Sequence[Any]) -> Forward:
    compiled: Forward = torch.compile(forward, mode="max-autotune")
    return compiled


def _cuda_graph(model: torch.nn.Module, forward: Forward, arguments: Sequence[Any]) -> Forward:
    """Captured once; inputs are copied to where the graph reads them, which is part of its time."""
    if torch.is_grad_enabled():
        raise RuntimeError("a graph of the backward pass is not captured")
    held = [a.clone() if isinstance(a, torch.Tensor) else a for a in arguments]
    cuda: Any = torch.cuda
    side = cuda.Stream()
    side.wait_stream(cuda.current_stream())
    with cuda.stream(side):
        for _ in range(_WARM_UPS):
            forward(*held)
    cuda.current_stream().wait_stream(side)
    graph = cuda.CUDAGraph()
    with cuda.graph(graph):
        out = forward(*held)

    def call(*given: Any) -> Any:
        for place, value in zip(held, given, strict=True):
            if isinstance(place, torch.Tensor):
                place.copy_(value)
        graph.replay()
        return out

    return call


def _cublas(model: torch.nn.Module, forward: Forward, arguments: Sequence[Any]) -> Forward:
    torch.backends.cuda.preferred_blas_library("cublas")
    return forward


def _cublaslt(model: torch.nn.Module, forward: Forward, arguments: Sequence[Any]) -> Forward:
    return substituted(model, forward, Products(tuned=False))


def _autotuned(model: torch.nn.Module, forward: Forward, arguments: Sequence[Any]) -> Forward:
    return substituted(model, forward, Products(tuned=True))


WAYS: dict[str, Callable[[torch.nn.Module, Forward, Sequence[Any]], Forward]] = {
    "max_autotune": _max_autotune,
    "cuda_graph": _cuda_graph,
    "cublas": _cublas,
    "cublaslt": _cublaslt,
    "cublaslt_autotuned": _autotuned,
}


class Products:
    """Products by cuBLASLt, one plan for each shape; `tuned`: every proposal is timed first."""

    def __init__(self, *, tuned: bool) -> None:
        self._tuned = tuned
        self._plans: dict[tuple[Any, ...], cublaslt.Product] = {}

    def __call__(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """The product of two matrices, or of two batches of as many. Raises LtError."""
        if a.dim() != b.dim() or a.dim() not in (2, 3):
            raise LtError(
                f"no product of {a.dim()} and {b.dim()} dimensions is made by cuBLASLt here"
            )
        key = (a.shape, a.stride(), b.shape, b.stride(), a.dtype)
        plan = self._plans.get(key)
        if plan is None:
            allowed = torch.backends.cuda.matmul.allow_tf32
            plan = self._plans[key] = cublaslt.cublaslt().product(a, b, tf32=allowed)
            if self._tuned:
                plan.tune(a, b, cublaslt.by_events)
        return plan(a, b)


def substituted(model: torch.nn.Module, forward: Forward, multiply: Multiply) -> Forward:
    """The model with each of its plain products made by `multiply`.

    Raises LtError where it cannot be traced, or has none.
    """
    kind = type(model).__mro__[1]  # the task's Model: tracing ours would end in itself
    inner: Any = object.__new__(kind)
    inner.__dict__ = {k: v for k, v in model.__dict__.items() if k != "_prepared"}
    try:
        traced = torch.fx.symbolic_trace(inner)
    except Exception as error:  # whatever a model does that cannot be traced
        raise LtError(f"the reference cannot be traced: {error}") from None

    def product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return multiply(a, b)

    replaced = 0
    for node in traced.graph.nodes:
        function = node.op == "call_function" and node.target in _PRODUCTS
        method = node.op == "call_method" and node.target in _METHODS
        if (function or method) and len(node.args) == 2 and not node.kwargs:
            node.op, node.target = "call_function", product
            replaced += 1
    if not replaced:
        raise LtError("the reference has no plain product to replace")
    traced.recompile()
    run: Forward = traced.forward
    return run
