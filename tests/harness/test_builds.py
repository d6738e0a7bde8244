"""Builds in a cage: what comes out, what is cached, and what hostile sources get."""

import contextlib
import ctypes
import json
from pathlib import Path

import pytest
from harness_sources import SECRET

from kernelwright.harness import inline_cpp
from kernelwright.harness.builds import Builder, cache_folder
from kernelwright.harness.inline_cpp import BuildError
from kernelwright.harness.nursery import Nursery
from kernelwright.harness.sandbox import level

try:
    inline_cpp.compiler()
except BuildError as error:
    pytest.skip(str(error), allow_module_level=True)

SOURCE = 'extern "C" int answer() { return 42; }'


@pytest.fixture
def builder(nursery: Nursery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Builder:
    """One with an empty cache."""
    monkeypatch.setenv("KERNELWRIGHT_CACHE", str(tmp_path / "cache"))
    return Builder(nursery)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "target").mkdir()
    return tmp_path / "target"


def cached(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache").rglob("*.so"))


def test_a_library_comes_out(builder: Builder, target: Path):
    path = builder.build(SOURCE, [], target)
    assert path.parent == target
    assert ctypes.CDLL(str(path)).answer() == 42
    assert builder.seconds > 0


def test_cached_by_content(
    builder: Builder, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    first = builder.build(SOURCE, ["-DA=1"], target)
    assert builder.build(SOURCE + " ", ["-DA=1"], target) != first
    assert builder.build(SOURCE, ["-DA=2"], target) != first
    assert len(cached(tmp_path)) == 3
    monkeypatch.setattr(builder, "_compile", lambda *a: pytest.fail("built twice"))
    (tmp_path / "elsewhere").mkdir()
    again = builder.build(SOURCE, ["-DA=1"], tmp_path / "elsewhere")
    assert again.read_bytes() == first.read_bytes()


def test_what_a_candidate_does_to_its_copy_stays_there(
    builder: Builder, target: Path, tmp_path: Path
):
    path = builder.build(SOURCE, [], target)
    good = path.read_bytes()
    path.write_bytes(b"poison")
    assert builder.build(SOURCE, [], target).read_bytes() == good
    assert [p.read_bytes() for p in cached(tmp_path)] == [good]


def test_errors_are_the_compilers_words(builder: Builder, target: Path, nursery: Nursery):
    with pytest.raises(BuildError) as caught:
        builder.build('extern "C" int f() {\n  return undefined_name;\n}', [], target)
    text = str(caught.value)
    assert "kernel.cpp:2" in text and "undefined_name" in text and "error" in text
    assert str(nursery.root) not in text
    assert list(target.iterdir()) == []


def test_a_failed_build_is_not_cached(builder: Builder, target: Path, tmp_path: Path):
    for _ in range(2):
        with pytest.raises(BuildError):
            builder.build("syntax error here", [], target)
    assert cached(tmp_path) == []


def test_endless_errors_are_cut(builder: Builder, target: Path):
    bad = "\n".join(f"int f{i}() {{ return missing_{i}; }}" for i in range(400))
    with pytest.raises(BuildError) as caught:
        builder.build(bad, ["-fmax-errors=0"], target)
    assert 1000 < len(str(caught.value)) <= 20_000


def test_a_source_too_large_is_refused_at_once(builder: Builder, target: Path):
    with pytest.raises(BuildError, match="characters"):
        builder.build("/" * (5 << 20), [], target)


@pytest.mark.skipif(not level().landlock_abi, reason="this kernel has no Landlock")
@pytest.mark.parametrize("how", ["include", "incbin", "flag", "response"])
def test_files_of_ours_cannot_be_built_in(builder: Builder, target: Path, tmp_path: Path, how: str):
    secret = tmp_path / "secret.txt"
    secret.write_text(SECRET)
    secret.chmod(0o644)
    source, flags = {
        "include": (f'#include "{secret}"', []),
        "incbin": (f'asm(".incbin \\"{secret}\\"");', []),
        "flag": (SOURCE, ["-include", str(secret)]),
        "response": (SOURCE, [f"@{secret}"]),
    }[how]
    with pytest.raises(BuildError) as caught:
        builder.build(source, flags, target)
    assert SECRET not in str(caught.value)


@pytest.mark.skipif(not level().landlock_abi, reason="this kernel has no Landlock")
def test_the_compiler_can_write_nowhere_else(builder: Builder, target: Path, tmp_path: Path):
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    place = tmp_path / "open" / "written"
    for flags in (
        ["-o", str(place)],
        [f"-fdump-tree-all={place}"],
        ["-MD", "-MF", str(place)],
        ["-wrapper", f"/bin/sh,-c,echo x > {place}"],
    ):
        with contextlib.suppress(BuildError):
            builder.build(SOURCE, flags, target)
        assert not place.exists()


@pytest.mark.parametrize(
    "flags",
    [
        ["--version"],
        ["-fsyntax-only"],
        ["-x", "none", "/dev/zero"],
        ["-fplugin=nothing"],
        ["\n; rm -rf /", "$(id)", "-D"],
        [""],
    ],
    ids=repr,
)
def test_hostile_flags_end_in_a_build_error(builder: Builder, target: Path, flags: list[str]):
    with pytest.raises(BuildError):
        builder.build(SOURCE, flags, target)


def test_a_null_byte_among_the_flags(builder: Builder, target: Path):
    with pytest.raises(BuildError):
        builder.build(SOURCE, ["-DA=\0"], target)


@pytest.mark.parametrize("where", ["source", "flag"])
def test_a_lone_surrogate(builder: Builder, target: Path, where: str):
    lone = json.loads('"\\ud800"')
    with pytest.raises(BuildError):
        if where == "source":
            builder.build(SOURCE + f"// {lone}", [], target)
        else:
            builder.build(SOURCE, [f"-DA={lone}"], target)


def test_huge_flags_end_in_a_build_error(tmp_path: Path, target: Path):
    with Nursery(threads=1) as own:
        builder = Builder(own)
        with pytest.raises(BuildError):
            builder.build(SOURCE, ["-DA=" + "x" * 100_000], target)
        assert builder.build(SOURCE, [], target).exists()


def test_a_build_may_not_take_for_ever(
    builder: Builder, target: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("kernelwright.harness.builds.BUILD_SECONDS", 1.0)
    slow = """
    template <int N> struct F { static const long v = F<N - 1>::v + F<N - 2>::v * N; };
    template <> struct F<0> { static const long v = 0; };
    template <> struct F<1> { static const long v = 1; };
    constexpr long spin(long n) { long s = 0; for (long i = 0; i < n; i++) s += i % 7; return s; }
    constexpr long x = spin(2000000000);
    extern "C" long f() { return x; }
    """
    flags = ["-fconstexpr-ops-limit=100000000000", "-fconstexpr-loop-limit=2147483647"]
    with pytest.raises(BuildError, match="too long"):
        builder.build(slow, flags, target)


def test_scratch_folders_do_not_pile_up(builder: Builder, target: Path, nursery: Nursery):
    before = set(nursery.root.iterdir())
    builder.build(SOURCE + "// once", [], target)
    assert set(nursery.root.iterdir()) == before


def test_scratch_folders_of_failed_builds_do_not_pile_up(
    builder: Builder, target: Path, nursery: Nursery
):
    before = set(nursery.root.iterdir())
    with pytest.raises(BuildError):
        builder.build("no", [], target)
    assert set(nursery.root.iterdir()) == before


def test_cache_folder(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KERNELWRIGHT_CACHE", "/x/y")
    assert cache_folder() == Path("/x/y")
    monkeypatch.setenv("KERNELWRIGHT_CACHE", "")
    assert cache_folder() == Path.home() / ".cache" / "kernelwright"


@pytest.mark.parametrize("source", ["int x = ;", 'asm("bogus %rax");', '#include "nothing.h"'])
def test_errors_do_not_name_the_scratch_folder(builder: Builder, nursery: Nursery, source: str):
    folder, _ = nursery.scratch(caged=True)
    with pytest.raises(BuildError) as error:
        builder.build(source, [], folder / "builds")
    assert str(nursery.root) not in str(error.value) and "rror" in str(error.value)
