"""seccomp: which system calls a process may still make, as a BPF program written by hand.

Source: Documentation/userspace-api/seccomp_filter.rst; syscall numbers from the kernel's tables.
Two filters: `FENCE` for the whole life of a candidate, `FREEZE` from the moment that its calls are
timed (no new processes, no new programs; threads are still allowed).
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from dataclasses import dataclass

from kernelwright.harness.sandbox.system import LIBC, MACHINE, PR_SET_NO_NEW_PRIVS, check, prctl

_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_SECCOMP_SYSCALL = {"x86_64": 317, "aarch64": 277}
_NUMBERS: dict[str, dict[str, int]] = {
    "x86_64": {
        "socket": 41, "connect": 42, "bind": 49, "listen": 50, "clone": 56, "fork": 57,
        "vfork": 58, "execve": 59, "kill": 62, "ptrace": 101, "prctl": 157, "settimeofday": 164,
        "mount": 165, "umount2": 166, "swapon": 167, "reboot": 169, "sethostname": 170,
        "init_module": 175, "delete_module": 176, "tkill": 200, "sched_setaffinity": 203,
        "clock_settime": 227, "tgkill": 234, "kexec_load": 246, "add_key": 248, "keyctl": 250,
        "unshare": 272, "perf_event_open": 298, "setns": 308, "process_vm_readv": 310,
        "process_vm_writev": 311, "finit_module": 313, "bpf": 321, "execveat": 322,
        "userfaultfd": 323, "pidfd_send_signal": 424, "io_uring_setup": 425, "clone3": 435,
        "pidfd_getfd": 438, "setpriority": 141, "sched_setscheduler": 144, "shmget": 29,
        "semget": 64, "msgget": 68, "mq_open": 240, "rt_sigqueueinfo": 129,
        "rt_tgsigqueueinfo": 297, "prlimit64": 302,
    },
    "aarch64": {
        "socket": 198, "connect": 203, "bind": 200, "listen": 201, "clone": 220, "execve": 221,
        "kill": 129, "ptrace": 117, "prctl": 167, "settimeofday": 170, "mount": 40, "umount2": 39,
        "swapon": 224, "reboot": 142, "sethostname": 161, "init_module": 105,
        "delete_module": 106, "tkill": 130, "sched_setaffinity": 122, "clock_settime": 112,
        "tgkill": 131, "kexec_load": 104, "add_key": 217, "keyctl": 219, "unshare": 97,
        "perf_event_open": 241, "setns": 268, "process_vm_readv": 270, "process_vm_writev": 271,
        "finit_module": 273, "bpf": 280, "execveat": 281, "userfaultfd": 282,
        "pidfd_send_signal": 424, "io_uring_setup": 425, "clone3": 435, "pidfd_getfd": 438,
        "setpriority": 140, "sched_setscheduler": 119, "shmget": 194, "semget": 190,
        "msgget": 186, "mq_open": 180, "rt_sigqueueinfo": 138, "rt_tgsigqueueinfo": 240,
        "prlimit64": 261,
    },
}  # fmt: skip
_ALWAYS = (
    "socket", "connect", "bind", "listen", "ptrace", "settimeofday", "mount", "umount2", "swapon",
    "reboot", "sethostname", "init_module", "delete_module", "tkill",
    "clock_settime", "kexec_load", "add_key", "keyctl", "unshare", "perf_event_open", "setns",
    "process_vm_readv", "process_vm_writev", "finit_module", "bpf", "userfaultfd",
    "pidfd_send_signal", "io_uring_setup", "pidfd_getfd", "sched_setscheduler", "setpriority",
    "shmget", "semget", "msgget", "mq_open", "rt_sigqueueinfo", "rt_tgsigqueueinfo",
)  # fmt: skip
_PROCESSES = ("fork", "vfork", "execve", "execveat", "sched_setaffinity")
CLONE_PARENT, CLONE_THREAD = 0x8000, 0x10000
CLONE_NEW_NAMESPACES = 0x7E020000
PR_SET_DUMPABLE = 4

_LOAD, _EQUAL, _ANY_BIT, _AT_LEAST, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_TSYNC = 1


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


def fence() -> list[_Rule]:
    """For the whole life: no network, no tracing, no tampering with others, no namespaces."""
    mine = (_EQUAL, os.getpid())
    return [
        *(_Rule(name, _deny()) for name in _ALWAYS),
        # Without clone3 (whose flags a filter cannot see) glibc falls back to clone.
        _Rule("clone3", _deny(errno.ENOSYS)),
        _Rule("clone", _deny(), 0, (_ANY_BIT, CLONE_NEW_NAMESPACES | CLONE_PARENT)),
        _Rule("prlimit64", _deny(), 0, (_EQUAL, 0), negate=True),
        _Rule("kill", _deny(), 0, mine, negate=True),
        _Rule("tgkill", _deny(), 0, mine, negate=True),
        _Rule("prctl", _deny(), 0, (_EQUAL, PR_SET_DUMPABLE)),
    ]


def freeze() -> list[_Rule]:
    """While calls are timed: no new process, no new program."""
    return [
        *(_Rule(name, _deny()) for name in _PROCESSES),
        _Rule("clone", _deny(), 0, (_ANY_BIT, CLONE_THREAD), negate=True),
    ]


def install(rules: list[_Rule]) -> None:
    """Bind the rules to every thread of this process. Raises OSError when the kernel refuses."""
    program = b"".join(_assemble(rules))
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(code))
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    number = _SECCOMP_SYSCALL[MACHINE]
    check(LIBC.syscall(number, ctypes.c_uint(1), ctypes.c_uint(_TSYNC), header), "seccomp")


def _assemble(rules: list[_Rule]) -> list[bytes]:
    def op(code: int, yes: int, no: int, value: int) -> bytes:
        return struct.pack("HBBI", code, yes, no, value)

    out = [op(_LOAD, 0, 0, 4), op(_EQUAL, 1, 0, _ARCH[MACHINE]), op(_RETURN, 0, 0, _KILL)]
    out.append(op(_LOAD, 0, 0, 0))
    if MACHINE == "x86_64":  # the x32 ABI would offer every call under a second number
        out += [op(_AT_LEAST, 0, 1, 0x40000000), op(_RETURN, 0, 0, _deny())]
    for rule in rules:
        number = _NUMBERS[MACHINE].get(rule.name)
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
