"""Conversions between fp32 and the small floating types that numpy has no name for, as GPUs do them.

Triton's interpreter keeps bfloat16 as 16-bit and fp8 as 8-bit integers. Values here are those integers.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

Array = npt.NDArray[np.generic]
_FP8 = {
    "fp8e4nv": (torch.float8_e4m3fn, 448.0),
    "fp8e5": (torch.float8_e5m2, 57344.0),
    "fp8e4b8": (torch.float8_e4m3fnuz, 240.0),
    "fp8e5b16": (torch.float8_e5m2fnuz, 57344.0),
}
"""Torch's name and the largest finite value, to which conversions saturate (PTX ISA, cvt.satfinite)."""


def from_bf16(bits: Array) -> npt.NDArray[np.float32]:
    """Exact."""
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)


def to_bf16(values: Array) -> npt.NDArray[np.uint16]:
    """Rounded to nearest, ties to even; NaN stays NaN."""
    wide = np.ascontiguousarray(values, dtype=np.float32)
    bits = wide.view(np.uint32).astype(np.uint64)
    rounded = (bits + np.uint64(0x7FFF) + (bits >> np.uint64(16) & np.uint64(1))) >> np.uint64(16)
    found: npt.NDArray[np.uint16] = np.where(np.isnan(wide), 0x7FC0, rounded).astype(np.uint16)
    return found.reshape(np.shape(values))


def knows(name: str) -> bool:
    """Whether it is an fp8 type that is converted here; by Triton's name."""
    return name in _FP8


def from_fp8(bits: Array, name: str) -> npt.NDArray[np.float32]:
    """Exact."""
    flat = torch.from_numpy(np.array(bits, dtype=np.uint8))
    found: npt.NDArray[np.float32] = flat.view(_FP8[name][0]).float().numpy()
    return found


def to_fp8(values: Array, name: str) -> npt.NDArray[np.uint8]:
    """Rounded to nearest, ties to even, saturated to the largest finite value."""
    dtype, most = _FP8[name]
    wide = torch.from_numpy(np.array(values, dtype=np.float32)).clamp(-most, most)
    found: npt.NDArray[np.uint8] = wide.to(dtype).view(torch.uint8).numpy()
    return found


def truncated_to_tf32(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """What the tensor cores read of an fp32 number: its upper 19 bits."""
    bits = np.ascontiguousarray(values).view(np.uint32) & np.uint32(0xFFFFE000)
    return bits.view(np.float32)
