"""`python -m kernelwright.evals.serving.describe`: what this machine is, as one JSON object."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

_JUDGES = ("harness", "tasks")
"""Packages whose code decides what a verdict says."""


def describe() -> dict[str, Any]:
    """Device, measured peaks kept for later, versions, and a hash of the code that judges."""
    from kernelwright.harness.peaks import device_facts
    from kernelwright.harness.turnstile import named
    from kernelwright.machine import environment

    room = named()
    if room is None:
        facts = device_facts(len(os.sched_getaffinity(0)))
    else:
        with room.alone():
            facts = device_facts(len(os.sched_getaffinity(0)))
    return {
        "device": {"kind": facts.kind, "name": facts.name, "threads": facts.threads},
        "isa": list(facts.isa),
        "environment": environment(),
        "code": code(),
    }


def code() -> str:
    """Hash of the Python files of the harness and the tasks that are installed here."""
    import kernelwright

    root = Path(kernelwright.__file__).parent
    digest = hashlib.sha256()
    for package in _JUDGES:
        folder = (root / package).resolve()
        for file in sorted(folder.rglob("*.py")):
            digest.update(f"{package}/{file.relative_to(folder)}\n".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


if __name__ == "__main__":
    print(json.dumps(describe()))
