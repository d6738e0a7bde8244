"""Entering the cage and locking it further."""

from __future__ import annotations

import os
import resource
import shutil
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from kernelwright.harness.sandbox import files, landlock, namespaces, seccomp
from kernelwright.harness.sandbox.system import (
    CAP_DAC_READ_SEARCH,
    PR_SET_DUMPABLE,
    PR_SET_KEEPCAPS,
    prctl,
    set_capabilities,
)

SYSTEM = (
    "/usr", "/lib", "/lib64", "/bin", "/nix/store", "/etc/ld.so.cache", "/etc/alternatives",
    "/etc/localtime", "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat",
    "/sys/devices/system", "/proc/sys/vm/overcommit_memory",
)  # fmt: skip
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")
_OWN = tuple(
    str(Path(__file__).resolve().parents[2] / room)
    for room in ("agents", "evals", "harness", "tasks")
)
"""Our own sources, which are hidden where they lie among what may be read. Not the folder around them:
the interpreter may lie in it."""
_SLACK = 1024
"""Processes that the user may start elsewhere meanwhile, where only all of the user's can be counted."""
FIRST_USER = 200_000
"""User ids from here on are given to candidates, each its own, where the parent is root."""


@dataclass(frozen=True)
class Cage:
    """Limits of one process tree. Sizes in bytes, time in seconds of processor time."""

    scratch: str
    """The only folder that may be written."""
    read: tuple[str, ...] = ()
    memory: int = 8 << 30
    """Of each process, beyond what it has when it enters; and of all together."""
    file_size: int = 256 << 20
    disk: int | None = 512 << 20
    """All that lies in the scratch folder. None: files stay where others can read them, unlimited."""
    cpu_seconds: int = 120
    processes: int = 256
    user: int | None = None
    """Unprivileged user id to become; None: stay who we are."""
    devices: tuple[str, ...] = ()
    """Further device files that may be used."""
    bound_addresses: bool = True
    """Whether `memory` bounds addresses; else what is private and can be written, as a GPU's driver reserves
    addresses by the terabyte."""


def python_folders() -> tuple[str, ...]:
    """Where this interpreter, its packages and a CUDA toolkit lie, and the compiler outside of the system."""
    paths = {sys.prefix, sys.base_prefix, sys.exec_prefix, *sysconfig.get_paths().values()}
    paths |= {os.environ[name] for name in ("CUDA_HOME", "CUDA_PATH") if os.environ.get(name)}
    compiler = shutil.which(os.environ.get("CXX") or "g++")
    if compiler and (real := os.path.realpath(compiler)).startswith("/opt/"):
        paths.add("/".join(real.split("/")[:3]))
    home = os.path.expanduser("~")  # noqa: PTH111 - Path.home raises where there is none
    return tuple(sorted(p for p in paths if p not in {"/", "", home, "/home", "/opt", "/tmp"}))


def isolate(cage: Cage, root: str) -> None:
    """Give this process tree its own network and a file tree at `root`, an empty folder.

    For the keeper, in mounts of its own, before it starts foreign code. Raises OSError.
    """
    namespaces.detach()
    files.shut_in(
        root,
        [*SYSTEM, *cage.read],
        DEVICES,
        cage.scratch,
        _OWN,
        size=cage.disk,
        owner=os.geteuid() if cage.user is None else cage.user,
    )
    if os.geteuid() != 0:
        namespaces.count_alone()


def enter(cage: Cage, *, isolated: bool = False, pairs: bool = False) -> None:
    """Shut this process in; call it after fork and before foreign code. Raises OSError.

    `isolated`: `isolate` was called before. `pairs`: `leave.give` follows, which limits pairs of sockets.
    """
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, cage.file_size)
    _limit(resource.RLIMIT_CPU, cage.cpu_seconds)
    _limit(resource.RLIMIT_NOFILE, 512)
    if cage.bound_addresses:
        _limit(resource.RLIMIT_AS, _address_space() + cage.memory)
    else:
        _limit(resource.RLIMIT_DATA, _writable() + cage.memory)
    if cage.user is not None:
        _limit(resource.RLIMIT_NPROC, cage.processes)
        _become(cage.user, reads_all=not isolated)
    elif isolated:
        _limit(resource.RLIMIT_NPROC, cage.processes)
        set_capabilities(0)
    else:
        _limit(resource.RLIMIT_NPROC, _tasks_of(os.getuid()) + _SLACK + cage.processes)
    landlock.restrict([*SYSTEM, *cage.read], [cage.scratch], DEVICES)
    if seccomp.available():
        metadata = isolated or cage.user is not None
        seccomp.install(seccomp.fence(metadata=metadata, pairs=pairs))


def lockdown() -> None:
    """From now on no new processes and programs. One more filter, seen in /proc/PID/status."""
    if seccomp.available():
        seccomp.install(seccomp.freeze())


def offer_to_the_killer() -> None:
    """Where the machine runs out of memory, this process and its children are ended first."""
    with open("/proc/self/oom_score_adj", "w") as stream:  # noqa: PTH123
        stream.write("1000")


def _limit(what: int, value: int) -> None:
    hard = resource.getrlimit(what)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(what, (value, value))


def _address_space() -> int:
    with open("/proc/self/statm") as statm:  # noqa: PTH123
        return int(statm.read().split()[0]) * resource.getpagesize()


def _writable() -> int:
    """Bytes of private memory that can be written: what RLIMIT_DATA counts."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmData:")[2].split()[0]) << 10


def _tasks_of(user: int) -> int:
    """Threads of all processes of a user."""
    count = 0
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and folder.stat().st_uid == user:
                count += len(list((folder / "task").iterdir()))
        except OSError:
            continue
    return count


def _become(user: int, *, reads_all: bool) -> None:
    """Another user. With `reads_all` it reads what root may: Landlock says which folders that means.

    An interpreter in a private home needs that where the file tree is not the cage's own.
    """
    prctl(PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    set_capabilities(1 << CAP_DAC_READ_SEARCH if reads_all else 0)
    prctl(PR_SET_DUMPABLE, 1)  # else its own /proc/self would be root's
