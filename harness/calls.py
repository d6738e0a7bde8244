"""What a worker does around the calls of a model, beside the candidate in one process.

Whatever is called here is bound when this module is made, before foreign code is there: who rebinds a
name in torch later changes nothing. Where the functions themselves point to, `seals.py` watches.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from kernelwright.harness import wire
from kernelwright.harness.wire import Region

data_ptr = torch.Tensor.data_ptr
set_grad: Callable[[bool], None] = torch._C._set_grad_enabled
_IS_CPU, _DTYPE, _LAYOUT = (
    vars(torch._C.TensorBase)[name].__get__ for name in ("is_cpu", "dtype", "layout")
)


def poison(
    outputs: list[tuple[tuple[int, ...], torch.dtype]],
    copies: int,
    empty: Callable[..., torch.Tensor] = torch.empty,
    view: Callable[..., torch.Tensor] = torch.Tensor.view,
    fill: Callable[..., torch.Tensor] = torch.Tensor.fill_,
    flat: torch.dtype = torch.uint8,
) -> None:
    """Fill memory that the allocator is about to hand out, so that an unwritten output shows."""
    held = [
        empty(shape, dtype=dtype)
        for _ in range(copies)
        for shape, dtype in outputs
        if 0 not in shape
    ]
    for tensor in held:
        fill(view(view(tensor, -1), flat), 0xFF)  # NaN in every floating type


def flatten(
    out: Any,
    plain: type[torch.Tensor] = torch.Tensor,
    parameter: type[torch.nn.Parameter] = torch.nn.Parameter,
) -> list[torch.Tensor]:
    """Tensors of a tensor, or of a tuple, list or dict of them. Raises TypeError."""
    if type(out) is plain:
        if out.__dict__ and any(hasattr(plain, name) for name in out.__dict__):
            raise TypeError("an output must be a plain torch.Tensor, with no methods of its own")
        return [out]
    if isinstance(out, parameter):
        return [out.data]
    if isinstance(out, tuple):  # named ones too, but with no say in what they hold
        return [t for item in tuple.__iter__(out) for t in flatten(item)]
    if type(out) is list:
        return [t for item in out for t in flatten(item)]
    if type(out) is dict:
        return [t for item in out.values() for t in flatten(item)]
    raise TypeError(f"an output must be exactly torch.Tensor, not {type(out).__name__}")


def trained(model: torch.nn.Module, names: list[str]) -> list[torch.nn.Parameter]:
    """The parameters of these names. Raises ValueError for what takes no gradient."""
    own = dict(model.named_parameters(remove_duplicate=False))
    for name in names:
        if name not in own or not own[name].requires_grad:
            raise ValueError(f"{name} must be a parameter that takes a gradient")
    return [own[name] for name in names]


def forward_and_backward(
    model: Callable[..., Any], upstream: int, leaves: list[torch.nn.Parameter], *arguments: Any
) -> list[torch.Tensor]:
    """`backward` of a call whose last `upstream` arguments are the gradients for its outputs."""
    inputs = len(arguments) - upstream
    return backward(model, list(arguments[:inputs]), list(arguments[inputs:]), leaves)


def backward(
    model: Callable[..., Any],
    arguments: list[Any],
    gradients: list[torch.Tensor],
    parameters: list[torch.nn.Parameter],
    differentiate: Callable[..., Any] = torch.autograd.grad,
    detach: Callable[..., torch.Tensor] = torch.Tensor.detach,
    require: Callable[..., torch.Tensor] = torch.Tensor.requires_grad_,
    zeros: Callable[..., torch.Tensor] = torch.zeros_like,
    plain: type[torch.Tensor] = torch.Tensor,
    floating: Callable[..., bool] = torch.Tensor.is_floating_point,
    is_grad: Callable[[], bool] = torch.is_grad_enabled,
    set_grad: Callable[[bool], None] = set_grad,
) -> list[torch.Tensor]:
    """Outputs, then gradients of floating inputs and of parameters, for given output gradients.

    Zeros stand where an output does not depend on one. Raises TypeError when no output can be
    differentiated.
    """
    before = is_grad()
    set_grad(True)
    try:
        leaves = [
            require(detach(a)) if isinstance(a, plain) and floating(a) else a for a in arguments
        ]
        out = flatten(model(*leaves))
        wanted = [a for a in leaves if isinstance(a, plain) and a.requires_grad]
        wanted += parameters
        answers = [t for t in out if floating(t)]
        pairs = [(t, g) for t, g in zip(answers, gradients, strict=False) if t.requires_grad]
        if not pairs:
            raise TypeError(
                "the task has a backward pass, but no output can be differentiated: it is detached,"
                " or was made under no_grad; write a torch.autograd.Function"
            )
        found = differentiate(
            [t for t, _ in pairs], wanted, [g for _, g in pairs], allow_unused=True
        )
    finally:
        set_grad(before)
    return [detach(t) for t in out] + [
        zeros(w) if g is None else g for w, g in zip(wanted, found, strict=True)
    ]


def describe_tensor(
    tensor: torch.Tensor,
    plain: type = torch.Tensor,
    place: Callable[..., int] = data_ptr,
    stride: Callable[..., tuple[int, ...]] = torch.Tensor.stride,
    size: Callable[..., tuple[int, ...]] = torch.Tensor.size,
    is_cpu: Callable[..., bool] = _IS_CPU,
    type_of: Callable[..., torch.dtype] = _DTYPE,
    layout_of: Callable[..., torch.layout] = _LAYOUT,
    strided: torch.layout = torch.strided,
) -> dict[str, Any]:
    """Where a tensor lies. Raises TypeError for what is not a plain strided CPU tensor."""
    if type(tensor) is not plain or layout_of(tensor) is not strided:
        raise TypeError(f"an output must be exactly torch.Tensor, not {type(tensor).__name__}")
    if not is_cpu(tensor):
        raise TypeError(f"an output lies on {tensor.device}, the inputs on cpu")
    name = wire.dtype_name(type_of(tensor))
    return Region(place(tensor), name, tuple(size(tensor)), stride(tensor)).to_json()
