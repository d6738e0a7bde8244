"""Which of a definition's workloads a task takes up: the sizes that are timed, further ones, the largest.

The judge evaluates references in float64, again and again: what it does in a second with 4 million
elements takes it minutes with 100 million. So the largest workload that is small enough is timed, three
others are checked, and the largest is what `SUITE-full` runs. A definition whose smallest workload is too
large is cut down, where nothing in its reference says that it must not be.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from kernelwright.tasks.loaders.definitions_schema import Definition, Malformed, Workload

SMALL = 1 << 22
"""Elements of inputs and outputs that are judged in seconds."""
LARGEST = 1 << 25
"""Elements above which a task is cut down."""
_SHAPES = 3
_LEAST = 16
"""No axis is cut below this."""
Axes = Mapping[str, int]


@dataclass(frozen=True)
class Sizes:
    """`own` are all axes as the task's file has them; the others are overrides of them."""

    own: Axes
    shapes: tuple[Axes, ...]
    full: Axes | None
    """The largest workload, where it is not the own one."""
    cut: Axes
    """Constant axes that had to be cut down, with the values that they have in the source."""
    workload: Workload
    """The one that `own` is of, or is cut from."""


def choose(definition: Definition, workloads: Sequence[Workload]) -> Sizes:
    """The sizes of the task. `workloads` can all be carried. Raises Malformed."""
    if not workloads:
        raise Malformed("it has no workload")
    sized = sorted(
        ((definition.sizes(w.axes), w) for w in workloads),
        key=lambda one: definition.elements(one[0]),
    )
    small = [one for one in sized if definition.elements(one[0]) <= SMALL]
    own: Axes
    cut: Axes = {}
    own, workload = small[-1] if small else sized[0]
    if definition.elements(own) > LARGEST:
        own, cut = _cut_down(definition, workload)
    varying = {k: own[k] for k in definition.variables}
    fits = small or [one for one in sized if definition.elements(one[0]) <= LARGEST]
    others = [] if cut else [{k: s[k] for k in definition.variables} for s, _ in fits]
    shapes = _spread(_distinct(o for o in others if o != varying))
    largest = sized[-1][0]
    full = {k: largest[k] for k in (*definition.variables, *cut)}
    if cut or not shapes:
        shapes = (*shapes, *_smaller(definition, own))
    return Sizes(own, shapes, None if full == varying else full, cut, workload)


def _cut_down(definition: Definition, workload: Workload) -> tuple[Axes, Axes]:
    """Axes halved, the largest first, until the task is small. Raises Malformed where they may not be."""
    given = dict(workload.axes)
    sizes = definition.sizes(given)
    if "custom" in workload.kinds.values():
        raise Malformed(_too_large(definition, sizes) + ": its inputs are made by code of its own")
    fixed = _numbers(definition.reference) | _words(definition.constraints)
    able = [k for k in definition.variables if k not in fixed]
    able += [k for k, v in definition.constants.items() if k not in fixed and v not in fixed]
    constants = dict(definition.constants)
    small = definition
    while small.elements(sizes) > SMALL:
        left = [k for k in able if sizes[k] % 2 == 0 and sizes[k] >= 2 * _LEAST]
        if not left:
            raise Malformed(_too_large(definition, sizes) + ", and no axis may be cut down further")
        name = max(left, key=lambda k: sizes[k])
        (given if name in given else constants)[name] = sizes[name] // 2
        small = _with_constants(definition, constants)
        sizes = small.sizes(given)
    return sizes, {k: v for k, v in definition.constants.items() if constants[k] != v}


def _with_constants(definition: Definition, constants: Axes) -> Definition:
    return replace(definition, constants=constants)


def _too_large(definition: Definition, sizes: Axes) -> str:
    return (
        f"too large: {definition.elements(sizes):,} elements in its smallest workload"
        f" ({LARGEST:,} at most)"
    )


def _smaller(definition: Definition, own: Axes) -> tuple[Axes, ...]:
    """A further size, where the source has none that fits: the largest free axis, one less or halved."""
    fixed = _words(definition.constraints)
    free = [k for k in definition.variables if k not in fixed and own[k] >= 2]
    if not free or definition.expressions:
        return ()
    name = max(free, key=lambda k: own[k])
    return ({k: own[k] // 2 if k == name else own[k] for k in definition.variables},)


def _distinct(found: Iterable[Axes]) -> list[Axes]:
    kept: list[Axes] = []
    for one in found:
        if one not in kept:
            kept.append(one)
    return kept


def _spread(found: Sequence[Axes]) -> tuple[Axes, ...]:
    """At most three of them: the first, the last, and the one in the middle."""
    if len(found) <= _SHAPES:
        return tuple(found)
    return (found[0], found[len(found) // 2], found[-1])


def _numbers(reference: str) -> set[str | int]:
    """Whole numbers that stand in the text of a reference."""
    return {
        node.value
        for node in ast.walk(ast.parse(reference))
        if isinstance(node, ast.Constant) and type(node.value) is int and node.value >= _LEAST
    }


def _words(constraints: Sequence[str]) -> set[str | int]:
    return {word for text in constraints for word in re.findall(r"[^\W\d]\w*", text)}
