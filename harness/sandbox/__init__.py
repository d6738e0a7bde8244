"""The cage of one process that holds code which nobody vouches for.

Base layers that need no privileges: Landlock (files, TCP, signals), seccomp (system calls), resource
limits, a scrubbed environment. On top, where the parent is root with CAP_SYS_PTRACE: an unprivileged
user id of its own for every process tree, so that limits bind and nothing of it can survive.
"""

from kernelwright.harness.sandbox.cage import Cage, Level, enter, level, lockdown

__all__ = ["Cage", "Level", "enter", "level", "lockdown"]
