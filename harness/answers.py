"""Answers that are no work: zeros, a constant, the input, an older output. A sound task rejects each.

They are made from the oracle's own expectations and go through the same comparison as a candidate's
outputs. `weakness` is the cheap part, asked whenever a task is opened for judging: usually one look
at a piece of one output for each answer. `audit.py` asks all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch

from kernelwright.harness.distributions import DISTRIBUTIONS
from kernelwright.harness.oracle import Case, Oracle
from kernelwright.harness.verdict import Finding
from kernelwright.tasks.audits import recorded
from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.task import Task

Outputs = tuple[torch.Tensor, ...]
_PIECE = 1 << 14
"""Elements of an output that are looked at first: a wrong one among them is a wrong answer."""
_SAME = {torch.float64: 1e-13}
_SAME_32 = 1e-6
_LOWER = {"fp64": ("fp32", "tf32", "bf16"), "fp32": ("tf32", "bf16"), "fp16": ("bf16",)}
"""Precision classes whose rounding must show in the outputs of a class."""


@dataclass(frozen=True)
class Answer:
    """`make` gives the outputs for a case; None where it does not apply.

    `nothing`: it takes no work, so it must fail even where it is what the reference computes.
    """

    name: str
    make: Callable[[Case], Outputs | None]
    nothing: bool = False


def refuse_weak(oracle: Oracle) -> None:
    """Raise TaskError where an answer without any work passes every check of this oracle."""
    found = weakness(oracle)
    if found is not None:
        raise TaskError(
            f"task {oracle.reference.task.name} is weak: {found} passes every check, so no verdict"
            " on it would mean anything; change what it computes, or its inputs"
        )


def known_weak(task: Task) -> tuple[Finding, ...]:
    """A warning where the latest full audit of this very task found it weak."""
    record = recorded(task)
    if record is None or record.verdict == "sound":
        return ()
    names = "; ".join(mutant.name for mutant in record.survivors[:3])
    message = (
        f"an audit found the task weak: {len(record.survivors)} kernels that leave work out would"
        f" pass ({names}); `kernelwright tasks audit` lists them"
    )
    return (Finding("weak_task", message, "warning"),)


def weakness(oracle: Oracle) -> str | None:
    """The trivial answer that passes every check, if there is one."""
    for answer in trivial(oracle):
        if not passes(answer, [oracle.own]):
            continue
        cases = telling(oracle.cases())
        if passes(answer, cases) and (answer.nothing or not same(answer, cases)):
            return answer.name
    return None


def trivial(oracle: Oracle) -> Iterator[Answer]:
    """The answers that `weakness` asks, all outputs at once."""
    count = len(oracle.own.expected)
    yield from _constants(oracle, range(count), "")
    yield Answer("the mean of each row", partial(_row_means, which=range(count)))
    yield from _passed_through(oracle.own, range(count), "", nothing=True)


def answers(oracle: Oracle) -> Iterator[Answer]:
    """All answers: trivial ones, the same for one output of several, old ones, coarser ones."""
    yield from trivial(oracle)
    count = oracle.own.returned
    for i in range(count) if count > 1 else ():
        where = f" for output {i}"
        yield from _constants(oracle, [i], where)
        yield Answer("the mean of each row" + where, partial(_row_means, which=[i]))
        yield from _passed_through(oracle.own, [i], where, nothing=False)
    others = {name: _other_draw(oracle, name) for name in (d.name for d in DISTRIBUTIONS)}
    yield Answer("the output of other inputs", lambda case: others.get(case.name))
    yield Answer("the output of the previous call", _previous(oracle, others["own"]))
    yield Answer("the outputs with their signs flipped", _flipped)
    for name in _LOWER.get(oracle.own.precision, ()):
        label = f"the outputs rounded to {name}"
        yield Answer(label, partial(_rounded, precision=name))


def right(case: Case) -> Outputs:
    """What the outputs of a case must be, in the dtypes that they must have."""
    return tuple(
        e.value.to(dtype) for e, (dtype, _) in zip(case.expected, case.layout, strict=True)
    )


def telling(cases: Sequence[Case]) -> list[Case]:
    """The cases that an answer must fail in: where only NaN gives it away, `0 * x` would pass too."""
    return [case for case in cases if case.name != "special values"]


def passes(answer: Answer, cases: Sequence[Case]) -> bool:
    """Whether the judge accepts the answer in all cases that it applies to, and it applies to one."""
    applied = False
    for case in cases:
        outputs = answer.make(case)
        if outputs is None:
            continue
        applied = True
        if wrong(case, outputs):
            return False
    return applied


def same(answer: Answer, cases: Sequence[Case]) -> bool:
    """Whether the answer is what the reference computes, but for the last digits of fp32."""
    for case in cases:
        outputs = answer.make(case)
        if outputs is not None and not all(map(agree, outputs, right(case))):
            return False
    return True


def agree(found: torch.Tensor, value: torch.Tensor) -> bool:
    """Whether two tensors are equal to 6 digits, to 13 in float64, where they are finite."""
    if found.dtype == value.dtype and torch.equal(found, value):
        return True
    if not value.is_floating_point():
        return False
    limit = _SAME.get(value.dtype, _SAME_32)
    a, b = found.double(), value.double()
    finite = b.isfinite()
    if not bool(torch.where(finite, a.isfinite(), (a == b) | (a.isnan() & b.isnan())).all()):
        return False
    a, b = a[finite], b[finite]
    return not b.numel() or bool(
        ((a - b).abs() <= limit * (b.abs() + b.square().mean().sqrt())).all()
    )


def wrong(case: Case, outputs: Sequence[torch.Tensor]) -> bool:
    """Whether the judge rejects them: what `compare` finds, without saying what it is.

    Describing how an output is wrong takes several times as long as finding that it is.
    """
    if [(t.dtype, tuple(t.shape)) for t in outputs] != list(case.layout):
        return True
    return _wrong_at_first_sight(case, outputs) or any(
        expected.mismatch(found) is not None
        for found, expected in zip(outputs, case.expected, strict=True)
    )


def _wrong_at_first_sight(case: Case, outputs: Sequence[torch.Tensor]) -> bool:
    """Whether a piece of some output is wrong already; the whole then is too."""
    for found, expected in zip(outputs, case.expected, strict=True):
        if found.shape != expected.value.shape or found.numel() <= _PIECE:
            continue
        parts = [
            None if t is None else t.expand(found.shape).reshape(-1)[:_PIECE]
            for t in (expected.value, expected.tolerance, expected.alternative, expected.free)
        ]
        value, tolerance, alternative, free = parts
        assert value is not None
        piece = replace(
            expected, value=value, tolerance=tolerance, alternative=alternative, free=free
        )
        if piece.mismatch(found.reshape(-1)[:_PIECE]) is not None:
            return True
    return False


def _replaced(case: Case, which: Sequence[int], new: Callable[[int], torch.Tensor]) -> Outputs:
    """The right outputs, those in `which` replaced."""
    chosen = set(which)
    return tuple(
        new(i) if i in chosen else expected.value.to(dtype)
        for i, (expected, (dtype, _)) in enumerate(zip(case.expected, case.layout, strict=True))
    )


def _filled(case: Case, i: int, value: float) -> torch.Tensor:
    dtype, shape = case.layout[i]
    return torch.full((), value, dtype=torch.float64).to(dtype).expand(shape)


def _constants(oracle: Oracle, which: Sequence[int], where: str) -> Iterator[Answer]:
    """Zeros; and for each output one number, the mean of another case of the same kind."""
    yield Answer(
        "zeros" + where, lambda case: _replaced(case, which, lambda i: _filled(case, i, 0.0)), True
    )
    other = right(oracle.own)
    if all(other[i].numel() <= 1 for i in which):
        # The mean of one number is the answer itself.
        other = _other_draw(oracle, "own") or other
    means = [_mean(t) for t in other]
    yield Answer(
        "one constant" + where,
        lambda case: _replaced(case, which, lambda i: _filled(case, i, means[i])),
        True,
    )


def _mean(value: torch.Tensor) -> float:
    if not value.numel():
        return 0.0
    if not value.is_floating_point():
        return float(round(float(value.double().mean())))
    return float(value.float().nan_to_num(0.0, 0.0, 0.0).mean())


def _row_means(case: Case, which: Sequence[int]) -> Outputs | None:
    """Each row replaced by its mean; None where no output has rows of several numbers."""
    rows = [i for i in which if len(case.layout[i][1]) > 1 and case.layout[i][1][-1] > 1]
    if not rows:
        return None

    def mean(i: int) -> torch.Tensor:
        value, (dtype, shape) = case.expected[i].value, case.layout[i]
        wide = value if value.is_floating_point() else value.double()
        found = wide.mean(dim=-1, keepdim=True)
        return (found if dtype.is_floating_point else found.round()).to(dtype).expand(shape)

    return _replaced(case, rows, mean)


def _passed_through(
    own: Case, which: Sequence[int], where: str, *, nothing: bool
) -> Iterator[Answer]:
    """Inputs handed back, each that fits; nothing where an output has none that fits."""
    fitting = [
        [
            j
            for j, v in enumerate(own.inputs)
            if isinstance(v, torch.Tensor) and (v.dtype, tuple(v.shape)) == own.layout[i]
        ]
        for i in which
    ]
    if not all(fitting):
        return
    for k in range(max(map(len, fitting))):
        chosen = {i: f[min(k, len(f) - 1)] for i, f in zip(which, fitting, strict=True)}

        def make(case: Case, chosen: dict[int, int] = chosen) -> Outputs | None:
            given = {i: case.inputs[j] for i, j in chosen.items()}
            if any(
                not isinstance(v, torch.Tensor) or (v.dtype, tuple(v.shape)) != case.layout[i]
                for i, v in given.items()
            ):
                return None
            return _replaced(case, which, lambda i: torch.as_tensor(given[i]))

        names = ", ".join(str(j) for j in dict.fromkeys(chosen.values()))
        yield Answer(f"input {names} passed through{where}", make, nothing)


def _other_draw(oracle: Oracle, name: str) -> Outputs | None:
    """What PyTorch answers under a distribution to inputs that are not those of its case."""
    case = oracle.case(name)
    if case is None:
        return None
    distribution = next(d for d in DISTRIBUTIONS if d.name == name)
    generator = torch.Generator().manual_seed(oracle.seed())
    inputs = distribution.apply(oracle.fresh_inputs(), generator)
    model = oracle.reference.build(0)
    model.load_state_dict(oracle.state)
    try:
        return oracle.reference.run(model, inputs, case.gradients)
    except TaskError:
        return None


def _previous(oracle: Oracle, first: Outputs | None) -> Callable[[Case], Outputs | None]:
    cases = oracle.cases()
    before = {case.name: right(cases[i - 1]) if i else first for i, case in enumerate(cases)}
    return lambda case: before.get(case.name)


def _flipped(case: Case) -> Outputs:
    return tuple(~t if t.dtype == torch.bool else -t for t in right(case))


def _rounded(case: Case, precision: str) -> Outputs | None:
    """Outputs whose last digits are lost, as those of a kernel that computes in less."""
    if not any(dtype.is_floating_point for dtype, _ in case.layout):
        return None
    return tuple(_round(t, precision) if t.is_floating_point() else t for t in right(case))


def _round(value: torch.Tensor, precision: str) -> torch.Tensor:
    if precision == "fp32":
        return value.float().to(value.dtype)
    if precision == "bf16":
        return value.bfloat16().to(value.dtype)
    # TF32 keeps 10 bits behind the point: add half of the last one that stays, cut the others.
    bits = (value.float().view(torch.int32) + (1 << 12)) & ~0x1FFF
    rounded = bits.view(torch.float32).to(value.dtype)
    return torch.where(value.isfinite(), rounded, value)
