"""The planner: a function of the state and the seed. Founders, repairs, parents, crossings, players."""

from collections import Counter
from dataclasses import replace

import pytest
from search_fakes import FakeEvaluator, kernel

from kernelwright.agents.events import Event
from kernelwright.agents.planner import MOST_REPAIRS, STILL, Cast, plan
from kernelwright.agents.roles import Strategy, Turn
from kernelwright.agents.run_state import RunState
from kernelwright.agents.settings import Settings
from kernelwright.agents.turns import RECENT
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.verdict import Roofline

ONE = Settings(islands=1, crossover=0.0, tune_trials=0)
TWO = replace(ONE, islands=2)
CAST = Cast()
COST = {"usd": 1.0, "tokens": 10, "seconds": 1.0}


class Run:
    """A run told event by event, as the journal would write it."""

    def __init__(self, settings=ONE, cast=CAST):
        self.state, self.settings, self.cast = RunState(), settings, cast
        self._tell("session", "1", {"settings": settings.to_json()})

    def _tell(self, kind, key, data):
        self.state.apply(Event(0, 0.0, kind, key, data))

    def plan(self, number=None):
        return plan(self.state, self.settings, self.cast, number or self.state.turns.last + 1)

    def decide(self, turn=None):
        number = self.state.turns.last + 1
        turn = turn or self.plan(number)
        self._tell("decided", f"choose:{number}", turn.to_json())
        return turn

    def close(self, *sources, no_idea=None, bound=None):
        """Close the oldest turn with these candidates."""
        number = self.state.turns.open[0]
        found = [Candidate(source) for source in sources]
        for candidate in found:
            self.state.learn(candidate, candidate.normalised)
        proposed = {"candidates": [c.id for c in found], "fresh": [c.id for c in found],
                    "note": "", "no_idea": no_idea}  # fmt: skip
        self._tell("finished", f"propose:{number}", proposed)
        for candidate in found:
            verdict = FakeEvaluator().evaluate(candidate)
            if bound and verdict.accepted:
                verdict = replace(verdict, roofline=Roofline(bound, 0.6))
            turn = self.state.turns.decided[number]
            data = {"round": number, "parent": turn.parent, "other": turn.other, "note": "",
                    "choice": {}, "against": None, "verdict": verdict.to_json()}  # fmt: skip
            self._tell("finished", f"evaluate:{candidate.id}", data)
        outcome = {"best": None, "gain": self.state.gain(number), "cost": COST}
        self._tell("decided", f"round:{number}", outcome)

    def turn(self, *sources, **how):
        decided = self.decide()
        self.close(*sources, **how)
        return decided

    def found(self, *sources, island=1, **how):
        """A turn that founds an island."""
        self.decide(Turn("fresh", island=island))
        self.close(*sources, **how)
        return self


def key(source):
    return Candidate(source).id


def test_the_first_turn_starts_afresh():
    assert Run().plan() == Turn("fresh")


def test_it_is_a_function_of_state_and_seed():
    run = Run(replace(TWO, crossover=0.5))
    for speed in (1.5, 2.0, 1.8, 2.2):
        run.turn(kernel(speed))
    before = [run.plan(n) for n in range(5, 40)]
    assert before == [run.plan(n) for n in range(5, 40)]
    other = [plan(run.state, replace(run.settings, seed=9), CAST, n) for n in range(5, 40)]
    assert before != other


def test_a_search_that_stands_still_founds_the_next_island():
    run = Run(replace(ONE, islands=3))
    turns = [run.turn(kernel(2.0))] + [
        run.turn(kernel(1.0 + i / 100)) for i in range(2 * STILL + 2)
    ]
    fresh = [i for i, turn in enumerate(turns) if turn.kind == "fresh"]
    assert fresh == [0, STILL + 1, 2 * STILL + 2]
    assert [turns[i].island for i in fresh] == [0, 1, 2]
    assert all(run.turn(kernel(0.5 + i / 100)).kind == "improve" for i in range(2 * STILL))


def test_as_long_as_a_line_gains_it_is_the_only_one():
    run = Run(TWO)
    kinds = [run.turn(kernel(1.0 + i / 10)).kind for i in range(3 * STILL)]
    assert kinds == ["fresh"] + ["improve"] * (3 * STILL - 1)


def test_islands_take_turns_once_they_are_founded():
    run = Run(TWO).found(kernel(1.5), island=0).found(kernel(1.4))
    turns = [run.plan(number) for number in range(run.state.round + 1, run.state.round + 9)]
    assert {(t.island, t.parent) for t in turns} == {
        (0, key(kernel(1.5))),
        (1, key(kernel(1.4))),
    }, "islands grow apart"


def test_founders_in_flight_are_founders():
    run = Run(ONE)
    run.decide()
    assert run.state.turns.founded == {0}
    assert run.decide().kind == "fresh", "nothing is there to improve yet"


def test_an_island_whose_founder_failed_for_good_takes_up_from_the_others():
    run = Run(replace(TWO, repairs=0))
    run.turn(kernel(1.5))
    run.found(kernel(1.5, fails="build"))
    run.turn(kernel(1.6))
    turn = run.decide()
    assert (turn.kind, turn.island) == ("improve", 1)
    assert turn.parent in {key(kernel(1.5)), key(kernel(1.6))}


def test_a_failure_is_handed_back_so_often_in_a_row_and_then_given_up():
    run = Run(replace(ONE, repairs=2))
    run.turn(kernel(1.0, fails="build"))
    kinds = [run.turn(kernel(1.1 + i, fails="build")).kind for i in range(5)]
    assert kinds == ["repair", "repair", "fresh", "repair", "repair"]


def test_a_repair_that_brings_nothing_counts():
    run = Run(replace(ONE, repairs=2))
    run.turn(kernel(1.0, fails="run"))
    assert [run.turn().kind for _ in range(3)] == ["repair", "repair", "fresh"]


def test_siblings_share_the_count_of_their_line():
    run = Run(replace(ONE, repairs=1))
    run.turn(kernel(1.0, fails="run"))
    assert run.turn(kernel(1.1, fails="run"), kernel(1.2, fails="run")).kind == "repair"
    assert run.turn().kind == "fresh", "both come of a failure that was handed back once"


def test_every_promising_failure_not_only_the_last_one():
    run = Run(replace(TWO, repairs=1))
    early, late = kernel(2.0, fails="correctness"), kernel(2.1, fails="run")
    run.turn(kernel(1.5), early)
    run.found(kernel(1.6), late)
    assert run.turn(kernel(1.7)).parent == key(early), "it came furthest"
    assert run.turn(kernel(1.8)).parent == key(late)
    assert run.plan().kind == "improve", "both were mended"


def test_of_two_that_came_as_far_the_one_with_the_better_ancestor():
    run = Run(replace(TWO, repairs=1))
    run.turn(kernel(3.0))
    run.found(kernel(1.5))
    good, poor = kernel(9.1, fails="run"), kernel(9.2, fails="run")
    run.decide(Turn("improve", key(kernel(3.0))))
    run.close(good)
    run.decide(Turn("improve", key(kernel(1.5)), island=1))
    run.close(poor)
    assert run.plan().parent == key(good)


def test_what_did_not_build_is_mended_only_if_it_comes_of_something_good():
    run = Run(replace(TWO, repairs=1))
    run.turn(kernel(4.0))
    run.found(kernel(1.2))
    run.decide(Turn("improve", key(kernel(1.2)), island=1))
    run.close(kernel(9.0, fails="build"))
    assert run.plan().kind == "improve"
    run.decide(Turn("improve", key(kernel(4.0))))
    run.close(kernel(9.1, fails="build"))
    assert run.plan().parent == key(kernel(9.1, fails="build"))


def test_repairs_do_not_starve_improvement():
    run = Run(replace(ONE, repairs=9))
    run.turn(kernel(1.5))
    kinds = []
    for i in range(40):
        fails = "correctness"
        kinds.append(run.turn(kernel(2.0 + i, fails=fails)).kind)
    for at in range(len(kinds) - RECENT):
        window = kinds[at : at + RECENT]
        assert window.count("repair") <= MOST_REPAIRS, window
    assert kinds.count("repair") >= 15, "and are not forgotten either"


def test_no_failure_is_handed_back_twice_at_a_time():
    run = Run(replace(ONE, repairs=3))
    run.turn(kernel(1.0, fails="run"))
    assert run.decide().kind == "repair"
    assert run.decide().kind == "fresh"


def test_no_repairs_when_they_are_switched_off():
    run = Run(replace(ONE, repairs=0))
    run.turn(kernel(1.0, fails="correctness"))
    assert run.plan().kind == "fresh"


def test_two_good_lines_of_different_niches_are_crossed():
    run = Run(replace(TWO, crossover=1.0))
    run.turn(kernel(2.0), bound="memory")
    run.found(kernel(1.9), bound="compute")
    turn = run.decide()
    assert turn.kind == "cross"
    assert {turn.parent, turn.other} == {key(kernel(2.0)), key(kernel(1.9))}
    run.close(kernel(3.0))
    made = run.state.by_id[key(kernel(3.0))]
    assert (made.parent, made.other) == (turn.parent, turn.other)


def test_nobody_is_crossed_within_a_niche_or_with_a_poor_one():
    run = Run(replace(TWO, crossover=1.0))
    run.turn(kernel(2.0), bound="memory")
    run.found(kernel(1.9), bound="memory")
    assert run.turn(kernel(0.5), bound="compute").kind == "improve"
    assert run.plan().kind == "improve"


def test_crossings_are_as_frequent_as_asked():
    run = Run(replace(TWO, crossover=0.25))
    run.turn(kernel(2.0), bound="memory")
    run.found(kernel(1.9), bound="compute")
    kinds = Counter(run.plan(n).kind for n in range(3, 803))
    assert 0.2 < kinds["cross"] / 800 < 0.3


def test_the_best_of_each_island_moves_on():
    run = Run(replace(TWO, migrate_every=4))
    run.found(kernel(1.0), island=0).found(kernel(3.0))
    for speed in (1.1, 3.1):
        run.turn(kernel(speed))
    drawn = {run.plan(n).parent for n in range(5, 105, 2)}
    assert key(kernel(3.1)) in drawn, "island 0 has the best of island 1 now"


def test_without_an_archive_the_parent_is_the_best_so_far():
    run = Run(replace(ONE, parents="best"))
    for speed in (1.0, 3.0, 2.0, 1.5):
        run.turn(kernel(speed))
    assert {run.plan(n).parent for n in range(5, 30)} == {key(kernel(3.0))}


def test_self_refinement_goes_on_from_the_last_attempt_whatever_it_is():
    run = Run(replace(ONE, parents="last", repairs=0))
    run.turn(kernel(3.0))
    assert run.turn(kernel(1.0)).parent == key(kernel(3.0))
    turn = run.turn(kernel(2.0, fails="build"))
    assert (turn.kind, turn.parent) == ("improve", key(kernel(1.0)))
    turn = run.decide()
    assert (turn.kind, turn.parent) == ("repair", key(kernel(2.0, fails="build")))


STRATEGIES = tuple(
    Strategy(name, "", bottlenecks)
    for name, bottlenecks in [
        ("fuse", ("memory",)), ("layout", ("memory",)), ("tile", ("memory", "compute")),
        ("unroll", ("compute",)), ("launch-count", ("overhead",)),
    ]
)  # fmt: skip


def test_strategies_for_what_binds_are_offered_first():
    run = Run(ONE, Cast(strategies=STRATEGIES))
    assert run.turn(kernel(2.0), bound="memory").strategies == (), "nothing to make faster yet"
    turn = run.decide()
    assert turn.bottleneck == "memory"
    assert set(turn.strategies) == {"fuse", "layout", "tile"}


def test_a_further_founder_is_offered_what_may_relieve_the_best():
    run = Run(TWO, Cast(strategies=STRATEGIES))
    assert run.plan().strategies == ()
    run.turn(kernel(2.0), bound="memory")
    for i in range(STILL):
        run.turn(kernel(1.0 + i / 100), bound="memory")
    turn = run.plan()
    assert (turn.kind, turn.bottleneck, len(turn.strategies)) == ("fresh", "memory", ONE.strategies)
    before = run.state.turns.strategies.index("fuse", "memory")
    run.decide(replace(turn, strategies=("fuse",)))
    run.close(kernel(9.0), bound="memory")
    assert run.state.turns.strategies.index("fuse", "memory") <= before, "not its doing alone"


def test_a_repair_is_about_what_bound_the_kernel_that_it_comes_of():
    run = Run(ONE)
    run.turn(kernel(2.0), bound="memory")
    run.turn(kernel(3.0, fails="run"))
    assert (run.plan().kind, run.plan().bottleneck) == ("repair", "memory")


def test_strategies_that_gained_nothing_make_room():
    run = Run(ONE, Cast(strategies=STRATEGIES))
    run.turn(kernel(2.0), bound="memory")
    offered = Counter()
    for i in range(12):
        offered.update(run.turn(kernel(1.0 + i / 100), bound="memory").strategies)
    assert set(offered) == {s.name for s in STRATEGIES}


def test_so_many_as_asked_and_none_for_what_has_to_be_mended():
    run = Run(replace(ONE, strategies=2), Cast(strategies=STRATEGIES))
    run.turn(kernel(2.0), kernel(3.0, fails="run"))
    assert run.turn(kernel(2.1)).strategies == ()
    assert len(run.plan().strategies) == 2
    run = Run(replace(ONE, strategies=0), Cast(strategies=STRATEGIES))
    run.turn(kernel(2.0))
    assert run.plan().strategies == ()


MODELS = Cast(coders=("small", "large"), judges=("judge a", "judge b"))


def test_one_player_needs_no_name():
    turn = Run().decide()
    assert (turn.coder, turn.judge) == ("", "")


def test_the_coder_that_gains_writes_most():
    run, drawn = Run(ONE, MODELS), Counter()
    run.turn(kernel(1.0))
    speed = 1.0
    for _ in range(30):
        coder = run.decide().coder
        drawn[coder] += 1
        speed += 0.5 if coder == "large" else 0.0
        run.close(kernel(speed if coder == "large" else speed / 2 + drawn[coder] / 1000))
    assert drawn["large"] > 2 * drawn["small"] > 0


def test_several_in_flight_are_not_all_by_one():
    run = Run(ONE, MODELS)
    assert {run.decide().coder for _ in range(2)} == {"small", "large"}


def test_a_coder_without_ideas_is_not_asked_again():
    run = Run(ONE, MODELS)
    silent = run.turn(no_idea="all tried").coder
    assert {run.plan(n).coder for n in range(2, 40)} == {"small", "large"} - {silent}


@pytest.mark.parametrize("settings", [ONE, TWO, replace(TWO, crossover=0.5, repairs=1)])
def test_a_turn_survives_the_log(settings):
    run = Run(settings, replace(MODELS, strategies=STRATEGIES))
    for i in range(12):
        turn = run.turn(kernel(1.0 + i / 7, fails="" if i % 3 else "run"))
        assert Turn.from_json(turn.to_json()) == turn
