"""Parameter values that no kernel can skip: a fresh `nn.LayerNorm` has weight 1 and bias 0.

A kernel that leaves out the multiplication by such a weight is wrong but would pass. So every
floating parameter, and every saved buffer that is constant, gets values with spread, in the domain
that the model was written for: activations stay of the size that the initialisation gives them.

Not touched: integer tensors, 0-dimensional buffers (an epsilon, a factor), buffers that already
vary (a rotary table, a causal mask: part of the computation, not of what is learned), and buffers
that are not saved (a candidate could not be given them).
"""

from __future__ import annotations

import torch
from torch import nn

SPREAD = 0.25
"""Standard deviation around a constant, relative to it (absolute for a bias of 0)."""


def randomise(model: nn.Module, seed: int) -> None:
    """Set the values in place. Equal seeds on equal models give equal values.

    A tied parameter is drawn once.
    """
    generator = torch.Generator().manual_seed(seed)
    saved = model.state_dict().keys()
    with torch.no_grad():
        for _, parameter in model.named_parameters():
            _redraw(parameter, generator)
        for name, buffer in model.named_buffers():
            if name in saved and buffer.dim() > 0 and _is_constant(buffer):
                _redraw(buffer, generator)


def _is_constant(tensor: torch.Tensor) -> bool:
    return tensor.numel() > 0 and bool((tensor == tensor.flatten()[0]).all())


def _redraw(tensor: torch.Tensor, generator: torch.Generator) -> None:
    """Values like those that are there, but not constant.

    - random ones: uniform with the same mean and deviation, within the smallest and the largest
      there were, so that a positive parameter stays positive;
    - a constant c that is not 0: c times 1 +- 25%, at most 75% away, so a variance stays positive;
    - zeros: a bias (one dimension) of +-0.25; a matrix scaled by its inputs, like a linear layer's.
    """
    if not tensor.is_floating_point() or tensor.numel() == 0:
        return
    old = tensor.to(torch.float32)
    noise = torch.empty_like(old, memory_format=torch.contiguous_format)
    value = float(old.flatten()[0])
    if not bool(old.isfinite().all()):
        return
    if not _is_constant(tensor):
        noise.uniform_(-(3**0.5), 3**0.5, generator=generator)
        tensor.copy_((noise * old.std() + old.mean()).clamp(old.min(), old.max()))
        return
    noise.normal_(generator=generator).clamp_(-3, 3)
    if value != 0:
        new = value * (1 + SPREAD * noise)
    else:
        inputs = tensor[0].numel() if tensor.dim() > 1 else 1
        new = noise * (SPREAD if inputs == 1 else inputs**-0.5)
    tensor.copy_(new)
