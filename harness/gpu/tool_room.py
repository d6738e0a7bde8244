"""A folder with one candidate in it, ready to run under a tool: ncu, compute-sanitizer, torch's profiler.

The tools start a process of their own, so the candidate cannot be run in a worker that is forked. What runs
is `once.py`, on exactly the source that is judged. `Run` says how: in a cage (`caged`), or as it is, for what
is trusted (`plain`). Candidates find the modules that they import beside them: a cage hides this package.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import kernelwright
from kernelwright.harness.errors import HarnessError
from kernelwright.harness.gpu import once
from kernelwright.harness.gpu.device import Needs
from kernelwright.harness.nursery import Nursery
from kernelwright.harness.oracle import Case
from kernelwright.harness.sandbox import Cage
from kernelwright.harness.sandbox.cage import python_folders

_MODULES = (
    "inline.py", "harness/__init__.py", "harness/inline_cpp.py", "harness/inline_cuda.py",
    "harness/cuda_native.py", "harness/nvrtc.py", "harness/cuda_emulation",
)  # fmt: skip
"""What `kernelwright.inline` needs."""
UNCAGED = "KERNELWRIGHT_TOOLS_UNCAGED"
"""Environment: `1` runs tools without a cage, where one does not work in it. For kernels that one trusts."""
_KEPT = ("PATH", "LD_LIBRARY_PATH", "LANG", "CXX")
_LARGEST_OUTPUT = 64 << 20
_MEMORY = 32 << 30
Environment = Mapping[str, str]


@dataclass(frozen=True)
class Done:
    """How a command ended: its exit status (None: too long, or killed) and the text that it wrote."""

    status: int | None
    text: str


Run = Callable[[Sequence[str], float, Environment], Done]
"""Runs a command for so many seconds, with these variables beside its usual ones."""


@dataclass(frozen=True)
class ToolRoom:
    """The folder, and how commands are run in it."""

    folder: Path
    run: Run
    device: str = "cuda:0"

    @property
    def command(self) -> list[str]:
        """What runs the candidate once."""
        return [
            sys.executable, "-I", str(self.folder / "once.py"), str(self.folder), self.device
        ]  # fmt: skip


@dataclass(frozen=True)
class Subject:
    """What is run: a source, the arguments of its model, its state and one case."""

    source: str
    init: tuple[Sequence[Any], Mapping[str, Any]]
    state: Mapping[str, torch.Tensor]
    case: Case
    train: bool = False


def furnish(folder: Path, subject: Subject) -> None:
    """Lay out everything that `once.py` reads."""
    (folder / "candidate.py").write_text(subject.source)
    shutil.copyfile(str(once.__file__), folder / "once.py")
    arguments, named = subject.init
    case = {
        "init": [list(arguments), dict(named)],
        "state": dict(subject.state),
        "inputs": list(subject.case.inputs),
        "gradients": None if subject.case.gradients is None else list(subject.case.gradients),
        "train": subject.train,
    }
    torch.save(case, folder / "case.pt")
    home, package = Path(next(iter(kernelwright.__path__))), folder / "kernelwright"
    (package / "harness").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    for name in _MODULES:
        if (home / name).is_dir():
            shutil.copytree(
                home / name, package / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copyfile(home / name, package / name)


def plain(folder: Path) -> Run:
    """As the user that we are. For sources that one trusts."""

    def run(argv: Sequence[str], seconds: float, environment: Environment) -> Done:
        log = folder / "tool.log"
        with log.open("wb") as stream:
            try:
                done = subprocess.run(
                    argv,
                    stdout=stream,
                    stderr=subprocess.STDOUT,
                    stdin=subprocess.DEVNULL,
                    timeout=seconds,
                    check=False,
                    cwd=folder,
                    env={**_own(), **_usual(folder), **environment},
                )
                status: int | None = done.returncode
            except subprocess.TimeoutExpired:
                status = None
        return Done(status, _text(log))

    return run


def caged(nursery: Nursery, needs: Needs, tool: str) -> tuple[Path, Run]:
    """A folder of its own, and what runs commands there, in a cage with the device and the tool."""
    folder, user = nursery.scratch(caged=True)
    scratch = folder / "tmp"
    installed = Path(tool).resolve().parent
    if installed.name == "bin":
        installed = installed.parent  # with its libraries
    cage = Cage(
        str(scratch),
        (*python_folders(), str(installed), *needs.read),
        memory=_MEMORY,
        disk=None,
        user=user,
        devices=needs.devices,
        bound_addresses=not needs.reserves_addresses,
    )
    log = folder / "tool.log"

    def run(argv: Sequence[str], seconds: float, environment: Environment) -> Done:
        given = {**_usual(scratch), **environment}
        told = [str(shutil.which("env")), *(f"{k}={v}" for k, v in given.items()), *argv]
        try:
            pid = nursery.run(cage, told, log)
        except HarnessError as error:
            return Done(None, str(error))
        end = nursery.reap(pid, seconds)
        return Done(end.status, f"{_text(log)}\n{end.reason or ''}")

    return scratch, run


def temporary() -> tempfile.TemporaryDirectory[str]:
    """A folder for `plain`."""
    return tempfile.TemporaryDirectory(prefix="kernelwright-tool-")


def _own() -> dict[str, str]:
    """What tools need of our environment: no key."""
    return {k: v for k, v in os.environ.items() if k in _KEPT or k.startswith("CUDA_")}


def _usual(folder: Path) -> dict[str, str]:
    return {
        "KERNELWRIGHT_CACHE": str(folder / "cache"),
        "TRITON_CACHE_DIR": str(folder / "triton"),
        "CUPY_CACHE_DIR": str(folder / "cupy"),
        "TMPDIR": str(folder),
        "HOME": str(folder),
        "LC_ALL": "C",
    }


def _text(log: Path) -> str:
    try:
        with log.open("rb") as stream:
            return stream.read(_LARGEST_OUTPUT).decode(errors="replace")
    except OSError as error:
        return str(error)
