"""New processes and pairs of sockets only by leave: the kernel asks somebody outside before each.

A filter that a process is to install later can be forged by whoever holds the process. This one is there
before foreign code is, and whether a new process or program may be is decided by who holds its listener:
the keeper, which is told so by us. Nothing inside can take that back: of several answers the kernel takes
the strictest, and one chain of filters has one listener at the most.
Source: seccomp_unotify(2); include/uapi/linux/seccomp.h. Linux 5.7 (TSYNC_ESRCH); not in gVisor.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import socket
import struct

from kernelwright.harness.sandbox import seccomp
from kernelwright.harness.sandbox.syscalls import NUMBERS
from kernelwright.harness.sandbox.system import MACHINE

_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_CONTINUE = 1
_QUESTION_BYTES = 80
_QUESTION = struct.Struct("=QI4xi4x8xI")
"""Number, thread that asks, system call, low word of its first argument."""
_ANSWER = struct.Struct("=QqiI")
_MOST_PAIRS = 64
"""Pairs of sockets in the life of a tree. Each may hold some 0.4 MiB that no limit counts
(net.core.wmem_default for each direction); an event loop of Python's has one."""
_MOST_ANSWERS = 256
"""At one go: whoever asks without end does not keep the keeper from watching."""


def give(link: socket.socket, *, neighbours: bool) -> None:
    """Make new processes of this process, all its threads, depend on who is at the other end of `link`.

    With `neighbours`, processes of others are in reach: whose cores are chosen is asked for too. Where the
    kernel knows no such filter, `link` is closed without a word, and there are no pairs of sockets. Raises
    OSError.
    """
    with link:
        if not seccomp.available():
            return
        try:
            listener = seccomp.install(seccomp.asking(neighbours=neighbours), listen=True)
        except OSError:
            seccomp.install(seccomp.mute(pairs=False))
            return
        socket.send_fds(link, [b"l"], [listener])
        os.close(listener)
    seccomp.install(seccomp.mute(pairs=True))


class Leave:
    """The keeper's side: grants new processes until `lock`, none afterwards; so many pairs of sockets; and
    cores to threads of the process that asks, always."""

    def __init__(self, link: socket.socket) -> None:
        self._link: socket.socket | None = link
        self._listener: int | None = None
        self._locked = False
        self._pairs = 0

    def lock(self) -> bool:
        """No more leave from now on; False where nobody asks for it."""
        self._receive()
        self._locked = True
        return self._listener is not None

    def descriptors(self) -> list[int]:
        """What to wait for besides, before `serve`."""
        if self._link is not None:
            return [self._link.fileno()]
        return [] if self._listener is None else [self._listener]

    def serve(self) -> None:
        """Answer who has asked; returns at once."""
        self._receive()
        poll = select.poll()
        for _ in range(_MOST_ANSWERS):
            if self._listener is None:
                return
            poll.register(self._listener, select.POLLIN)
            ready = poll.poll(0)
            if not ready:
                return
            if not ready[0][1] & select.POLLIN:  # nobody is left who could ask
                os.close(self._listener)
                self._listener = None
                return
            self._answer(self._listener)

    def _receive(self) -> None:
        """The listener, where it has been sent."""
        if self._link is None or not select.select([self._link], [], [], 0)[0]:
            return
        _, descriptors, _, _ = socket.recv_fds(self._link, 1, 1)
        self._listener = descriptors[0] if descriptors else None
        self._link.close()
        self._link = None

    def _answer(self, listener: int) -> None:
        question = bytearray(_QUESTION_BYTES)
        with contextlib.suppress(OSError):  # who asked is gone
            fcntl.ioctl(listener, _RECEIVE, question)
            number, thread, call, target = _QUESTION.unpack_from(question)
            if call == NUMBERS[MACHINE]["sched_setaffinity"]:
                granted = os.path.exists(f"/proc/{thread}/task/{target}")  # noqa: PTH110
            elif call == NUMBERS[MACHINE]["socketpair"]:
                self._pairs += 1
                granted = self._pairs <= _MOST_PAIRS
            else:
                granted = not self._locked
            said = (0, 0, _CONTINUE) if granted else (0, -errno.EPERM, 0)
            fcntl.ioctl(listener, _SEND, _ANSWER.pack(number, *said))
