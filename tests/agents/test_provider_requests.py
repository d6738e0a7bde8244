"""What a provider is sent: schemas, options, thinking, what may be cached."""

import pytest
from provider_calls import SPECS, TALK, ask
from provider_server import Answer, ProviderServer

from kernelwright.agents.models.base import Message, Schema
from kernelwright.agents.models.options import Options

SCHEMA = Schema("advice", {"type": "object", "properties": {}, "additionalProperties": False})


def test_a_schema_is_enforced_by_the_provider(connect):
    with ProviderServer(text="{}") as server:
        for kind in (*SPECS, "openai-chat"):
            reply = connect(server, kind).ask(TALK, label="judge:1", schema=SCHEMA)
            assert reply.exchange.structured is True
    sent = [body for _, body, _ in server.requests]
    form = sent[0]["text"]["format"]
    assert (form["type"], form["name"], form["schema"]) == ("json_schema", "advice", SCHEMA.body)
    for body in (sent[1], sent[3]):
        assert body["response_format"]["json_schema"]["schema"] == SCHEMA.body
    assert sent[2]["output_config"] == {"format": {"type": "json_schema", "schema": SCHEMA.body}}


@pytest.mark.parametrize(
    ("kind", "said"),
    [("responses", "Unsupported parameter: text.format"), ("chat", "bad request"),
     ("anthropic", "output_config.format: this model does not support it")],
)  # fmt: skip
def test_a_schema_that_is_not_taken_is_left_out_from_then_on(connect, kind, said):
    with ProviderServer(Answer(400, {"error": {"message": said}})) as server:
        model = connect(server, kind)
        for _ in range(2):
            reply = model.ask(TALK, label="judge:1", schema=SCHEMA)
            assert (reply.text, reply.exchange.structured) == ("hello", False)
    fields = {"text", "response_format", "output_config"}
    assert [bool(fields & set(body)) for _, body, _ in server.requests] == [True, False, False]


def test_a_server_that_knows_few_fields(connect):
    no = Answer(400, {"detail": "unexpected field"})
    with ProviderServer(no, no) as server:
        model = connect(server, "chat", options=Options(temperature=0.5, max_tokens=9))
        assert model.ask(TALK, label="judge:1", schema=SCHEMA).text == "hello"
    last = server.requests[-1][1]
    assert set(last) == {"model", "messages", "stream", "temperature", "max_tokens"}


def test_options_are_sent(connect):
    options = Options(max_tokens=77, temperature=0.5, top_p=0.9, effort="high")
    with ProviderServer() as server:
        for kind in (*SPECS, "openai-chat"):
            ask(connect(server, kind, options=options))
    first, local, claude, newer = (body for _, body, _ in server.requests)
    assert (first["max_output_tokens"], first["reasoning"]) == (77, {"effort": "high"})
    assert (local["max_tokens"], local["reasoning_effort"]) == (77, "high")
    assert (newer["max_completion_tokens"], newer["stream"]) == (77, True)
    assert (claude["max_tokens"], claude["output_config"]) == (77, {"effort": "high"})
    for body in (first, local, claude, newer):
        assert (body["temperature"], body["top_p"]) == (0.5, 0.9)


@pytest.mark.parametrize(
    ("thinking", "limit", "sent"),
    [(2000, None, {"type": "enabled", "budget_tokens": 2000}), ("off", None, {"type": "disabled"}),
     ("adaptive", None, {"type": "adaptive", "display": "summarized"}), (None, None, None),
     (8000, 4000, {"type": "enabled", "budget_tokens": 2000}), (8000, 1000, None)],
)  # fmt: skip
def test_thinking(connect, thinking, limit, sent):
    class Tight:
        """A meter that leaves little for the answer."""

        def charged(self, spec, size, most, call):
            assert most > (thinking if isinstance(thinking, int) else 0)
            return call(limit or most)

    with ProviderServer() as server:
        model = connect(server, "anthropic", options=Options(thinking=thinking))
        model.ask(TALK, label="propose:1", meter=Tight())
    assert server.requests[0][1].get("thinking") == sent


def test_what_stays_the_same_is_cached(connect):
    talk = (Message("system", "be brief"), Message("user", "the task. and more", stable=9))
    with ProviderServer() as server:
        connect(server, "anthropic").ask(talk, label="propose:1")
        connect(server, "chat").ask(talk, label="propose:1")
    claude, local = (body for _, body, _ in server.requests)
    mark = {"cache_control": {"type": "ephemeral"}}
    assert claude["system"] == [{"type": "text", "text": "be brief", **mark}]
    assert claude["messages"][0]["content"] == [
        {"type": "text", "text": "the task.", **mark},
        {"type": "text", "text": " and more"},
    ]
    assert local["messages"][1]["content"] == "the task. and more"
