"""A task that starts from a kernel: its first parent, its baseline, or the source to translate."""

from dataclasses import replace

import pytest
from search_fakes import CPU, TASK, EchoJudge, FakeEvaluator, ScriptedCoder, Watcher, ids, kernel

from kernelwright.agents import briefing
from kernelwright.agents.optimize import Settings, load, optimize
from kernelwright.agents.roles import Brief
from kernelwright.agents.run_state import baseline, holds
from kernelwright.harness.verdict import Speedup, Verdict
from kernelwright.tasks.task import TaskMeta

CPP = "from kernelwright.inline import cpp\n"
START = CPP + kernel(3.0)
K2K = replace(TASK, start=START, meta=TaskMeta(start="start/scale.py"))
TRANSLATION = replace(K2K, meta=TaskMeta(start="start/scale.py", translate_to=("cpp",)))


class AgainstStart(FakeEvaluator):
    """Times every candidate but the start kernel against it."""

    def evaluate(self, candidate, *, effort="loop", champion=None):
        verdict = super().evaluate(candidate, effort=effort, champion=champion)
        if not verdict.accepted:
            return verdict
        gained = verdict.speedup["eager"].median / 3.0
        against = None if candidate.source == START else Speedup(gained, gained * 0.99, gained, 40)
        return replace(verdict, speedup={**verdict.speedup, "start": against})


@pytest.fixture
def run(tmp_path):
    def run(task, script, **settings):
        run.coder, run.watcher = ScriptedCoder(script), Watcher()
        run.evaluator = AgainstStart()
        chosen = Settings(**{"tune_trials": 0, "islands": 1, "crossover": 0.0} | settings)
        return optimize(task, run.evaluator, run.coder, EchoJudge(), chosen, tmp_path, run.watcher)

    return run


def test_the_start_kernel_is_judged_first_and_is_the_first_parent(run):
    better = CPP + kernel(4.0)
    outcome = run(K2K, [[better]])
    start, champion = ids([START, better])
    assert run.evaluator.calls[0] == (start, "loop", None)
    first = run.coder.briefs[0]
    assert first.parent.candidate.source == START
    assert first.turn.kind == "improve"
    assert outcome.champion.attempt.candidate.id == champion
    assert outcome.champion.attempt.parent == start
    assert run.coder.calls[0] == 1, "no model was asked for the start kernel"


def test_every_island_starts_from_it(run):
    run(K2K, [[CPP + kernel(4.0)], [CPP + kernel(4.1)], []], islands=2)
    assert [brief.turn.kind for brief in run.coder.briefs[:2]] == ["improve", "improve"]


def test_it_is_the_baseline_and_no_champion_itself(run, tmp_path):
    outcome = run(K2K, [[CPP + kernel(2.0)]])
    assert outcome.champion is None, "faster than eager, and slower than the start kernel"
    state = load(tmp_path)
    assert state.start.candidate.source == START
    assert state.archive.all.best() is state.start
    assert state.contenders() == []


def test_a_start_kernel_that_is_wrong_is_no_parent(run):
    broken = CPP + kernel(3.0, fails="correctness")
    run(replace(K2K, start=broken), [[CPP + kernel(4.0)]], repairs=0)
    assert run.coder.briefs[0].turn.kind == "fresh"


def test_a_source_to_translate_is_shown_and_not_judged(run):
    run(TRANSLATION, [[CPP + kernel(4.0)]])
    assert ids([START])[0] not in [call[0] for call in run.evaluator.calls]
    assert run.coder.briefs[0].parent is None
    front = briefing.front(run.coder.briefs[0])
    assert START.strip() in front
    assert "The kernel to translate, from C++" in front
    assert "in C++" in front


def test_one_in_another_language_than_the_runs_is_shown():
    triton = "import triton\nclass ModelNew: ...\n"
    brief = Brief(replace(K2K, start=triton), CPU, "cpp", 1, 0)
    assert "The kernel to beat, in Triton" in briefing.front(brief)
    assert triton.strip() in briefing.front(brief)
    assert START.strip() not in briefing.front(replace(brief, task=K2K))


def test_the_front_of_other_tasks_says_nothing_of_it():
    front = briefing.front(Brief(TASK, CPU, "cpp", 1, 0))
    assert "kernel to" not in front.partition("# Machine")[0]
    assert "```\n\n# Machine" in front


@pytest.mark.parametrize(
    ("eager", "start", "better"), [(0.5, 1.5, True), (2.0, 0.9, False), (2.0, None, True)]
)
def test_what_counts_is_the_start_kernel_where_it_was_timed(eager, start, better):
    against = {name: x and Speedup(x, x, x, 9) for name, x in (("eager", eager), ("start", start))}
    verdict = Verdict("accepted", "done", speedup=against)
    assert holds(verdict) is better
    assert baseline(verdict).median == (start or eager)
