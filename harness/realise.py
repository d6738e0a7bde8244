"""Makes the inputs that a probe describes, within what the task's own inputs allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from kernelwright.harness.counterexample import Edit, InputPlan, Layout, Probe
from kernelwright.harness.worker import Value

_INTEGER_KINDS = ("own", "reversed", "same", "extremes", "ties")


class Unfit(Exception):
    """The task has no such inputs, so nothing can be asked; the message says why."""


@dataclass(frozen=True)
class InputFacts:
    """What a Tester may know of an input: never its values."""

    shape: tuple[int, ...] | None
    """None: a plain number, which no probe changes."""
    dtype: str = ""
    free: bool = False
    """Whether its elements may change places."""
    negative: bool = True

    @property
    def words(self) -> str:
        """In one line."""
        if self.shape is None:
            return "a number, stays as it is"
        said = f"{self.dtype}, shape {list(self.shape)}"
        if "float" in self.dtype:
            return said if self.negative else f"{said}, never negative"
        return said if self.free else f"{said}, stays as it is"


def realise(probe: Probe, own: Sequence[Value], free: Sequence[bool]) -> tuple[Value, ...]:
    """The inputs: `own`, drawn by the task with the probe's seed, bent as the plans say.

    `free`: whose elements may change places (`retouch.may_be_rearranged`); no other integers change, and
    integers take only values that were drawn. Raises Unfit.
    """
    values = list(own)
    generator = torch.Generator().manual_seed(probe.seed)
    for plan in probe.inputs:
        if plan.input >= len(values):
            raise Unfit(f"there is no input {plan.input}")
        value = values[plan.input]
        if not isinstance(value, torch.Tensor) or not value.numel():
            raise Unfit(f"input {plan.input} is no tensor with elements")
        if value.is_complex():
            raise Unfit(f"input {plan.input} is complex")
        if value.is_floating_point():
            bent = _floating(plan, value, generator)
        else:
            bent = _integers(plan, value, free[plan.input], generator)
        values[plan.input] = _laid_out(bent, plan.layout, plan.input)
    return tuple(values)


def _floating(plan: InputPlan, own: torch.Tensor, g: torch.Generator) -> torch.Tensor:
    if plan.kind in ("same", "extremes"):
        raise Unfit(f"input {plan.input} holds no integers, which {plan.kind!r} is for")
    out = _filled(plan, own.contiguous().float(), g).to(own.dtype)
    for edit in plan.edits:
        _set(out, edit, plan.input)
    if bool((own >= 0).all()):
        out = out.abs()  # the task's domain: probabilities, variances, distances
    return out


def _filled(plan: InputPlan, own: torch.Tensor, g: torch.Generator) -> torch.Tensor:
    scale, shift, shape = plan.scale, plan.shift, own.shape
    width = shape[-1] if shape else 1
    match plan.kind:
        case "own":
            return own * scale + shift
        case "normal":
            return torch.randn(shape, generator=g) * scale + shift
        case "constant":
            return torch.full(shape, shift)
        case "ramp":
            return torch.linspace(-scale, scale, width).expand(shape).contiguous() + shift
        case "alternating":
            small = torch.arange(own.numel()).view(shape) % 2
            return _signs(shape, g) * scale * torch.where(small == 1, 1e-3, 1.0) + shift
        case "ties":
            values = torch.randn(plan.count, generator=g) * scale + shift
            return values[torch.randint(plan.count, tuple(shape), generator=g)]
        case "sorted":
            row = own if own.dim() else own.view(1)
            return (row.sort(dim=-1).values * scale + shift).view(shape)
        case "saturating":
            return _signs(shape, g) * scale + shift
        case "cancelling":
            flat = torch.randn((own.numel() + 1) // 2, generator=g) * scale
            pairs = torch.stack([flat, -flat], dim=1).flatten()[: own.numel()]
            return pairs.view(shape) + shift
        case _:
            return own.flip(-1) if own.dim() else own


def _signs(shape: torch.Size, g: torch.Generator) -> torch.Tensor:
    return torch.randint(2, tuple(shape), generator=g).float() * 2 - 1


def _set(out: torch.Tensor, edit: Edit, number: int) -> None:
    """Change one element, or one of each row. `out` is contiguous."""
    rows = out.view(-1, out.shape[-1]) if edit.every_row and out.dim() else out.view(1, -1)
    if not -rows.shape[1] <= edit.index < rows.shape[1]:
        raise Unfit(f"input {number} has no element {edit.index}")
    rows[:, edit.index] = _number(edit.value, out.dtype)


def _number(value: float | str, dtype: torch.dtype) -> float:
    facts = torch.finfo(dtype)
    if isinstance(value, float):
        return max(min(value, facts.max), facts.min)
    named = {"denormal": facts.tiny / 4, "max": facts.max, "-max": facts.min}
    return named[value] if value in named else float(value)


def _integers(plan: InputPlan, own: torch.Tensor, free: bool, g: torch.Generator) -> torch.Tensor:
    if plan.kind not in _INTEGER_KINDS or plan.edits:
        raise Unfit(f"input {plan.input} holds integers: give one of {', '.join(_INTEGER_KINDS)}")
    if plan.kind == "own":
        return own.contiguous()
    if not free:
        raise Unfit(f"the integers of input {plan.input} are part of the task's structure")
    flat = own.flatten()
    picked = flat[torch.randint(flat.numel(), (plan.count,), generator=g)]
    match plan.kind:
        case "reversed":
            return flat.flip(0).view(own.shape)
        case "same":
            return picked[0].expand(own.shape).contiguous()
        case "extremes":
            odd = torch.arange(flat.numel()) % 2 == 1
            return torch.where(odd, flat.max(), flat.min()).view(own.shape)
        case _:
            return picked[torch.randint(plan.count, tuple(own.shape), generator=g)]


def _laid_out(x: torch.Tensor, layout: Layout, number: int) -> torch.Tensor:
    """The same values behind other strides; `expanded` repeats the first slice."""
    if layout == "contiguous":
        return x
    if x.dim() < (1 if layout == "every second" else 2):
        raise Unfit(f"input {number} has too few dimensions to be {layout}")
    if layout == "transposed":
        return x.transpose(-1, -2).contiguous().transpose(-1, -2)
    if layout == "expanded":
        return x[:1].expand(x.shape)
    wider = x.new_zeros(*x.shape[:-1], 2 * x.shape[-1])
    return wider[..., ::2].copy_(x)
