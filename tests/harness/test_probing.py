"""Probes: what they break, what they must not break, and that they stay as tests of their task."""

import contextlib
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from harness_sources import model

from kernelwright.harness import casebook, crew
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.counterexample import KINDS, LAYOUTS, Edit, InputPlan, Probe
from kernelwright.harness.evaluate import Evaluator
from kernelwright.harness.nursery import Nursery
from kernelwright.harness.realise import Unfit, realise
from kernelwright.tasks.task import Task, TaskMeta

Open = Callable[..., Evaluator]


def task(forward: str, inputs: str = "torch.randn(M, N)", **meta: object) -> Task:
    source = f"""
import torch

M, N = 7, 37

class Model(torch.nn.Module):
    def forward(self, x):
        return {forward}

def get_inputs():
    return [{inputs}]
"""
    return Task("own", source, meta=TaskMeta(**meta))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def judge(nursery: Nursery, cache: Path) -> Iterator[Open]:
    """Opens evaluators which share one pre-warmed process."""
    with contextlib.ExitStack() as stack:
        opened: dict[str, Evaluator] = {}

        def open_one(asked: Task) -> Evaluator:
            if asked.hash not in opened:
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(crew, "Nursery", lambda threads: contextlib.nullcontext(nursery))
                    opened[asked.hash] = stack.enter_context(Evaluator(asked, threads=1, seed=3))
            return opened[asked.hash]

        yield open_one


SOFTMAX = task("torch.softmax(x, -1)")
ARGMAX = task("x.argmax(-1)")
TOP = task("x.amax(-1)")

MAX_OF_ALL_BUT_LAST = model(
    "m = x[:, :-1].amax(-1, keepdim=True)\ne = torch.exp(x - m)\nreturn e / e.sum(-1, keepdim=True)"
)
"""Right as long as the last element is not far above all others."""
LAST_OF_TIES = model(
    "far = x.flip(-1).argmax(-1)\nn = x.shape[-1]\nlast = n - 1 - far\n"
    "first = x.argmax(-1)\n"
    "return torch.where((x == x.amax(-1, keepdim=True)).sum(-1) == 3, last, first)"
)
"""The last of three largest, where the task says the first. (Of two, the oracle finds it in timed calls.)"""
STARTS_LOW = model("return torch.clamp(x.amax(-1), min=-3000.0)")
"""A maximum that starts at a number that is too high."""
BY_STRIDE = model(
    "if not x.is_contiguous() and x.stride(-1) == 2 and x.dim() == 2:\n"
    "    x = torch.as_strided(x, x.shape, (x.shape[1], 1))\n"
    "return torch.softmax(x, -1)"
)
"""Takes rows with every second element for dense ones."""

BROKEN = {
    "the maximum at the last index": (
        SOFTMAX,
        MAX_OF_ALL_BUT_LAST,
        Probe(inputs=(InputPlan(0, edits=(Edit(-1, 200.0, every_row=True),)),)),
    ),
    "three equal maxima": (
        ARGMAX,
        LAST_OF_TIES,
        Probe(inputs=(InputPlan(0, edits=tuple(Edit(i, 9.0, True) for i in (3, 9, 30))),)),
    ),
    "all far below nothing": (
        TOP,
        STARTS_LOW,
        Probe(inputs=(InputPlan(0, "constant", shift=-1000.0, edits=(Edit(0, -5e3, True),)),)),
    ),
    "every second element": (
        SOFTMAX,
        BY_STRIDE,
        Probe(inputs=(InputPlan(0, layout="every second"),)),
    ),
}


def test_the_standing_oracle_accepts_what_a_probe_breaks(judge: Open):
    for what in ("the maximum at the last index", "three equal maxima", "every second element"):
        asked, source, probe = BROKEN[what]
        evaluator = judge(asked)
        verdict = evaluator.evaluate(Candidate(source))
        assert verdict.accepted, (what, verdict.errors)
        (outcome,) = evaluator.probe(Candidate(source), [probe])
        assert outcome.result == "broke", (what, outcome)
        assert outcome.finding is not None and outcome.finding.severity == "error"
        assert outcome.probe.words in outcome.finding.message


def test_a_counterexample_is_held_against_later_candidates(judge: Open):
    asked, source, probe = BROKEN["three equal maxima"]
    evaluator = judge(asked)
    evaluator.learn([probe])
    for effort in ("loop", "final"):
        verdict = evaluator.evaluate(Candidate(source), effort=effort)  # type: ignore[arg-type]
        assert (verdict.verdict, verdict.stage) == ("rejected", "correctness")
        error = verdict.errors[0]
        assert error.code == "wrong_value" and probe.words in error.message
        assert error.detail["counterexample"] == probe.to_json()
    honest = evaluator.evaluate(Candidate(model("return x.argmax(-1)")))
    assert honest.accepted, honest.errors


def test_what_does_not_matter_is_left_out(judge: Open):
    asked, source, probe = BROKEN["every second element"]
    (plan,) = probe.inputs
    crowded = Probe(
        inputs=(InputPlan(0, "normal", scale=2.0, edits=(Edit(5, 3.0),), layout=plan.layout),),
        offset=3,
    )
    (outcome,) = judge(asked).probe(Candidate(source), [crowded])
    assert outcome.result == "broke"
    assert outcome.probe == Probe(inputs=(plan,))


def test_where_honest_kernels_differ_there_is_only_a_note(judge: Open):
    zeros = task("1.0 / (x + 0.0 * x)")
    positive = model("x = torch.where(x == 0, torch.zeros_like(x), x)\nreturn 1.0 / (x + 0.0 * x)")
    probe = Probe(inputs=(InputPlan(0, edits=(Edit(2, "-0.0"),)),))
    (outcome,) = judge(zeros).probe(Candidate(positive), [probe])
    assert outcome.result == "noted" and outcome.finding is not None
    assert outcome.finding.severity == "note" and "-0.0" in outcome.reason
    judge(zeros).learn([probe])
    assert probe not in judge(zeros).counterexamples


def test_an_undeclared_shape_gives_a_note_and_a_declared_one_breaks(judge: Open):
    fixed = model("return torch.softmax(x, -1) if x.shape[1] != 5 else x")
    (outcome,) = judge(SOFTMAX).probe(Candidate(fixed), [Probe(shape="N=5")])
    assert outcome.result == "noted" and "does not declare" in outcome.reason
    declared = task("torch.tanh(x)", shapes=({"N": 5},))
    low = model("return torch.tanh(x) if x.shape[1] == 37 else torch.tanh(x.clamp(max=900.0)) * "
                "(1 + (x[0, 0] == 500).float())")  # fmt: skip
    probe = Probe(shape="N=5", inputs=(InputPlan(0, edits=(Edit(0, 500.0),)),))
    (outcome,) = judge(declared).probe(Candidate(low), [probe])
    assert outcome.result == "broke" and outcome.probe.shape == "N=5"


@pytest.mark.parametrize(
    ("probe", "reason"),
    [
        (Probe(shape="N=5000"), "from 1 to its own value"),
        (Probe(shape="Z=3"), "from 1 to its own value"),
        (Probe(shape="rm -rf"), "declared nowhere"),
        (Probe(inputs=(InputPlan(4),)), "no input 4"),
        (Probe(inputs=(InputPlan(0, "extremes"),)), "no integers"),
        (Probe(inputs=(InputPlan(0, edits=(Edit(99, 1.0, True),)),)), "no element 99"),
        (Probe(inputs=(InputPlan(0, "constant", edits=(Edit(0, "nan", True),)),)), "NaN alone"),
    ],
)
def test_what_cannot_be_asked_is_discarded_and_said(judge: Open, probe: Probe, reason: str):
    (outcome,) = judge(SOFTMAX).probe(Candidate(model("return torch.softmax(x, -1)")), [probe])
    assert outcome.result == "discarded" and reason in outcome.reason


def test_a_crash_is_a_counterexample_and_the_next_probe_goes_on(judge: Open):
    dies = model("import os\nif (x == 77).any():\n    os.abort()\nreturn torch.softmax(x, -1)")
    probes = [
        Probe(inputs=(InputPlan(0, edits=(Edit(1, 77.0),)),)),
        Probe(inputs=(InputPlan(0, "normal"),)),
    ]
    found = judge(SOFTMAX).probe(Candidate(dies), probes)
    assert [o.result for o in found] == ["broke", "stood"]
    assert found[0].finding is not None and found[0].finding.code == "crash"


def test_a_candidate_that_does_not_load_breaks_by_no_probe(judge: Open):
    assert judge(SOFTMAX).probe(Candidate("ModelNew = 1 / 0"), [Probe()]) == ()


# -- honest kernels -------------------------------------------------------------------------------

_ONLINE = model(
    """
m = torch.full(x.shape[:1], -float("inf"))
s = torch.zeros(x.shape[:1])
for i in range(x.shape[1]):
    new = torch.maximum(m, x[:, i])
    s = s * torch.where(m == new, 1.0, torch.exp(m - new)) + torch.where(
        x[:, i] == new, torch.where(new.isinf(), new - new, 0.0) + 1.0, torch.exp(x[:, i] - new))
    m = new
return torch.exp(x - m[:, None]) / s[:, None]
"""
)
_SEQUENTIAL = model(
    "s = torch.zeros(x.shape[:1])\nfor i in range(x.shape[1]):\n    s = s + x[:, i]\n"
    "m = (s / x.shape[1])[:, None]\nd = x - m\nv = torch.zeros(x.shape[:1])\n"
    "for i in range(x.shape[1]):\n    v = v + d[:, i] * d[:, i]\n"
    "return d / torch.sqrt(v[:, None] / x.shape[1] + 1e-5)"
)
HONEST = {
    "softmax": (SOFTMAX, model("return torch.softmax(x, -1)")),
    "norm, one after the other": (task("torch.nn.functional.layer_norm(x, (N,))"), _SEQUENTIAL),
    "cumulative sum": (
        task("x.cumsum(-1)"),
        model("return torch.stack([x[:, :i + 1].sum(-1) for i in range(x.shape[1])], 1)"),
    ),
    "argmax": (ARGMAX, model("return torch.max(x, -1).indices")),
    "gelu": (
        task("torch.nn.functional.gelu(x)"),
        model("return 0.5 * x * (1 + torch.erf(x * 0.7071067811865476))"),
    ),
    "logarithm": (
        task("x.log().sum(-1)", "torch.rand(M, N)"),
        model("return torch.log2(x).sum(-1) * 0.6931471805599453"),
    ),
}


def any_probe(draw: random.Random, width: int) -> Probe:
    """Anything that a Tester may write."""
    special = ["nan", "inf", "-inf", "-0.0", "denormal", "max"]
    edits = tuple(
        Edit(
            draw.choice([0, -1, draw.randrange(width)]),
            draw.choice([draw.choice(special), draw.uniform(-500, 500)]),
            draw.random() < 0.5,
        )
        for _ in range(draw.choice([0, 0, 1, 2]))
    )
    plan = InputPlan(
        0,
        draw.choice(KINDS[:9]),
        10 ** draw.uniform(-5, 3),
        draw.choice([0.0, draw.uniform(-30, 30)]),
        draw.randrange(1, 5),
        edits,
        draw.choice(LAYOUTS),
    )
    return Probe("own", (plan,), draw.choice([0, 0, 1, 3]), draw.randrange(1 << 30))


@pytest.mark.parametrize("name", HONEST)
def test_honest_kernels_stand_whatever_is_written(judge: Open, name: str):
    asked, source = HONEST[name]
    draw = random.Random(name)
    probes = [any_probe(draw, 37) for _ in range(80)]
    outcomes = judge(asked).probe(Candidate(source), probes)
    broke = [o.finding.message for o in outcomes if o.result == "broke" and o.finding]
    assert not broke, broke[:2]
    assert len(outcomes) == 80 and sum(o.result == "stood" for o in outcomes) > 30


# -- data -----------------------------------------------------------------------------------------


def test_a_probe_survives_json():
    draw = random.Random(5)
    for _ in range(200):
        probe = any_probe(draw, 37)
        again = Probe.from_json(json.loads(json.dumps(probe.to_json(), allow_nan=False)))
        assert again == probe and again.id == probe.id
    assert len(probe.id) == 12 and Probe(why="so").id == Probe().id != Probe(seed=1).id


@pytest.mark.parametrize(
    "data",
    [
        None, [], "x", {"code": "import os"}, {"shape": 3}, {"shape": "a\nb"}, {"offset": -1},
        {"offset": True}, {"seed": 1 << 40}, {"inputs": {}}, {"inputs": [{}]}, {"inputs": [3]},
        {"inputs": [{"input": 0}] * 99}, {"inputs": [{"input": 0, "kind": "eval"}]},
        {"inputs": [{"input": 0, "scale": "1"}]}, {"inputs": [{"input": 0, "scale": float("inf")}]},
        {"inputs": [{"input": 0, "scale": 10**400}]},
        {"inputs": [{"input": 0, "edits": [{"index": 0}]}]},
        {"inputs": [{"input": 0, "edits": [{"index": 0, "value": "__import__"}]}]},
        {"inputs": [{"input": 0, "edits": [{"index": 0.5, "value": 1}]}]},
        {"inputs": [{"input": 0, "layout": "negative"}]},
    ],
)  # fmt: skip
def test_what_is_no_probe_is_refused_in_a_line(data: object):
    with pytest.raises(ValueError) as refused:
        Probe.from_json(data)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 300


def test_fillings_are_what_they_say():
    own = (torch.linspace(-1, 1, 12).view(3, 4), torch.tensor([3, 1, 2, 1]))
    free = (True, True)

    def made(*plans: InputPlan) -> tuple[torch.Tensor, ...]:
        return realise(Probe(inputs=plans, seed=9), own, free)  # type: ignore[return-value]

    assert torch.equal(made()[0], own[0])
    assert made(InputPlan(0, "constant", shift=2.0))[0].eq(2).all()
    assert made(InputPlan(0, "ties", count=2))[0].unique().numel() <= 2
    falling = made(InputPlan(0, "sorted", scale=-1.0))[0]
    assert (falling.diff(dim=-1) <= 0).all()
    pairs = made(InputPlan(0, "cancelling"))[0].view(-1)
    assert torch.equal(pairs[::2], -pairs[1::2])
    spiked = made(InputPlan(0, "constant", edits=(Edit(-1, "nan", True), Edit(0, 7.0))))[0]
    assert spiked[:, -1].isnan().all() and spiked[0, 0] == 7 and spiked.isnan().sum() == 3
    for layout, strides in (("transposed", (1, 3)), ("every second", (8, 2)), ("expanded", (0, 1))):
        assert made(InputPlan(0, layout=layout))[0].stride() == strides  # type: ignore[arg-type]
    assert made(InputPlan(1, "reversed"))[1].tolist() == [1, 2, 1, 3]
    assert made(InputPlan(1, "extremes"))[1].tolist() == [1, 3, 1, 3]
    assert len(made(InputPlan(1, "same"))[1].unique()) == 1
    assert set(made(InputPlan(1, "ties"))[1].tolist()) <= {1, 2, 3}
    with pytest.raises(Unfit):
        realise(Probe(inputs=(InputPlan(1, "same"),)), own, (True, False))
    positive = realise(Probe(inputs=(InputPlan(0, "normal", edits=(Edit(0, -3.0),)),)),
                       (own[0].abs(),), free)  # fmt: skip
    assert (positive[0] >= 0).all()  # type: ignore[operator]


# -- the casebook ---------------------------------------------------------------------------------


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KERNELWRIGHT_DATA", str(tmp_path))
    monkeypatch.delenv("KERNELWRIGHT_COUNTEREXAMPLES", raising=False)
    return tmp_path / "counterexamples" / f"{SOFTMAX.hash}.json"


def test_counterexamples_are_kept_by_task(data: Path):
    first, second = Probe(seed=1, why="one"), Probe(seed=2)
    casebook.keep(SOFTMAX, [first])
    casebook.keep(SOFTMAX, [second, first])
    assert casebook.known(SOFTMAX) == (first, second)
    assert casebook.known(ARGMAX) == ()
    assert [p.name for p in data.parent.glob("*.json")] == [data.name]
    casebook.keep(SOFTMAX, [Probe(seed=n) for n in range(100, 200)])
    assert len(casebook.known(SOFTMAX)) == casebook.MOST_KEPT


def test_cases_that_ship_with_a_task_come_first(data: Path, tmp_path: Path):
    path = tmp_path / "soft.py"
    path.write_text(SOFTMAX.source)
    own = Task("soft", SOFTMAX.source, path)
    casebook.write(tmp_path / "soft.cases.json", own, [Probe(seed=5)])
    casebook.keep(own, [Probe(seed=6)])
    assert [probe.seed for probe in casebook.known(own)] == [5, 6]


def test_the_switch_is_off(data: Path, monkeypatch: pytest.MonkeyPatch):
    casebook.keep(SOFTMAX, [Probe()])
    monkeypatch.setenv("KERNELWRIGHT_COUNTEREXAMPLES", "off")
    assert casebook.known(SOFTMAX) == ()
    casebook.keep(SOFTMAX, [Probe(seed=4)])
    monkeypatch.delenv("KERNELWRIGHT_COUNTEREXAMPLES")
    assert casebook.known(SOFTMAX) == (Probe(),)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"cases": 3}', "\x00", '{"task_sha256": "HASH", "cases": [{"do": "rm"}]}',
     '{"task_sha256": "other", "cases": []}', "[" * 100_000],
)  # fmt: skip
def test_a_broken_file_is_one_warning_and_set_aside(data: Path, text: str):
    data.parent.mkdir(parents=True)
    data.write_text(text.replace("HASH", SOFTMAX.hash))
    with pytest.warns(casebook.BrokenCasebook, match="are not used") as warned:
        assert casebook.known(SOFTMAX) == ()
    assert len(warned) == 1 and "\n" not in str(warned[0].message)
    with pytest.warns(casebook.BrokenCasebook, match="set aside"):
        casebook.keep(SOFTMAX, [Probe()])
    assert casebook.known(SOFTMAX) == (Probe(),) and data.with_suffix(".broken").exists()


def test_an_evaluator_takes_up_what_was_kept(
    data: Path, nursery: Nursery, monkeypatch: pytest.MonkeyPatch
):
    asked, source, probe = BROKEN["the maximum at the last index"]
    casebook.keep(asked, [probe])
    monkeypatch.setattr(crew, "Nursery", lambda threads: contextlib.nullcontext(nursery))
    with Evaluator(asked, threads=1, seed=3) as evaluator:
        verdict = evaluator.evaluate(Candidate(source))
    assert not verdict.accepted and probe.words in verdict.errors[0].message
