"""From a task to a candidate: trace, build, plan, write."""

from __future__ import annotations

from dataclasses import dataclass

from kernelwright.agents.builtin.build import build
from kernelwright.agents.builtin.fuse import aliases, fused
from kernelwright.agents.builtin.plan import Choices, Plan, Planner
from kernelwright.agents.builtin.python_file import write_file
from kernelwright.agents.builtin.source import Source, write_source
from kernelwright.agents.builtin.trace import Traced


@dataclass(frozen=True, eq=False)
class Compiled:
    """A candidate's text with the plan behind it."""

    text: str
    plan: Plan
    source: Source


def compile_traced(
    traced: Traced, choices: Choices, space: dict[str, tuple[int, ...]], note: str
) -> Compiled:
    """A candidate by one set of choices. `space` is cut to the names that matter to its kernels."""
    plan = Planner(build(traced, choices.one_pass_variance), choices).run()
    if choices.attention or choices.products:
        plan.stages = fused(plan.stages, choices.attention, choices.products)
    plan.aliases = aliases(plan.stages)
    source = write_source(plan)
    used = {name: values for name, values in space.items() if name in source.traits}
    if source.kernels and "VEC" in space:
        used = {"VEC": space["VEC"], **used}
    if "WIDE" in source.traits and "VEC" in used:
        used["VEC"] = tuple(sorted(used["VEC"]))  # compilers split vectors of 16 int64 badly
    return Compiled(write_file(traced, plan, source, used, note), plan, source)
