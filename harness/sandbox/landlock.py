"""Landlock: which files a process may still reach (and no TCP, no signals to others).

Source: https://docs.kernel.org/userspace-api/landlock.html (access rights by ABI version).
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Sequence

from kernelwright.harness.sandbox.system import LIBC, PR_SET_NO_NEW_PRIVS, check, prctl

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same on every architecture
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
MAKE_CHAR, MAKE_BLOCK, TRUNCATE, IOCTL_DEV = 64, 2048, 16384, 32768
_BITS_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15}
_ON_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
_READ = EXECUTE | READ_FILE | READ_DIR
_TCP, _SCOPES = 3, 3  # bind and connect; abstract sockets and signals


def abi() -> int:
    """Version of Landlock that the kernel offers; 0 when it has none."""
    version: int = LIBC.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint(1))
    return max(0, version)


def restrict(read: Sequence[str], write: Sequence[str], devices: Sequence[str]) -> int:
    """Leave this process only `read` (and execute), `write` and `devices`; returns the ABI used.

    Paths that do not exist are passed over. Returns 0, and restricts nothing, without Landlock.
    Raises OSError when the kernel has Landlock but refuses the rules.
    """
    version = abi()
    if not version:
        return 0
    handled = (1 << _BITS_BY_ABI.get(version, 16)) - 1
    fields = [handled, _TCP if version >= 4 else 0, _SCOPES if version >= 6 else 0]
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    attributes = struct.pack("QQQ", *fields)[:size]
    ruleset = check(
        LIBC.syscall(CREATE_RULESET, attributes, ctypes.c_size_t(size), ctypes.c_uint(0)),
        "landlock_create_ruleset",
    )
    everything = handled & ~MAKE_CHAR & ~MAKE_BLOCK
    for paths, rights in (
        (read, _READ),
        (write, everything),
        (devices, READ_FILE | WRITE_FILE | IOCTL_DEV),
    ):
        for path in paths:
            _allow(ruleset, path, rights & handled)
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    check(LIBC.syscall(RESTRICT_SELF, ruleset, ctypes.c_uint(0)), "landlock_restrict_self")
    os.close(ruleset)
    return version


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        where = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    if not os.path.isdir(path):  # noqa: PTH112
        rights &= _ON_FILES
    rule = struct.pack("=Qi", rights, where)
    check(LIBC.syscall(ADD_RULE, ruleset, 1, rule, ctypes.c_uint(0)), f"landlock_add_rule {path}")
    os.close(where)
