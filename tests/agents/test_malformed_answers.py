"""Thousands of malformed answers, made from good ones: none crashes a run. Every call ends in a Reply
or a ModelError, every turn in a Proposal or an Advice; the cost is never forgotten."""

import json
import math
import random
from collections.abc import Callable
from typing import Any

import pytest
from provider_server import (
    Answer,
    ProviderServer,
    chat,
    chat_events,
    events,
    messages,
    response_events,
    responses,
    stream,
)
from search_fakes import CPU, TASK, FakeEvaluator, kernel

from kernelwright.agents.llm_roles import ModelCoder, ModelJudge
from kernelwright.agents.models.anthropic_model import anthropic_model
from kernelwright.agents.models.base import Message, ModelError, Reply
from kernelwright.agents.models.openai_model import openai_model
from kernelwright.agents.models.options import Options
from kernelwright.agents.models.retry import Retry
from kernelwright.agents.roles import Advice, Attempt, Brief, Proposal, Spend
from kernelwright.harness.candidate import Candidate

BODIES, TEXTS = 600, 2400
"""Malformed HTTP bodies, and malformed texts in well-formed ones."""
KINDS = ("responses", "chat", "anthropic")
TALK = (Message("user", "hi"),)
CODE = f"NOTE: tiled\n```python\n{kernel(1.5)}```\n"
ADVICE = json.dumps({"cause": "two passes", "change": "fuse them", "predicted_gain": 1.5})
WHOLE = json.dumps(
    {"metrics": ["a", "b"], "bottleneck": "memory", "strategy": None, **json.loads(ADVICE)}
)
DIFF = "```diff\n@@ -1,2 +1,2 @@\n-SPEED = 1.5\n+SPEED = 1.75\n FAILS = ''\n```"
LONG = "class ModelNew: ...\n" * 50

Bytes = Callable[[random.Random, bytes], bytes]
ODD = [
    None,
    True,
    -1,
    1e400,
    math.nan,
    10**30,
    "",
    "x",
    [],
    {},
    [None],
    {"text": None},
    "\ud800",
    0,
]


def good_body(kind: str, whole: bool, rng: random.Random) -> bytes:
    text = rng.choice([CODE, ADVICE, "", "<think>a</think>b", "é\u2028" * 40])
    make: dict[str, Any] = {"responses": responses, "chat": chat, "anthropic": messages}
    data = make[kind]("m", text)
    if rng.random() < 0.7:
        data = strange(data, rng)
    if whole:
        return json.dumps(data).encode()
    split: dict[str, Any] = {"responses": response_events, "chat": chat_events, "anthropic": events}
    try:
        parts = split[kind](data)
    except (KeyError, TypeError, AttributeError, IndexError):
        parts = [data]
    if rng.random() < 0.4:
        parts = [strange(part, rng) if rng.random() < 0.3 else part for part in parts]
    if rng.random() < 0.3:
        rng.shuffle(parts)
    return stream(parts)


def strange(data: Any, rng: random.Random) -> Any:
    """The same JSON with one value replaced, removed or wrapped."""
    if rng.random() < 0.15 or not isinstance(data, dict | list) or not data:
        return rng.choice([*ODD, [data], {"type": data}])
    if isinstance(data, list):
        at = rng.randrange(len(data))
        return [*data[:at], strange(data[at], rng), *data[at + 1 :]]
    name = rng.choice(list(data))
    kept = {key: value for key, value in data.items() if key != name}
    return kept if rng.random() < 0.2 else {**data, name: strange(data[name], rng)}


def cut(rng: random.Random, body: bytes) -> bytes:
    return body[: rng.randrange(len(body) + 1)]


def flip(rng: random.Random, body: bytes) -> bytes:
    changed = bytearray(body)
    for _ in range(rng.randint(1, 8)):
        if changed:
            changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def insert(rng: random.Random, body: bytes) -> bytes:
    piece = rng.choice(
        [b"\0", b"\xff\xfe", b"\n\n", b"data: {}\n\n", b"data: [DONE]\n\n", b"event: error\n", b"[" * 5000,
         b'{"error":{"message":"m"}}', b"data: null\n\n", b": c\n", b"\r", b"NaN", b'{"a":' * 2000]
    )  # fmt: skip
    at = rng.randrange(len(body) + 1)
    return body[:at] + piece + body[at:]


def repeat(rng: random.Random, body: bytes) -> bytes:
    lines = body.split(b"\n")
    at = rng.randrange(len(lines))
    return b"\n".join([*lines[:at], *[lines[at]] * rng.randint(2, 20), *lines[at:]])


def nothing(rng: random.Random, body: bytes) -> bytes:
    return body


MUTATIONS: tuple[Bytes, ...] = (cut, flip, insert, repeat, nothing)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, ProviderServer], Any]:
    def make(kind: str, server: ProviderServer) -> Any:
        monkeypatch.setenv("OPENAI_API_KEY", "k")
        monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
        monkeypatch.setenv("OPENAI_BASE_URL", server.url + "/v1")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        settings: dict[str, Any] = {
            "retry": Retry(attempts=1),
            "options": Options(timeout=20.0),
        }
        if kind == "chat":
            return openai_model("m", server.url + "/v1", **settings)
        make = openai_model if kind == "responses" else anthropic_model
        return make("gpt-5" if kind == "responses" else "claude-opus-5", **settings)

    return make


@pytest.mark.parametrize("kind", KINDS)
def test_malformed_bodies(kind: str, model: Callable[[str, ProviderServer], Any]) -> None:
    rng = random.Random(f"bodies:{kind}")
    ends: dict[str, int] = {"reply": 0, "error": 0}
    with ProviderServer() as server:
        asked = model(kind, server)
        for number in range(BODIES // len(KINDS)):
            whole = rng.random() < 0.3
            body = good_body(kind, whole, rng)
            for _ in range(rng.randint(1, 2)):
                body = rng.choice(MUTATIONS)(rng, body)
            labelled = "application/json" if whole != (rng.random() < 0.1) else "text/event-stream"
            status = 200 if rng.random() < 0.9 else rng.choice([201, 400, 404, 418, 500, 529])
            answer = Answer(status, body, {"content-type": labelled}, cut=rng.random() < 0.05)
            server.answers = [answer]
            try:
                reply = asked.ask(TALK, label=f"propose:{number}")
            except ModelError as error:
                ends["error"] += 1
                assert "\n" not in str(error)
                assert str(error)
                if status == 200:
                    assert error.spend.usd is None or error.spend.usd > 0, "it was billed"
            else:
                ends["reply"] += 1
                sane(reply)
    assert min(ends.values()) > 10, "the mutations are neither all harmless nor all fatal"


def sane(reply: Reply) -> None:
    """What the rest of the program may rely on."""
    assert isinstance(reply.text, str)
    assert isinstance(reply.reasoning, str)
    (reply.text + reply.reasoning + reply.model).encode("utf-8")
    assert reply.stop in ("end", "length", "refused")
    counts = (reply.usage.input, reply.usage.cached, reply.usage.output, reply.usage.reasoning)
    assert all(count is None or (type(count) is int and count >= 0) for count in counts)
    assert reply.spend.usd is None or reply.spend.usd >= 0


class Says:
    """A model with one answer to everything."""

    spec = "says"

    def __init__(self, text: str, stop: Any) -> None:
        self._reply = Reply(text, stop, spend=Spend(0.01, 1, 1))
        self.calls = 0

    def ask(self, messages: Any, *, label: str, schema: Any = None, meter: Any = None) -> Reply:
        self.calls += 1
        assert all(m.text.strip() for m in messages), "providers take no empty messages"
        return self._reply


PIECES = [
    "```", "~~~", "```python\n", "\n", "\r\n", '"""', "'", "\\n", "\0", "\ufeff", "\u2028", "(" * 200,
    "{" * 200, "[", "}", "@@", "<<<<<<< SEARCH\n", "=======\n", ">>>>>>> REPLACE\n", "&lt;", "<think>",
    "</think>", "class ModelNew:", "ModelNew = 1\n", "NOTE:", "P = tuned(V=[1, 2])\n", "tuned(", "\x0c",
    '{"cause": "a", "change": 3}', '"metrics": ', '"bottleneck": "none"', "null",
    "NaN", "-Infinity", "1e999", '"predicted_gain": ', "\t", "> ",
    "\U0001d518", LONG,
]  # fmt: skip


def mutated(text: str, rng: random.Random) -> str:
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(text) + 1)
        to = min(len(text), at + rng.randint(0, 40))
        match rng.randrange(5):
            case 0:
                text = text[:at] + rng.choice(PIECES) + text[at:]
            case 1:
                text = text[:at] + text[to:]
            case 2:
                text = text[:at] + text[at:to] * rng.randint(2, 9) + text[to:]
            case 3:
                text = text[:at] + "".join(rng.choice(PIECES) for _ in range(3)) + text[to:]
            case _:
                text = text[:at]
    return text


def test_malformed_texts() -> None:
    rng = random.Random("texts")
    parent = Candidate(kernel(1.5))
    judged = Attempt(parent, FakeEvaluator().evaluate(parent), 1, None, "first")
    broken = Candidate(kernel(1.5, fails="correctness"))
    failed = Attempt(broken, FakeEvaluator().evaluate(broken), 1, None, "failed")
    wrapped = [json.dumps({"code": CODE}), CODE.replace("\n", "\r\n"), CODE.replace("<", "&lt;")]
    coded = [CODE, CODE + CODE.replace("1.5", "1.6"), DIFF, ADVICE, *wrapped]
    advice = [
        ADVICE,
        WHOLE,
        f"```json\n{ADVICE}\n```",
        f"So: {ADVICE} Good luck!",
        ADVICE * 2,
        CODE,
    ]
    found = advised = 0
    for number in range(TEXTS):
        brief = Brief(TASK, CPU, "cpp", number, 0, judged, history=(judged,))
        stop = rng.choice(["end", "end", "length", "refused"])
        says = Says(mutated(rng.choice(coded if number % 3 else advice), rng), stop)
        if number % 3:
            proposal = ModelCoder(says, candidates=2).propose(brief)
            assert isinstance(proposal, Proposal)
            assert proposal.spend.input_tokens == says.calls <= 2
            for candidate in proposal.candidates:
                assert len(candidate.id) == 16
                assert isinstance(candidate.space, dict)
                assert candidate.normalised
            assert isinstance(proposal.note, str)
            assert "\n" not in proposal.note
            found += bool(proposal.candidates)
        else:
            given = ModelJudge(says).advise(brief, judged if number % 2 else failed)
            assert isinstance(given, Advice)
            assert given.spend.input_tokens == says.calls <= 2
            assert given.predicted_gain is None or 0 < given.predicted_gain < 1e6
            assert given.cause.strip()
            advised += bool(given.change)
    assert TEXTS // 10 < found < TEXTS
    assert TEXTS // 60 < advised < TEXTS
