"""Knows which memory has been allocated and not yet written: `torch.empty` and its kin are filled with NaN.

Only floating tensors are told of: in integers every pattern is somebody's value.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

_POISON = 0xFF
"""Each byte; NaN in every floating type."""
_MAKERS = ("empty", "empty_like", "empty_strided")
_METHODS = ("new_empty", "new_empty_strided")


class Fresh:
    """The fresh memory of a process: which blocks, and which of their bytes kernels have written."""

    def __init__(self) -> None:
        self._blocks: dict[int, npt.NDArray[np.bool_]] = {}

    def watch(self) -> None:
        """From now on poison what torch allocates on the CPU without a value."""
        for name in _MAKERS:
            setattr(torch, name, self._poisoning(getattr(torch, name)))
        for name in _METHODS:
            setattr(torch.Tensor, name, self._poisoning(getattr(torch.Tensor, name)))

    def wrote(self, addresses: npt.NDArray[np.int64], item: int) -> None:
        """A kernel has written here."""
        for begin, written in self._blocks.items():
            inside = (addresses >= begin) & (addresses < begin + written.size)
            if inside.any():
                for byte in range(item):
                    written[np.minimum(addresses[inside] - begin + byte, written.size - 1)] = True

    def unwritten(
        self, addresses: npt.NDArray[np.int64], values: npt.NDArray[Any], kind: str
    ) -> bool:
        """Whether one of these values is still the poison, and no kernel has written there."""
        if not kind.startswith(("fp", "bf")) or not self._blocks:
            return False
        whole = np.ascontiguousarray(values)
        poison = (whole.view(np.uint8).reshape(whole.size, -1) == _POISON).all(axis=1)
        if not poison.any():
            return False
        suspects = addresses[poison]
        for begin, written in self._blocks.items():
            inside = (suspects >= begin) & (suspects < begin + written.size)
            if inside.any() and not written[suspects[inside] - begin].all():
                return True
        return False

    def _poisoning(self, make: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(make)
        def poisoned(*args: Any, **kwargs: Any) -> Any:
            tensor = make(*args, **kwargs)
            if type(tensor) is torch.Tensor and tensor.device.type == "cpu" and tensor.numel():
                bytes_ = torch.empty(0, dtype=torch.uint8).set_(tensor.untyped_storage())
                bytes_.fill_(_POISON)
                if tensor.is_floating_point():
                    self._remember(tensor)
            return tensor

        return poisoned

    def _remember(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        begin = storage.data_ptr()
        self._blocks[begin] = np.zeros(storage.nbytes(), bool)
        weakref.finalize(storage, self._blocks.pop, begin, None)
