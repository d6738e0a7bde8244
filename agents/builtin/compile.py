"""From a task to a candidate: trace, build, plan, write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kernelwright.agents.builtin.build import build
from kernelwright.agents.builtin.fuse import aliases, fused
from kernelwright.agents.builtin.plan import Choices, Plan, Planner
from kernelwright.agents.builtin.python_file import unfit, write_file
from kernelwright.agents.builtin.python_forward import Form, shape_name
from kernelwright.agents.builtin.source import KEPT, Source, write_source
from kernelwright.agents.builtin.trace import OTHER_MODEL, Traced
from kernelwright.agents.roles import NoIdea

LONGEST = 64_000
"""Characters of C++ for one shape. A scan written out in ten times as many kept the compiler busy for more
than five minutes, with 8 GB of memory."""


@dataclass(frozen=True, eq=False)
class Compiled:
    """A candidate's text with the plan behind it, both of the task's own shape."""

    text: str
    plan: Plan
    source: Source
    left_out: tuple[str, ...] = ()
    """Declared shapes that the candidate refuses, each with the reason."""


def compile_traced(
    traced: Traced,
    choices: Choices,
    space: dict[str, tuple[int, ...]],
    note: str,
    others: Sequence[Traced] = (),
) -> Compiled:
    """A candidate by one set of choices, for the task's own shape and the others that it declares.

    `space` is cut to the names that matter to the kernels of the own shape; what the others need beside
    them has one value, so that no tuner spends time on what is not timed. Raises NoIdea where that one
    cannot be planned; another shape that cannot be is left out.
    """
    own = _form(traced, choices)
    forms, left_out = [own], []
    for other in others:
        reason = unfit(other, [form.traced for form in forms])
        try:
            if reason is None:
                forms.append(_form(other, choices))
        except NoIdea as none:
            reason = str(none)
        if reason is not None:
            left_out.append(f"{shape_name(other.shape)}: {reason}")
    traits = own.source.traits
    elsewhere = {name for form in forms for name in form.source.traits if name in KEPT}
    used = {
        name: values if name in traits else values[:1]
        for name, values in space.items()
        if name in traits | elsewhere
    }
    if own.source.kernels and "VEC" in space:
        used = {"VEC": space["VEC"], **used}
    if "WIDE" in traits and "VEC" in used:
        used["VEC"] = tuple(sorted(used["VEC"]))  # compilers split vectors of 16 int64 badly
    return Compiled(write_file(forms, used, note), own.plan, own.source, tuple(left_out))


def _form(traced: Traced, choices: Choices) -> Form:
    """One shape: build, plan, write."""
    plan = Planner(build(traced, choices.one_pass_variance), choices).run()
    if choices.attention or choices.products:
        plan.stages = fused(plan.stages, choices.attention, choices.products)
    plan.aliases = aliases(plan.stages)
    source = write_source(plan)
    if len(source.text) > LONGEST:
        raise NoIdea(
            f"the built-in model has no loop over steps that depend on each other: written out one by"
            f" one they are {len(source.text):,} characters of C++; {OTHER_MODEL}"
        )
    return Form(traced, plan, source)
