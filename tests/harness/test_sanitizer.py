"""Sanitizers, delays and repetition: bugs are found and told in a line, honest kernels pass."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness_sources import KERNEL, TASK, model

from kernelwright.harness import inline_cpp, inspection, sanitizer, variants
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.evaluate import Evaluator
from kernelwright.harness.fault import Fault
from kernelwright.harness.verdict import Finding
from kernelwright.tasks.task import Task

Inspect = Callable[[str], tuple[Finding, ...]]


@pytest.fixture(scope="module")
def evaluator(cache: Path) -> Iterator[Evaluator]:
    """For y = 2 x + 1."""
    with Evaluator(Task("own", TASK), threads=1, seed=3) as opened:
        yield opened


@pytest.fixture
def inspect(evaluator: Evaluator) -> Inspect:
    return lambda source: evaluator._crew.inspector.inspect(Candidate(source))


def kernel(body: str, flags: str = "") -> str:
    """A kernel for y = 2 x + 1 with this text for its loop."""
    loop = "for (int64_t i = 0; i < n; i++) y[i] = x[i] * 2.0f + 1.0f;"
    assert loop in KERNEL
    source = KERNEL.replace(loop, body).replace("#include <cstdint>", INCLUDES)
    return source.replace('\n""")', f'\n""", flags=[{flags}])') if flags else source


INCLUDES = "#include <cstdint>\n#include <cstdlib>\n#include <memory>\n#include <stdexcept>"
RIGHT = "for (int64_t i = 0; i < n; i++) y[i] = x[i] * 2 + 1;\n"


def faulty(inspect: Inspect, source: str) -> Fault:
    with pytest.raises(Fault) as caught:
        inspect(source)
    return caught.value


BUGS = {
    "past the end of an input": (
        "for (int64_t i = 0; i < n; i++) y[i] = x[i] * 2 + 1 + 0 * x[i + 1];",
        "read of 4 bytes out of bounds, 0 bytes after the end of a block of 2244 bytes (C++ line 7",
    ),
    "past the end of the output": (
        f"{RIGHT}y[n] = 1;",
        "write of 4 bytes out of bounds, 0 bytes after the end of a block of 2244 bytes (C++ line 8: "
        "y[n] = 1;)",
    ),
    "before the output": (f"{RIGHT}y[-1] = 1;", "4 bytes before a block of 2244 bytes"),
    "local array": (
        f"{RIGHT}volatile float t[4]; volatile int k = 4; t[k] = 1;",
        "index 4 out of bounds for type 'float [4]'",
    ),
    "local array by pointer": (
        f"{RIGHT}float t[4]; volatile float* p = t; volatile int k = 4; p[k] = 1;",
        "write of 4 bytes out of the bounds of a local variable, beside 't' (C++ line 8",
    ),
    "freed": (
        f"{RIGHT}float* p = new float[9]; volatile float* q = p; delete[] p; y[0] += 0 * q[3];",
        "read of 4 bytes of memory that has been freed, 12 bytes inside a block of 36 bytes",
    ),
    "freed twice": (f"{RIGHT}void* volatile p = malloc(9); free(p); free(p);", "second free"),
    "overflow": (
        f"{RIGHT}volatile int big = 2147483647; volatile int more = big + 1;",
        "undefined behaviour: signed integer overflow: 2147483647 + 1 cannot be represented",
    ),
    "division": (f"{RIGHT}volatile int no = 0; volatile int k = 5 / no;", "division by zero"),
    "nowhere": (f"{RIGHT}*(volatile int*)16 = 5;", "write at an address where no memory is"),
}


@pytest.mark.parametrize(("body", "told"), BUGS.values(), ids=BUGS)
def test_a_bug_is_told_in_one_line(inspect: Inspect, body: str, told: str):
    fault = faulty(inspect, kernel(body))
    assert fault.code == "sanitizer" and told in fault.message
    assert "\n" not in fault.message and "0x" not in fault.message
    assert "/tmp" not in fault.message and len(fault.message) < 400


def test_a_source_cannot_leave_the_sanitizer(inspect: Inspect):
    body = f"{RIGHT}y[n] = 1;"
    for source in (
        kernel(body, flags="'-fno-sanitize=all', '-O3'"),
        kernel(body).replace('extern "C"', '__attribute__((no_sanitize("address"))) extern "C"'),
        kernel(f"{RIGHT}\n#ifndef __SANITIZE_ADDRESS__\ny[n] = 1;\n#endif\n"),
    ):
        assert faulty(inspect, source).code == "sanitizer"


UNSET = {
    "heap": "float* t = (float*)malloc(99 << 12); " + RIGHT + "y[0] += t[99]; free(t);",
    "local": RIGHT + "float t[8]; volatile float* p = t; y[0] += p[3];",
}


@pytest.mark.parametrize("body", UNSET.values(), ids=UNSET)
def test_unset_memory_shows(inspect: Inspect, body: str):
    fault = faulty(inspect, kernel(body))
    # What the heap holds may differ between two runs on the same inputs before the filled run is reached.
    assert fault.code in ("uninitialised", "race") and "wrong in 1 of" in fault.message


def test_unset_memory_shows_in_python_too(inspect: Inspect):
    body = "t = torch.empty(1 << 20)\ny = x * 2 + 1\ny[0, 0] += t[5]\nreturn y"
    assert faulty(inspect, model(body)).code == "uninitialised"


HONEST = {
    "plain": RIGHT,
    "threads": f"_Pragma(\"omp parallel for\")\n{RIGHT}",
    "throws": "try { throw std::runtime_error(\"x\"); } catch (const std::exception&) {}\n" + RIGHT,
    "shifts a negative number": f"{RIGHT}volatile int k = -5; volatile int m = k << 3;",
    "casts what does not fit": f"{RIGHT}volatile float f = 1e30f; volatile int k = (int)f;",
    "divides by zero": f"{RIGHT}volatile float no = 0; volatile float k = 1 / no;",
    "misaligned": RIGHT + "struct Two { float a, b; }; alignas(8) char t[24] = {}; "
    "volatile float k = ((Two*)(t + 2))->b;",
    "unset and unused": "float* t = (float*)malloc(4 * n + 64); "
    "for (int64_t i = 0; i < n; i++) t[i] = x[i] * 2; for (int64_t i = 0; i < n + 16; i++) t[i] += 1; "
    "for (int64_t i = 0; i < n; i++) y[i] = t[i]; free(t);",
    "unsigned wraps": f"{RIGHT}volatile unsigned k = 5; volatile unsigned m = k * 3000000019u;",
}  # fmt: skip


@pytest.mark.parametrize("body", HONEST.values(), ids=HONEST)
def test_what_honest_kernels_do_passes(inspect: Inspect, body: str):
    assert inspect(kernel(body)) == ()


def test_python_that_raises_and_catches_passes(inspect: Inspect):
    body = "try: x.view(7, 5, 3)\nexcept RuntimeError: pass\nreturn x * 2 + 1"
    assert [note.code for note in inspect(model(body))] == ["not_sanitized"]


LOST_UPDATE = """
static float sum; sum = 0;
_Pragma("omp parallel")
{
  float part = 0;
  _Pragma("omp for nowait")
  for (int64_t i = 0; i < n; i++) part += x[i];
  %s
  sum += part;
}
for (int64_t i = 0; i < n; i++) y[i] = x[i] * 2 + 1;
float whole = 0;
for (int64_t i = 0; i < n; i++) whole += x[i];
y[0] += (sum - whole > 1e-3f) || (sum - whole < -1e-3f);
"""


def test_a_race_happens_when_threads_are_delayed(inspect: Inspect):
    fault = faulty(inspect, kernel(LOST_UPDATE % ""))
    assert fault.code == "race" and "delayed" in fault.message


def test_atomics_are_right_however_threads_are_delayed(inspect: Inspect):
    assert inspect(kernel(LOST_UPDATE % '_Pragma("omp atomic")')) == ()


def test_answers_that_differ_in_their_bits_are_noted(inspect: Inspect):
    notes = inspect(model("import os\nreturn x * 2 + 1 + 1e-7 * (os.urandom(1)[0] % 2)"))
    assert "nondeterministic" in [note.code for note in notes]
    assert all(note.severity == "note" for note in notes)


def test_what_fails_only_now_and_then_is_refused(inspect: Inspect):
    body = "import os\nreturn x * 2 + (1 if os.urandom(1)[0] % 4 else 2)"
    assert faulty(inspect, model(body)).code in ("uninitialised", "unstable")


def test_without_a_runtime_the_verdict_says_so(
    evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch
):
    crew = evaluator._crew
    monkeypatch.setattr(sanitizer, "environment", lambda cxx: None)
    with inspection.Inspector(crew._other, crew._inspected, 1, "/usr/bin/some-c++") as blind:
        (note,) = blind.inspect(Candidate(KERNEL))
    assert note == Finding("not_sanitized", "some-c++ has no AddressSanitizer runtime here", "note")


def test_sanitizers_that_find_nothing_are_none(
    evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch
):
    crew = evaluator._crew
    monkeypatch.setattr(inspection, "_PROBE", KERNEL)
    with inspection.Inspector(crew._other, crew._inspected, 1, inline_cpp.compiler()) as blind:
        assert blind.prepare() == "the sanitizers do not find a known bug here"


def test_a_compiler_without_runtimes_has_no_environment():
    false = shutil.which("false")
    assert false is not None and sanitizer.environment(false) is None


def test_a_final_verdict_is_refused_for_what_only_the_sanitizer_sees(evaluator: Evaluator):
    candidate = Candidate(kernel(f"{RIGHT}y[n] = 1;"))
    assert evaluator.evaluate(candidate).accepted
    verdict = evaluator.evaluate(candidate, effort="final")
    assert (verdict.stage, [f.code for f in verdict.errors]) == ("integrity", ["sanitizer"])


# -- reports --------------------------------------------------------------------------------------

SOURCE = "int f() {\n  return *p;\n}\n"
REPORT = """
==7==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x60 at pc 0x7f bp 0x7f sp 0x7f
READ of size 4 at 0x60 thread T0
    #0 0x7f in run(float const*, long) /tmp/x/FILE:2
    #1 0x7f in ffi_call (/lib/libffi.so.8+0x6b0c)

0x60 is located 0 bytes PLACE 20-byte region [0x40,0x60)
"""


@pytest.mark.parametrize("place", ["to the right of", "after"], ids=["gcc", "clang"])
def test_reports_of_both_compilers_are_understood(place: str):
    report = REPORT.replace("FILE", variants.name_of(SOURCE)).replace("PLACE", place)
    assert sanitizer.told(report, [SOURCE]) == (
        "read of 4 bytes out of bounds, 0 bytes after the end of a block of 20 bytes"
        " (C++ line 2: return *p;)"
    )


def test_a_source_that_is_not_at_hand_is_named_by_line_only():
    report = REPORT.replace("FILE", variants.name_of(SOURCE))
    said = sanitizer.told(report, [])
    assert said is not None and said.endswith("(C++ line 2)")


def test_other_output_is_no_report():
    assert sanitizer.told("Segmentation fault: AddressSanitizer is nice", [SOURCE]) is None
    assert sanitizer.told("", []) is None


PLAIN_FLAGS: list[list[str]] = [
    [], ["-O2"], ["-Ofast"], ["-Os"], ["-D__SANITIZE_THREAD__=1", "-Dsanitized=1"], ["-fsanitize=undefined"]
]  # fmt: skip


@pytest.mark.parametrize("flags", PLAIN_FLAGS)
def test_a_source_cannot_tell_the_builds_apart_when_it_is_preprocessed(flags: list[str]):
    """Its own name, all macros, and the attributes that would switch a sanitizer off."""
    cxx, found = inline_cpp.compiler(), set()
    source = 'const char* f = __FILE__;\nint a __attribute__((no_sanitize("thread")));\n'
    for variant in ("plain", "sanitized", "delayed"):
        text = variants.changed(variant, source, flags, cxx)  # type: ignore[arg-type]
        usual = [flag for flag in inline_cpp.FLAGS if flag != "-shared"]
        for kind in ("-E", "-dM"):
            argv = [cxx, *usual, *text.flags, "-E", kind, "-x", "c++", "-"]
            done = subprocess.run(
                argv, input=text.source, capture_output=True, text=True, check=True
            )
            # With -g it notes the folder that it runs in.
            lines = {line for line in done.stdout.splitlines() if not line.endswith('//"')}
            found.add((kind, *sorted(lines)))
    assert len(found) == 2
