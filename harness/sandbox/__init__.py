"""The cage of one process that holds code which nobody vouches for.

Base layers that need no privileges: Landlock (files, TCP, signals), seccomp (system calls), resource
limits, a scrubbed environment. On top, where the machine allows: namespaces (a process tree that sees
only itself and dies as a whole, no network, a file tree that holds nothing of the user's), and where the
parent is root with CAP_SYS_PTRACE an unprivileged user id of its own for every process tree.
"""

from kernelwright.harness.sandbox.cage import Cage, enter, isolate, lockdown
from kernelwright.harness.sandbox.level import Level, level

__all__ = ["Cage", "Level", "enter", "isolate", "level", "lockdown"]
