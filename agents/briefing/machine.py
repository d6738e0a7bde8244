"""The machine, and what there is to gain on it."""

from __future__ import annotations

from kernelwright.agents.archive import fitness, speedup
from kernelwright.agents.briefing.text import amount, milliseconds, section, size
from kernelwright.agents.roles import Attempt, Brief, Target
from kernelwright.harness import inline_cpp
from kernelwright.harness.device import DeviceFacts
from kernelwright.harness.precision import RELATIVE, relative
from kernelwright.tasks.task import Task

_CLASSES = {"float64": "fp64", "float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}
_LINKING = ("-fPIC", "-shared", "-fno-semantic-interposition")


def device(facts: DeviceFacts, language: str | None = None) -> str:
    """The machine, one fact a line; what was not measured is left out.

    With a `language`, how candidates in it are built here.
    """
    lines = [f"- {facts.kind}: {facts.name}, {facts.threads} threads for each side"]
    if facts.isa:
        lines.append(f"- vector extensions: {', '.join(facts.isa)}")
    caches = (("L1d", facts.l1_bytes), ("L2", facts.l2_bytes), ("L3", facts.l3_bytes))
    known = [f"{name} {size(count)}" for name, count in caches if count]
    if known:
        lines.append(f"- caches (L1d and L2 of one core): {', '.join(known)}")
    if facts.bandwidth_gbs:
        rates = ", ".join(f"{size(s)}: {r:.0f}" for s, r in sorted(facts.bandwidth_gbs.items()))
        lines.append(f"- measured copy bandwidth by working set, all threads, in GB/s: {rates}")
    if facts.peak_gflops:
        each = facts.peak_gflops / facts.threads
        lines.append(
            f"- measured fp32 multiply-add, all threads: {facts.peak_gflops:.0f} GFLOP/s"
            f" ({each:.0f} a thread)"
        )
    if language == "cpp":
        lines += _compiler()
    return "\n".join(lines)


def _compiler() -> list[str]:
    flags = " ".join(flag for flag in inline_cpp.FLAGS if flag not in _LINKING)
    try:
        version = inline_cpp.compiler_version(inline_cpp.compiler())
    except inline_cpp.BuildError:
        version = "the system's compiler"
    return [f"- compiler: {version}, with {flags}"]


def target_section(brief: Brief, attempt: Attempt | None = None, words: str = "this kernel") -> str:
    """What there is to gain, the error budget as a number, and what may still be spent.

    `attempt` is the kernel of this turn, called `words`: how far it has come.
    """
    target = brief.target
    shown = attempt or brief.best
    beside = shown.verdict.time_ms.get("eager") if shown is not None else None
    eager = target.eager_ms if beside is None else beside
    about = "" if beside is not None else "about "
    return section(
        "Target",
        f"- eager PyTorch takes {about}{milliseconds(eager)} a call" if eager is not None else "",
        _floor(target, eager),
        *(_reached(a, name, target) for a, name in _who(brief, attempt, words)),
        f"- error budget: {target.budget or error_budget(brief.task, shown)}",
        _left(brief.evaluations_left),
    )


def error_budget(task: Task, attempt: Attempt | None = None) -> str:
    """The part of the budget that only the precision class decides, as a number."""
    declared = (attempt.verdict.precision if attempt else None) or task.meta.tolerance
    named = (_CLASSES.get(dtype.removeprefix("torch."), dtype) for dtype in task.meta.dtypes)
    name = declared or next((n for n in named if n in RELATIVE), "fp32")
    constant = relative(name)
    if constant is None:
        name, constant = "fp32", RELATIVE["fp32"]
    return (
        f"class {name}: |error| at most {constant:.0e} x (|value| + root mean square of its row), and"
        " what rounding noise of honest implementations adds; every element counts"
    )


def _floor(target: Target, eager: float | None) -> str:
    if target.floor_ms is None:
        return ""
    needs = [
        f"{amount(count)}{unit}"
        for count, unit in ((target.bytes_moved, "B to move"), (target.operations, " operations"))
        if count is not None
    ]
    if target.bytes_moved and target.operations is not None:
        needs.append(f"{target.operations / target.bytes_moved:.2g} operations a byte")
    gain = f", {eager / target.floor_ms:.1f}x faster than eager" if eager else ""
    bound = f", set by {target.bound}" if target.bound else ""
    why = f" ({', '.join(needs)})" if needs else ""
    return f"- the floor of this machine is {milliseconds(target.floor_ms)}{bound}{why}{gain}"


def _who(brief: Brief, attempt: Attempt | None, words: str) -> list[tuple[Attempt, str]]:
    """The kernel of the turn, and the best where that is another one."""
    shown = [(attempt, words)] if attempt and attempt.verdict.accepted else []
    best = brief.best
    if best is not None and (attempt is None or best.candidate.id != attempt.candidate.id):
        shown.append((best, f"the best so far, `{best.candidate.id}`,"))
    return shown


def _reached(attempt: Attempt, words: str, target: Target) -> str:
    """How fast a kernel is, its share of the floor, and at which rate it does what must be done."""
    gained, low = speedup(attempt), fitness(attempt)
    if gained is None or low is None:
        return ""
    took = attempt.verdict.time_ms.get("candidate")
    roof = attempt.verdict.roofline
    time = f"{milliseconds(took)}, " if took is not None else ""
    share = ""
    if roof is not None:
        left = f": {1 / roof.fraction:.1f}x are left" if roof.fraction > 0 else ""
        share = f", {roof.fraction:.0%} of the {roof.bound} floor{left}"
    return f"- {words} takes {time}{gained:.2f}x eager (low end {low:.2f}x){share}{_rates(took, target)}"


def _rates(took: float | None, target: Target) -> str:
    """What the time comes to in bytes and operations a second, of those that must be."""
    if not took:
        return ""
    rates = [
        f"{count / took * 1e-6:.3g} {unit}"
        for count, unit in ((target.bytes_moved, "GB/s"), (target.operations, "G operations/s"))
        if count
    ]
    return f"; {' and '.join(rates)} of what must be done" if rates else ""


def _left(evaluations: int | None) -> str:
    if evaluations is None:
        return ""
    return (
        f"- evaluations left: {evaluations}. A kernel costs one, and each value that the tuner tries costs"
        " one more"
    )
