"""Triton candidates through the ordinary cascade on a machine with no GPU."""

import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent.parent))

from harness_sources import TASK

from kernelwright.harness.candidate import Candidate
from kernelwright.harness.evaluate import Evaluator, evaluator_for
from kernelwright.harness.fault import Fault
from kernelwright.harness.triton import compiles
from kernelwright.harness.verdict import Verdict
from kernelwright.tasks.task import Task

pytestmark = [
    pytest.mark.skipif(torch.cuda.is_available(), reason="for machines with no GPU"),
    pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed"),
]

KERNEL = """
import torch
import triton
import triton.language as tl


@triton.jit
def twice_plus_one(x, y, n, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    v = tl.load(x + i, mask=i < n, other=0.0)
    w = v * 2.0 + 1.0
    tl.store(y + i, w, mask=i < n)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x = x.contiguous()
        y = torch.empty_like(x)
        twice_plus_one[(triton.cdiv(x.numel(), 1024),)](x, y, x.numel(), BLOCK=1024)
        return y
"""
VALUE = "w = v * 2.0 + 1.0"
ASM = (
    'w = tl.inline_asm_elementwise("fma.rn.f32 $0, $1, 2.0, 1.0;", "=f,f", [v], dtype=tl.float32, '
    "is_pure=True, pack=1)"
)
CALL = "twice_plus_one[(triton.cdiv(x.numel(), 1024),)](x, y, x.numel(), BLOCK=1024)"


@pytest.fixture(scope="module")
def evaluator(cache: Path) -> Iterator[Evaluator]:
    candidate = Candidate(KERNEL, "triton")
    with evaluator_for(Task("own", TASK), candidate, threads=1, seed=3) as opened:
        yield opened


def judged(evaluator: Evaluator, *changes: tuple[str, str]) -> Verdict:
    source = KERNEL
    for old, new in changes:
        assert old in source
        source = source.replace(old, new, 1)
    return evaluator.evaluate(Candidate(source, "triton"))


def line_of(text: str) -> int:
    return next(n for n, line in enumerate(KERNEL.splitlines(), 1) if text in line)


@pytest.mark.slow
def test_a_right_kernel_is_accepted_and_its_speed_is_unknown(evaluator: Evaluator) -> None:
    verdict = judged(evaluator)
    assert (verdict.verdict, verdict.stage, verdict.errors) == ("accepted", "done", ())
    assert verdict.language == "triton"
    assert set(verdict.speedup.values()) == {None}
    assert [f.code for f in verdict.findings if f.code == "not_compiled"] == []


@pytest.mark.slow
def test_a_wrong_value_is_found(evaluator: Evaluator) -> None:
    verdict = judged(evaluator, ("+ 1.0", "+ 9.0"))
    assert (verdict.verdict, verdict.findings[0].code) == ("rejected", "wrong_value")


@pytest.mark.slow
def test_an_access_outside_is_named_at_its_line(evaluator: Evaluator) -> None:
    verdict = judged(evaluator, ("mask=i < n, other", "mask=i <= n, other"))
    assert (verdict.verdict, verdict.findings[0].code) == ("rejected", "out_of_bounds")
    assert f"(line {line_of('tl.load')})" in verdict.findings[0].message


def test_inline_assembly_cannot_be_emulated_and_says_so(evaluator: Evaluator) -> None:
    verdict = judged(evaluator, (VALUE, ASM))
    assert (verdict.verdict, verdict.findings[0].code) == ("rejected", "cannot_be_emulated")
    assert "inline assembly" in verdict.findings[0].message
    assert f"(line {line_of(VALUE)})" in verdict.findings[0].message


@pytest.mark.slow
def test_who_catches_that_and_falls_back_is_not_accepted(evaluator: Evaluator) -> None:
    way_out = f"try:\n            {CALL}\n        except Exception:\n            y = x * 2 + 1"
    verdict = judged(evaluator, (VALUE, ASM), (CALL, way_out))
    assert (verdict.verdict, verdict.findings[0].code) == ("rejected", "cannot_be_emulated")


@pytest.mark.slow
def test_what_the_interpreter_takes_and_the_compiler_does_not_is_rejected_at_its_line(
    evaluator: Evaluator,
) -> None:
    # Python in the interpreter, no Triton to the compiler
    verdict = judged(evaluator, (VALUE, "w = sum([v, v]) + 1.0"))
    assert (verdict.verdict, verdict.stage) == ("rejected", "integrity")
    finding = verdict.findings[0]
    assert finding.code == "does_not_compile"
    assert f"(line {line_of(VALUE)})" in finding.message
    assert "sm_90" in finding.message


def test_more_shared_memory_than_there_is_cannot_be_launched() -> None:
    judge = compiles._judge
    judge({"kernel": "k", "shared": 227 << 10})
    with pytest.raises(Fault, match="has 232,448") as found:
        judge({"kernel": "k", "shared": (227 << 10) + 1})
    assert found.value.code == "launch"
