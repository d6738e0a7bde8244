"""Neighbouring kernels made one where they share rows: two results of one pass over memory."""

from __future__ import annotations

from kernelwright.agents.builtin import index
from kernelwright.agents.builtin.kernel import Kernel, Part
from kernelwright.agents.builtin.lazy import LibraryCall


def combined(stages: list[Kernel | LibraryCall]) -> list[Kernel | LibraryCall]:
    """The stages with each kernel put into the one before it, where that is possible and pays."""
    result: list[Kernel | LibraryCall] = []
    for stage in stages:
        last = result[-1] if result else None
        if isinstance(stage, Kernel) and isinstance(last, Kernel):
            both = together(last, stage)
            if both is not None:
                result[-1] = both
                continue
        result.append(stage)
    return result


def together(first: Kernel, second: Kernel) -> Kernel | None:
    """Both kernels as one, or None: they need equal loops, and something to share."""
    written = {s.buffer for p in first.parts for s in p.stores}
    reads = {n.attr[0] for n in second.everything(second.roots) if n.op == "load"}
    if written & reads:
        return None
    if any(n.op == "scan" for k in (first, second) for n in k.everything(k.roots)):
        return None
    if [v.extent for v in first.prefix] != [v.extent for v in second.prefix]:
        return None
    pairs = dict(zip(second.prefix, first.prefix, strict=True))
    flat = not first.prefix
    if flat:
        if len(first.parts) != 1 or len(second.parts) != 1:
            return None
        ours, theirs = first.parts[0].loops, second.parts[0].loops
        if [v.extent for v in ours] != [v.extent for v in theirs]:
            return None
        pairs |= dict(zip(theirs, ours, strict=True))
    for reduction, inner in second.inner.items():
        mine = first.inner.get(reduction)
        if mine is None:
            continue
        if [v.extent for v in mine.loops] != [v.extent for v in inner.loops]:
            return None
        pairs |= dict(zip(inner.loops, mine.loops, strict=True))
    mapping = {old: index.var(new) for old, new in pairs.items() if old is not new}
    moved = second.substituted(mapping, lambda loops: [pairs.get(v, v) for v in loops])
    if any(first.inner[r].place != i.place for r, i in moved.inner.items() if r in first.inner):
        return None
    shared = set(first.everything(first.roots)) & set(moved.everything(moved.roots))
    if not any(n.op in ("red", "load") and n.vars for n in shared):
        return None
    if flat:
        parts = [Part(first.parts[0].loops, [*first.parts[0].stores, *moved.parts[0].stores])]
    else:
        parts = [*first.parts, *moved.parts]
    both = Kernel(first.name, first.prefix, parts, {**moved.inner, **first.inner}, first.lanes)
    both.adopt(first, moved)
    return both
