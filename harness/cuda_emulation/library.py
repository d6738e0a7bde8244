"""A built emulator library: launches one of its kernels on CPU tensors and reads what went wrong."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from kernelwright.harness.cuda_emulation.reports import FaultRecord, Report, read

CHECKED_SECONDS = 2.0
"""Blocks of one launch are checked for so long; those after only run."""
Three = tuple[int, int, int]


class _Region(ctypes.Structure):
    _fields_ = (
        ("begin", ctypes.c_uint64),
        ("end", ctypes.c_uint64),
        ("element", ctypes.c_uint32),
        ("number", ctypes.c_uint32),
    )


class _Launch(ctypes.Structure):
    """`emu::Launch` of launch.h."""

    _fields_ = (
        ("grid", ctypes.c_uint * 3),
        ("block", ctypes.c_uint * 3),
        ("shared", ctypes.c_uint64),
        ("order", ctypes.c_uint),
        ("seed", ctypes.c_uint),
        ("regions", ctypes.POINTER(_Region)),
        ("region_count", ctypes.c_uint64),
        ("seconds", ctypes.c_double),
    )


@dataclass(frozen=True)
class Configuration:
    """How a kernel is launched: blocks, threads of a block, bytes of dynamic shared memory."""

    grid: Three
    block: Three
    shared: int = 0


class EmulatedLibrary:
    """The kernels of one source, built for the CPU. In a checked build threads take turns in another order
    at each launch: forwards, backwards, then shuffled."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._dll = ctypes.CDLL(path)
        self._dll.emu_fault.restype = ctypes.POINTER(FaultRecord)
        self.checked = bool(self._dll.emu_checked())
        self._launches = 0

    def launch(
        self,
        kernel: str,
        how: Configuration,
        arguments: Sequence[torch.Tensor | ctypes._SimpleCData[int]],
    ) -> Report | None:
        """Run a kernel to its end; the report of what it did wrong. Tensors lie on the CPU."""
        tensors = [(i, a) for i, a in enumerate(arguments) if isinstance(a, torch.Tensor)]
        regions = (_Region * max(1, len(tensors)))(*[_region(i, t) for i, t in tensors])
        seed, self._launches = self._launches, self._launches + 1
        launch = _Launch(
            how.grid, how.block, how.shared, min(seed, 2) if self.checked else 0, seed,
            regions, len(tensors), CHECKED_SECONDS,
        )  # fmt: skip
        values = [
            ctypes.c_void_p(a.data_ptr()) if isinstance(a, torch.Tensor) else a for a in arguments
        ]
        pointers = (ctypes.c_void_p * max(1, len(values)))(*[ctypes.addressof(v) for v in values])
        if not self._dll[f"emu_launch_{kernel}"](ctypes.byref(launch), pointers):
            return None
        report = read(self._dll.emu_fault().contents, self.path, kernel)
        self._dll.emu_forget()
        return report

    def blocks(self) -> tuple[int, int]:
        """How many blocks were run so far, and how many of them were checked."""
        run, checked = ctypes.c_uint64(), ctypes.c_uint64()
        self._dll.emu_blocks(ctypes.byref(run), ctypes.byref(checked))
        return run.value, checked.value


def _region(number: int, tensor: torch.Tensor) -> _Region:
    """The memory that a tensor may be reached in: all of its storage."""
    storage = tensor.untyped_storage()
    begin = storage.data_ptr()
    return _Region(begin, begin + storage.nbytes(), tensor.element_size(), number)
