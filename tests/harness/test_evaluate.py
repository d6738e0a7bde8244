"""The cascade from end to end, with small tasks: each stage accepts and rejects, and by name."""

import contextlib
import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from harness_sources import KERNEL, TASK, model, open_descriptors

from kernelwright.harness import crew
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.evaluate import STAGES, Evaluator
from kernelwright.harness.nursery import Nursery
from kernelwright.harness.roofline import Floor
from kernelwright.harness.verdict import Verdict
from kernelwright.tasks.errors import TaskError, UsageError
from kernelwright.tasks.task import Task, TaskMeta

Judge = Callable[..., Evaluator]


@pytest.fixture(scope="module")
def evaluator(cache: Path) -> Iterator[Evaluator]:
    """For y = 2 x + 1, with a pre-warmed process of its own."""
    with Evaluator(Task("own", TASK), threads=1, seed=3) as opened:
        yield opened


@pytest.fixture(scope="module")
def judge(nursery: Nursery, cache: Path) -> Iterator[Judge]:
    """Opens evaluators for other tasks, which share one pre-warmed process."""
    with contextlib.ExitStack() as stack:

        def open_one(source: str, **meta: object) -> Evaluator:
            task = Task("own", source, meta=TaskMeta(**meta))  # type: ignore[arg-type]
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(crew, "Nursery", lambda threads: contextlib.nullcontext(nursery))
                return stack.enter_context(Evaluator(task, threads=1, seed=3))

        yield open_one


def judged(evaluator: Evaluator, source: str, **how: object) -> tuple[str, str, str]:
    """Verdict, stage and code of the first error."""
    verdict = evaluator.evaluate(Candidate(source), **how)  # type: ignore[arg-type]
    return verdict.verdict, verdict.stage, verdict.errors[0].code if verdict.errors else ""


ACCEPTED = ("accepted", "done", "")


def test_a_wrong_value_is_told_in_figures(evaluator: Evaluator):
    forgets = model("y = x * 2 + 1\ny.view(-1)[-1] = 0.0\nreturn y")
    verdict = evaluator.evaluate(Candidate(forgets))
    (error,) = verdict.errors
    assert error.code == "wrong_value"
    assert error.detail["wrong"] == 1
    assert error.detail["first"] == error.detail["worst"]
    assert error.detail["first"]["got"] == 0.0
    assert error.detail["patterns"][0]["code"] == "zero"
    assert Verdict.from_json(json.loads(json.dumps(verdict.to_json(), allow_nan=False))) == verdict


# -- accepted -------------------------------------------------------------------------------------


def test_an_honest_kernel_is_accepted(evaluator: Evaluator):
    threads = torch.get_num_threads()
    verdict = evaluator.evaluate(Candidate(KERNEL))
    assert (verdict.verdict, verdict.stage, verdict.errors) == ("accepted", "done", ())
    assert verdict.track == "custom" and verdict.precision == "fp32"
    assert verdict.language == "cpp" and verdict.device == "cpu"
    for name in ("candidate", "eager"):
        time_ms = verdict.time_ms[name]
        assert time_ms is not None and 0 < time_ms < 1000
    eager = verdict.speedup["eager"]
    assert eager is not None and eager.low <= eager.median <= eager.high and eager.pairs >= 5
    assert verdict.speedup["compile"] is None and "speedup.compile" in verdict.reasons
    assert verdict.roofline is not None and 0 < verdict.roofline.fraction <= 1
    assert set(verdict.seconds) == {"build", "check", "time"}
    assert all(seconds > 0 for seconds in verdict.seconds.values())
    assert Verdict.from_json(json.loads(json.dumps(verdict.to_json()))) == verdict
    assert torch.get_num_threads() == threads


LIBRARY = model("return torch.add(torch.mul(x, 2), 1)")


def test_library_code_is_another_track(evaluator: Evaluator):
    verdict = evaluator.evaluate(Candidate(LIBRARY))
    assert verdict.accepted and verdict.track != "custom"


def test_a_function_may_be_the_model(evaluator: Evaluator):
    assert judged(evaluator, "def ModelNew():\n    return lambda x: x * 2 + 1") == ACCEPTED


def test_a_champion_is_timed_beside_it(evaluator: Evaluator):
    champion = Candidate(KERNEL)
    other = Candidate(KERNEL + "# changed")
    verdict = evaluator.evaluate(other, champion=champion)
    assert verdict.accepted and verdict.speedup["champion"] is not None
    assert verdict.time_ms["champion"] is not None
    assert "champion" not in evaluator.evaluate(champion, champion=champion).speedup


def test_final_effort_draws_anew_and_compares_with_compile(
    evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(evaluator._crew, "compile_reason", "torch.compile failed: no such luck")
    before = evaluator.oracle.own
    verdict = evaluator.evaluate(Candidate(KERNEL), effort="final")
    assert verdict.accepted and evaluator.oracle.own is not before
    assert verdict.speedup["compile"] is None
    assert verdict.reasons["speedup.compile"] == "torch.compile failed: no such luck"
    eager = verdict.speedup["eager"]
    assert eager is not None and eager.pairs >= 12


def test_timed_inputs_are_fresh_in_every_round(evaluator: Evaluator):
    supply = evaluator.contest._pooled()
    shown = [next(supply)[0] for _ in range(20)]
    assert len({float(x.sum()) for x in shown if isinstance(x, torch.Tensor)}) == 20
    again = evaluator.contest._pooled()
    assert next(again)[0] is shown[0], "another candidate sees the same ones: it is a new process"


# -- rejected, stage by stage ---------------------------------------------------------------------


def test_stages_are_those_of_the_cascade():
    assert [name for name, _ in STAGES] == [
        "parse", "build", "run", "correctness", "integrity", "timing",
    ]  # fmt: skip
    assert all(hasattr(Evaluator, f"_stage_{name}") for name, _ in STAGES)


COUNTED = "self.n = getattr(self, 'n', 0) + 1\n"
LATER = "if self.n <= {calls}: return x * 2 + 1\n"
IGNORES_STRIDES = KERNEL.replace("x = x.contiguous()", "pass").replace(
    "torch.empty_like(x)", "torch.empty(x.shape)"
)
REJECTED = {
    "not python": ("class ModelNew(", "parse", "syntax_error"),
    "surrogate": ("class ModelNew: x = '\ud800'", "parse", "syntax_error"),
    "no model": ("class Model: pass", "parse", "no_model"),
    "no compile": (KERNEL.replace("y[i] =", "z[i] ="), "build", "build_failed"),
    "raises at import": ("raise OSError(5)\nclass ModelNew: pass", "build", "exception"),
    "raises in init": (model("return x", init="1 / 0"), "build", "exception"),
    "dies at import": ("import os; os._exit(0)\nclass ModelNew: pass", "build", "exit"),
    "raises": (model("raise ValueError"), "run", "exception"),
    "crashes": (model("import ctypes; ctypes.string_at(1)"), "run", "crash"),
    "wrong": (model("return x * 2 + 1.1"), "run", "wrong_value"),
    "zero": (model("return torch.zeros_like(x)"), "run", "wrong_value"),
    "passes through": (model("return x"), "run", "output_is_input"),
    "a view of the input": (model("return x[1:]"), "run", "output_is_input"),
    "passes a copy through": (model("return x.clone()"), "run", "wrong_value"),
    "huge": (model("return x.repeat(900, 1)"), "run", "wrong_shape"),
    "bf16": (model("return (x.bfloat16() * 2 + 1).float()"), "run", "precision"),
    "shape": (model("return (x * 2 + 1)[:-1]"), "run", "wrong_shape"),
    "dtype": (model("return (x * 2 + 1).double()"), "run", "wrong_dtype"),
    "too many": (model("return x * 2 + 1, x * 2"), "run", "output_count"),
    "too few": (model("return []"), "run", "output_count"),
    "in place": (model("return x.mul_(2).add_(1)"), "run", "input_modified"),
    "ignores strides": (IGNORES_STRIDES, "correctness", "wrong_value"),
    "clamps": (model("return x.clamp(-50, 50) * 2 + 1"), "correctness", "wrong_value"),
    "drops nan": (model("return x.nan_to_num(0, 1e9, -1e9) * 2 + 1"), "correctness",
                  "special_values"),
    "needs alignment": (model("assert x.data_ptr() % 16 == 0\nreturn x * 2 + 1"), "correctness",
                        "exception"),
    "lazy soon": (model(COUNTED + LATER.format(calls=18) + "return x * 0"), "integrity",
                  "stale_output"),
    "forks late": (model(COUNTED + LATER.format(calls=18) + "import os; os.fork(); return x"),
                   "integrity", "exception"),
    "forks early": (model(
        COUNTED + "import os, time\nif self.n == 1 and os.fork() == 0: time.sleep(60)\n"
        "return x * 2 + 1"), "integrity", "left_process"),
    "lazy later": (model(COUNTED + "if self.n > 45: return self.kept\n"
                         "self.kept = x * 2 + 1\nreturn self.kept"), "timing", "stale_output"),
    "dies later": (model(COUNTED + LATER.format(calls=45) + "import os; os._exit(0)"), "timing",
                   "exit"),
    "other layout later": (model(
        COUNTED + LATER.format(calls=45) + "return (x * 2 + 1).t().contiguous().t()"), "timing",
        "layout_changed"),
}  # fmt: skip


@pytest.mark.parametrize("name", REJECTED)
def test_rejected_at_its_stage(evaluator: Evaluator, name: str):
    source, stage, code = REJECTED[name]
    verdict = evaluator.evaluate(Candidate(source))
    said = [(f.code, f.message) for f in verdict.errors]
    assert (verdict.verdict, verdict.stage) == ("rejected", stage), said
    assert verdict.errors[0].code == code, said
    assert verdict.errors[0].message and verdict.speedup == {} and verdict.roofline is None
    assert Verdict.from_json(json.loads(json.dumps(verdict.to_json()))) == verdict


def test_a_hanging_call_is_rejected(evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(evaluator._crew, "_timeout", 0.5)
    assert judged(evaluator, model("while True: pass")) == ("rejected", "run", "timeout")


def test_what_no_machine_can_do_is_rejected(evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(evaluator, "floor", Floor(60.0, None))
    monkeypatch.setattr(evaluator, "_work", (None, 10**15))
    assert judged(evaluator, KERNEL) == ("rejected", "timing", "faster_than_possible")


def test_peaks_that_were_measured_on_a_busy_machine_are_doubted(
    evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(evaluator, "floor", Floor(60.0, None))
    assert judged(evaluator, KERNEL) == ACCEPTED


def test_the_next_candidate_is_judged_on_its_own(evaluator: Evaluator):
    """Nothing that one candidate did to its process reaches the next."""
    poison = model("return x * 2 + 1", before="torch.Tensor.__mul__ = lambda a, b: a\n")
    assert judged(evaluator, poison)[0] == "rejected"
    assert judged(evaluator, model("return x * 2 + 1")) == ACCEPTED


def test_nothing_is_left_behind(evaluator: Evaluator):
    evaluator.evaluate(Candidate(KERNEL))
    nursery = evaluator._crew._nursery
    before = open_descriptors(), sorted(p.name for p in nursery.root.iterdir())
    for source in (KERNEL, model("raise ValueError"), "class ModelNew(", model("return x")):
        evaluator.evaluate(Candidate(source))
    assert (open_descriptors(), sorted(p.name for p in nursery.root.iterdir())) == before


# -- faults that are not the candidate's ----------------------------------------------------------


def test_a_dead_baseline_is_a_harness_error_and_is_replaced(evaluator: Evaluator):
    os.kill(evaluator._crew.eager().pid, signal.SIGKILL)
    verdict = evaluator.evaluate(Candidate(KERNEL))
    assert verdict.verdict == "harness_error" and verdict.errors[0].code == "harness"
    assert "eager" in verdict.errors[0].message
    assert judged(evaluator, KERNEL) == ACCEPTED


def test_a_broken_champion_is_not_charged(evaluator: Evaluator):
    for broken in (model("raise ValueError"), "nothing here"):
        found = judged(evaluator, KERNEL, champion=Candidate(broken))
        assert found == ("harness_error", "timing", "harness")


def test_a_dead_nursery_is_not_charged(judge: Judge):
    with Nursery(threads=1) as own, pytest.MonkeyPatch.context() as patch:
        patch.setattr(crew, "Nursery", lambda threads: contextlib.nullcontext(own))
        with Evaluator(Task("own", TASK), threads=1, seed=3) as opened:
            own._process.kill()
            own._process.wait()
            verdict = opened.evaluate(Candidate(KERNEL))
            assert verdict.verdict == "harness_error" and verdict.stage == "build"
            with contextlib.suppress(Exception):
                opened._crew.close()


def task(forward: str, inputs: str, init_inputs: str = "[]", init: str = "pass") -> str:
    return f"""
import torch
class Model(torch.nn.Module):
    def __init__(self, *args, **kwargs):
        super().__init__()
        {init}
    def forward(self, x, *more):
        {forward}
def get_inputs():
    return {inputs}
def get_init_inputs():
    return {init_inputs}
"""


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (task("return x", "[torch.randn(3)]", "[object()]"), "get_init_inputs"),
        (task("raise KeyError('q')", "[torch.randn(3)]"), "KeyError"),
        (task("return x", "['text']"), "input 0"),
        (task("return x", "[]"), "no tensor"),
        (task("return None", "[torch.randn(3)]"), "no tensor"),
        (task("return torch.exp(x * 1000)", "[torch.randn(300)]"), "own inputs"),
        ("import torch\ndef get_inputs(): return []", "Model"),
    ],
)
def test_faults_of_the_task_are_task_errors(judge: Judge, source: str, said: str):
    with pytest.raises(TaskError, match=said):
        judge(source)


def test_a_reference_that_dies_in_its_own_process_is_a_task_error(judge: Judge):
    here = os.getpid()
    source = task(f"import os; os.getpid() == {here} or os._exit(1); return x + 1",
                  "[torch.randn(3)]")  # fmt: skip
    with pytest.raises(TaskError, match="eager failed"):
        judge(source)


def test_expanded_inputs(judge: Judge):
    opened = judge(task("return x + 1", "[torch.randn(5, 1).expand(5, 40)]"))
    assert judged(opened, model("return x + 1")) == ACCEPTED


def test_no_compiler_is_a_usage_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with (
        pytest.raises(UsageError, match=r"install g\+\+"),
        Evaluator(Task("own", TASK), threads=1),
    ):
        pass


def test_a_failed_opening_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(UsageError), Evaluator(Task("own", TASK), threads=1):
        pass
    assert list(tmp_path.iterdir()) == []


# -- other kinds of tasks -------------------------------------------------------------------------

LINEAR = """
import torch
class Model(torch.nn.Module):
    def __init__(self, size, *, scale=1.0):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(size))
        self.register_buffer("shift", torch.zeros(size))
        self.scale = scale
    def forward(self, x):
        return (x * self.weight + self.shift) * self.scale
def get_inputs():
    return [torch.randn(9, 40)]
def get_init_inputs():
    return [[40], {"scale": 0.5}]
"""
LINEAR_NEW = LINEAR.replace("class Model(", "class ModelNew(").partition("def get_inputs")[0]


@pytest.fixture(scope="module")
def linear(judge: Judge) -> Evaluator:
    return judge(LINEAR)


def test_state_is_transferred_by_name(linear: Evaluator):
    assert judged(linear, LINEAR_NEW) == ACCEPTED
    swapped = LINEAR_NEW.replace(
        "        self.scale = scale",
        "        shift = self._buffers.pop('shift')\n        self.register_buffer('shift', shift)\n"
        "        self.scale = scale",
    )
    assert judged(linear, swapped) == ACCEPTED


def test_state_is_transferred_by_order_where_no_name_fits(linear: Evaluator):
    renamed = LINEAR_NEW.replace("weight", "w").replace("shift", "b")
    assert judged(linear, renamed) == ACCEPTED


def test_state_that_is_missing_or_unknown_is_the_candidates_fault(linear: Evaluator):
    without = LINEAR_NEW.replace('register_buffer("shift", torch.zeros(size))', "shift = 0")
    verdict = linear.evaluate(Candidate(without))
    assert (verdict.verdict, verdict.stage) == ("rejected", "build")
    assert (
        "the candidate lacks" in verdict.errors[0].message or "shift" in verdict.errors[0].message
    )
    extra = LINEAR_NEW.replace(
        "self.scale = scale", "self.scale = scale; self.q = torch.nn.Parameter(torch.ones(1))"
    )
    assert judged(linear, extra) == ("rejected", "build", "exception")


def test_weights_cannot_be_skipped(linear: Evaluator):
    """The reference's weights are not the ones and zeros that a fresh model has."""
    for skipped in ("(x * self.weight)", "(x + self.shift)", "x"):
        lazy = LINEAR_NEW.replace("(x * self.weight + self.shift)", skipped)
        assert judged(linear, lazy) == ("rejected", "run", "wrong_value")


def test_init_arguments_arrive(linear: Evaluator):
    ignoring = LINEAR_NEW.replace("self.scale = scale", "self.scale = 1.0")
    assert judged(linear, ignoring) == ("rejected", "run", "wrong_value")


MIXED = task(
    "return {'rows': more[0][x].sum(-1) * more[1], 'flags': (x > 3, x + 1)}",
    "[torch.randint(0, 50, (6, 3)), torch.randn(50, 40), 2.5]",
)


def test_integers_numbers_and_nested_outputs(judge: Judge):
    opened = judge(MIXED)
    right = model("return [table[x].sum(-1) * k, x > 3, x + 1]")
    right = right.replace("self, x", "self, x, table, k")
    assert judged(opened, right) == ACCEPTED
    floats = right.replace("x + 1]", "(x + 1).float()]")
    assert judged(opened, floats) == ("rejected", "run", "wrong_dtype")
    order = right.replace("[table[x].sum(-1) * k, x > 3, x + 1]",
                          "[x > 3, table[x].sum(-1) * k, x + 1]")  # fmt: skip
    assert judged(opened, order)[:2] == ("rejected", "run")


def test_backward(judge: Judge):
    source = task("return torch.tanh(x * self.w)", "[torch.randn(9, 40)]",
                  init="self.w = torch.nn.Parameter(torch.ones(40))")  # fmt: skip
    opened = judge(source, backward=True)
    right = model(
        "return torch.tanh(x * self.w)", init="self.w = torch.nn.Parameter(torch.ones(40))"
    )
    assert judged(opened, right) == ACCEPTED
    forward_only = right.replace("return torch", "with torch.no_grad(): return torch")
    assert judged(opened, forward_only)[:2] == ("rejected", "run")
    detached = right.replace("x * self.w", "x * self.w.detach() + 0 * self.w")
    assert judged(opened, detached) == ("rejected", "run", "wrong_value")


def test_declared_shapes_are_tried(judge: Judge):
    source = task("return x * 2 + 1", "[torch.randn(ROWS, 40)]").replace(
        "class Model", "ROWS = 9\n\n\nclass Model", 1
    )
    opened = judge(source, shapes=({"ROWS": 5}, {"ROWS": 31}))
    assert judged(opened, model("return x * 2 + 1")) == ACCEPTED
    fixed = Candidate(model("if len(x) > 20: raise ValueError('too long')\nreturn x * 2 + 1"))
    verdict = opened.evaluate(fixed)
    assert (verdict.verdict, verdict.stage) == ("rejected", "correctness")
    assert verdict.errors[0].code == "exception"
    assert "in shape ROWS=31: ValueError: too long" in verdict.errors[0].message
    wrong = model("return x * 2 + (len(x) != 5)")
    assert judged(opened, wrong) == ("rejected", "correctness", "wrong_value")


def test_a_kernel_for_one_shape_is_named_as_such(
    evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(evaluator._crew, "compile_reason", "torch.compile failed: no such luck")
    rows = evaluator.oracle.own.layout[0][1][0]
    fixed = model(f"if len(x) != {rows}: raise ValueError('one shape')\nreturn x * 2 + 1")
    verdict = evaluator.evaluate(Candidate(fixed), effort="final")
    assert verdict.accepted
    (found,) = [f for f in verdict.findings if f.code == "fixed_shape"]
    assert found.severity == "note" and f"instead of {rows}" in found.message
    assert "one shape" in found.message and found.message.startswith(f"made for ({rows}, ")
    anything = evaluator.evaluate(Candidate(KERNEL), effort="final")
    assert anything.accepted and "fixed_shape" not in {f.code for f in anything.findings}


WEIGHED = task("return x * self.w", "[torch.randn(9, 40)]",
               init="self.w = torch.nn.Parameter(torch.ones(40))")  # fmt: skip


def test_weights_that_change_in_place_are_followed(judge: Judge):
    opened = judge(WEIGHED)
    init = "self.w = torch.nn.Parameter(torch.ones(40)); self.kept = None"
    stale = model(
        "if self.kept is None: self.kept = self.w.clone()\nreturn x * self.kept", init=init
    )
    verdict = opened.evaluate(Candidate(stale))
    assert (verdict.stage, verdict.errors[0].code) == ("integrity", "stale_weights")
    assert "_version" in verdict.errors[0].message
    renewed = model(
        "key = (self.w.data_ptr(), self.w._version)\n"
        "if self.kept is None or self.kept[0] != key: self.kept = (key, self.w.clone())\n"
        "return x * self.kept[1]",
        init=init,
    )
    assert judged(opened, renewed) == ACCEPTED


def test_nearly_the_same_inputs_are_told_apart(judge: Judge):
    opened = judge(WEIGHED)
    body = (
        "key = x[0].tolist()\n"
        "if self.kept is None or self.kept[0] != key: self.kept = (key, x * self.w)\n"
        "return self.kept[1].clone()"
    )
    stale = model(body, init="self.w = torch.nn.Parameter(torch.ones(40)); self.kept = None")
    verdict = opened.evaluate(Candidate(stale))
    assert (verdict.stage, verdict.errors[0].code) == ("integrity", "stale_output")


def test_both_modes_must_be_right(judge: Judge):
    norm = "self.norm = torch.nn.BatchNorm1d(40)"
    source = task("return self.norm(x)", "[torch.randn(9, 40)]", init=norm)
    opened = judge(source, modes=("eval", "train"))
    assert judged(opened, model("return self.norm(x)", init=norm)) == ACCEPTED
    frozen = model("self.norm.eval()\nreturn self.norm(x)", init=norm)
    verdict = opened.evaluate(Candidate(frozen))
    assert (verdict.stage, verdict.errors[0].code) == ("correctness", "wrong_value")
    assert "in train mode" in verdict.errors[0].message


def test_a_task_with_dropout_in_training_mode_is_a_task_error(judge: Judge):
    source = task("return self.drop(x)", "[torch.randn(9, 40)]",
                  init="self.drop = torch.nn.Dropout(0.5)")  # fmt: skip
    with pytest.raises(TaskError, match="dropout"):
        judge(source, modes=("train",))


def test_a_task_that_seeds_itself_cannot_be_memorised(judge: Judge):
    source = task("return x * 2", "[torch.randn(9, 40)]").replace(
        "    return [torch.randn", "    torch.manual_seed(42)\n    return [torch.randn"
    )
    opened = judge(source)
    memorised = model("return self.answer",
                      init="torch.manual_seed(42); self.answer = torch.randn(9, 40) * 2")  # fmt: skip
    assert judged(opened, memorised) == ("rejected", "run", "wrong_value")
    assert judged(opened, model("return x * 2")) == ACCEPTED


def test_bf16(judge: Judge):
    opened = judge(task("return torch.softmax(x.float(), -1).to(x.dtype)",
                        "[torch.randn(9, 40).bfloat16()]"))  # fmt: skip
    verdict = opened.evaluate(Candidate(model("return torch.softmax(x, -1)")))
    assert verdict.accepted and verdict.precision == "bf16"


@pytest.mark.slow
def test_torch_compile_is_a_baseline(judge: Judge):
    """Of a matrix product, which needs no generated code: that would take half a minute."""
    opened = judge(task("return x @ more[0]", "[torch.randn(300, 300), torch.randn(300, 300)]"))
    product = model("return torch.mm(x, y)").replace("self, x", "self, x, y")
    verdict = opened.evaluate(Candidate(product), effort="final")
    assert verdict.accepted and verdict.track == "library", verdict
    assert verdict.speedup["compile"] is not None, verdict.reasons
    assert verdict.time_ms["compile"] is not None
