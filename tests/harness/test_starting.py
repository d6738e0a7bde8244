"""The start kernel in the harness: a check on the reference, a rival, and the language of translations."""

import textwrap
from dataclasses import replace

import pytest

from kernelwright.harness.candidate import Candidate
from kernelwright.harness.evaluate import Evaluator
from kernelwright.harness.starting import wrong_language
from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.task import Task, TaskMeta

REFERENCE = textwrap.dedent("""
    import torch
    class Model(torch.nn.Module):
        def forward(self, x):
            return x * 2 + 1
    def get_inputs():
        return [torch.randn(300, 301)]
""")
KERNEL = textwrap.dedent('''
    import torch
    from kernelwright.inline import cpp

    lib = cpp(r"""
    extern "C" void f(const float* x, float* y, long n) {
        for (long i = 0; i < n; i++) y[i] = x[i] * 2.0f + 1.0f;
    }
    """)

    class ModelNew(torch.nn.Module):
        def forward(self, x):
            x = x.contiguous()
            y = torch.empty_like(x)
            lib.f(x, y, x.numel())
            return y
''')
PYTHON = REFERENCE.partition("def get_inputs")[0].replace("Model(", "ModelNew(")
TASK = Task("own", REFERENCE, None, TaskMeta(start="start/own.py"), KERNEL)


def test_candidates_are_timed_against_it():
    with Evaluator(TASK, threads=1) as evaluator:
        better = Candidate(KERNEL.replace("long i = 0", "unsigned long i = 0"))
        verdict = evaluator.evaluate(better)
        own = evaluator.evaluate(Candidate(KERNEL))
    assert verdict.accepted, verdict.findings
    assert verdict.speedup["start"] is not None
    assert verdict.time_ms["start"] is not None
    assert own.accepted, own.findings
    assert own.speedup["start"] is None
    assert own.reasons["speedup.start"] == "it is the start kernel itself"


def test_a_task_without_one_says_nothing_of_it():
    with Evaluator(replace(TASK, start=None, meta=TaskMeta()), threads=1) as evaluator:
        verdict = evaluator.evaluate(Candidate(KERNEL))
    assert verdict.accepted, verdict.findings
    assert "start" not in verdict.speedup | verdict.time_ms


def test_one_that_differs_from_the_reference_is_the_tasks_fault():
    wrong = replace(TASK, start=KERNEL.replace("+ 1.0f", "+ 1.1f"))
    with pytest.raises(
        TaskError, match=r"start kernel start/own\.py does not do what the reference"
    ):
        Evaluator(wrong, threads=1).__enter__()


def test_one_that_needs_another_device_is_left_out_with_the_reason():
    away = "import no_such_module, triton\nclass ModelNew: ...\n"
    with Evaluator(replace(TASK, start=away), threads=1) as evaluator:
        verdict = evaluator.evaluate(Candidate(KERNEL))
    assert verdict.accepted, verdict.findings
    assert verdict.speedup["start"] is None
    assert (
        "Triton, which has not been run here: it needs --device cuda"
        in (verdict.reasons["speedup.start"])
    )


def test_a_translation_is_in_the_language_asked_for():
    task = replace(TASK, meta=TaskMeta(start="start/own.py", translate_to=("cuda",)))
    fault = wrong_language(task, KERNEL)
    assert fault is not None
    assert fault.code == "wrong_language"
    assert fault.message == "written in C++: the task asks for a translation to CUDA"
    assert wrong_language(task, "from kernelwright.inline import cuda") is None
    assert wrong_language(TASK, PYTHON) is None


def test_a_candidate_in_another_language_is_rejected_before_anything_runs():
    task = replace(TASK, meta=TaskMeta(start="start/own.py", translate_to=("cpp",)))
    with Evaluator(task, threads=1) as evaluator:
        verdict = evaluator.evaluate(Candidate(PYTHON, "python"))
        idle = evaluator.evaluate(Candidate(f"from kernelwright.inline import cpp\n{PYTHON}"))
    assert (verdict.verdict, verdict.stage) == ("rejected", "parse")
    assert verdict.findings[0].code == "wrong_language"
    assert (idle.verdict, idle.findings[0].code) == ("rejected", "wrong_language")
