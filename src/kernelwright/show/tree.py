"""Who comes of whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.text import Text
from rich.tree import Tree

from kernelwright import text
from kernelwright.agents.archive import fitness, origin
from kernelwright.show.story import Round, Story, Try

DEEPEST = 7
"""Generations that are indented; later ones stand below the last of these, with their parent's name."""
REJECTED = 3
"""So many rejected children without children of their own are drawn; more are counted."""
MOST = 80
"""Of more candidates than that only those are drawn that led to a new best, and the latest."""
LATEST = 8


def lineage(story: Story, *, full: bool = False) -> Tree:
    """The tree of candidates; tuned variants stand with the one that they were made of."""
    root = Tree(
        Text(f"{story.run.get('task', 'the task')} in PyTorch eager", "bold"), guide_style="dim"
    )
    below: dict[str | None, list[tuple[Round, Try]]] = {}
    home = {a.candidate.id: origin(a) for a in story.state.attempts}
    for each in story.rounds:
        for one in each.tries:
            parent = home.get(one.attempt.parent or "")
            below.setdefault(parent, []).append((each, one))
    best = story.best.candidate.id if story.best else None
    kept = _kept(story, home)
    small = full or len(home) <= MOST
    todo: list[tuple[Tree, str | None, int]] = [(root, None, 0)]
    while todo:  # a chain of thousands must not be a recursion
        branch, key, depth = todo.pop()
        children = below.get(key, [])
        drawn, folded = _folded(children, below)
        others = 0 if small else sum(one.id not in kept for _, one in drawn)
        for each, one in drawn:
            if not (small or one.id in kept):
                continue
            label = _label(each, one, best, home, named=depth >= DEEPEST)
            if depth < DEEPEST:
                todo.append((branch.add(label), one.id, depth + 1))
            else:
                branch.add(label)
                todo.append((branch, one.id, depth))
        if folded:
            codes = Counter(text.outcome(one.attempt.verdict) for _, one in folded)
            said = ", ".join(f"{count} at {code}" for code, count in codes.most_common())
            branch.add(Text(f"{len(folded)} more rejected: {said}", "dim red"))
        if others and depth < DEEPEST:
            branch.add(Text(f"{others} more that led to no new best (--full)", "dim"))
    return root


def _kept(story: Story, home: dict[str, str]) -> set[str]:
    """Whoever became the best, is among the latest, or is an ancestor of such a one."""
    tries = story.tries
    ends = [one for one in tries if one.became_best] + tries[-LATEST:]
    kept: set[str] = set()
    for one in ends:
        key: str | None = home[one.id]
        while key and key not in kept:
            kept.add(key)
            known = story.state.by_id.get(key)
            key = home.get(known.parent) if known and known.parent else None
    return kept


def _folded(
    children: Sequence[tuple[Round, Try]], below: dict[str | None, list[tuple[Round, Try]]]
) -> tuple[list[tuple[Round, Try]], list[tuple[Round, Try]]]:
    """What is drawn, and the rejected ones that are only counted."""
    dead = [c for c in children if not c[1].attempt.verdict.accepted and c[1].id not in below]
    if len(dead) <= REJECTED:
        return list(children), []
    hidden = {one.id for _, one in dead[:-REJECTED]}
    drawn = [c for c in children if c[1].id not in hidden]
    return drawn, [c for c in children if c[1].id in hidden]


def _label(each: Round, one: Try, best: str | None, home: dict[str, str], *, named: bool) -> Text:
    label = Text(overflow="ellipsis", no_wrap=True)
    style = "bold green" if best in (one.id, *(t.id for t in one.variants)) else ""
    if best in (one.id, *(t.id for t in one.variants)):
        label.append("★ ", "bold green")
    label.append(one.id[:8], style or "bold")
    label.append(f" {each.turn.kind}", "dim")
    accepted = one.attempt.verdict.accepted
    if one.variants and accepted:
        label.append(f" {_median(one)}")
    else:
        label.append(f" {standing(one)}", style if accepted else "red")
    if one.variants:
        label.append(f", {tuned(one)}", style)
    parent = one.attempt.parent
    if parent and (named or home.get(parent) != parent):
        label.append(f" of {parent[:8]}", "dim")
    if one.attempt.other:
        label.append(f" and {one.attempt.other[:8]}", "dim")
    strategy = each.advice.strategy if each.advice else None
    if strategy:
        label.append(f" {strategy}", "cyan")
    if each.turn.island:
        label.append(f" island {each.turn.island}", "dim")
    return label


def standing(one: Try) -> str:
    """`2.04x [2.00, 2.15]`, or where it was rejected and why."""
    verdict = one.attempt.verdict
    eager = verdict.speedup.get("eager")
    same = f" (same code as {one.attempt.twin[:8]})" if one.attempt.twin else ""
    if verdict.accepted:
        return f"{text.ratio(eager) if eager else 'accepted, not timed'}{same}"
    return f"✗ {text.outcome(verdict)}{same}"


def tuned(one: Try) -> str:
    """The best of the tuner's trials."""
    count = len(one.variants)
    best = max(one.variants, key=lambda t: fitness(t.attempt) or 0.0)
    if fitness(best.attempt) is None:
        return f"tuned in vain ({count})"
    return f"tuned {standing(best)} ({count})"


def _median(one: Try) -> str:
    """Without the interval, where that of a tuned variant follows."""
    eager = one.attempt.verdict.speedup.get("eager")
    return text.ratio(eager).partition(" ")[0] if eager else "not timed"
