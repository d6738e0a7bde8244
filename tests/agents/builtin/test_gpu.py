"""The built-in model's Triton and CUDA: emulated and compared with torch; whole verdicts over core tasks."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from kernelwright.agents.builtin.builtin import BuiltinCoder, BuiltinJudge
from kernelwright.agents.builtin.gpu.compile import STRATEGIES, compile_gpu
from kernelwright.agents.builtin.trace import trace
from kernelwright.agents.roles import Attempt, Brief, NoIdea
from kernelwright.harness.device import DeviceFacts
from kernelwright.harness.evaluate import evaluator_for
from kernelwright.harness.parse import language_of
from kernelwright.harness.verdict import Verdict
from kernelwright.tasks.load import load_task
from kernelwright.tasks.task import Task

LANGUAGES = ("triton", "cuda")
DEVICE = DeviceFacts("cpu", "some CPU", 2)
HERE = Path(__file__).parent
MakeTask = Callable[..., Task]
needs_triton = pytest.mark.skipif(
    find_spec("triton") is None, reason="Triton is not installed: pip install triton"
)

ROWS = "torch.randn(13, 37)"
TWO = "torch.randn(13, 37), torch.randn(13, 37)"
QUICK = {
    "activations": ("F.gelu(x) + F.silu(y) * torch.tanh(x)", TWO, "pass"),
    "softmax": ("torch.softmax(x, -1)", ROWS, "pass"),
}
CASES = {
    **QUICK,
    "broadcast": ("torch.relu(x * y + 1) / 3", "torch.randn(5, 1, 37), torch.randn(7, 1)", "pass"),
    "log_softmax": ("torch.log_softmax(x, -1)", "torch.randn(5, 1201)", "pass"),
    "middle": ("torch.softmax(x, 1) + torch.log_softmax(x, 0)", "torch.randn(5, 9, 33)", "pass"),
    "layer_norm": ("self.l(x)", ROWS, "self.l = nn.LayerNorm(37)"),
    "rms_norm": ("self.l(x)", ROWS, "self.l = nn.RMSNorm(37)"),
    "norms": ("self.g(self.l(x))", "torch.randn(2, 6, 9, 11)",
              "self.l = nn.LayerNorm((9, 11)); self.g = nn.GroupNorm(3, 6)"),
    "variances": ("(x.var(-1), x.std(0), torch.var_mean(x, 0, correction=0), x.var())", ROWS, "pass"),
    "reductions": (
        "(x.sum(0), x.mean(), x.amax(-1, keepdim=True), x.prod(1), (x > 2).any(0), x.norm(dim=1))",
        ROWS, "pass"),
    "places": ("(x.argmax(-1), x.argmin(0), x.max(0), x.argmax())", ROWS, "pass"),
    "long_sum": ("(x.sum(), x.sum(0), x.mean(1))", "torch.randn(300, 101)", "pass"),
    "windows": ("F.max_pool2d(F.pad(x, (1, 2, 0, 1)), 3, 2)", "torch.randn(2, 3, 9, 11)", "pass"),
    "joined": ("torch.cat([x, -x[:, :5], y], 1) * 2", TWO, "pass"),
    "cross_entropy": ("F.cross_entropy(x, y)", "torch.randn(19, 41), torch.randint(0, 41, (19,))", "pass"),
    "embedding": ("self.e(x)", "torch.randint(0, 50, (3, 7))", "self.e = nn.Embedding(50, 12)"),
    "half": ("torch.softmax(x * y, -1)",
             "torch.randn(5, 33, dtype=torch.float16), torch.randn(33, dtype=torch.float16)", "pass"),
    "bfloat": ("F.silu(x) * 2", "torch.randn(5, 33, dtype=torch.bfloat16)", "pass"),
    "double": ("torch.softmax(x / 0.3, -1)", "torch.randn(5, 33, dtype=torch.float64)", "pass"),
    "one_row": ("F.gelu(self.l(x))", "torch.randn(1, 37)", "self.l = nn.Linear(37, 21)"),
    "matmul": ("x @ y", "torch.randn(70, 33), torch.randn(33, 65)", "pass"),
    "epilogue": ("F.gelu(self.l(x)) + y", "torch.randn(9, 37), torch.randn(9, 21)",
                 "self.l = nn.Linear(37, 21)"),
    "batched": ("torch.relu(x.transpose(1, 2) @ y) * 3",
                "torch.randn(3, 17, 21), torch.randn(3, 17, 5)", "pass"),
    "two_products": ("torch.sigmoid(x @ y) * (x @ y + 1)",
                     "torch.randn(20, 33), torch.randn(33, 18)", "pass"),
    "product_rows": ("torch.softmax(x @ y, -1)", "torch.randn(20, 33), torch.randn(33, 18)", "pass"),
}  # fmt: skip


def wrong(cases: dict[str, tuple[str, str, str]], language: str, folder: Path) -> dict[str, str]:
    """What is wrong with the candidates of these cases, by case and strategy."""
    argv = [sys.executable, str(HERE / "run_gpu.py"), language, str(folder)]
    done = subprocess.run(
        argv, input=json.dumps(cases), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return {k: v for k, v in json.loads(done.stdout.splitlines()[-1]).items() if v is not None}


@pytest.mark.slow
@needs_triton
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", CASES)
def test_values_are_those_of_torch(language: str, name: str, tmp_path: Path) -> None:
    found = wrong({name: CASES[name]}, language, tmp_path)
    assert not found, "\n".join(f"{k}: {v}" for k, v in found.items())


@needs_triton
def test_a_few_of_them_quickly(tmp_path: Path) -> None:
    assert wrong(QUICK, "triton", tmp_path) == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_written_is_in_the_language(a_task: MakeTask, language: str) -> None:
    task = a_task(*CASES["epilogue"])
    text = compile_gpu(trace(task), STRATEGIES[0], language, "").text
    assert language_of(text) == language
    ast.parse(text)
    assert "torch.mm" not in text
    assert "is_cpu" not in text
    library = compile_gpu(trace(task), STRATEGIES[1], language, "").text
    assert "torch.mm" in library


def test_a_row_that_fits_is_read_once(a_task: MakeTask) -> None:
    held, _, chunks, _ = (
        compile_gpu(trace(a_task(*CASES["softmax"])), s, "triton", "").text for s in STRATEGIES
    )
    assert held.count("tl.load") == 1
    assert chunks.count("tl.load") > 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_coder_goes_through_its_strategies_and_ends(a_task: MakeTask, language: str) -> None:
    task, history = a_task(*CASES["product_rows"]), list[Attempt]()
    with pytest.raises(NoIdea, match="tried all"):
        while len(history) < 9:
            brief = Brief(task, DEVICE, language, len(history), 7, history=tuple(history))
            for candidate in BuiltinCoder().propose(brief).candidates:
                assert candidate.language == language
                history.append(Attempt(candidate, Verdict("accepted", "done"), 0))
    assert len({a.candidate.source for a in history}) == len(history) >= 2


def test_the_judge_speaks_of_strategies_that_there_are(a_task: MakeTask) -> None:
    brief = Brief(a_task(*CASES["softmax"]), DEVICE, "triton", 0, 7)
    first = BuiltinCoder().propose(brief).candidates[0]
    advice = BuiltinJudge().advise(brief, Attempt(first, Verdict("accepted", "done"), 0))
    assert advice.directive["strategy"] in {s.name for s in STRATEGIES}


def test_running_totals_are_refused_in_words(a_task: MakeTask) -> None:
    with pytest.raises(NoIdea, match="running totals"):
        compile_gpu(trace(a_task("x.cumsum(-1)", ROWS)), STRATEGIES[0], "cuda", "")


CORE = (
    "softmax", "layer_norm", "log_softmax", "rms_norm_bf16", "cross_entropy", "bias_gelu_tanh", "argmax",
    "column_sum", "batched_matmul", "matmul_bias_gelu", "linear_relu", "swiglu", "rope", "l2_normalize",
)  # fmt: skip


@pytest.mark.slow
@needs_triton
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", CORE)
def test_core_tasks_are_accepted(language: str, name: str) -> None:
    task = load_task(f"core/{name}")
    brief = Brief(task, DEVICE, language, 0, 7)
    (candidate,) = BuiltinCoder().propose(brief).candidates
    with evaluator_for(task, candidate) as evaluator:
        verdict = evaluator.evaluate(candidate)
    assert verdict.accepted, verdict.findings[0].message
    assert verdict.speedup == {"eager": None, "compile": None}
