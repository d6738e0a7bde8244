"""One turn in full: who was asked what, what came back, what it was worth and what it cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from kernelwright import text
from kernelwright.agents.ledger.account import Line
from kernelwright.agents.roles import Advice
from kernelwright.agents.run_state import holds
from kernelwright.harness.verdict import Speedup
from kernelwright.show.diff import coloured, diff
from kernelwright.show.facts import measured_gain
from kernelwright.show.opinions import audited, tested
from kernelwright.show.story import Round, Story, Try
from kernelwright.show.tree import standing

_NAMES = 9
"""Columns of the names on the left."""
FOLDED = 16
"""Lines of a diff that are shown."""


@dataclass(frozen=True)
class Look:
    """How much is shown. `most_lines` of a diff; None: all."""

    most_lines: int | None = FOLDED
    trials: bool = False
    """Every trial of the tuner, not only the best."""
    cut: bool = True
    """Long lines end where the terminal does."""


def turn(story: Story, round: Round, look: Look) -> RenderableType:
    """The whole turn."""
    parts: list[RenderableType] = [_head(story, round), _rows(_said(round))]
    for one in round.tries:
        parts += [_rows(_judged(story, round, one, look)), *_changes(story, one, look)]
    parts.append(_rows(_cost(story, round)))
    return Group(*parts, Text())


def _head(story: Story, round: Round) -> Text:
    turn, kind = round.turn, round.turn.kind
    head = Text.assemble((f"Turn {round.number}", "bold"), f"  {_KINDS.get(kind, kind)}")
    if round.parent is not None:
        head.append(f" {round.parent.candidate.id[:8]}", "bold")
    elif turn.parent:
        head.append(f" {turn.parent[:8]}", "bold")
    if turn.other:
        head.append(f" and {turn.other[:8]}")
    if turn.island:
        head.append(f", island {turn.island}", "dim")
    if turn.bottleneck != "unknown":
        head.append(f", bound by {turn.bottleneck}", "dim")
    if any(t.became_best for one in round.tries for t in (one, *one.variants)):
        head.append("  new best", "bold green")
    if round.open:
        head.append("  under way" if story.holder else "  not finished", "yellow")
    return head


_KINDS = {"fresh": "from nothing", "improve": "improves", "repair": "repairs", "cross": "crosses"}


def _said(round: Round) -> Iterator[tuple[str, Text]]:
    """What the roles were told and what they answered."""
    if round.turn.strategies:
        yield "offered", Text(", ".join(round.turn.strategies))
    for lesson in round.lessons:
        gain = Speedup(lesson["gain"], lesson["low"], lesson["high"], 0)
        told = f"{text.ratio(gain)} in {lesson['task']}: {lesson['change']}"
        yield "recalled", Text(told, "dim")
    if round.advice:
        yield from _advice(round, round.advice)
    if round.silence:
        yield "Coder", Text(f"no candidate: {round.silence}", "yellow")
    elif round.note:
        yield "Coder", Text(round.note)
    if round.unjudged:
        what = "1 candidate is" if round.unjudged == 1 else f"{round.unjudged} candidates are"
        yield "", Text(f"{what} not judged", "yellow")
    if round.copies > 0:
        what = "1 candidate was" if round.copies == 1 else f"{round.copies} candidates were"
        yield "", Text(f"{what} dropped as copies of earlier ones", "dim")


def _advice(round: Round, advice: Advice) -> Iterator[tuple[str, Text]]:
    if advice.cause:
        yield "Judge", Text(advice.cause)
    if advice.metrics:
        yield "", Text(f"rests on {'; '.join(advice.metrics)}", "dim")
    follows = f" ({advice.strategy})" if advice.strategy else ""
    yield "", Text.assemble(("→ ", "cyan"), advice.change or "no usable advice", (follows, "cyan"))
    if advice.predicted_gain is None:
        return
    measured = measured_gain(round)
    outcome = "nothing was accepted" if measured is None else f"came out {measured:.2f}x"
    yield "", Text(f"foretold {advice.predicted_gain:.2f}x, {outcome}", "dim")


def _judged(story: Story, round: Round, one: Try, look: Look) -> Iterator[tuple[str, Text]]:
    """The verdict of a candidate, and what else was said of it."""
    verdict = one.attempt.verdict
    said = Text(standing(one), "green" if verdict.accepted else "red")
    if verdict.accepted and verdict.speedup.get("eager"):
        said.append(" against eager", "not green")
    if one.gain and one.over:
        said.append(f", {text.ratio(one.gain)} over {one.over[:8]}", "not green")
    if verdict.roofline:
        share = f"{verdict.roofline.fraction:.0%} of the {verdict.roofline.bound} roofline"
        said.append(f", {share}", "not green dim")
    yield one.id[:8], said
    for finding in verdict.findings:
        style = "red" if finding.severity == "error" else "dim"
        yield "", Text(f"{finding.severity}: {text.first_line(finding.message)}", style)
    yield from _tuning(one, look)
    for name, lines in (("Tester", tested(one.tester)), ("Auditor", audited(one.auditor))):
        for number, (line, style) in enumerate(lines):
            yield "" if number else name, Text(line, style)
    for each in (one, *one.variants):
        final = story.state.confirmed.get(each.id)
        if final is not None:
            which = "" if each is one else f"{each.id[:8]} with {_choice(each)}: "
            what = text.speedups(final) if final.accepted else text.outcome(final)
            style = "green" if holds(final) else "red"
            yield "confirmed" if holds(final) else "fell", Text(f"{which}{what}", style)


def _tuning(one: Try, look: Look) -> Iterator[tuple[str, Text]]:
    if not one.variants:
        return
    best = one.best
    count = len(one.variants)
    wrong = sum(not t.attempt.verdict.accepted for t in one.variants)
    said = f"{count} {'trial' if count == 1 else 'trials'}"
    said += f", {wrong} of them rejected" if wrong else ""
    if best is one:
        yield "tuned", Text(f"{said}: nothing better than as it was written")
    else:
        choice = _choice(best)
        yield "tuned", Text(f"{said}; best {best.id[:8]} {standing(best)} with {choice}")
    if look.trials:
        for trial in one.variants:
            yield "", Text(f"{trial.id[:8]} {standing(trial)} with {_choice(trial)}", "dim")


def _choice(one: Try) -> str:
    return " ".join(f"{name}={value}" for name, value in one.attempt.choice.items())


def _changes(story: Story, one: Try, look: Look) -> list[RenderableType]:
    """The diff against the parent."""
    parent = story.candidate(one.attempt.parent)
    source = one.attempt.candidate.source
    if parent is None:
        said = f"{len(source.splitlines())} lines, from nothing"
        return [_rows([("written", Text(said, "dim"))])]
    changed = diff(parent.source, source)
    head = Text.assemble((f"+{changed.added}", "green"), " ", (f"-{changed.removed}", "red"))
    head.append(f" lines against {one.attempt.parent[:8] if one.attempt.parent else ''}", "dim")
    lines = coloured(changed.lines, look.most_lines, " " * (_NAMES + 4), cut=look.cut)
    return [_rows([("diff", head)]), *lines]


def _cost(story: Story, round: Round) -> Iterator[tuple[str, Text]]:
    efforts = story.spent.effort
    tried = [t.id for one in round.tries for t in (one, *one.variants) if not t.attempt.twin]
    judging = sum(efforts[key].wall_s for key in tried if key in efforts)
    parts = [] if round.cost is None else [model_cost(round.cost)]
    if tried:
        count = "1 evaluation" if len(tried) == 1 else f"{len(tried)} evaluations"
        parts.append(f"{count} in {text.seconds(judging)}")
    if parts:
        yield "cost", Text("; ".join(parts), "dim")


def model_cost(line: Line) -> str:
    """`$0.02, 3,200 tokens, 2 calls in 41.0 s`."""
    calls = "1 call" if line.calls == 1 else f"{line.calls} calls"
    if line.usd is not None:
        usd = text.dollars(line.usd)
    elif line.usd_at_most is not None:
        usd = f"at most {text.dollars(line.usd_at_most)}"
    else:
        usd = "price unknown"
    if line.usd is None and line.usd_at_most is None and line.tokens is None:
        return f"cost unknown, {calls} in {text.seconds(line.wall_s)}"
    tokens = "tokens unknown" if line.tokens is None else f"{line.tokens:,} tokens"
    return f"{usd}, {tokens}, {calls} in {text.seconds(line.wall_s)}"


def _rows(rows: Iterator[tuple[str, Text]] | list[tuple[str, Text]]) -> RenderableType:
    """Names on the left, texts that wrap beside them."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=_NAMES, no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        style = "bold" if name[:1].isdigit() or len(name) == 8 else "dim"
        table.add_row(Text(name, style), value)
    return Padding(table, (0, 0, 0, 2)) if table.row_count else Group()
