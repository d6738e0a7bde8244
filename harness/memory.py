"""Stopping a worker and reading its memory from outside.

A worker is stopped at the moment that its calls return, all threads of it, and its outputs are read
where they lie: nothing that it does afterwards can count. Needs the right to trace it (same user, or
CAP_SYS_PTRACE), as process_vm_readv(2) says.
"""

from __future__ import annotations

import ctypes
import os
import random
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from kernelwright.harness.arena import view
from kernelwright.harness.sandbox.system import LIBC
from kernelwright.harness.wire import Region

_STOP_SECONDS = 5.0
LIBC.process_vm_readv.restype = ctypes.c_ssize_t


class Unreadable(Exception):
    """The worker named memory that it does not have, or is gone."""


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


def freeze(pid: int) -> None:
    """Stop all threads of a worker and return when they stand.

    Each gets a signal of its own, in any order. One for the process would be taken by its first thread, and
    on a single core that may only get to run when the one that is at work has come to an end.

    Raises Unreadable when it is gone, or has a thread that cannot be stopped (in vfork, say).
    """
    try:
        threads = [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()]
    except FileNotFoundError:
        threads = []
    random.shuffle(threads)
    for thread in threads:
        LIBC.tgkill(pid, thread, int(signal.SIGSTOP))
    _signal(pid, signal.SIGSTOP)
    deadline = time.monotonic() + _STOP_SECONDS
    while not _stands(pid):
        if time.monotonic() > deadline:
            raise Unreadable("the process cannot be stopped")
        time.sleep(20e-6)


def thaw(pid: int) -> None:
    """Let it go on."""
    _signal(pid, signal.SIGCONT)


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError as error:
        raise Unreadable("the process is gone") from error


def _stands(pid: int) -> bool:
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            state = (task / "stat").read_bytes().rpartition(b")")[2].split()[0]
            if state in b"ZX" and task.name == str(pid):
                raise Unreadable("the process has ended")
            if state not in b"Tt":
                return False
    except (FileNotFoundError, ProcessLookupError):  # a thread has ended before it could stop
        return False
    return True


def read(pid: int, region: Region) -> torch.Tensor:
    """A copy of the tensor that lies at `region` in a stopped worker. Raises Unreadable."""
    flat = torch.empty(max(region.nbytes, 1), dtype=torch.uint8)
    done = _copy(pid, region.address, flat.data_ptr(), region.nbytes)
    if done < region.nbytes:
        raise Unreadable(os.strerror(ctypes.get_errno()))
    return view(flat, Region(0, region.dtype, region.shape, region.stride))


def map_lines(pid: int) -> list[str]:
    """The lines of its memory map. The kernel escapes nothing in a path but the newline, at which alone
    a line ends; text mode and str.splitlines would split at bytes that a path may hold."""
    return Path(f"/proc/{pid}/maps").read_bytes().decode(errors="replace").split("\n")[:-1]


def mappings(pid: int, name: str) -> list[range]:
    """Where a stopped worker has the file of that name in its memory, as often as it has it there."""
    found = []
    for line in map_lines(pid):
        span, _, _, _, _, *path = line.split(None, 5)
        if path and path[0].startswith(name):
            found.append(range(*(int(word, 16) for word in span.split("-"))))
    return found


def read_bytes(pid: int, address: int, most: int) -> bytes:
    """Up to `most` bytes from `address` on in a stopped worker. Raises Unreadable."""
    buffer = ctypes.create_string_buffer(most)
    done = _copy(pid, address, ctypes.addressof(buffer), most)
    if not done:
        raise Unreadable(os.strerror(ctypes.get_errno()))
    return buffer.raw[:done]


def read_words(pid: int, addresses: Sequence[int]) -> bytes:
    """The 8 bytes at each address of a stopped worker, in one call. Raises Unreadable."""
    buffer = ctypes.create_string_buffer(8 * len(addresses) or 1)
    ours = _Vector(ctypes.addressof(buffer), 8 * len(addresses))
    theirs = (_Vector * len(addresses))(*(_Vector(address, 8) for address in addresses))
    done: int = LIBC.process_vm_readv(
        pid, ctypes.byref(ours), ctypes.c_ulong(1), theirs, ctypes.c_ulong(len(addresses)), 0
    )
    if done != 8 * len(addresses):
        raise Unreadable("memory that was there is gone")
    return buffer.raw[:done]


def _copy(pid: int, source: int, target: int, size: int) -> int:
    """Copy from a worker's memory to ours; returns how many bytes could be read."""
    done = 0
    while done < size:
        ours = _Vector(target + done, size - done)
        theirs = _Vector(source + done, size - done)
        count: int = LIBC.process_vm_readv(
            pid, ctypes.byref(ours), ctypes.c_ulong(1), ctypes.byref(theirs), ctypes.c_ulong(1), 0
        )
        if count <= 0:
            break
        done += count
    return done
