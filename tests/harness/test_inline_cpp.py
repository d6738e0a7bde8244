"""`cpp` and `tuned`, as a candidate and a published champion use them."""

import ctypes
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from kernelwright.harness import inline_cpp
from kernelwright.harness.inline_cpp import BuildError, Library, cpp, prototypes, tuned

try:
    inline_cpp.compiler()
    HAS_COMPILER = True
except BuildError:
    HAS_COMPILER = False
needs_compiler = pytest.mark.skipif(not HAS_COMPILER, reason="no C++ compiler on this machine")

SOURCE = r"""
#include <cstdint>
#include <cstddef>
#ifndef FACTOR
#define FACTOR 1
#endif
extern "C" void scale(const float* x, float* y, int64_t n, float k) {
  for (int64_t i = 0; i < n; i++) y[i] = x[i] * k * FACTOR;
}
extern "C" double mean(const double *x, size_t n) {
  double s = 0; for (size_t i = 0; i < n; i++) s += x[i]; return s / n;
}
extern "C" bool odd(long long n) { return n % 2; }
extern "C" int64_t far() { return int64_t(1) << 40; }
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KERNELWRIGHT_CACHE", str(tmp_path))
    return tmp_path


def types(source: str, name: str) -> tuple[object, list[object]]:
    return prototypes(source)[name]


@pytest.mark.parametrize(
    ("head", "restype", "argtypes"),
    [
        ('extern "C" void f()', None, []),
        ('extern "C" void f(void)', None, []),
        ('extern "C" int f(int a, unsigned b)', ctypes.c_int, [ctypes.c_int, ctypes.c_uint]),
        ('extern  "C"\nfloat\nf ( float k )', ctypes.c_float, [ctypes.c_float]),
        ('extern "C" void f(const float* __restrict__ x, float *y, bool z)', None,
         [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_bool]),
        ('extern "C" void f(std::int64_t n, const std::size_t m)', None,
         [ctypes.c_int64, ctypes.c_size_t]),
        ('extern "C" const char* f(float x[], unsigned int n)', ctypes.c_void_p,
         [ctypes.c_void_p, ctypes.c_uint]),
        ('extern "C" void f(float*, int64_t)', None, [ctypes.c_void_p, ctypes.c_int64]),
        ('extern "C" void f(/* a, b */ long n, // c, d\n double k)', None,
         [ctypes.c_long, ctypes.c_double]),
    ],
)  # fmt: skip
def test_prototypes(head: str, restype: object, argtypes: list[object]):
    assert types(head + " { }", "f") == (restype, argtypes)


def test_a_declaration_without_a_body_is_no_function():
    assert prototypes('extern "C" void f(int n);') == {}


def test_a_block_of_functions():
    source = """
    static float helper(float x) { return x; }
    extern "C" {
    static inline float hidden(float x) { if (x > 0) { return x; } else if (x < 1) { return 0; } }
    void first(const float* x, long n) { for (long i = 0; i < n; i++) { hidden(x[i]); } }
    int second(int a) { return a; }
    }
    """
    found = prototypes(source)
    assert set(found) == {"first", "second"}
    assert found["first"] == (None, [ctypes.c_void_p, ctypes.c_long])


def test_a_block_ends_where_its_brace_closes():
    source = """
    #include <vector>
    extern "C" {
    void f(float* x) { x[0] = 1; }
    }
    float helper(std::vector<float> v) { return v[0]; }
    """
    assert set(prototypes(source)) == {"f"}


def test_a_type_that_cannot_pass_is_named():
    with pytest.raises(BuildError, match="std::string s"):
        prototypes('extern "C" void f(std::string s) { }')


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("uint8_t", ctypes.c_uint8),
        ("unsigned long", ctypes.c_ulong),
        ("unsigned char c", ctypes.c_ubyte),
        ("short s", ctypes.c_short),
    ],
)
def test_other_numbers_pass(argument: str, expected: object):
    """By the type that C++ gives them, never by a narrower one."""
    assert types(f'extern "C" void f({argument}) {{ }}', "f") == (None, [expected])


@needs_compiler
def test_tensors_pass_as_pointers_and_numbers_by_their_types():
    lib = cpp(SOURCE, defines={"FACTOR": 3})
    x, y = torch.arange(4.0), torch.empty(4)
    assert lib.scale(x, y, 4, 0.5) is None
    assert y.tolist() == [0.0, 1.5, 3.0, 4.5]
    assert lib.mean(x.double(), 4) == 1.5
    assert lib.odd(2**40 + 1) is True
    assert lib.far() == 1 << 40
    with pytest.raises(ctypes.ArgumentError):
        lib.scale(x, y, 1.5, 0.5)
    with pytest.raises(AttributeError, match='extern "C" function missing'):
        _ = lib.missing


@needs_compiler
def test_defines_and_flags_reach_the_compiler():
    source = 'extern "C" int a() { return A; } extern "C" int b() { return B; }'
    lib = cpp(source, flags=["-DB=7"], defines=SimpleNamespace(A=5))
    assert (lib.a(), lib.b()) == (5, 7)
    other = cpp(source, flags=["-DB=7"], defines={"A": 6})
    assert (other.a(), lib.a()) == (6, 5)


@needs_compiler
def test_builds_are_cached_by_content(own_cache: Path, monkeypatch: pytest.MonkeyPatch):
    cpp(SOURCE)
    assert len(list(own_cache.rglob("*.so"))) == 1
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: pytest.fail("built twice"))
    assert cpp(SOURCE).far() == 1 << 40
    leftovers = [p for p in own_cache.rglob("*") if p.is_file() and p.suffix != ".so"]
    assert leftovers == []


@needs_compiler
def test_errors_say_what_the_compiler_said(own_cache: Path):
    with pytest.raises(BuildError) as caught:
        cpp('extern "C" void f(float* x) {\n  x[0] = y;\n}')
    text = str(caught.value)
    assert "kernel.cpp:2" in text and "y" in text
    assert str(own_cache) not in text


def test_no_compiler_is_one_clear_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(BuildError, match=r"no C\+\+ compiler: install g\+\+"):
        inline_cpp.compiler()


@needs_compiler
def test_content_key_depends_on_everything():
    cxx = inline_cpp.compiler()
    key = inline_cpp.content_key("a", ["-Db", "-Dc"], cxx)
    assert key == inline_cpp.content_key("a", ("-Db", "-Dc"), cxx)
    others = [
        inline_cpp.content_key("b", ["-Db", "-Dc"], cxx),
        inline_cpp.content_key("a", ["-Dc", "-Db"], cxx),
        inline_cpp.content_key("a", ["-Db"], cxx),
        inline_cpp.content_key("a", ["-Db-Dc"], cxx),
    ]
    assert len({key, *others}) == 5


def test_tuned_gives_the_first_of_each():
    assert tuned(VEC=[8, 16], NAME=["a"]) == SimpleNamespace(VEC=8, NAME="a")


@needs_compiler
def test_the_file_stands_alone(own_cache: Path):
    """A published champion carries a copy: it may import nothing else of this package."""
    copy = own_cache / "copied.py"
    copy.write_text(Path(inline_cpp.__file__).read_text())
    code = f"""
        import sys
        sys.path.insert(0, {str(own_cache)!r})
        import copied
        lib = copied.cpp('extern "C" int f(int a) {{ return a + 1; }}')
        assert not any(name.startswith("kernelwright") for name in sys.modules)
        print(lib.f(41))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
    )
    assert done.stdout == "42\n", done.stderr


@needs_compiler
def test_openmp_shares_torchs_pool():
    source = """
    #include <omp.h>
    extern "C" int most() { return omp_get_max_threads(); }
    """
    lib = cpp(source)
    before = torch.get_num_threads()
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            assert lib.most() == count
    finally:
        torch.set_num_threads(before)
    assert isinstance(lib, Library)
