"""What runs on the nodes of a Ray cluster: an evaluator's keeper, and a look at the machine.

Ray pickles these by name, so kernelwright has to be installed on every node. Nothing here imports Ray.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from kernelwright.evals.serving.messages import Lost, Reply, Request
from kernelwright.evals.serving.process import ServerProcess, machine_environment
from kernelwright.evals.serving.rooms import device_room
from kernelwright.harness.turnstile import ROOM


class Host:
    """Keeps one evaluator in a process of its own; an actor that holds its device while it lives."""

    def __init__(self, kind: str) -> None:
        """`kind` of the device. Of GPUs it is the one that Ray made visible to this actor."""
        index = os.environ.get("CUDA_VISIBLE_DEVICES", "0") if kind != "cpu" else ""
        self._server = ServerProcess({ROOM: str(device_room(kind, index))})

    def call(self, request: Request) -> Reply:
        """What the evaluator answers."""
        try:
            return self._server.call(request)
        except Lost as lost:
            return Reply.lost(str(lost))


def look() -> dict[str, Any]:
    """What `describe` says of this machine, from a process without a scheduler's settings."""
    done = subprocess.run(
        [sys.executable, "-m", "kernelwright.evals.serving.describe"],
        env={**machine_environment(), ROOM: str(device_room())},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise RuntimeError(lines[-1])
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found
