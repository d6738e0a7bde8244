"""What crosses to a process that may hold a stranger's task: as it was, or not at all."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from served_fakes import CANDIDATE, OPENED, PROBE, TASK, verdict

from kernelwright.evals.serving.codec import (
    Garbled,
    reply_bytes,
    reply_from,
    request_bytes,
    request_from,
)
from kernelwright.evals.serving.messages import Reply, Request, What
from kernelwright.harness.probing import Outcome
from kernelwright.harness.verdict import Finding, Samples
from kernelwright.tasks.errors import TaskError

TOLD = replace(
    verdict(2.0),
    findings=(Finding("wrong_value", "off", detail={"index": [0, 1]}),),
    samples=Samples({"eager": (0.25, 0.5)}, (1,)),
)


@pytest.mark.parametrize(
    "request_",
    [
        Request("open", (TASK, None, 3)),
        Request("evaluate", (CANDIDATE, "final", CANDIDATE, True)),
        Request("counted", (TOLD, CANDIDATE)),
        Request("probe", (CANDIDATE, (PROBE,), 1.5)),
        Request("learn", ((PROBE,),)),
    ],
    ids=lambda request: request.what,
)
def test_a_request_arrives_as_it_was(request_: Request) -> None:
    assert request_from(request_bytes(request_)) == request_


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("open", OPENED),
        ("evaluate", TOLD),
        ("fingerprint", "ab12"),
        ("fingerprint", None),
        ("probe", (Outcome(PROBE, "stood"),)),
        ("learn", None),
    ],
)
def test_a_reply_arrives_as_it_was(what: What, value: Any) -> None:
    assert reply_from(what, reply_bytes(what, Reply(value))).result() == value


def test_special_values_of_a_finding_stay_what_they_are() -> None:
    told = replace(TOLD, findings=(Finding("wrong_value", "off", detail={"got": math.inf}),))
    assert reply_from("evaluate", reply_bytes("evaluate", Reply(told))).result() == told


def test_a_fault_arrives_as_it_was() -> None:
    data = reply_bytes("evaluate", Reply.of(TaskError("no Model")))
    with pytest.raises(TaskError, match="no Model"):
        reply_from("evaluate", data).result()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x04cposix\nsystem\n",
        b"[]",
        b"{}",
        json.dumps({"value": {"verdict": "wonderful", "stage": "done"}, "fault": None}).encode(),
        json.dumps({"value": 5, "fault": None, "message": ""}).encode(),
        json.dumps({"value": None, "fault": "SystemExit", "message": ""}).encode(),
        json.dumps({"value": None, "fault": ["TaskError"], "message": ""}).encode(),
    ],
)
def test_what_is_no_reply_is_refused(data: bytes) -> None:
    with pytest.raises(Garbled):
        reply_from("evaluate", data)
