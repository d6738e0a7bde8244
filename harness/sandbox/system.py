"""The system calls that Python has no name for."""

from __future__ import annotations

import ctypes
import os
import platform
import signal

LIBC = ctypes.CDLL(None, use_errno=True)
MACHINE = platform.machine()
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP = 1, 38, 22
PR_SET_CHILD_SUBREAPER, PR_SET_KEEPCAPS, PR_SET_DUMPABLE, PR_SET_TIMERSLACK = 36, 8, 4, 29
CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE, CAP_SETUID, CAP_SYS_ADMIN = 2, 19, 7, 21
PIVOT_ROOT = 41 if MACHINE == "aarch64" else 155


def check(result: int, what: str) -> int:
    """Raise OSError with errno when a libc call returned a negative number."""
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
    return result


def prctl(option: int, value: int) -> None:
    """prctl(2) with one argument."""
    check(LIBC.prctl(option, ctypes.c_ulong(value), 0, 0, 0), f"prctl({option})")


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when `parent` dies; end it when that has happened already."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def effective_capabilities() -> int:
    """Bit set of this process's effective capabilities."""
    with open("/proc/self/status") as status:  # noqa: PTH123 - runs before anything is imported
        for line in status:
            if line.startswith("CapEff:"):
                return int(line.split()[1], 16)
    return 0


def set_capabilities(mask: int) -> None:
    """Make `mask` this process's permitted and effective capabilities, none of them inheritable."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    low, high = mask & 0xFFFFFFFF, mask >> 32
    data = (ctypes.c_uint32 * 6)(low, low, 0, high, high, 0)
    check(LIBC.capset(header, data), "capset")
