"""Builds: C++ text to a shared library, in a cage of its own, cached by content.

A candidate never compiles: it asks, and the parent has the compiler run in a cage that holds nothing
but the source. The finished library is copied to a folder that the candidate can only read, so each
candidate reads only what it built itself and can poison nothing for the next one.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from kernelwright.harness import inline_cpp, variants
from kernelwright.harness.cuda_emulation import translate
from kernelwright.harness.inline_cpp import BuildError
from kernelwright.harness.nursery import Nursery
from kernelwright.harness.rooms import remove
from kernelwright.harness.sandbox import Cage
from kernelwright.harness.sandbox.cage import python_folders
from kernelwright.harness.variants import Text, Variant

BUILD_SECONDS = 60.0
_LARGEST_SOURCE = 4 << 20
_LONGEST_FLAGS = 8 << 10
_FLAG = re.compile(
    r"-O\w*|-f(?!plugin|pass-plugin|use-ld|dump|profile)[\w=,.+-]+|-m[\w=,.+-]+|-[DU]\w.*|-g\d?"
    r"|-std=[\w+]+|-W(?![lap],)[\w=+-]*|-l\w+|-pthread|-w",
    re.S,
)
"""Flags that tune a build; none that names a file, a program or a plugin."""


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

    def build(
        self, source: str, flags: Sequence[str], target: Path, variant: Variant = "plain"
    ) -> Path:
        """Put the library into folder `target` and return its path. Raises BuildError."""
        cached = self.library(source, flags, variant)
        library = target / cached.name
        shutil.copyfile(cached, library)
        library.chmod(0o755)
        return library

    def library(self, source: str, flags: Sequence[str], variant: Variant = "plain") -> Path:
        """The library in the cache, compiled if it is not there. Raises BuildError."""
        if len(source) > _LARGEST_SOURCE:
            raise BuildError(f"the source has {len(source)} characters, at most {_LARGEST_SOURCE}")
        if sum(map(len, flags)) > _LONGEST_FLAGS:
            raise BuildError(f"the flags are longer than {_LONGEST_FLAGS} characters")
        cuda = bool(flags) and flags[0] == translate.IS_CUDA  # of its flags only macros are used
        foreign = [flag for flag in flags if not _FLAG.fullmatch(flag)]
        if foreign and not cuda:
            raise BuildError(
                f"the flag {foreign[0][:80]!r} is not allowed: give -O, -f, -m, -D ones"
            )
        if not _is_text([source, *flags]):
            raise BuildError("source and flags must be Unicode text without null characters")
        begin = time.perf_counter()
        try:
            text = variants.changed(variant, source, flags, self.compiler)
            key = inline_cpp.content_key(text.source + text.beside, text.flags, self.compiler)
            cached = self._cache / f"{key}.so"
            if not cached.exists():
                self._compile(text, cached)
            return cached
        except BuildError as error:
            said = str(error).replace(variants.name_of(source), "kernel.cpp")
            raise BuildError(translate.said(said) if cuda else said) from error
        finally:
            self.seconds += time.perf_counter() - begin

    def _compile(self, text: Text, cached: Path) -> None:
        folder, user = self._nursery.scratch(caged=True)
        try:
            self._compile_in(folder, user, text, cached)
        finally:
            remove(folder)

    def _compile_in(self, folder: Path, user: int | None, text: Text, cached: Path) -> None:
        scratch = folder / "tmp"
        kernel, built = scratch / "kernel.cpp", scratch / "kernel.so"
        kernel.write_text(text.source)
        argv = inline_cpp.command(self.compiler, kernel, built, text.flags, scratch)
        if text.beside:
            beside = scratch / "beside.cpp"
            beside.write_text(text.beside)
            argv.append(str(beside))
        seconds = int(BUILD_SECONDS)
        cage = Cage(str(scratch), python_folders(), disk=None, cpu_seconds=seconds, user=user)
        log_file = folder / "output.log"  # beside the scratch folder: out of the compiler's reach
        end = self._nursery.reap(self._nursery.run(cage, argv, log_file), BUILD_SECONDS)
        log = log_file.read_text(errors="replace")[:20_000]
        said = log.replace(f"{scratch}/", "").replace(str(scratch), ".").strip()
        if end.reason:
            raise BuildError(f"the compiler was stopped: {end.reason}")
        if end.status != 0 or not built.is_file() or built.is_symlink():
            how = "took too long" if end.status is None else f"ended with status {end.status}"
            raise BuildError(said or f"the compiler {how}")
        self._cache.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self._cache, delete=False) as part:
            part.write(built.read_bytes())
        Path(part.name).replace(cached)


def _is_text(parts: Sequence[str]) -> bool:
    try:
        return b"\0" not in "".join(parts).encode()
    except UnicodeEncodeError:
        return False
