"""The page: head, curve, lineage, turns, Judge and arms, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console, Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from kernelwright import text
from kernelwright.agents.archive import fitness
from kernelwright.agents.run_state import holds
from kernelwright.outputs import Asked, RunFolder
from kernelwright.show.curve import curve, legend
from kernelwright.show.facts import Arm, Calibration, arms, calibration
from kernelwright.show.story import Round, Story, Try
from kernelwright.show.tree import lineage
from kernelwright.show.turns import FOLDED, Look, model_cost, turn

WIDEST = 140
"""Columns that are used at the most: longer lines are hard to read."""
MOST_TURNS, LAST_TURNS = 24, 4
MOST_FORECASTS = 12
"""With more turns than that, only those with a new best and the last few are told in full; of the Judge's
predictions the last so many are listed."""


def draw(console: Console, story: Story, asked: Asked | None, *, full: bool) -> None:
    """The whole run."""
    console.print(_head(story, asked))
    tries = story.evaluated
    if tries:
        _section(console, "Best so far")
        for line in curve(tries, min(console.width, WIDEST)):
            console.print(line)
        console.print(legend())
        _section(console, "Lineage")
        console.print(lineage(story, full=full))
    told = story.rounds if full else _telling(story)
    if told:
        _section(console, "Turns")
    if len(told) < len(story.rounds):
        hidden = len(story.rounds) - len(told)
        console.print(
            Text(
                f"{hidden} turns without a new best are left out (--full shows all)\n", "dim italic"
            )
        )
    look = Look(None if full else FOLDED, trials=full, cut=console.is_terminal)
    for each in told:
        console.print(turn(story, each, look), crop=look.cut)
    _judge(console, calibration(story.rounds))
    seconds = {key: effort.wall_s for key, effort in story.spent.effort.items()}
    _arms(console, arms(story.rounds, seconds))
    _section(console, "End")
    console.print(Text(ending(story)))


def draw_one(console: Console, story: Story, one: Try, *, full: bool) -> None:
    """One candidate: its turn, its verdict, and the way that led to it."""
    console.print(Text(f"{one.id}  evaluation {one.number} of {story.folder.name}", "bold"))
    console.print(Text(" ← ".join(key[:8] for key in _way(story, one))))
    console.print()
    each = next(r for r in story.rounds if r.number == one.attempt.round)
    look = Look(None, trials=True, cut=console.is_terminal)
    console.print(turn(story, each, look), crop=look.cut)
    console.print(Text("Verdict", "bold"))
    for line in text.describe(one.attempt.verdict):
        console.print(Text(f"  {line}"))
    for name, value in one.attempt.verdict.counters.items():
        console.print(Text(f"  {name}: {value}", "dim"))
    if full or one.attempt.parent is None:
        console.print()
        console.print(Text("Source", "bold"))
        console.print(Text(one.attempt.candidate.source.rstrip()))


def ending(story: Story) -> str:
    """What stopped the run, or what it is doing."""
    if story.stop:
        return f"stopped ({story.stop[0]}): {story.stop[1]}"
    doing = f" at {story.doing}" if story.doing else ""
    if story.holder:
        return f"under way{doing} (process {story.holder})"
    go_on = f"kernelwright optimize --resume {story.folder}"
    return (
        f"ended without a word{doing}: it was killed, or the machine went down; to go on: {go_on}"
    )


def status(story: Story) -> str:
    """`under way`, `stopped` or `killed`."""
    if story.holder:
        return "under way"
    return "stopped" if story.stop else "killed"


def _section(console: Console, title: str) -> None:
    console.print()
    console.print(Rule(Text(title, "bold"), align="left", style="dim"))


def _head(story: Story, asked: Asked | None) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _facts(story, asked):
        table.add_row(name, Text(value))
    head = Text.assemble((str(story.run.get("task", "?")), "bold"), f"  {story.folder.name}  ")
    head.append(status(story), "yellow" if story.holder else "dim")
    return Group(head, table, *_result(story))


def _facts(story: Story, asked: Asked | None) -> Iterator[tuple[str, str]]:
    settings, device = story.session.get("settings", {}), story.session.get("device", {})
    if asked:
        yield "models", asked.players
    yield "search", ", ".join(_settings(story, settings))
    if device:
        yield "device", f"{device.get('name')}, {device.get('threads')} threads"
    spent = story.spent
    evals = f"{spent.evaluations} of {settings.get('budget_evals', '?')} evaluations"
    minutes = settings.get("budget_minutes")
    clock = text.seconds(spent.wall_s) + (f" of {text.seconds(60 * minutes)}" if minutes else "")
    yield "spent", f"{evals}, {clock}, {text.cost(spent)}"
    for role, line in spent.by_role.items():
        yield f"  {role}", model_cost(line)
    took = spent.evaluating
    if took.wall_s:
        cpu = "" if took.cpu_s is None else f", {text.seconds(took.cpu_s)} of processor time"
        yield "  judging", f"{text.seconds(took.wall_s)}{cpu}"


def _settings(story: Story, settings: dict[str, object]) -> Iterator[str]:
    yield f"seed {story.run.get('seed', '?')}"
    yield str(story.run.get("language", "?"))
    if settings.get("parallel", 1) != 1:
        yield f"{settings['parallel']} turns in flight"
    if isinstance(settings.get("ablations"), list) and settings["ablations"]:
        yield f"without {', '.join(map(str, settings['ablations']))}"  # type: ignore[call-overload]
    if story.sessions > 1:
        yield f"{story.sessions} sessions"


def _result(story: Story) -> Iterator[Text]:
    """The champion, in one or two lines."""
    best = story.best
    if best is None:
        tried = len(story.state.confirmed)
        why = f"{tried} did not hold in their final confirmation" if tried else "none was measured"
        yield Text(f"No candidate is known to be faster than PyTorch eager: {why}.", "yellow")
        return
    final = story.confirmation(best)
    verdict = final or best.verdict
    style = "bold green" if (fitness(best) or 0.0) > 1 else "bold yellow"
    line = Text(text.ratio(verdict.speedup.get("eager")), style)
    line.append(" against PyTorch eager", "not bold")
    compiled = verdict.speedup.get("compile")
    if compiled:
        line.append(f", {text.ratio(compiled)} against torch.compile", "not bold")
    yield line
    how = "confirmed in a clean process" if final else "measured in the search, not confirmed"
    fallen = sum(not holds(v) for v in story.state.confirmed.values())
    how += f", {fallen} before it did not hold" if fallen and final else ""
    kernel = RunFolder(story.folder).kernel
    where = f"; {kernel}" if final and kernel.is_file() else ""
    yield Text(f"candidate {best.candidate.id[:8]} of turn {best.round}, {how}{where}", "dim")


def _telling(story: Story) -> Sequence[Round]:
    """The turns that are told in full."""
    if len(story.rounds) <= MOST_TURNS:
        return story.rounds
    return [r for r in story.rounds[:-LAST_TURNS] if _leads(r)] + [*story.rounds[-LAST_TURNS:]]


def _leads(round: Round) -> bool:
    return any(t.became_best for one in round.tries for t in (one, *one.variants))


def _judge(console: Console, found: Calibration) -> None:
    if not found.forecasts:
        return
    _section(console, "The Judge's predictions")
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("turn", "foretold", "measured"):
        table.add_column(name, justify="right")
    for each in found.forecasts[-MOST_FORECASTS:]:
        measured = "none accepted" if each.measured is None else f"{each.measured:.2f}x"
        table.add_row(str(each.round), f"{each.predicted:.2f}x", measured)
    console.print(table)
    console.print(Text(calibration_in_words(found)))


def calibration_in_words(found: Calibration) -> str:
    """How well the Judge foretells, in a sentence."""
    said = f"{found.measured} of {len(found.forecasts)} predictions could be measured"
    if found.bias is None:
        return said
    ratio = found.bias if found.bias >= 1 else 1 / found.bias
    much = "too much" if found.bias >= 1 else "too little"
    return (
        f"{said}: {found.direction} went the way it said, {found.near} came within 20%;"
        f" on average it promised {ratio:.2f}x {much}"
    )


def _arms(console: Console, found: Sequence[Arm]) -> None:
    if not found:
        return
    _section(console, "What brought gains")
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("")
    table.add_column("", overflow="fold")
    for name in ("turns", "accepted", "typical", "best", "dollars", "judging"):
        table.add_column(name, justify="right", no_wrap=True)
    for arm in found:
        usd = "unknown" if arm.usd is None else text.dollars(arm.usd)
        gains = ["" if g is None else f"{g:.2f}x" for g in (arm.typical, arm.best)]
        row = [arm.kind, arm.name, str(arm.pulls), str(arm.accepted), *gains, usd]
        table.add_row(*row, text.seconds(arm.seconds))
    console.print(table)


def _way(story: Story, one: Try) -> list[str]:
    """Ids from the candidate back to the first of its line."""
    way, seen = [one.id], {one.id}
    parent = one.attempt.parent
    while parent and parent not in seen:
        way.append(parent)
        seen.add(parent)
        known = story.state.by_id.get(parent)
        parent = known.parent if known else None
    return way
