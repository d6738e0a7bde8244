"""Builds: C++ text to a shared library, in a cage of its own, cached by content.

A candidate never compiles: it asks, and the parent has the compiler run in a cage that holds nothing
but the source. The finished library is copied to a folder that the candidate can only read, so each
candidate reads only what it built itself and can poison nothing for the next one.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from kernelwright.harness import inline_cpp
from kernelwright.harness.inline_cpp import BuildError
from kernelwright.harness.nursery import Nursery
from kernelwright.harness.sandbox import Cage
from kernelwright.harness.sandbox.cage import python_folders

BUILD_SECONDS = 60.0
_LARGEST_SOURCE = 4 << 20


def cache_folder() -> Path:
    """`$KERNELWRIGHT_CACHE` or ~/.cache/kernelwright."""
    default = Path.home() / ".cache" / "kernelwright"
    return Path(os.environ.get("KERNELWRIGHT_CACHE") or default)


class Builder:
    """Compiles for one nursery; `seconds` adds up the time spent in the compiler."""

    def __init__(self, nursery: Nursery) -> None:
        self._nursery = nursery
        self._cache = cache_folder() / "builds"
        self.compiler = inline_cpp.compiler()
        self.seconds = 0.0

    def build(self, source: str, flags: Sequence[str], target: Path) -> Path:
        """Put the library into folder `target` and return its path. Raises BuildError."""
        if len(source) > _LARGEST_SOURCE:
            raise BuildError(f"the source has {len(source)} characters, at most {_LARGEST_SOURCE}")
        begin = time.perf_counter()
        try:
            key = inline_cpp.content_key(source, flags, self.compiler)
            cached = self._cache / f"{key}.so"
            if not cached.exists():
                self._compile(source, flags, cached)
            library = target / f"{key}.so"
            shutil.copyfile(cached, library)
            library.chmod(0o755)
            return library
        finally:
            self.seconds += time.perf_counter() - begin

    def _compile(self, source: str, flags: Sequence[str], cached: Path) -> None:
        folder, user = self._nursery.scratch(caged=True)
        scratch = folder / "tmp"
        text, built = scratch / "kernel.cpp", scratch / "kernel.so"
        text.write_text(source)
        argv = inline_cpp.command(self.compiler, text, built, flags, scratch)
        cage = Cage(str(scratch), python_folders(), cpu_seconds=int(BUILD_SECONDS), user=user)
        status, _ = self._nursery.reap(self._nursery.run(cage, argv), BUILD_SECONDS)
        log = (scratch / "output.log").read_text(errors="replace")[:20_000]
        said = log.replace(str(text), "kernel.cpp").strip()
        if status != 0 or not built.is_file() or built.is_symlink():
            how = "took too long" if status is None else f"ended with status {status}"
            raise BuildError(said or f"the compiler {how}")
        self._cache.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self._cache, delete=False) as part:
            part.write(built.read_bytes())
        Path(part.name).replace(cached)
        shutil.rmtree(folder, ignore_errors=True)
