"""Fingerprints: what is the same code in other words, and what only looks the same."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest

from kernelwright.harness import inline_cpp
from kernelwright.harness.builds import Builder
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.elf import code_digest
from kernelwright.harness.evaluate import Evaluator
from kernelwright.harness.fingerprint import fingerprint
from kernelwright.harness.inline_cpp import BuildError
from kernelwright.tasks.task import Task

try:
    inline_cpp.compiler()
except BuildError as error:
    pytest.skip(str(error), allow_module_level=True)

Fingerprint = Callable[[str], str | None]

KERNEL = """
#include <cmath>
static float half(float value) { return 0.5f * value; }
extern "C" void run(const float* x, float* y, long n) {
  float factor = half(6.0f);
  long i = 0;
  for (; i < n; i++) y[i] = sinf(x[i]) * factor + BLOCK;
}
"""
FILE = '''
"""A kernel."""
import torch
from kernelwright.inline import cpp, tuned

P = tuned(BLOCK=[8])
HEAD = "// head"
SOURCE = HEAD + r"""KERNEL"""
lib = cpp(SOURCE, defines=P)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        y = torch.empty_like(x)
        lib.run(x, y, x.numel())
        return y
'''
BASE = FILE.replace("KERNEL", KERNEL)


@pytest.fixture
def of(builder: Builder) -> Fingerprint:
    return lambda source: fingerprint(Candidate(source), builder.library)


SAME = {
    "a comment in C++": ("float factor", "// three\n  float factor"),
    "another comment": ("// head", "// a longer head, with a date of 2026"),
    "layout of C++": ("long i = 0;", "long   i\n=0;"),
    "renamed locals": ("factor", "weight_of_all"),
    "a renamed helper": ("half", "_half_of_what_is_given_to_it_"),
    "reordered locals": (
        "float factor = half(6.0f);\n  long i = 0;",
        "long i = 0;\n  float factor = half(6.0f);",
    ),
    "a declaration more": ('extern "C"', 'static float half(float);\nextern "C"'),
    "the same constant": ("6.0f", "(2 * 3.0f)"),
    "a macro for its value": ("+ BLOCK", "+ 8"),
    "a comment in Python": ("P = tuned", "# numbers\nP = tuned"),
    "another docstring": ('"""A kernel."""', '"""The same kernel."""'),
    "no docstring": ('"""A kernel."""', ""),
    "layout of Python": ("lib.run(x, y, x.numel())", "lib.run(\n            x, y, x.numel(),\n  )"),
    "a renamed text": ("SOURCE", "TEXT"),
    "text in the call": ("cpp(SOURCE,", "cpp(HEAD + SOURCE,"),
    "a number that nobody uses": ("BLOCK=[8]", "BLOCK=[8], OTHER=[3]"),
    "defines as they are": ("defines=P", 'defines={"BLOCK": 8}'),
    "defines by name": ("defines=P", 'defines={"BLOCK": P.BLOCK}'),
}
OTHER = {
    "a constant": ("6.0f", "7.0f"),
    "a tuned value": ("BLOCK=[8]", "BLOCK=[9]"),
    "another function of a library": ("sinf", "cosf"),
    "an operation": (") * factor", ") / factor"),
    "a flag": ("defines=P", 'defines=P, flags=["-O1"]'),
    "a flag that changes nothing": ("defines=P", 'defines=P, flags=["-Wall"]'),
    "Python": ("return y", "return y.clone()"),
    "a number in Python": ("x.numel()", "x.numel() - 1"),
    "how numbers are passed": ("long n", "unsigned long n"),
    "numbers to try": ("BLOCK=[8]", "BLOCK=[8, 16]"),
    "the text used elsewhere": ("return y", "return y if SOURCE else x"),
    "the numbers used elsewhere": ("x.numel()", "x.numel() + P.BLOCK"),
}


@pytest.mark.parametrize("change", SAME.values(), ids=SAME)
def test_the_same_code(of: Fingerprint, change: tuple[str, str]):
    assert change[0] in BASE
    found = of(BASE.replace(*change))
    assert found is not None
    assert found == of(BASE)


@pytest.mark.parametrize("change", OTHER.values(), ids=OTHER)
def test_other_code(of: Fingerprint, change: tuple[str, str]):
    assert change[0] in BASE
    found = of(BASE.replace(*change))
    assert found is not None
    assert found != of(BASE)


def test_two_functions_that_changed_their_names(of: Fingerprint):
    two = 'extern "C" int a() { return 1; }\nextern "C" int b() { return 2; }\n'
    swapped = 'extern "C" int b() { return 1; }\nextern "C" int a() { return 2; }\n'
    one, other = (of(BASE.replace(KERNEL, text + KERNEL)) for text in (two, swapped))
    assert one is not None and other is not None
    assert one != other


NOT_TOLD = {
    "does not build": ("float factor", "no_such_type factor"),
    "not Python": ("class ModelNew", "class"),
    "text from a call": ("SOURCE = HEAD +", "SOURCE = str() +"),
    "text bound twice": ("lib = cpp", 'SOURCE += " "\nlib = cpp'),
    "text bound elsewhere": ("y = torch", "global SOURCE; SOURCE = y = torch"),
    "a flag that is not allowed": ("defines=P", 'defines=P, flags=["-B."]'),
    "another cpp": ("P = tuned", "def cpp(text, **kw): ...\nP = tuned"),
    "a star": ("import torch", "import torch\nfrom math import *"),
    "numbers given away": ("HEAD = ", "print(P)\nHEAD = "),
    "numbers changed": ("HEAD = ", "P.BLOCK = 3\nHEAD = "),
    "a list that is changed": (
        "lib = cpp(SOURCE,",
        'F = []\nF.append("-O1")\nlib = cpp(SOURCE, flags=F,',
    ),
    "changes itself": ("HEAD = ", 'globals()["P"] = 1\nHEAD = '),
    "a type that cannot be passed": ("long n", "__int128 n"),
}


@pytest.mark.parametrize("change", NOT_TOLD.values(), ids=NOT_TOLD)
def test_what_cannot_be_told(of: Fingerprint, change: tuple[str, str]):
    assert change[0] in BASE
    assert of(BASE.replace(*change)) is None


def test_without_any_kernel(of: Fingerprint):
    assert of("import torch\nclass ModelNew(torch.nn.Module): ...\n") is None


def test_what_is_not_literal_stays_as_it_is_written(of: Fingerprint):
    more = '\ndef other(text):\n    return cpp(HEAD + text)\n\nrest = other("// ONE")\n'
    assert of(BASE + more) not in (None, of(BASE))
    assert of(BASE + more) != of(BASE + more.replace("ONE", "TWO"))
    assert of(BASE + more) != of((BASE + more).replace("// head", "// another"))
    assert of(BASE + more) == of((BASE + more).replace("factor", "weight"))


def test_the_language_counts(builder: Builder):
    one, other = (fingerprint(Candidate(BASE, name), builder.library) for name in ("cpp", "cuda"))
    assert one != other


def test_nothing_is_run(builder: Builder, tmp_path: Path):
    mark = tmp_path / "ran"
    source = BASE + f'\nopen({str(mark)!r}, "w")\n'
    assert fingerprint(Candidate(source), builder.library) is not None
    assert not mark.exists()


def test_the_evaluation_finds_the_build(nursery: object, monkeypatch: pytest.MonkeyPatch):
    built: list[str] = []

    def counted(self: Builder, folder: Path, user: object, source: str, *rest: object) -> None:
        built.append(source)
        original(self, folder, user, source, *rest)  # type: ignore[arg-type]

    original = Builder._compile_in
    monkeypatch.setattr(Builder, "_compile_in", counted)
    source = BASE.replace("sinf(x[i])", "sinf(x[i] + 0.125f)")
    with Evaluator(Task("sine", SINE), threads=1, seed=1) as evaluator:
        assert evaluator.fingerprint(Candidate(source)) is not None
        before = len(built)
        verdict = evaluator.evaluate(Candidate(source))
    assert verdict.stage == "run"  # it gives other values than the task wants
    assert before == 1
    assert len(built) == before


SINE = """
import torch


class Model(torch.nn.Module):
    def forward(self, x):
        return torch.sin(x)


def get_inputs():
    return [torch.randn(1000)]


def get_init_inputs():
    return []
"""


@pytest.mark.parametrize("cut", [0, 3, 64, 1000, -1, -64, -4000])
def test_a_broken_library_is_refused(builder: Builder, cut: int):
    whole = builder.library(KERNEL, ["-DBLOCK=1"]).read_bytes()
    assert code_digest(whole, ["run"])
    with pytest.raises(ValueError):
        code_digest(whole[:cut], ["run"])


def test_any_byte_may_be_wrong(builder: Builder):
    whole = bytearray(builder.library(KERNEL, ["-DBLOCK=1"]).read_bytes())
    for place in [*range(64), *range(len(whole) - 1900, len(whole), 3)]:
        kept, whole[place] = whole[place], whole[place] ^ 0xFF
        with contextlib.suppress(ValueError):
            code_digest(bytes(whole), ["run"])
        whole[place] = kept
