"""The built-in Tester: draws probes from a grammar, more often there where the source gives cause.

It reads the candidate's text for widths, block sizes, starts of maxima, comparisons, exponentials and what
it says of strides. It needs no key, keeps no state, and equal seeds draw equal probes.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass

from kernelwright.agents.tester import Attack, Challenge
from kernelwright.harness.counterexample import Edit, InputPlan, Kind, Layout, Probe, Special
from kernelwright.harness.realise import InputFacts

MOST = 24
"""Probes of one attack; the harness runs as many as its time allows."""
_WIDTHS = (4, 8, 16, 32, 64)
_NUMBER = re.compile(r"(?<![\w.])(\d{1,5})(?![\w.])")

Draw = random.Random
Maker = Callable[["_Site", InputFacts, int], InputPlan]


@dataclass(frozen=True)
class _Site:
    """Where to aim: a source of chance, and the indices that the source makes suspicious."""

    draw: Draw
    widths: tuple[int, ...]

    def edge(self, length: int) -> int:
        """An index along `length`: an end, or beside a multiple of a width."""
        width = self.draw.choice(self.widths)
        tail = length - length % width
        near = (0, -1, width - 1, width, tail, tail - 1, length // 2, self.draw.randrange(length))
        return self.draw.choice([i for i in near if -length <= i < length])


def _peak(site: _Site, facts: InputFacts, number: int) -> InputPlan:
    height = site.draw.choice((100.0, 200.0, -100.0))
    return InputPlan(number, edits=(Edit(site.edge(_row(facts)), height, every_row=True),))


def _equal_peaks(site: _Site, facts: InputFacts, number: int) -> InputPlan:
    places = {site.edge(_row(facts)) for _ in range(site.draw.choice((2, 3, 4)))}
    return InputPlan(number, edits=tuple(Edit(i, 50.0, every_row=True) for i in sorted(places)))


def _ties(site: _Site, facts: InputFacts, number: int) -> InputPlan:
    return InputPlan(number, "ties", count=site.draw.choice((1, 2, 3, 7)))


def _far_below(site: _Site, facts: InputFacts, number: int) -> InputPlan:
    level = site.draw.choice((-1000.0, -200.0, 200.0, 1000.0))
    return InputPlan(number, "constant", shift=level, edits=(Edit(0, level * 1.5, True),))


def _saturating(site: _Site, facts: InputFacts, number: int) -> InputPlan:
    return InputPlan(number, "saturating", scale=site.draw.choice((20.0, 60.0, 90.0, 110.0, 500.0)))


def _special(site: _Site, facts: InputFacts, number: int) -> InputPlan:
    values: tuple[Special, ...] = ("nan", "inf", "-inf")
    value = site.draw.choice(values)
    return InputPlan(number, edits=(Edit(site.edge(_row(facts)), value, site.draw.random() < 0.3),))


def _shaped(site: _Site, facts: InputFacts, number: int) -> InputPlan:
    kinds: tuple[Kind, ...] = ("ramp", "sorted", "alternating", "cancelling", "reversed")
    kind = site.draw.choice(kinds)
    scale = (
        site.draw.choice((1.0, -1.0)) if kind == "sorted" else site.draw.choice((1e-3, 1.0, 30.0))
    )
    return InputPlan(number, kind, scale=scale)


def _small(site: _Site, facts: InputFacts, number: int) -> InputPlan:
    return InputPlan(number, "normal", scale=site.draw.choice((1e-6, 1e-5, 1e-3)))


def _laid_out(site: _Site, facts: InputFacts, number: int) -> InputPlan:
    layouts: list[Layout] = ["every second"]
    if facts.shape and len(facts.shape) > 1:
        layouts += ["transposed", "expanded"]
    return InputPlan(number, layout=site.draw.choice(layouts))


_MAKERS: tuple[tuple[Maker, int, str], ...] = (
    (_peak, 2, r"\bmax\b|fmax|_max_|amax|INFINITY|FLT_MAX"),
    (_equal_peaks, 1, r"argmax|index|>=|<=|topk|sort"),
    (_ties, 1, r"argmax|>=|<=|unique|sort|pool"),
    (_far_below, 1, r"\bmax\b|fmax|FLT_MAX|FLT_MIN|-1e\d|INFINITY"),
    (_saturating, 1, r"\bexp|tanh|sigmoid|erf|log|softmax"),
    (_special, 2, r"isnan|isinf|fast-math|Ofast|fmax|fmin|clamp|<|>"),
    (_shaped, 1, r"\+=|sum|mean|var|scan|reduc"),
    (_small, 1, r"rsqrt|sqrt|/|eps|log"),
    (_laid_out, 2, r"stride|is_contiguous|as_strided|data_ptr|view"),
)
"""Makers of plans for floating inputs: how often by themselves, and what makes them three times so."""


class BuiltinTester:
    """Draws probes. Where one input is alone it gets all of them; else each probe bends one or two."""

    def attack(self, challenge: Challenge) -> Attack:
        """At most `MOST` different probes, the same for equal challenges."""
        draw = random.Random(f"{challenge.seed}:tester:{challenge.candidate.id}")
        source = challenge.candidate.source
        site = _Site(draw, _widths(source))
        weights = [base * (3 if re.search(clue, source) else 1) for _, base, clue in _MAKERS]
        makers = [maker for maker, _, _ in _MAKERS]
        targets = [(i, f) for i, f in enumerate(challenge.inputs) if _may_change(f)]
        found: dict[str, Probe] = {}
        for _ in range(4 * MOST if targets else 0):
            chosen = draw.sample(targets, min(len(targets), draw.choice((1, 1, 1, 2))))
            plans = []
            for number, facts in sorted(chosen):
                maker = draw.choices(makers, weights)[0]
                plans.append(
                    maker(site, facts, number) if _floating(facts) else _integers(draw, number)
                )
            probe = Probe(
                draw.choice(challenge.shapes) if draw.random() < 0.2 else challenge.shapes[0],
                tuple(plans),
                draw.choice((0, 0, 0, 0, 1, 2, 3, 5)),
                draw.randrange(1 << 31),
                why="drawn by the built-in Tester",
            )
            found.setdefault(probe.words.partition(": ")[2], probe)
            if len(found) == MOST:
                break
        return Attack(tuple(found.values()))


def _integers(draw: Draw, number: int) -> InputPlan:
    kinds: tuple[Kind, ...] = ("reversed", "same", "extremes", "ties")
    return InputPlan(number, draw.choice(kinds), count=draw.choice((1, 2, 3)))


def _widths(source: str) -> tuple[int, ...]:
    """Numbers of the source that may be widths, blocks or counts, and the usual ones."""
    written = {int(n) for n in _NUMBER.findall(source)}
    return tuple(sorted({n for n in written if 2 <= n <= 4096} | set(_WIDTHS)))


def _may_change(facts: InputFacts) -> bool:
    return bool(facts.shape is not None and all(facts.shape) and (_floating(facts) or facts.free))


def _floating(facts: InputFacts) -> bool:
    return "float" in facts.dtype


def _row(facts: InputFacts) -> int:
    return facts.shape[-1] if facts.shape else 1
