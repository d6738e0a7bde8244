"""What a loaded library says of itself: whether code that a candidate brought along is somebody else's.

A library that a candidate copied into its folder still exports the names by which it is called, and what
torch.compile generates carries the bindings of its generator. It is read as it lies in the worker's
memory, and in its file (`images.py`). Names can be forged before a library is loaded; that gains no time, it
only moves a kernel to another track.
Source of the layout: System V ABI, chapters 4 and 5 (ELF-64).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from kernelwright.harness.library_names import of_a_library

LARGEST_IMAGE = 16 << 20
"""Bytes; what is larger was not compiled by a candidate (`provenance.py`)."""
_COMPILED_BY_TORCH = b"_TORCHINDUCTOR_PYOBJECT_TENSOR_DATA_PTR"
_DYNAMIC, _STRINGS, _SYMBOLS, _FUNCTION = 2, 5, 6, 2


def foreign(image: bytes, base: int) -> bool:
    """Whether the library that was loaded to address `base` is none of a candidate's own."""
    return _COMPILED_BY_TORCH in image or of_a_library(defined(image, base))


def defined(image: bytes, base: int) -> list[str]:
    """Names of the functions that a loaded library exports; none where it is no library."""
    try:
        return list(_defined(image, base))
    except (struct.error, ValueError):
        return []


def _defined(image: bytes, base: int) -> Iterator[str]:
    if image[:5] != b"\x7fELF\x02":
        return
    (headers,) = struct.unpack_from("<Q", image, 32)
    size, count = struct.unpack_from("<HH", image, 54)
    table: dict[int, int] = {}
    for i in range(count):
        kind, _, _, address, _, _, length, _ = struct.unpack_from(
            "<IIQQQQQQ", image, headers + i * size
        )
        if kind == _DYNAMIC:
            entries = image[address : address + length]
            table = dict(struct.iter_unpack("<QQ", entries[: len(entries) // 16 * 16]))
    # The loader has turned offsets into addresses.
    strings, symbols = (
        table.get(kind, 0) - (base if table.get(kind, 0) >= base else 0)
        for kind in (_STRINGS, _SYMBOLS)
    )
    listed = image[symbols:strings] if 0 < symbols < strings else b""
    rows = struct.iter_unpack("<IBBHQQ", listed[: len(listed) // 24 * 24])
    for name, info, _, section, _, _ in rows:
        if section and info & 15 == _FUNCTION:
            start = strings + name
            yield image[start : image.index(b"\0", start)].decode(errors="replace")
