"""seccomp: which system calls a process may still make, as a BPF program written by hand.

Source: Documentation/userspace-api/seccomp_filter.rst; syscall numbers from the kernel's tables.
Filters: `fence` for the whole life of a candidate, `freeze` from the moment that its calls are timed (no
new processes, no new programs; threads are still allowed), `asking` where somebody outside decides that,
`mute` so that no descriptor is in no process.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from dataclasses import dataclass

from kernelwright.harness.sandbox.syscalls import NUMBERS
from kernelwright.harness.sandbox.system import (
    LIBC,
    MACHINE,
    PR_SET_DUMPABLE,
    PR_SET_NO_NEW_PRIVS,
    check,
    prctl,
)

_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_SECCOMP_SYSCALL = {"x86_64": 317, "aarch64": 277}
_ALWAYS = (
    # networks
    "socket", "connect", "bind", "listen",
    # other processes: their memory, files, signals, order
    "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "process_mrelease",
    "kcmp", "move_pages", "migrate_pages", "pidfd_open", "pidfd_send_signal", "pidfd_getfd",
    "tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "setpriority", "ioprio_set",
    "sched_setscheduler", "sched_setparam", "sched_setattr", "perf_event_open",
    # what is shared by all, or outlives a process
    "shmget", "semget", "msgget", "mq_open", "add_key", "request_key", "keyctl",
    # files past their paths, and memory that looks like files
    "name_to_handle_at", "open_by_handle_at", "inotify_init", "inotify_init1", "fanotify_init",
    "memfd_create", "memfd_secret",
    # the machine
    "settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "sethostname", "setdomainname",
    "reboot", "swapon", "init_module", "finit_module", "delete_module", "kexec_load", "bpf",
    "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register", "syslog", "acct",
    "quotactl", "iopl", "ioperm",
    # mounts and namespaces
    "mount", "umount2", "open_tree", "move_mount", "fsopen", "fsconfig", "fsmount", "fspick",
    "mount_setattr", "chroot", "pivot_root", "unshare", "setns",
)  # fmt: skip
_METADATA = (
    "chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "lchown", "fchown", "fchownat", "utime",
    "utimes", "futimesat", "utimensat", "setxattr", "lsetxattr", "fsetxattr", "removexattr",
    "lremovexattr", "fremovexattr", "setxattrat", "removexattrat", "file_setattr",
)  # fmt: skip
_PROCESSES = ("fork", "vfork", "execve", "execveat")
CLONE_PARENT, CLONE_THREAD = 0x8000, 0x10000
CLONE_NEW_NAMESPACES = 0x7E020000
_MSG_PEEK, _FIONREAD = 2, 0x541B
_AF_UNIX, _BY_ADDRESS, _SO_SNDBUF = 1, 2, 7
"""Of types of sockets, SOCK_DGRAM and SOCK_RAW have this bit, SOCK_STREAM and SOCK_SEQPACKET have not."""

_LOAD, _EQUAL, _ANY_BIT, _AT_LEAST, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
_ALLOW, _KILL, _ASK = 0x7FFF0000, 0x80000000, 0x7FC00000
_TSYNC, _NEW_LISTENER, _TSYNC_ESRCH = 1, 8, 16


def _deny(code: int = errno.EPERM) -> int:
    return 0x00050000 | code


@dataclass(frozen=True)
class _Rule:
    """On syscall `name`: when `test` holds for the low word of argument `index`, answer `action`."""

    name: str
    action: int
    index: int = 0
    test: tuple[int, int] | None = None  # (jump operation, constant)
    negate: bool = False


def available() -> bool:
    """Whether this architecture is known here."""
    return MACHINE in _ARCH


def fence(*, metadata: bool, pairs: bool = False) -> list[_Rule]:
    """For the whole life: no network, no tracing, no tampering with others, no namespaces.

    `metadata`: whether modes, owners and times may be set, because no file of the user's is in reach.
    `pairs`: whether there may be pairs of sockets, because `asking` or `mute` follow; only such as speak to
    one another and to nobody else, whatever address they name. They hold memory that no limit counts.
    """
    mine = (_EQUAL, os.getpid())
    return [
        *(_Rule(name, _deny()) for name in _ALWAYS),
        *(_pairs() if pairs else (_Rule("socketpair", _deny()),)),
        # Without clone3 (whose flags a filter cannot see) glibc falls back to clone.
        _Rule("clone3", _deny(errno.ENOSYS)),
        _Rule("clone", _deny(), 0, (_ANY_BIT, CLONE_NEW_NAMESPACES | CLONE_PARENT)),
        _Rule("prlimit64", _deny(), 0, (_EQUAL, 0), negate=True),
        _Rule("kill", _deny(), 0, mine, negate=True),
        _Rule("tgkill", _deny(), 0, mine, negate=True),
        _Rule("prctl", _deny(), 0, (_EQUAL, PR_SET_DUMPABLE)),
        # Reserving is quicker than any watch; who asks for it falls back to writing.
        _Rule("fallocate", _deny(errno.EOPNOTSUPP)),
        # What the parent sends is read once, and not looked at beforehand.
        _Rule("recvfrom", _deny(), 3, (_ANY_BIT, _MSG_PEEK)),
        _Rule("recvmsg", _deny(), 2, (_ANY_BIT, _MSG_PEEK)),
        _Rule("recvmmsg", _deny(), 3, (_ANY_BIT, _MSG_PEEK)),
        _Rule("ioctl", _deny(), 1, (_EQUAL, _FIONREAD)),
        *(_Rule(name, _deny()) for name in (() if metadata else _METADATA)),
    ]


def _pairs() -> list[_Rule]:
    return [
        _Rule("socketpair", _deny(), 0, (_EQUAL, _AF_UNIX), negate=True),
        _Rule("socketpair", _deny(), 1, (_ANY_BIT, _BY_ADDRESS)),
        _Rule("setsockopt", _deny(), 2, (_EQUAL, _SO_SNDBUF)),
    ]


def offline() -> list[_Rule]:
    """No sockets but between processes of this machine."""
    return [_Rule("socket", _deny(errno.EACCES), 0, (_EQUAL, _AF_UNIX), negate=True)]


def freeze() -> list[_Rule]:
    """While calls are timed: no new process, no new program."""
    return [
        *(_Rule(name, _deny()) for name in _PROCESSES),
        # It seems to work: the OpenMP runtime gives up the process where a new thread cannot be bound.
        _Rule("sched_setaffinity", _deny(0)),
        _Rule("clone", _deny(), 0, (_ANY_BIT, CLONE_THREAD), negate=True),
    ]


def asking(*, neighbours: bool) -> list[_Rule]:
    """Each new process, each new program and each pair of sockets needs leave from outside (`leave.py`).

    `neighbours`: so do the cores of any thread by number, because processes of others are in reach.
    """
    return [
        *(_Rule(name, _ASK) for name in (*_PROCESSES, "socketpair")),
        _Rule("clone", _ASK, 0, (_ANY_BIT, CLONE_THREAD), negate=True),
        *([_Rule("sched_setaffinity", _ASK, 0, (_EQUAL, 0), negate=True)] if neighbours else ()),
    ]


def mute(*, pairs: bool) -> list[_Rule]:
    """No descriptor is sent: one that is under way belongs to no process, and no limit sees what it holds.
    Without `pairs`, no pairs of sockets either."""
    return [
        *(_Rule(name, _deny()) for name in ("sendmsg", "sendmmsg")),
        *(() if pairs else (_Rule("socketpair", _deny()),)),
    ]


def install(rules: list[_Rule], *, listen: bool = False) -> int:
    """Bind the rules to every thread of this process. Raises OSError when the kernel refuses.

    With `listen`, returns the descriptor at which to hear who asks.
    """
    program = b"".join(_assemble(rules))
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(code))
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    number = _SECCOMP_SYSCALL[MACHINE]
    flags = _TSYNC | (_NEW_LISTENER | _TSYNC_ESRCH if listen else 0)
    done: int = LIBC.syscall(number, ctypes.c_uint(1), ctypes.c_uint(flags), header)
    return check(done, "seccomp")


def _assemble(rules: list[_Rule]) -> list[bytes]:
    def op(code: int, yes: int, no: int, value: int) -> bytes:
        return struct.pack("HBBI", code, yes, no, value)

    out = [op(_LOAD, 0, 0, 4), op(_EQUAL, 1, 0, _ARCH[MACHINE]), op(_RETURN, 0, 0, _KILL)]
    out.append(op(_LOAD, 0, 0, 0))
    if MACHINE == "x86_64":  # the x32 ABI would offer every call under a second number
        out += [op(_AT_LEAST, 0, 1, 0x40000000), op(_RETURN, 0, 0, _deny())]
    for rule in rules:
        number = NUMBERS[MACHINE].get(rule.name)
        if number is None:
            continue
        if rule.test is None:
            out += [op(_EQUAL, 0, 1, number), op(_RETURN, 0, 0, rule.action)]
            continue
        jump, constant = rule.test
        yes, no = (1, 0) if rule.negate else (0, 1)
        out += [
            op(_EQUAL, 0, 4, number),
            op(_LOAD, 0, 0, 16 + 8 * rule.index),
            op(jump, yes, no, constant),
            op(_RETURN, 0, 0, rule.action),
            op(_LOAD, 0, 0, 0),
        ]
    return [*out, op(_RETURN, 0, 0, _ALLOW)]
