"""`python -m kernelwright.harness.house FD alone|shared`: where the pre-warmed process lives.

`alone`: in namespaces, which have to be entered before anything is loaded that starts threads; when the
process ends, so does by the kernel's hand all that it started.
"""

from __future__ import annotations

import os
import signal
import socket
import sys

from kernelwright.harness.sandbox import namespaces
from kernelwright.harness.sandbox.system import die_with_parent


def main() -> None:
    """Move in, and serve the socket FD."""
    descriptor, alone = int(sys.argv[1]), sys.argv[2] == "alone"
    for number in (signal.SIGINT, signal.SIGTERM):  # a whole group gets them; they are the parent's
        signal.signal(number, signal.SIG_IGN)
    die_with_parent(os.getppid())  # one that died before has closed the socket
    if alone:
        namespaces.settle(keep=descriptor)
    from kernelwright.harness.zygote import Zygote

    Zygote(socket.socket(fileno=descriptor), alone=alone).main()


if __name__ == "__main__":
    main()
