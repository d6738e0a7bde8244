"""Comparing outputs with what they must be, and saying where and how they are wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from kernelwright.harness import precision
from kernelwright.harness.oracle import Case
from kernelwright.harness.precision import Expected


@dataclass(frozen=True)
class Mismatch:
    """Where and how an output is wrong, in words for people and for the Judge."""

    code: str
    message: str


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
    if expected.tolerance is None:
        return Mismatch("wrong_value", text)
    text += f" within {expected.tolerance[where].item():.3g}"
    if case.name == "special values" or not expected.finite:
        return Mismatch("special_values", text)
    fits = _fitting_class(found, expected, wrong)
    if fits:
        return Mismatch(
            "precision", f"{text}; the errors are those of {fits}, not of the task's class"
        )
    return Mismatch("wrong_value", text)


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
        self._relative = 2 * precision.RELATIVE[own.precision]

    def right(self, found: Sequence[torch.Tensor], eager: Sequence[torch.Tensor]) -> bool:
        """Whether every element of every output (and gradient) is within the allowance."""
        triples = zip(found, eager, self._absolute[: len(found)], strict=True)
        return all(_close(f, e, absolute, self._relative) for f, e, absolute in triples)


def _close(found: torch.Tensor, eager: torch.Tensor, absolute: float, relative: float) -> bool:
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
