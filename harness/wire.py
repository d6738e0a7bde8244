"""What crosses between the harness and a process with foreign code: small JSON frames, raw tensors.

Never pickle: a frame is a length, then UTF-8 JSON. Tensors are described, not sent: their bytes lie in
shared memory (inputs) or in the other process's own memory (outputs), and the parent decides what is
read. Both sides use this module; nothing in it trusts the other side's sizes.
"""

from __future__ import annotations

import json
import math
import select
import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

MAX_FRAME = 8 << 20
"""Bytes; a longer frame is a breach of the protocol."""

MAX_TENSOR = 1 << 36
"""Bytes; no tensor that crosses is larger."""

DONE, FAILED = b"d", b"e"
"""What a worker says when timed calls have ended: they returned, or one raised (a frame follows)."""

DTYPES: dict[str, torch.dtype] = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32,
        torch.int16, torch.int8, torch.uint8, torch.bool, torch.complex64, torch.complex128,
    )
}  # fmt: skip
_NAMES = {dtype: name for name, dtype in DTYPES.items()}


class WireError(Exception):
    """The other side broke the protocol, closed, or did not answer in time."""


class WireClosed(WireError):
    """The other side is gone."""


class WireTimeout(WireError):
    """The other side did not answer in time."""


@dataclass(frozen=True)
class Region:
    """A tensor by its place: `address` is an offset in shared memory or an address in a process.

    `stride` is in elements; the first element lies at `address`.
    """

    address: int
    dtype: str
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def span(self) -> int:
        """Elements from the first to one past the last, in memory order."""
        if 0 in self.shape:
            return 0
        pairs = zip(self.shape, self.stride, strict=True)
        return 1 + sum((n - 1) * s for n, s in pairs)

    @property
    def nbytes(self) -> int:
        """Bytes that the tensor spans, holes included."""
        return self.span * DTYPES[self.dtype].itemsize

    def to_json(self) -> dict[str, Any]:
        """For a frame."""
        return asdict(self)

    @staticmethod
    def from_json(data: Any) -> Region:
        """Raises WireError for anything that is not a well-formed region."""
        try:
            region = Region(
                int(data["address"]),
                str(data["dtype"]),
                tuple(int(n) for n in data["shape"]),
                tuple(int(n) for n in data["stride"]),
            )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise WireError(f"not a tensor description: {error}") from error
        sizes = (*region.shape, *region.stride, region.address)
        if (
            region.dtype not in DTYPES
            or min(sizes) < 0
            or max(sizes) >= 1 << 62
            or len(region.shape) != len(region.stride)
            or region.nbytes > MAX_TENSOR
            or math.prod(region.shape) * DTYPES[region.dtype].itemsize > MAX_TENSOR
        ):
            raise WireError("not a tensor description")
        return region


def dtype_name(dtype: torch.dtype) -> str:
    """`float32` for torch.float32. Raises KeyError for a dtype that cannot cross."""
    return _NAMES[dtype]


def send(sock: socket.socket, message: dict[str, Any]) -> None:
    """Send one frame. Raises WireClosed when nobody reads any more."""
    body = json.dumps(message).encode()
    try:
        sock.sendall(struct.pack("<I", len(body)) + body)
    except OSError as error:
        raise WireClosed(str(error)) from error


def receive(sock: socket.socket, timeout: float | None = None) -> dict[str, Any]:
    """Receive one frame within `timeout` seconds. Raises WireError."""
    deadline = None if timeout is None else time.monotonic() + timeout
    (size,) = struct.unpack("<I", read_exactly(sock, 4, deadline))
    if size > MAX_FRAME:
        raise WireError(f"a frame of {size} bytes")
    try:
        message = json.loads(read_exactly(sock, size, deadline))
    except (ValueError, RecursionError) as error:
        raise WireError(f"not JSON: {error}") from error
    if not isinstance(message, dict):
        raise WireError("not a JSON object")
    return message


def read_exactly(sock: socket.socket, size: int, deadline: float | None = None) -> bytes:
    """Read `size` bytes before `deadline` (time.monotonic). Raises WireClosed or WireTimeout."""
    parts: list[bytes] = []
    while size:
        if deadline is not None:
            left = max(0.0, deadline - time.monotonic())
            if not select.select([sock], [], [], left)[0]:
                raise WireTimeout("no answer in time")
        try:
            part = sock.recv(min(size, 1 << 20))
        except OSError as error:
            raise WireClosed(str(error)) from error
        if not part:
            raise WireClosed("closed")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def encode_value(value: Any) -> Any:
    """A plain Python value (as `get_init_inputs` returns) as JSON. Raises TypeError for others."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, torch.dtype):
        return {"dtype": str(value).removeprefix("torch.")}
    if isinstance(value, torch.Tensor):
        return {
            "tensor": value.detach().cpu().double().flatten().tolist()
            if value.is_floating_point()
            else value.flatten().tolist(),
            "shape": list(value.shape),
            "dtype": dtype_name(value.dtype),
        }
    if isinstance(value, tuple):
        return {"tuple": [encode_value(v) for v in value]}
    if isinstance(value, list):
        return [encode_value(v) for v in value]
    if isinstance(value, dict):
        return {"dict": [[encode_value(k), encode_value(v)] for k, v in value.items()]}
    raise TypeError(f"a value of type {type(value).__name__} cannot be handed to a candidate")


def decode_value(data: Any) -> Any:
    """The inverse of `encode_value`."""
    if isinstance(data, list):
        return [decode_value(v) for v in data]
    if not isinstance(data, dict):
        return data
    if "tensor" in data:
        flat = torch.tensor(data["tensor"], dtype=DTYPES[data["dtype"]])
        return flat.reshape(data["shape"])
    if "dtype" in data:
        return getattr(torch, data["dtype"])
    if "tuple" in data:
        return tuple(decode_value(v) for v in data["tuple"])
    return {decode_value(k): decode_value(v) for k, v in data["dict"]}


def contiguous_stride(shape: Sequence[int]) -> tuple[int, ...]:
    """Row-major strides in elements."""
    stride, out = 1, []
    for size in reversed(shape):
        out.append(stride)
        stride *= max(size, 1)
    return tuple(reversed(out))
