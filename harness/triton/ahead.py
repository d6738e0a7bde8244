"""Compiles the Triton kernels that a candidate launches, for GPUs that are not here, and runs none of them.

The candidate's own host code runs on CPU tensors under a driver that only names a target, so that each
launch is compiled as it would be: with its types, constants, warps and the alignment of its arguments. In
another process than the interpreter, for Triton decides at import which of both it is.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kernelwright.harness.triton import driver

MODULE = __name__
TARGETS: dict[str, tuple[str, int | str, int]] = {
    "sm_80": ("cuda", 80, 32),
    "sm_90": ("cuda", 90, 32),
    "sm_100": ("cuda", 100, 32),
    "gfx942": ("hip", "gfx942", 64),
}
"""By name: Triton's backend, architecture and threads of a warp."""
LAUNCHES = "launches.json"
_PTXAS_SECONDS = 60
_MOST_KERNELS = 64


def prepare(
    scratch: str, targets: Sequence[str] = tuple(TARGETS)
) -> Callable[[], Mapping[str, Any]]:
    """Make this process one in which launches are compiled for these targets into files of `scratch`."""
    import triton.runtime.jit as jit

    driver.install()
    compiler = _Compiler(Path(scratch), targets)
    run = jit.JITFunction.run

    def compile_only(self: Any, *args: Any, grid: Any, warmup: bool, **options: Any) -> Any:
        bound: dict[str, Any] = {**dict(zip(self.arg_names, args, strict=False)), **options}
        size = tuple(grid(bound) if callable(grid) else grid)
        compiled = compiler.compile(
            self.__name__, size, lambda: run(self, *args, grid=grid, warmup=True, **options)
        )
        return compiled

    jit.JITFunction.run = compile_only
    return compiler.report


class _Compiler:
    """Compiles each launch for its targets, and writes down what came of it."""

    def __init__(self, folder: Path, targets: Sequence[str]) -> None:
        self._folder = folder
        self._targets = targets
        self._said: dict[str, dict[str, Any]] = {}

    def report(self) -> Mapping[str, Any]:
        """Write the list of launches; the files say the rest."""
        (self._folder / LAUNCHES).write_text(json.dumps(list(self._said.values())))
        return {}

    def compile(self, kernel: str, grid: Sequence[int], build: Callable[[], Any]) -> Any:
        """Compile one launch for the targets; returns the first that there is. Raises nothing."""
        first = None
        for name in self._targets:
            backend, arch, warp = TARGETS[name]
            _aim(backend, arch, warp)
            try:
                built = build()
            except Exception as error:  # whatever the compiler raises is its answer
                facts = {"error": _message(error), "line": self._line(error)}
                self._note(kernel, name, grid, facts, None)
                (self._folder / LAUNCHES).write_text(json.dumps(list(self._said.values())))
                continue
            first = first or built
            self._write(kernel, name, grid, built)
        return first

    def _line(self, error: BaseException) -> int | None:
        """The line of the candidate's file at which its text could not be compiled."""
        found: int | None = None
        text = (self._folder / "candidate.py").read_text(errors="replace")
        for cause in _causes(error):
            source = getattr(cause, "src", None)
            inside = getattr(getattr(cause, "node", None), "lineno", None)
            at = text.find(source) if isinstance(source, str) and source else -1
            if at >= 0 and isinstance(inside, int):
                found = text.count("\n", 0, at) + inside
        return found

    def _write(self, kernel: str, target: str, grid: Sequence[int], built: Any) -> None:
        meta = built.metadata
        facts = {"warps": meta.num_warps, "shared": meta.shared, "name": meta.name}
        key = self._note(kernel, target, grid, facts, str(meta.hash))
        if key is None:
            return
        base = self._folder / key
        for kind in ("cubin", "ptx", "amdgcn"):
            text = built.asm.get(kind)
            if text is not None and kind != "ptx":
                data = text if isinstance(text, bytes) else str(text).encode()
                base.with_suffix(f".{kind}").write_bytes(data)
            elif text is not None:
                base.with_suffix(".log").write_text(_ptxas(str(text), target, base))

    def _note(
        self,
        kernel: str,
        target: str,
        grid: Sequence[int],
        facts: dict[str, Any],
        hash_: str | None,
    ) -> str | None:
        """Count the launch; the name of its files where it is new."""
        which = f"{kernel}-{target}-{hash_ or facts}"
        if which in self._said:
            self._said[which]["launches"] += 1
            return None
        if len(self._said) >= _MOST_KERNELS * len(TARGETS):
            return None
        key = f"kernel-{len(self._said)}"
        told = {"kernel": kernel, "target": target, "file": key, "launches": 1, "grid": list(grid)}
        self._said[which] = {**told, **facts}
        return key


def _aim(backend: str, arch: int | str, warp: int) -> None:
    import triton.runtime
    from triton.backends.compiler import GPUTarget

    target = GPUTarget(backend, arch, warp)
    number = sum(map(ord, str(arch)))
    kind = type(triton.runtime.driver.active)
    kind.get_current_target = lambda self: target
    kind.get_current_device = lambda self: number  # Triton keeps what it compiled by device


def _ptxas(ptx: str, target: str, base: Path) -> str:
    """What ptxas says of registers and spills; empty where there is none."""
    from triton.backends import nvidia

    number = target.removeprefix("sm_")
    name = "ptxas-blackwell" if int(number) >= 100 else "ptxas"
    tool = Path(str(nvidia.__path__[0]), "bin", name)
    if not os.access(tool, os.X_OK):
        return ""
    source = base.with_suffix(".ptx")
    source.write_text(ptx)
    suffix = "a" if int(number) >= 90 else ""
    argv = [
        str(tool),
        "-v",
        f"-arch={target}{suffix}",
        str(source),
        "-o",
        str(base.with_suffix(".o")),
    ]
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=_PTXAS_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stderr


def _causes(error: BaseException) -> list[BaseException]:
    """The error and what it came of, the innermost last."""
    causes = [error]
    while (cause := causes[-1].__cause__) is not None and len(causes) < 8:
        causes.append(cause)
    return causes


def _message(error: BaseException) -> str:
    causes = _causes(error)
    return f"{type(causes[-1]).__name__}: {causes[0]}"[:4000]
