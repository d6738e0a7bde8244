"""Namespaces: a process tree that has its own process ids, network and mounts, and dies as a whole.

Needs CAP_SYS_ADMIN, or a kernel that lets ordinary users have user namespaces. In the order of their use:
`settle` once, before there are threads; `fork_first` for each process tree; `detach` inside it; and
`count_alone` for an ordinary user, so that the limit on processes counts this tree only.
Source: namespaces(7), pid_namespaces(7), user_namespaces(7).
"""

from __future__ import annotations

import os

from kernelwright.harness.sandbox.system import (
    CAP_SYS_ADMIN,
    LIBC,
    check,
    die_with_parent,
    effective_capabilities,
)

NEW_MOUNTS, NEW_USER, NEW_PIDS = 0x00020000, 0x10000000, 0x20000000
_NEW_UTS, _NEW_IPC, _NEW_NETWORK = 0x04000000, 0x08000000, 0x40000000


def settle(keep: int) -> None:
    """Move into namespaces of users (where needed) and of process ids; returns in the new process only.

    The calling process stays behind, waits and ends as the new one does; of its descriptors `keep` stays
    open in the new one only. Raises OSError.
    """
    if not effective_capabilities() >> CAP_SYS_ADMIN & 1:
        _new_user()
    _unshare(NEW_PIDS)
    pid = os.fork()
    if pid:
        os.close(keep)  # whoever reads at its other end must see the end of the new process
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os._exit(status if status >= 0 else 128 - status)
    die_with_parent(os.getppid())


def fork_first() -> int:
    """fork(2) whose child is the first process of a new tree: when it ends, all of the tree do."""
    own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    _unshare(NEW_PIDS)
    pid = os.fork()
    if pid:  # else the next child would be put into that tree too
        check(LIBC.setns(own, NEW_PIDS), "setns")
    os.close(own)
    return pid


def detach() -> None:
    """A network without devices, System V queues and a host name of our own. Raises OSError."""
    _unshare(_NEW_UTS | _NEW_IPC | _NEW_NETWORK)
    name = b"cage"
    check(LIBC.sethostname(name, len(name)), "sethostname")


def count_alone() -> None:
    """From now on RLIMIT_NPROC counts this process and what it starts, not all of the user's.

    Source: Linux 5.14 (ucounts); to be tried before it is relied upon.
    """
    _new_user()


def leave_all() -> None:
    """Namespaces of every kind for this process and (process ids) its children; no users are there yet.

    Who was outside writes /proc/PID/uid_map and gid_map. Needs a single thread. Raises OSError.
    """
    _unshare(NEW_USER | NEW_PIDS | NEW_MOUNTS)
    detach()


def new_mounts() -> None:
    """Mounts of our own: what is mounted from now on is seen by this tree only."""
    _unshare(NEW_MOUNTS)


def _new_user() -> None:
    user, group = os.geteuid(), os.getegid()
    _unshare(NEW_USER)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as stream:  # noqa: PTH123
            stream.write(text)


def _unshare(flags: int) -> None:
    check(LIBC.unshare(flags), "unshare")
