import json
import random

import pytest
from landscape import POOL, Failure, Landscape, complete
from pool_subjects import SUBJECTS, Written, structures
from record_pool import RUNS, Recorder, choices, measured, structure_key, together

from kernelwright.agents.strategies import named
from kernelwright.harness.verdict import Finding, Roofline, Speedup, Verdict

WRITTEN = [s for s in SUBJECTS if isinstance(s, Written)]


class Fixed:
    """An evaluator that rejects what holds a word and accepts the rest."""

    def __init__(self, wrong, busy=False):
        self.wrong = wrong
        self.busy = busy

    def evaluate(self, candidate):
        if self.wrong in candidate.source:
            return Verdict("rejected", "correctness", (Finding("wrong_value", "wrong"),))
        findings = (Finding("busy_machine", "others", "warning"),) if self.busy else ()
        low = 1.0 if self.busy else 1.8
        return Verdict(
            "accepted",
            "done",
            findings,
            time_ms={"candidate": 0.5},
            speedup={"eager": Speedup(2.0, low, 2.2, 16)},
            roofline=Roofline("memory", 0.5),
        )


def recorded(subject, evaluator, kept=None):
    recorder = Recorder(subject, {} if kept is None else kept)
    for key, choice in recorder.waiting(random.Random(0)):
        recorder.measure(evaluator, key, choice)
    return recorder


def test_every_edit_follows_a_strategy_of_the_catalogue():
    assert all(named(s) for subject in SUBJECTS for s in subject.edits.values())
    assert len({s.task for s in SUBJECTS}) == len(SUBJECTS) >= 6


@pytest.mark.parametrize("subject", WRITTEN, ids=lambda s: s.name)
def test_each_edit_of_a_written_kernel_changes_it(subject):
    whole = frozenset(subject.edits)
    for edit in subject.edits:
        assert subject.candidate(whole).id != subject.candidate(whole - {edit}).id
    plain = subject.candidate(frozenset())
    assert not plain.space and f'"{next(iter(subject.edits))}": 0' in plain.source


def test_a_pool_is_whole_when_all_is_measured_and_reads_back():
    subject = WRITTEN[0]
    recorder = recorded(subject, Fixed('"NO_MAX": 1'))
    assert not recorder.waiting(random.Random(0))
    assert complete(recorder.kept)
    land = Landscape(subject.task, recorder.kept)
    for edits in structures(subject):
        for choice in choices(subject.candidate(edits)):
            found = land.outcome(edits, choice)
            assert isinstance(found, Failure) == ("NO_MAX" in edits)


def test_a_second_call_goes_on_where_the_first_stopped():
    subject, kept = WRITTEN[0], {}
    first = Recorder(subject, kept)
    todo = first.waiting(random.Random(0))
    for key, choice in todo[:7]:
        first.measure(Fixed("nothing is wrong"), key, choice)
    again = Recorder(subject, json.loads(json.dumps(kept)))
    assert len(again.waiting(random.Random(0))) == len(todo) - 7


def test_a_quiet_measurement_replaces_a_busy_one():
    subject, kept = WRITTEN[0], {}
    busy = recorded(subject, Fixed("nothing is wrong", busy=True), kept)
    doubtful = busy.doubtful()
    assert doubtful
    key, choice = doubtful[0]
    busy.measure(Fixed("nothing is wrong"), key, choice)
    assert len(busy.doubtful()) == len(doubtful) - 1
    points = kept["structures"][key]["points"].values()
    assert any(p["speedup"][1] == 1.8 for p in points)


def test_points_near_the_best_are_judged_again_and_averaged():
    subject, kept = WRITTEN[0], {}
    recorder = recorded(subject, Fixed("nothing is wrong"), kept)
    waiting = recorder.leading()
    assert waiting, "all are as fast"
    key, choice = waiting[0]
    for _ in range(RUNS):
        recorder.repeat(Fixed("nothing is wrong"), key, choice)
    assert (key, choice) not in recorder.leading()
    one = {"speedup": [1.0, 0.5, 2.0], "ms": 1.0}
    both = together(one, {"speedup": [4.0, 2.0, 8.0], "ms": 4.0})
    assert both == {"speedup": [2.0, 1.0, 4.0], "ms": 2.0, "runs": 2}


def test_a_verdict_that_says_nothing_of_the_kernel_is_not_kept():
    assert measured(Verdict("harness_error", "run", (Finding("harness", "full"),))) is None


def test_equal_code_is_recorded_once():
    column_sum = next(s for s in WRITTEN if s.name == "column_sum")
    kept = recorded(column_sum, Fixed("nothing is wrong")).kept["structures"]
    assert kept["SPLIT"] == {"same_as": ""}
    assert structure_key(column_sum, frozenset({"SPLIT", "BLOCKED"})) == "BLOCKED+SPLIT"


@pytest.mark.skipif(not POOL.exists(), reason="no pool was recorded yet")
def test_the_recorded_pool_can_be_played():
    data = json.loads(POOL.read_text())
    assert data["provenance"]["machine"] and data["provenance"]["command"]
    for name, task in data["tasks"].items():
        if complete(task):
            assert Landscape(name, task).best > 0
