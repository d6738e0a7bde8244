"""The built-in model's two roles. Everything it needs to know is in the brief: it keeps no state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kernelwright.agents.builtin.advice import advise
from kernelwright.agents.builtin.compile import Compiled, compile_traced
from kernelwright.agents.builtin.fuse import TemplateCall, worthless
from kernelwright.agents.builtin.kernel import Kernel
from kernelwright.agents.builtin.plan import Plan
from kernelwright.agents.builtin.python_forward import shape_name
from kernelwright.agents.builtin.strategy import BASE, PRECISE, Strategy, name_of, order, space
from kernelwright.agents.builtin.trace import OTHER_MODEL, Traced, trace
from kernelwright.agents.roles import Advice, Attempt, Brief, NoIdea, Proposal
from kernelwright.agents.settings import LANGUAGES
from kernelwright.harness import turnstile
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.device import DeviceFacts
from kernelwright.tasks.task import Task

if TYPE_CHECKING:
    from kernelwright.agents.builtin.gpu.compile import GpuStrategy


class BuiltinCoder:
    """Writes one candidate a turn: the next strategy whose code has not been tried."""

    def propose(self, brief: Brief) -> Proposal:
        """One turn. Raises NoIdea where it knows nothing, or when every strategy has been tried."""
        with turnstile.working():
            return self._propose(brief)

    def _propose(self, brief: Brief) -> Proposal:
        if brief.language not in LANGUAGES:
            raise NoIdea(f"the built-in model does not write {brief.language}; {OTHER_MODEL}")
        if brief.task.meta.backward:
            raise NoIdea(f"the built-in model writes no backward passes; {OTHER_MODEL}")
        traced = _traced(brief.task)
        others, untraced = _other_shapes(brief.task)
        tried = {_body(a.candidate) for a in brief.history}
        directive = brief.advice.directive if brief.advice else {}
        for strategy, compiled in _all_compiled(brief, traced, others, directive):
            idle = worthless(compiled.plan.stages)
            if idle:
                raise NoIdea(
                    f"the built-in model leaves {idle} to the library, and nothing else of "
                    f"{brief.task.name} is left to fuse; {OTHER_MODEL}"
                )
            candidate = Candidate(compiled.text, brief.language)
            if _body(candidate) not in tried:
                left_out = (*untraced, *compiled.left_out)
                but = f"; refuses the declared shape {'; '.join(left_out)}" if left_out else ""
                return Proposal((candidate,), f"{strategy.name}: {strategy.says}{but}")
        raise NoIdea(f"the built-in model has tried all it knows on {brief.task.name}")


class BuiltinJudge:
    """Reads a verdict: what broke and the least fix, or what binds and the one change to make."""

    def advise(self, brief: Brief, attempt: Attempt) -> Advice:
        """Advice on one attempt."""
        return advise(brief, attempt)


def explain(task: Task) -> str:
    """What was recognised in a task: operators, kernels and what they fuse. Raises NoIdea."""
    compiled = compile_traced(_traced(task), BASE, {}, "")
    return describe(compiled.plan)


def describe(plan: Plan) -> str:
    """A plan in words, one line a stage."""
    lines = [f"operators: {', '.join(plan.built.operators)}"]
    for stage in plan.stages:
        if isinstance(stage, TemplateCall):
            lines.append(f"template: {stage.says} ({stage.work:,} operations)")
            continue
        if not isinstance(stage, Kernel):
            lines.append(f"library: {stage.name} ({stage.work:,} operations)")
            continue
        rows = "x".join(str(v.extent) for v in stage.prefix)
        parts = ", ".join(
            "x".join(str(v.extent) for v in part.loops) or "1" for part in stage.parts
        )
        nodes = stage.everything(stage.roots)
        reds = [n.attr[0].reduces for n in nodes if n.op == "red"]
        scans = [f"scan {n.attr[0].scans}" for n in nodes if n.op == "scan"]
        inside = f", reductions in the row: {', '.join([*reds, *scans])}" if reds or scans else ""
        lines.append(
            f"kernel {stage.name}: {'rows ' + rows + ', ' if rows else ''}loops {parts}, "
            f"{len(nodes)} operations{inside}"
        )
    return "\n".join(lines)


@lru_cache(maxsize=32)
def _traced_source(name: str, source: str, shape: tuple[tuple[str, int], ...]) -> Traced:
    return trace(Task(name, source), dict(shape))


def _traced(task: Task, shape: Mapping[str, int] | None = None) -> Traced:
    """Tracing depends on source and shape alone; it is kept because it takes a second."""
    return _traced_source(task.name, task.source, tuple((shape or {}).items()))


def _other_shapes(task: Task) -> tuple[list[Traced], list[str]]:
    """The declared shapes that can be traced, and for the rest the reasons."""
    found: list[Traced] = []
    reasons: list[str] = []
    for shape in task.meta.shapes:
        try:
            found.append(_traced(task, shape))
        except NoIdea as none:
            reasons.append(f"{shape_name(shape)}: {none}")
    return found, reasons


def _compiled(
    traced: Traced, others: Sequence[Traced], strategy: Strategy, device: DeviceFacts
) -> Compiled:
    note = f"Built-in model, strategy {strategy.name}: {strategy.says}."
    return compile_traced(traced, strategy.choices, space(strategy, device), note, others)


def _all_compiled(
    brief: Brief, traced: Traced, others: Sequence[Traced], directive: Mapping[str, Any]
) -> Iterator[tuple[Strategy | GpuStrategy, Compiled]]:
    """Each strategy with its candidate, most promising first. Raises NoIdea."""
    if brief.language == "cpp":
        for strategy in order(directive):
            yield strategy, _compiled(traced, others, strategy, brief.device)
        return
    from kernelwright.agents.builtin.gpu.compile import compile_gpu, gpu_order

    for gpu in gpu_order(directive):
        note = f"Built-in model, strategy {gpu.name}: {gpu.says}."
        yield gpu, compile_gpu(traced, gpu, brief.language, note, others)


def _body(candidate: Candidate) -> str:
    """What two strategies have in common when they write the same code: all but head and numbers."""
    name = name_of(candidate)
    if name is None:
        return candidate.source
    lines = candidate.source.splitlines()[1:]
    if name != PRECISE.name:  # which differs in its numbers alone
        lines = [line for line in lines if not line.startswith("P = tuned(")]
    return "\n".join(lines)
