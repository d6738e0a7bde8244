"""A library in memory beside its file: what was altered is told from what the loader does."""

import ctypes
import os
import subprocess
from pathlib import Path

import pytest

from kernelwright.harness import images

CODE = """
#include <math.h>
const char mark[] = "a mark that somebody may want to hide";
static double table[4] = {1, 2, 3, 4};
double* places[] = {table, table + 2};
double scaled(double x) { return sin(x) * *places[1] + mark[0]; }
double other(double x) { return scaled(x) + cos(x); }
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("library")
    (folder / "own.c").write_text(CODE)
    built = folder / "own.so"
    flags = ["-O1", "-shared", "-fPIC", "-Wl,--hash-style=gnu", "-Wl,-z,now"]
    subprocess.run(["gcc", *flags, "-o", built, folder / "own.c", "-lm"], check=True)
    return built


def test_what_the_loader_does_is_no_alteration(library: Path):
    loaded = ctypes.CDLL(str(library))
    loaded.other.restype = ctypes.c_double
    assert loaded.other(ctypes.c_double(0.0)) > 0
    lines = images._lines(os.getpid(), str(library))
    image, file = images._in_memory(os.getpid(), lines), library.read_bytes()
    assert images._file(os.getpid(), str(library), lines) == file
    assert not images.altered(image, file) and not images.altered_names(image)
    assert not images.altered_names(images.laid_out(file))
    names = {name for name, _ in images._hashed(image)}
    assert names == {name for name, _ in images._hashed(images.laid_out(file))}
    assert {b"scaled", b"other", b"mark", b"places"} <= names
    assert not images.is_foreign(os.getpid(), str(library))
    for text in (b"a mark that", b"scaled\0"):
        at = image.content.index(text)
        changed = image.content[:at] + b"X" + image.content[at + 1 :]
        assert images.altered(images.Image(image.base, changed), file)


def test_names_that_were_changed_in_the_file_too_do_not_fit_their_sums(library: Path):
    file = library.read_bytes().replace(b"\0scaled\0", b"\0sca1ed\0")
    assert images.altered_names(images.laid_out(file))


def test_what_is_no_library_is_none():
    for content in (b"", b"\x7fELF\x02", b"\x7fELF\x02" + bytes(50), b"\x7fELF\x02" + b"\xff" * 80):
        image = images.laid_out(content)
        assert image.content == b"" and not images.altered_names(image)
        assert not images.altered_names(images.Image(0, content))
        assert not images.altered(image, content)
    assert not images.is_foreign(os.getpid(), "/no/such/library.so")
