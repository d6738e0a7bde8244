"""CUDA candidates through the ordinary cascade on a machine with no GPU: values, then every access."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent.parent))

from harness_sources import TASK

from kernelwright.harness.candidate import Candidate
from kernelwright.harness.evaluate import Evaluator, evaluator_for
from kernelwright.harness.verdict import Verdict
from kernelwright.tasks.task import Task

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="for machines with no GPU")

KERNEL = '''
import torch
from kernelwright.inline import cuda

mod = cuda(r"""
extern "C" __global__ void twice_plus_one(const float* x, float* y, int n) {
  __shared__ float s[128];
  int t = threadIdx.x, i = blockIdx.x * 128 + t;
  if (i < n) s[t] = x[i];
  __syncthreads();
  if (i < n) y[i] = s[t] * 2.0f + 1.0f;
}
""")

class ModelNew(torch.nn.Module):
    def forward(self, x):
        x = x.contiguous()
        y = torch.empty_like(x)
        mod.twice_plus_one[(x.numel() + 127) // 128, 128](x, y, x.numel())
        return y
'''


@pytest.fixture(scope="module")
def evaluator(cache: Path) -> Iterator[Evaluator]:
    candidate = Candidate(KERNEL, "cuda")
    with evaluator_for(Task("own", TASK), candidate, threads=1, seed=3) as opened:
        yield opened


def judged(evaluator: Evaluator, old: str = "", new: str = "") -> Verdict:
    assert old in KERNEL
    return evaluator.evaluate(Candidate(KERNEL.replace(old, new, 1) if old else KERNEL, "cuda"))


def test_a_right_kernel_is_accepted_and_its_speed_is_unknown(evaluator: Evaluator):
    verdict = judged(evaluator)
    assert (verdict.verdict, verdict.stage, verdict.errors) == ("accepted", "done", ())
    assert verdict.language == "cuda" and set(verdict.speedup.values()) == {None}
    assert verdict.track in (
        "custom",
        "mixed",
    )  # of microseconds, beside what else this machine does
    assert "without a GPU" in verdict.reasons["speedup.eager"] and verdict.precision == "fp32"
    assert Verdict.from_json(verdict.to_json()) == verdict


def test_who_has_pytorch_do_it_is_told_so(evaluator: Evaluator):
    verdict = judged(evaluator, "        return y", "        return x * 2 + 1")
    assert (verdict.verdict, verdict.track, verdict.errors) == ("accepted", "library", ())
    assert "track" not in verdict.reasons


def test_host_code_that_reads_what_kernels_write_leaves_the_track_unknown(evaluator: Evaluator):
    read = (
        "        if y.isnan().all():\n            raise ValueError('nothing was written')\n"
        "        return y"
    )
    verdict = judged(evaluator, "        return y", read)
    assert verdict.accepted and verdict.track is None
    assert "nothing was written" in verdict.reasons["track"]


def test_what_gives_right_values_may_still_be_a_race(evaluator: Evaluator):
    verdict = judged(evaluator, "if (i < n) y[i]", "s[t ^ 1] += 0.0f;\n  if (i < n) y[i]")
    assert (verdict.verdict, verdict.stage) == ("rejected", "integrity")
    (error,) = verdict.errors
    assert error.code == "race" and "CUDA line" in error.message


WRONG = {
    "out of bounds": ("if (i < n) y[i]", "if (i < n) y[i == 560 ? 561 : i]", "out_of_bounds"),
    "shared too small": ("s[128]", "s[127]", "out_of_bounds"),
    "no barrier": ("__syncthreads();\n", "if (i < n) s[t ^ 1] = x[i ^ 1];\n", "race"),
    "unset": ("if (i < n) s[t] =", "if (i < n && t) s[t] =", "uninitialised_shared"),
    "divergent": (
        "__syncthreads();",
        "if (t < 64) __syncthreads();\n  else { __syncthreads(); }",
        "barrier_divergence",
    ),
    "inline PTX": ("int t", 'asm volatile("bar.sync 0;"); int t', "cannot_be_emulated"),
    "does not compile": ("int t", "itn t", "build_failed"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("old", "new", "code"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named(evaluator: Evaluator, old: str, new: str, code: str):
    verdict = judged(evaluator, old, new)
    assert verdict.verdict == "rejected"
    assert [error.code for error in verdict.errors] == [code], verdict.errors
