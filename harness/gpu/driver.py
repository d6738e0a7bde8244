"""The CUDA driver, by ctypes: memory that two processes share, copies, events, a device at rest.

Source: the CUDA Driver API, sections 6.11 to 6.14 (memory, virtual memory), 6.15 (L2), 6.20 (events). Only
what the judge of GPUs calls is bound here, when this module's `Driver` is made: before foreign code is there.
"""

from __future__ import annotations

import ctypes
import os
import threading
from typing import Any

from kernelwright.harness.errors import HarnessError

LIBRARY = "KERNELWRIGHT_LIBCUDA"
"""Environment variable: the driver's library, where it has another name than the usual."""
_DEVICE, _PINNED, _POSIX_FD, _READ_WRITE = 1, 1, 1, 3
L2_BYTES, HAS_VIRTUAL_MEMORY, EXPORTS_DESCRIPTORS = 38, 102, 103
"""CUdevice_attribute: the size of L2, and what shared memory needs."""
_LEGACY_STREAM = ctypes.c_void_p(0)


class Location(ctypes.Structure):
    """CUmemLocation."""

    _fields_ = (("type", ctypes.c_int), ("id", ctypes.c_int))


class Properties(ctypes.Structure):
    """CUmemAllocationProp."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("handles", ctypes.c_int),
        ("location", Location),
        ("win32", ctypes.c_void_p),
        ("compression", ctypes.c_ubyte),
        ("direct", ctypes.c_ubyte),
        ("usage", ctypes.c_ushort),
        ("reserved", ctypes.c_ubyte * 4),
    )


class Access(ctypes.Structure):
    """CUmemAccessDesc."""

    _fields_ = (("location", Location), ("flags", ctypes.c_int))


_INT, _SIZE, _HANDLE, _PTR = ctypes.c_int, ctypes.c_size_t, ctypes.c_ulonglong, ctypes.c_void_p
_WORD = ctypes.c_ulonglong
"""CUdeviceptr."""
_FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "cuInit": (ctypes.c_uint,),
    "cuDriverGetVersion": (_PTR,),
    "cuDeviceGet": (_PTR, _INT),
    "cuDeviceGetCount": (_PTR,),
    "cuDeviceGetName": (ctypes.c_char_p, _INT, _INT),
    "cuDeviceGetAttribute": (_PTR, _INT, _INT),
    "cuDevicePrimaryCtxRetain": (_PTR, _INT),
    "cuCtxSetCurrent": (_PTR,),
    "cuCtxSynchronize": (),
    "cuCtxResetPersistingL2Cache": (),
    "cuMemGetAllocationGranularity": (_PTR, _PTR, _INT),
    "cuMemCreate": (_PTR, _SIZE, _PTR, ctypes.c_ulonglong),
    "cuMemExportToShareableHandle": (_PTR, _HANDLE, _INT, ctypes.c_ulonglong),
    "cuMemImportFromShareableHandle": (_PTR, _PTR, _INT),
    "cuMemAddressReserve": (_PTR, _SIZE, _SIZE, _WORD, ctypes.c_ulonglong),
    "cuMemMap": (_WORD, _SIZE, _SIZE, _HANDLE, ctypes.c_ulonglong),
    "cuMemSetAccess": (_WORD, _SIZE, _PTR, _SIZE),
    "cuMemUnmap": (_WORD, _SIZE),
    "cuMemAddressFree": (_WORD, _SIZE),
    "cuMemRelease": (_HANDLE,),
    "cuMemAlloc_v2": (_PTR, _SIZE),
    "cuMemFree_v2": (_WORD,),
    "cuMemcpyHtoD_v2": (_WORD, _PTR, _SIZE),
    "cuMemcpyDtoH_v2": (_PTR, _WORD, _SIZE),
    "cuMemcpyDtoDAsync_v2": (_WORD, _WORD, _SIZE, _PTR),
    "cuMemsetD8_v2": (_WORD, ctypes.c_ubyte, _SIZE),
    "cuEventCreate": (_PTR, ctypes.c_uint),
    "cuEventRecord": (_PTR, _PTR),
    "cuEventElapsedTime": (_PTR, _PTR, _PTR),
}


class DeviceError(HarnessError):
    """The device or its driver refused what the judge needs; the message is one line."""


class Driver:
    """The driver with one device, whose primary context (PyTorch's too) is this thread's. Raises
    DeviceError."""

    def __init__(self, index: int = 0) -> None:
        name = os.environ.get(LIBRARY) or "libcuda.so.1"
        try:
            library = ctypes.CDLL(name)
        except OSError as error:
            raise DeviceError(f"no NVIDIA driver: {name} cannot be loaded") from error
        self._calls: dict[str, Any] = {}
        for function, types in _FUNCTIONS.items():
            try:
                call = getattr(library, function)
            except AttributeError as error:
                raise DeviceError(f"the NVIDIA driver is too old: it has no {function}") from error
            call.argtypes, call.restype = types, ctypes.c_int
            self._calls[function] = call
        self._library = library
        self._thread = threading.get_ident()
        self._do("cuInit", 0)
        device = ctypes.c_int()
        self._do("cuDeviceGet", ctypes.byref(device), index)
        self.ordinal = device.value
        self._context = ctypes.c_void_p()
        self._do("cuDevicePrimaryCtxRetain", ctypes.byref(self._context), self.ordinal)
        self._enter()

    def _enter(self) -> None:
        """Our context belongs to this thread."""
        self._calls["cuCtxSetCurrent"](self._context)
        self._thread = threading.get_ident()

    @property
    def name(self) -> str:
        """The device's."""
        text = ctypes.create_string_buffer(256)
        self._do("cuDeviceGetName", text, len(text), self.ordinal)
        return text.value.decode(errors="replace")

    def attribute(self, number: int) -> int:
        """One of CUdevice_attribute."""
        found = ctypes.c_int()
        self._do("cuDeviceGetAttribute", ctypes.byref(found), number, self.ordinal)
        return found.value

    # -- memory that is shared ----------------------------------------------------------------------

    def create(self, least: int) -> tuple[int, int, int]:
        """New memory of the device: handle, a file descriptor for it, and its size in bytes."""
        asked = Properties(_PINNED, _POSIX_FD, Location(_DEVICE, self.ordinal))
        grain, handle, fd = ctypes.c_size_t(), ctypes.c_ulonglong(), ctypes.c_int(-1)
        self._do("cuMemGetAllocationGranularity", ctypes.byref(grain), ctypes.byref(asked), 0)
        size = -(-max(least, 1) // grain.value) * grain.value
        self._do("cuMemCreate", ctypes.byref(handle), size, ctypes.byref(asked), 0)
        try:
            self._do("cuMemExportToShareableHandle", ctypes.byref(fd), handle.value, _POSIX_FD, 0)
        except DeviceError:
            self._do("cuMemRelease", handle.value)
            raise
        return handle.value, fd.value, size

    def adopt(self, fd: int) -> int:
        """The handle of memory that another process has made."""
        handle = ctypes.c_ulonglong()
        self._do("cuMemImportFromShareableHandle", ctypes.byref(handle), fd, _POSIX_FD)
        return handle.value

    def map(self, handle: int, size: int) -> int:
        """Where the memory of a handle now lies, for reading and writing."""
        place = ctypes.c_ulonglong()
        self._do("cuMemAddressReserve", ctypes.byref(place), size, 0, 0, 0)
        self._do("cuMemMap", place.value, size, 0, handle, 0)
        access = Access(Location(_DEVICE, self.ordinal), _READ_WRITE)
        self._do("cuMemSetAccess", place.value, size, ctypes.byref(access), 1)
        return place.value

    def release(self, handle: int, place: int, size: int) -> None:
        """Take mapped memory away again; it is freed when no other process has it."""
        self._do("cuMemUnmap", place, size)
        self._do("cuMemAddressFree", place, size)
        self._do("cuMemRelease", handle)

    # -- bytes --------------------------------------------------------------------------------------

    def write(self, place: int, source: int, nbytes: int) -> None:
        """From the host; it is there when this returns."""
        if nbytes:
            self._do("cuMemcpyHtoD_v2", place, source, nbytes)
            self._do("cuCtxSynchronize")

    def read(self, target: int, place: int, nbytes: int) -> None:
        """To the host."""
        if nbytes:
            self._do("cuMemcpyDtoH_v2", target, place, nbytes)

    def fill(self, place: int, nbytes: int, byte: int) -> None:
        """Every byte; it is done when this returns."""
        if nbytes:
            self._do("cuMemsetD8_v2", place, byte, nbytes)
            self._do("cuCtxSynchronize")

    def allocate(self, nbytes: int) -> int:
        """Memory of our own."""
        place = ctypes.c_ulonglong()
        self._do("cuMemAlloc_v2", ctypes.byref(place), nbytes)
        return place.value

    def forget_persisting(self) -> None:
        """No line of L2 is kept for longer than others any more; nothing where a device has no such lines."""
        self._calls["cuCtxResetPersistingL2Cache"]()

    # -- order and time -----------------------------------------------------------------------------

    def copy_later(self, target: int, source: int, nbytes: int) -> None:
        """Queue a copy on the legacy default stream."""
        if nbytes:
            self._do("cuMemcpyDtoDAsync_v2", target, source, nbytes, _LEGACY_STREAM)

    def synchronise(self) -> None:
        """Wait until all streams of our context are done, whatever context was made current since."""
        self._enter()
        self._do("cuCtxSynchronize")

    def event(self) -> int:
        """A new event that tells the time."""
        made = ctypes.c_void_p()
        self._do("cuEventCreate", ctypes.byref(made), 0)
        return made.value or 0

    def record(self, event: int) -> None:
        """On the legacy default stream."""
        self._do("cuEventRecord", event, _LEGACY_STREAM)

    def seconds(self, begin: int, end: int) -> float:
        """Between two events that have passed."""
        found = ctypes.c_float()
        self._do("cuEventElapsedTime", ctypes.byref(found), begin, end)
        return found.value * 1e-3

    def _do(self, function: str, *arguments: Any) -> None:
        if threading.get_ident() != self._thread:
            self._enter()
        status = self._calls[function](*arguments)
        if status:
            raise DeviceError(f"{function}: {self._said(status)}")

    def _said(self, status: int) -> str:
        text = ctypes.c_char_p()
        try:
            self._library.cuGetErrorString(status, ctypes.byref(text))
        except AttributeError:
            return f"error {status}"
        return f"{(text.value or b'unknown error').decode(errors='replace')} ({status})"
