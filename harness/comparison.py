"""Comparing outputs with what they must be, and saying where and how they are wrong."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch

from kernelwright.harness import precision
from kernelwright.harness.error_pattern import patterns
from kernelwright.harness.oracle import Case
from kernelwright.harness.precision import Expected


@dataclass(frozen=True)
class _Wrong:
    """An output with wrong elements, as long as somebody may want to look closer."""

    case: str
    name: str
    found: torch.Tensor
    expected: Expected
    wrong: torch.Tensor


@dataclass(frozen=True)
class Mismatch:
    """Where and how an output is wrong, in words for people and for the Judge."""

    code: str
    message: str
    _seen: _Wrong | None = field(default=None, repr=False, compare=False)

    @cached_property
    def detail(self) -> Mapping[str, Any]:
        """The same in figures (docs/json.md); empty where no element was compared.

        Made when it is asked for: who only wants to know whether an answer is right does not pay for it.
        """
        return {} if self._seen is None else _detail(self._seen)


def compare(case: Case, outputs: Sequence[torch.Tensor]) -> Mismatch | None:
    """Whether the outputs of one checked call are right; None when they are."""
    if len(outputs) != len(case.expected):
        further = f" ({', '.join(case.labels)})" if _has_further(case) else ""
        return Mismatch(
            "output_count",
            f"{len(outputs)} outputs where the reference has {len(case.expected)}{further}",
        )
    for i, (found, expected, (dtype, shape)) in enumerate(
        zip(outputs, case.expected, case.layout, strict=True)
    ):
        name = case.labels[i] if case.labels else f"output {i}"
        if len(outputs) == 1:
            name = "the output"
        if tuple(found.shape) != shape:
            return Mismatch(
                "wrong_shape", f"{name} has shape {tuple(found.shape)}, the reference {shape}"
            )
        if found.dtype != dtype:
            return Mismatch("wrong_dtype", f"{name} is {found.dtype}, the reference {dtype}")
        wrong = expected.mismatch(found)
        if wrong is not None:
            return _describe(case, name, found, expected, wrong)
    return None


def _has_further(case: Case) -> bool:
    return case.answers is not None and case.answers < len(case.expected)


def _describe(
    case: Case, name: str, found: torch.Tensor, expected: Expected, wrong: torch.Tensor
) -> Mismatch:
    count, total = int(wrong.sum()), wrong.numel()
    where = tuple(int(i) for i in wrong.nonzero()[0].tolist())
    got, want = found[where].item(), expected.value[where].item()
    text = (
        f"inputs '{case.name}': {name} is wrong in {count} of {total} elements; "
        f"first at {list(where)}: got {got:.9g}, expected {want:.9g}"
    )
    seen = _Wrong(case.name, name, found, expected, wrong)
    if expected.tolerance is None:
        return Mismatch("wrong_value", text, seen)
    text += f" within {expected.tolerance[where].item():.3g}"
    if case.name == "special values" or not expected.finite:
        return Mismatch("special_values", text, seen)
    fits = _fitting_class(found, expected, wrong)
    if fits:
        return Mismatch(
            "precision", f"{text}; the errors are those of {fits}, not of the task's class", seen
        )
    return Mismatch("wrong_value", text, seen)


def _detail(seen: _Wrong) -> dict[str, Any]:
    """First and worst wrong element, how many there are, and what is telling about them."""
    found, expected, wrong = seen.found, seen.expected, seen.wrong
    error = found.double().sub(expected.value.double()).abs().nan_to_num_(math.inf)
    worst = int(torch.where(wrong, error, -1.0).reshape(-1).argmax())
    first = int(wrong.reshape(-1).to(torch.uint8).argmax())
    count = int(wrong.sum())
    return {
        "inputs": seen.case,
        "output": seen.name,
        "shape": list(found.shape),
        "first": _element(seen, first),
        "worst": _element(seen, worst),
        "wrong": count,
        "elements": wrong.numel(),
        "share": count / wrong.numel(),
        "patterns": [
            {"code": p.code, "text": p.text} for p in patterns(found, expected.value, wrong)
        ],
    }


def _element(seen: _Wrong, flat: int) -> dict[str, Any]:
    """One element by its place in a contiguous tensor of the output's shape."""
    where = _index(flat, tuple(seen.found.shape))
    tolerance = seen.expected.tolerance
    return {
        "index": list(where),
        "got": _number(seen.found[where].item()),
        "expected": _number(seen.expected.value[where].item()),
        "tolerance": None if tolerance is None else _number(tolerance[where].item()),
    }


def _index(flat: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    index: list[int] = []
    for extent in reversed(shape):
        flat, place = divmod(flat, extent)
        index.append(place)
    return tuple(reversed(index))


def _number(value: float | int | bool | complex) -> float | int | bool | str:
    """A number as plain JSON knows it; NaN, infinities and complex numbers as text."""
    if isinstance(value, complex) or (isinstance(value, float) and not math.isfinite(value)):
        return str(value)
    return value


def _fitting_class(found: torch.Tensor, expected: Expected, wrong: torch.Tensor) -> str | None:
    """The narrower precision class that the errors would fit, if any."""
    error = (found.double() - expected.value.double()).abs()
    scale = expected.value.double().square().mean().sqrt() + expected.value.double().abs()
    for name in ("tf32", "bf16"):
        if bool((error <= precision.RELATIVE[name] * scale).all()):
            return name
    return None


class TimedCheck:
    """Compares the outputs of a timed call with eager's on the same inputs.

    Both may be off by the budget, so it is doubled; its absolute part is the largest of the own case.
    """

    def __init__(self, own: Case) -> None:
        self._absolute = [
            0.0 if e.tolerance is None or not e.tolerance.numel() else 2 * float(e.tolerance.max())
            for e in own.expected
        ]
        self._relative = 2 * (precision.relative(own.precision) or 0.0)

    def right(self, found: Sequence[torch.Tensor], eager: Sequence[torch.Tensor]) -> bool:
        """Whether every element of every output (and gradient) is within the allowance."""
        triples = zip(found, eager, self._absolute[: len(found)], strict=True)
        return all(close(f, e, absolute, self._relative) for f, e, absolute in triples)


def close(found: torch.Tensor, eager: torch.Tensor, absolute: float, relative: float) -> bool:
    """Whether every element is within the allowance; integers must be equal."""
    if not eager.is_floating_point():
        return torch.equal(found, eager)
    if eager.element_size() < 4:
        found, eager = found.float(), eager.float()
    error = found.sub(eager).abs_()
    if bool((error <= absolute).all()):
        return True
    near = error <= eager.abs() * relative + absolute
    same = (found == eager) | (found.isnan() & eager.isnan())
    return bool(torch.where(eager.isfinite(), near, same).all())
