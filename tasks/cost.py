"""Operations and bytes of one call, counted where a task does not declare them. Lower bounds both.

Matrix products, convolutions and attention count by torch's own formulas
(`torch.utils.flop_counter`: a multiply-add is 2). Everything else that computes counts 1 operation
an output element, reductions 1 an input element: a softmax or GELU really costs several. Views,
copies and fills count 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode, flop_registry

_aten = torch.ops.aten
_MOVES = frozenset(
    {
        "clone", "copy", "copy_", "_to_copy", "empty", "empty_like", "empty_strided", "new_empty",
        "zeros", "zeros_like", "new_zeros", "ones", "ones_like", "new_ones", "full", "full_like",
        "new_full", "fill", "fill_", "zero_", "arange", "scalar_tensor", "lift_fresh", "cat",
        "stack", "index", "index_select", "gather", "embedding", "_local_scalar_dense",
    }
)  # fmt: skip
_REDUCTIONS = frozenset(
    {
        "sum", "mean", "prod", "amax", "amin", "aminmax", "max", "min", "argmax", "argmin", "var",
        "var_mean", "std", "std_mean", "norm", "linalg_vector_norm", "logsumexp", "any", "all",
        "nansum", "median", "mse_loss", "smooth_l1_loss", "huber_loss", "max_pool2d_with_indices",
        "avg_pool1d", "avg_pool2d", "avg_pool3d", "_adaptive_avg_pool2d", "_embedding_bag",
        "_embedding_bag_forward_only",
    }
)  # fmt: skip
_FLASH_CPU = "_scaled_dot_product_flash_attention_for_cpu"


def count_operations(call: Callable[[], object]) -> int:
    """Operations of what `call` computes, run once."""
    products, rest = FlopCounterMode(display=False), _ElementCounter()
    with products, rest:
        call()
    return int(products.get_total_flops()) + rest.total


def distinct_bytes(tensors: Iterable[torch.Tensor]) -> int:
    """Bytes of the memory that the tensors cover; memory that several share counts once."""
    covered: dict[int, int] = {}
    for tensor in tensors:
        storage = tensor.untyped_storage()
        size = min(tensor.numel() * tensor.element_size(), storage.nbytes())
        key = storage.data_ptr()
        covered[key] = min(covered.get(key, 0) + size, storage.nbytes())
    return sum(covered.values())


class _ElementCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts what torch's counter of products passes over."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func._schema.name.removeprefix("aten::")
        if name == _FLASH_CPU:
            query, key = args[0], args[1]
            self.total += 4 * query.numel() * key.shape[-2]
        elif not (func.is_view or name in _MOVES or func.overloadpacket in flop_registry):
            outputs = result if isinstance(result, list | tuple) else (result,)
            sizes = [t.numel() for t in outputs if isinstance(t, torch.Tensor)]
            given = [t.numel() for t in args if isinstance(t, torch.Tensor)]
            reduces = name in _REDUCTIONS
            self.total += max(given[:1] if reduces and given else sizes, default=0)
        return result
