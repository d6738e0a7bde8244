"""Entering the cage, locking it further, and saying how strong it is on this machine."""

from __future__ import annotations

import functools
import os
import resource
import sys
import sysconfig
from dataclasses import dataclass

from kernelwright.harness.sandbox import landlock, seccomp
from kernelwright.harness.sandbox.system import (
    CAP_DAC_READ_SEARCH,
    CAP_SETUID,
    CAP_SYS_PTRACE,
    PR_SET_KEEPCAPS,
    effective_capabilities,
    prctl,
    set_capabilities,
)

_SYSTEM = (
    "/usr", "/lib", "/lib64", "/bin", "/opt", "/nix/store", "/etc/ld.so.cache", "/etc/alternatives",
    "/etc/localtime", "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat",
    "/sys/devices/system", "/proc/sys/vm/overcommit_memory",
)  # fmt: skip
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")
FIRST_USER = 200_000
"""User ids from here on are given to candidates, each its own, where the parent is root."""


@dataclass(frozen=True)
class Cage:
    """Limits of one process tree. Sizes in bytes, time in seconds of processor time."""

    scratch: str
    """The only folder that may be written."""
    read: tuple[str, ...] = ()
    memory: int = 8 << 30
    file_size: int = 256 << 20
    cpu_seconds: int = 120
    processes: int = 256
    user: int | None = None
    """Unprivileged user id to become; None: stay who we are."""


@dataclass(frozen=True)
class Level:
    """Which layers this machine allows."""

    landlock_abi: int
    seccomp: bool
    own_user: bool

    @property
    def strong(self) -> bool:
        """Whether files, network and signals are all fenced off."""
        return self.landlock_abi >= 1 and self.seccomp

    def __str__(self) -> str:
        parts = [
            f"Landlock ABI {self.landlock_abi}" if self.landlock_abi else "no Landlock",
            "seccomp" if self.seccomp else "no seccomp",
            "own user id" if self.own_user else "same user id",
            "limits",
        ]
        return ", ".join(parts)


@functools.cache
def level() -> Level:
    """What this machine allows. Changes nothing."""
    need = (1 << CAP_SYS_PTRACE) | (1 << CAP_SETUID) | (1 << CAP_DAC_READ_SEARCH)
    own_user = os.geteuid() == 0 and effective_capabilities() & need == need
    return Level(landlock.abi(), seccomp.available(), own_user)


def python_folders() -> tuple[str, ...]:
    """Where this interpreter and its packages lie."""
    paths = {sys.prefix, sys.base_prefix, sys.exec_prefix, *sysconfig.get_paths().values()}
    return tuple(sorted(p for p in paths if p not in {"/", ""}))


def enter(cage: Cage) -> None:
    """Shut this process in; call it after fork and before foreign code. Raises OSError."""
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, cage.file_size)
    _limit(resource.RLIMIT_CPU, cage.cpu_seconds)
    _limit(resource.RLIMIT_NOFILE, 512)
    _limit(resource.RLIMIT_AS, _address_space() + cage.memory)
    if cage.user is not None:
        _limit(resource.RLIMIT_NPROC, cage.processes)
        _become(cage.user)
    landlock.restrict([*_SYSTEM, *cage.read], [cage.scratch], _DEVICES)
    if seccomp.available():
        seccomp.install(seccomp.fence())


def lockdown() -> None:
    """From now on no new processes and programs. One more filter, seen in /proc/PID/status."""
    if seccomp.available():
        seccomp.install(seccomp.freeze())


def _limit(what: int, value: int) -> None:
    hard = resource.getrlimit(what)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(what, (value, value))


def _address_space() -> int:
    with open("/proc/self/statm") as statm:  # noqa: PTH123
        return int(statm.read().split()[0]) * resource.getpagesize()


def _become(user: int) -> None:
    """Another user, who may still read what root may: Landlock says which folders that means."""
    prctl(PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    set_capabilities(1 << CAP_DAC_READ_SEARCH)
