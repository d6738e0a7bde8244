"""Which layers of the cage this machine allows. What cannot be told by asking is tried, once."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from dataclasses import dataclass

from kernelwright.harness.sandbox import landlock
from kernelwright.harness.sandbox.system import (
    CAP_DAC_READ_SEARCH,
    CAP_SETUID,
    CAP_SYS_PTRACE,
    effective_capabilities,
)

_TRIAL_SECONDS = 20


@dataclass(frozen=True)
class Level:
    """The layers of the cage on this machine."""

    landlock_abi: int
    seccomp: bool
    own_user: bool
    leave: bool = False
    """Whether new processes are granted one by one from outside (`leave.py`)."""
    namespaces: bool = False
    no_namespaces: str | None = None
    """Why not."""

    @property
    def strong(self) -> bool:
        """Whether files, network and signals are all fenced off."""
        return self.landlock_abi >= 1 and self.seccomp

    def warning(self) -> str | None:
        """What a verdict must say of a cage that is weaker than its base; None for a whole one."""
        if self.strong:
            return None
        lacking = [] if self.landlock_abi else ["Landlock (files)"]
        lacking += [] if self.seccomp else ["seccomp (system calls)"]
        rest = ": namespaces alone keep it" if self.namespaces else ""
        return f"the cage of the candidate lacks {' and '.join(lacking)} on this machine{rest}"

    def __str__(self) -> str:
        """The layers, strongest first."""
        return ", ".join(
            (
                "own processes, files and network (namespaces)"
                if self.namespaces
                else f"no namespaces ({self.no_namespaces or 'not tried'})",
                f"Landlock ABI {self.landlock_abi}" if self.landlock_abi else "no Landlock",
                "seccomp" if self.seccomp else "no seccomp",
                "new processes by leave" if self.leave else "new processes locked from inside",
                "own user id" if self.own_user else "same user id",
                "limits",
            )
        )


@functools.cache
def level() -> Level:
    """What this machine allows. Changes nothing; the first call takes some 0.1 s."""
    need = (1 << CAP_SYS_PTRACE) | (1 << CAP_SETUID) | (1 << CAP_DAC_READ_SEARCH)
    own_user = os.geteuid() == 0 and effective_capabilities() & need == need
    found = _trial()
    why = found.get("namespaces")
    return Level(
        landlock_abi=landlock.abi(),
        seccomp=found.get("seccomp") is None,
        own_user=own_user,
        leave=found.get("leave") is None,
        namespaces=why is None,
        no_namespaces=why,
    )


def _trial() -> dict[str, str | None]:
    """What went wrong in the trial, by layer, in a process of its own."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "kernelwright.harness.sandbox.trial"],
            capture_output=True,
            text=True,
            timeout=_TRIAL_SECONDS,
            cwd="/",
            check=True,
        )
        found: dict[str, str | None] = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        said = f"the trial failed: {type(error).__name__}"
        return {"namespaces": said, "seccomp": said, "leave": said}
    return found
