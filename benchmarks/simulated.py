"""Simulated roles of known quality, and an evaluator that answers from the recorded pool.

What is assumed (everything else is the real loop and real measurements):

- A kernel is a set of structural edits, values of its numbers, and perhaps a slip: a bug of the text
  that the edit itself does not force. Its speed, its failures and the width of its interval are those
  recorded. A measurement is the recorded median times noise of the recorded width, drawn by run, kernel.
- The text shows each edit by some lines of its own, so that the archive's traits and distances see it.
- A Coder writes one candidate a turn. With probability `skill` it makes a helpful edit of the strategy
  advised, or of the bottleneck advised if that strategy has none; where neither has one, an edit of the
  strategy anyway. Else it makes any move: with probability `idle` it rewrites the kernel to no effect
  (other code, the recorded speed), else it toggles an edit or draws one number anew, all equally likely.
  What it writes has a slip with probability `slip`. New numbers are drawn at random; those that the
  parent has are kept. It declares every number for the tuner.
- Equal states have equal compiled code, which the loop finds before it measures twice.
- It does not try again from a parent what it sees tried from it.
- Without advice it reads the bottleneck by itself, right with probability `insight`, and follows the
  first strategy offered, if one is.
- The Judge reads the bottleneck from the counters, right with probability `accuracy`, and names the first
  strategy offered that is for it and not done yet, or none.
- A slip is mended with probability `mends_told` with a correction, `mends_alone` without. What a recorded
  edit breaks is mended by taking an edit out: the right one with the same probability.
- A first kernel holds each edit with probability FIRST. A crossing holds what both parents have, and
  each edit that one of them has with probability CROSSED.
- In self-refinement the Coder sees the conversation, so from a kernel that is clearly slower than the
  best it goes back to the best with probability RETURNS; a parent of the archive is left as it is drawn.
- Full history and full counters change what a call costs, nothing else: no effect on answers is assumed.
"""

from __future__ import annotations

import ast
import math
import random
import re
from dataclasses import dataclass, field, replace
from typing import Literal

from landscape import HELPFUL, Edits, Failure, Landscape, Numbers

from kernelwright.agents.archive import speedup
from kernelwright.agents.roles import Advice, Attempt, Brief, Proposal, Spend, Target
from kernelwright.agents.strategies import BOTTLENECKS
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.device import DeviceFacts
from kernelwright.harness.verdict import Finding, Roofline, Speedup, Verdict

FIRST = 0.2
CROSSED = 0.8
RETURNS = 0.5
LINES = 6
"""Lines of text that an edit shows by."""
STYLES = {
    "vectorise": "#pragma omp simd",
    "register_block": "enum { TILE = 8 };",
    "cache_block": "enum { TILE = 512 };",
}
CODED = Spend(0.05, 7000, 2500)
JUDGED = Spend(0.02, 5000, 400)


@dataclass(frozen=True)
class Quality:
    """How good the models are; every field but the name a probability."""

    name: str
    slip: float
    skill: float
    insight: float
    accuracy: float
    mends_alone: float
    mends_told: float
    idle: float


QUALITIES = (
    Quality("weak", 0.50, 0.40, 0.35, 0.60, 0.45, 0.60, 0.5),
    Quality("middle", 0.35, 0.55, 0.40, 0.75, 0.60, 0.75, 0.5),
    Quality("strong", 0.20, 0.70, 0.50, 0.85, 0.75, 0.90, 0.5),
    Quality("useless Judge", 0.35, 0.55, 0.40, 0.40, 0.60, 0.60, 0.5),
    Quality("no idle moves", 0.35, 0.55, 0.40, 0.75, 0.60, 0.75, 0.0),
)
"""Five ways that models may be. The last two ask what is left without a Judge that is worth it, and in a
space so small that every idea in it counts."""


@dataclass(frozen=True)
class State:
    """What a simulated kernel is."""

    edits: Edits = frozenset()
    numbers: Numbers = field(default_factory=dict)
    slip: str = ""
    """`build` or `correctness`, where the text has a bug."""
    style: int = 0
    """Tells rewrites to no effect apart."""


def write(landscape: Landscape, state: State, copy: int = 0) -> Candidate:
    """The state as a candidate; its space has the values in force first."""
    space = landscape.space(state.edits)
    listed = {
        n: [state.numbers[n], *(v for v in vs if v != state.numbers[n])] for n, vs in space.items()
    }
    tuned = ", ".join(f"{name}={values}" for name, values in listed.items())
    about = {"edits": sorted(state.edits), "slip": state.slip, "style": state.style, "copy": copy}
    return Candidate(
        f"P = tuned({tuned})\nSTATE = {about!r}\nSOURCE = r'''\n{_text(landscape, state.edits)}\n'''\n"
        "lib = cpp(SOURCE, defines=P)\nclass ModelNew: ...\n"
    )


def read(candidate: Candidate) -> State:
    """The inverse of `write`, for tuned candidates too."""
    found = re.search(r"^STATE = (.*)$", candidate.source, re.M)
    assert found, "not a simulated kernel"
    about = ast.literal_eval(found.group(1))
    numbers = {name: int(values[0]) for name, values in candidate.space.items()}
    return State(frozenset(about["edits"]), numbers, about["slip"], about["style"])


def _text(landscape: Landscape, edits: Edits) -> str:
    """Lines that an edit shows by; a kernel that is not fused has a second function."""
    strategies = {landscape.edits[e] for e in edits}
    parts = ["run", *sorted(edits)]
    if "fuse" in landscape.edits.values() and "fuse" not in strategies:
        parts.append("after")
    body = [f"  {part}_{i}[{part}] = {part}({i});" for part in parts for i in range(LINES)]
    marks = [STYLES[s] for s in sorted(strategies) if s in STYLES]
    return "\n".join([*marks, 'extern "C" void run() {', *body, "}"])


class SimulatedCoder:
    """Writes one candidate a turn. Keeps no state: the same brief, the same answer."""

    def __init__(self, landscape: Landscape, quality: Quality, conversation: bool = False) -> None:
        self.landscape = landscape
        self.quality = quality
        self.conversation = conversation

    def propose(self, brief: Brief) -> Proposal:
        """One turn."""
        parent = brief.parent.candidate.id if brief.parent else ""
        rng = random.Random(f"{brief.seed}:{brief.round}:{parent}:code")
        state, note = self._next(brief, rng)
        return Proposal((write(self.landscape, state, copy=brief.round),), note, CODED)

    def _next(self, brief: Brief, rng: random.Random) -> tuple[State, str]:
        if brief.parent is None:
            edits = frozenset(e for e in self.landscape.edits if rng.random() < FIRST)
            return self._written(edits, {}, rng), "first kernel"
        start = read(brief.parent.candidate)
        if not brief.parent.verdict.accepted:
            return self._mended(brief, start, rng), "repair"
        if brief.other is not None:
            return self._crossed(start, read(brief.other.candidate), rng), "cross"
        if self.conversation and _behind(brief) and rng.random() < RETURNS:
            assert brief.best is not None
            start = read(brief.best.candidate)
        return self._edited(brief, start, rng)

    def _mended(self, brief: Brief, start: State, rng: random.Random) -> State:
        told = brief.advice is not None and brief.advice.kind == "correct" and brief.advice.change
        right = rng.random() < (self.quality.mends_told if told else self.quality.mends_alone)
        if start.slip:
            return replace(start, slip="" if right else start.slip)
        if not start.edits:
            return self._written(start.edits, {}, rng)
        culprits = self.landscape.culprits(start.edits) if right else sorted(start.edits)
        return self._written(start.edits - {rng.choice(culprits)}, start.numbers, rng)

    def _crossed(self, a: State, b: State, rng: random.Random) -> State:
        both, one = a.edits & b.edits, sorted(a.edits ^ b.edits)
        edits = both | {e for e in one if rng.random() < CROSSED}
        return self._written(edits, {**b.numbers, **a.numbers}, rng)

    def _edited(self, brief: Brief, start: State, rng: random.Random) -> tuple[State, str]:
        tried = {read(a.candidate).edits for a in brief.history if _comes_of(a, brief.parent)}
        if rng.random() < self.quality.skill:
            edit = self._asked(brief, start.edits, tried, rng)
            if edit is not None:
                return self._written(start.edits ^ {edit}, start.numbers, rng), f"{edit}, as asked"
        if rng.random() < self.quality.idle:
            same = self._written(start.edits, start.numbers, rng)
            return replace(same, style=brief.round), "rewritten"
        space = self.landscape.space(start.edits)
        moves = [e for e in self.landscape.edits if start.edits ^ {e} not in tried]
        move = rng.choice([*moves, *space] or list(self.landscape.edits))
        if move in space:
            numbers = {**start.numbers, move: rng.choice(space[move])}
            return self._written(start.edits, numbers, rng), f"{move}={numbers[move]}"
        return self._written(start.edits ^ {move}, start.numbers, rng), move

    def _asked(
        self, brief: Brief, edits: Edits, tried: set[Edits], rng: random.Random
    ) -> str | None:
        """A helpful edit of the strategy, else of the bottleneck, else any edit of the strategy."""
        advice = brief.advice
        if advice is not None and advice.change:
            bottleneck, strategy = str(advice.directive["bottleneck"]), advice.strategy
        else:
            right = rng.random() < self.quality.insight
            bottleneck = reading(self.landscape, edits, right, rng)
            strategy = brief.strategies[0].name if brief.strategies else None
        left = [e for e in self.landscape.edits if edits ^ {e} not in tried]
        gains = self.landscape.gains(edits)
        of_strategy = [e for e in left if self.landscape.edits[e] == strategy]
        of_bottleneck = [e for e in left if bottleneck in self.landscape.bottlenecks(e)]
        for group in (of_strategy, of_bottleneck):
            helpful = [e for e in group if gains[e] >= HELPFUL]
            if helpful:
                return rng.choice(helpful)
        return rng.choice(of_strategy) if of_strategy else None

    def _written(self, edits: Edits, numbers: Numbers, rng: random.Random) -> State:
        space = self.landscape.space(edits)
        kept = {n: numbers[n] if n in numbers else rng.choice(v) for n, v in space.items()}
        slip = rng.choice(("build", "correctness")) if rng.random() < self.quality.slip else ""
        return State(edits, kept, slip)


def reading(landscape: Landscape, edits: Edits, right: bool, rng: random.Random) -> str:
    """The bottleneck that somebody reads: of the edit that helps most where right, else any."""
    gains = landscape.gains(edits)
    best = max(gains, key=lambda edit: gains[edit])
    if right and gains[best] >= HELPFUL and landscape.bottlenecks(best):
        return rng.choice(landscape.bottlenecks(best))
    return rng.choice(BOTTLENECKS)


def _comes_of(attempt: Attempt, parent: Attempt | None) -> bool:
    return parent is not None and attempt.parent == parent.candidate.id and not attempt.choice


def _behind(brief: Brief) -> bool:
    """Whether the parent is clearly slower than the best so far."""
    assert brief.parent is not None
    best = speedup(brief.best) if brief.best else None
    here = speedup(brief.parent)
    return best is not None and here is not None and best > HELPFUL * here


class SimulatedJudge:
    """Reads the bottleneck right with known accuracy, and corrects."""

    def __init__(self, landscape: Landscape, quality: Quality) -> None:
        self.landscape = landscape
        self.quality = quality

    def advise(self, brief: Brief, attempt: Attempt) -> Advice:
        """One advice."""
        rng = random.Random(f"{brief.seed}:{brief.round}:{attempt.candidate.id}:judge")
        if not attempt.verdict.accepted:
            stage = attempt.verdict.stage
            return Advice("correct", f"it fails at {stage}", "mend what fails", spend=JUDGED)
        edits = read(attempt.candidate).edits
        bottleneck = reading(self.landscape, edits, rng.random() < self.quality.accuracy, rng)
        undone = {s for e, s in self.landscape.edits.items() if e not in edits}
        strategy = next(
            (s for s in brief.strategies if bottleneck in s.bottlenecks and s.name in undone), None
        )
        return Advice(
            "optimize",
            f"bound by {bottleneck}",
            strategy.name if strategy else f"relieve {bottleneck}",
            predicted_gain=1.2,
            directive={"bottleneck": bottleneck},
            spend=JUDGED,
            strategy=strategy.name if strategy else None,
        )


class SimulatedEvaluator:
    """Answers from the landscape, with noise that depends on seed and candidate alone."""

    def __init__(self, landscape: Landscape, seed: int, noise: float = 1.0) -> None:
        self.landscape = landscape
        self.seed = seed
        self.noise = noise
        """Factor on the recorded width: 0 for none."""
        self.facts = DeviceFacts("cpu", "the recorded machine", 2, ("avx2",))
        self.loops = 0
        """Evaluations of the loop; confirmations are not counted, as in the budget."""

    @property
    def target(self) -> Target:
        """Nothing that a simulated role reads."""
        return Target()

    def fingerprint(self, candidate: Candidate) -> str | None:
        """As the harness has it: equal for equal code, an open space being part of it.

        Two slips are two different bugs; what does not build has no code.
        """
        state = read(candidate)
        if state.slip == "build":
            return None
        if state.slip:
            return candidate.id
        space = {n: v if len(v) > 1 else v[0] for n, v in candidate.space.items()}
        return f"{self.landscape.key(state.edits)} {state.style} {sorted(space.items())}"

    def true_speedup(self, candidate: Candidate) -> float | None:
        """What was recorded; None for what fails."""
        state = read(candidate)
        if state.slip:
            return None
        found = self.landscape.outcome(state.edits, state.numbers)
        return None if isinstance(found, Failure) else found.speedup

    def evaluate(
        self,
        candidate: Candidate,
        *,
        effort: Literal["loop", "final"] = "loop",
        champion: Candidate | None = None,
    ) -> Verdict:
        """The recorded verdict."""
        self.loops += effort == "loop"
        state = read(candidate)
        if state.slip == "build":
            return Verdict("rejected", "build", (Finding("build_failed", "a slip"),))
        if state.slip:
            return Verdict("rejected", "correctness", (Finding("wrong_value", "a slip"),))
        point = self.landscape.outcome(state.edits, state.numbers)
        if isinstance(point, Failure):
            finding = Finding(point.code, point.message)
            return Verdict("rejected", point.stage, (finding,))
        rng = random.Random(f"{self.seed}:{candidate.id}:{effort}")
        sigma = self.noise * point.sigma
        off = math.exp(rng.gauss(0.0, sigma))
        measured: dict[str, Speedup | None] = {
            "eager": _interval(point.speedup * off, sigma),
            "compile": None,
        }
        if champion is not None and champion.id != candidate.id:
            held = self.true_speedup(champion)
            assert held is not None, "a champion was accepted"
            again = math.exp(rng.gauss(0.0, sigma))
            measured["champion"] = _interval(point.speedup / held * again, sigma)
        roof = None
        if point.bound is not None:
            roof = Roofline(point.bound, min(0.99, point.fraction))
        return Verdict(
            "accepted",
            "done",
            (),
            "custom",
            "fp32",
            "cpp",
            time_ms={"candidate": point.ms / off, "eager": point.ms * point.speedup},
            speedup=measured,
            roofline=roof,
            reasons={"speedup.compile": "not simulated"},
        )


def _interval(median: float, sigma: float) -> Speedup:
    half = math.exp(1.96 * sigma)
    return Speedup(median, median / half, median * half, 40)
