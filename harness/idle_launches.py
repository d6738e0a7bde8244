"""A worker in which launches of emulated kernels do nothing: what its calls still do, host and libraries do.

`prepare` comes before the candidate's code. Fresh memory is NaN, so that nothing is right by chance.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch

from kernelwright.harness.cuda_emulation import library

MODULE = __name__
_MAKERS: tuple[tuple[Any, str], ...] = (
    *((torch, name) for name in ("empty", "empty_like", "empty_strided")),
    *((torch.Tensor, name) for name in ("new_empty", "new_empty_strided")),
)
_POISON = 0xFF


def prepare(scratch: str, makers: Sequence[Callable[..., Any]] = ()) -> Callable[[], None]:
    """Make this process one in which CUDA launches are idle; there is nothing to ask it."""
    library.EmulatedLibrary.launch = nothing  # type: ignore[method-assign]
    for (owner, name), make in zip(_MAKERS, makers or makers_now(), strict=True):
        setattr(owner, name, _poisoned(make))
    return lambda: None


def nothing(*_: object, **__: object) -> None:
    """A launch that runs nothing and finds no fault."""


def makers_now() -> list[Callable[..., Any]]:
    """What allocates memory without a value, as it stands now."""
    return [getattr(owner, name) for owner, name in _MAKERS]


def _poisoned(make: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(make)
    def made(*args: Any, **kwargs: Any) -> Any:
        tensor = make(*args, **kwargs)
        if type(tensor) is torch.Tensor and tensor.device.type == "cpu" and tensor.numel():
            storage = tensor.untyped_storage()
            ctypes.memset(storage.data_ptr(), _POISON, storage.nbytes())
        return tensor

    return made
