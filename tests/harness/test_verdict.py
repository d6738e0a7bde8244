"""Verdicts: the JSON is a contract, and it loses nothing."""

import json
import typing

import pytest

from kernelwright.harness.verdict import (
    STAGES,
    Finding,
    Roofline,
    Speedup,
    Stage,
    Verdict,
)

FULL = Verdict(
    verdict="accepted",
    stage="done",
    findings=(Finding("slow_start", "first call is slow", "note"),),
    track="mixed",
    precision="fp32",
    language="cpp",
    time_ms={"candidate": 0.41, "eager": 0.93, "compile": None},
    speedup={"eager": Speedup(2.2, 2.1, 2.3, 40), "compile": None},
    roofline=Roofline("memory", 0.71),
    counters={"instructions": 12},
    seconds={"build": 0.4, "check": 0.6, "time": 1.1},
    reasons={"speedup.compile": "torch.compile failed"},
    own_time=0.93,
)
REJECTED = Verdict("rejected", "run", (Finding("wrong_value", "first at [0]"),))


@pytest.mark.parametrize("verdict", [FULL, REJECTED, Verdict("harness_error", "build")])
def test_round_trip(verdict: Verdict):
    text = json.dumps(verdict.to_json())
    assert Verdict.from_json(json.loads(text)) == verdict


def test_the_keys_of_the_contract():
    assert set(FULL.to_json()) == {
        "verdict", "stage", "track", "precision", "language", "device", "findings", "time_ms",
        "speedup", "roofline", "counters", "seconds", "reasons", "own_time",
    }  # fmt: skip
    assert FULL.to_json()["speedup"]["eager"] == {
        "median": 2.2,
        "low": 2.1,
        "high": 2.3,
        "pairs": 40,
    }
    assert FULL.to_json()["findings"] == [
        {"code": "slow_start", "severity": "note", "message": "first call is slow"}
    ]


def test_unknown_is_null():
    data = REJECTED.to_json()
    assert data["track"] is None and data["precision"] is None and data["roofline"] is None
    assert data["time_ms"] == {} and data["speedup"] == {}


def test_errors_are_those_that_reject():
    assert FULL.errors == () and FULL.accepted
    assert [f.code for f in REJECTED.errors] == ["wrong_value"]
    assert not REJECTED.accepted


def test_stages_are_the_type():
    assert typing.get_args(Stage) == STAGES


@pytest.mark.parametrize("data", [{}, {"verdict": "accepted"}, {"findings": 1}])
def test_what_is_no_verdict_is_refused(data):
    with pytest.raises((KeyError, TypeError)):
        Verdict.from_json(data)
