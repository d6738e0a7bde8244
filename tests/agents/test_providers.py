"""The providers over real HTTP, against a local server that speaks their protocols."""

import json

import pytest
from provider_server import Answer, ProviderServer, chat, messages, responses

from kernelwright.agents.models.anthropic_model import AnthropicModel
from kernelwright.agents.models.base import Message, ModelError
from kernelwright.agents.models.openai_model import OpenAIModel
from kernelwright.agents.models.retry import Retry
from kernelwright.agents.models.spec import make_model
from kernelwright.agents.roles import Spend
from kernelwright.tasks.errors import UsageError

KEY = "sk-secret-0123456789"
TALK = (Message("system", "be brief"), Message("user", "hi"))
SPECS = ("responses", "chat", "anthropic")


@pytest.fixture(autouse=True)
def keys(monkeypatch):
    for name in ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "KERNELWRIGHT_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)


@pytest.fixture
def waits():
    return []


@pytest.fixture
def connect(monkeypatch, waits):
    def connect(server, kind, **settings):
        monkeypatch.setenv("OPENAI_BASE_URL", server.url + "/v1")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        retry = Retry(attempts=4, base_s=0.01, wait=waits.append)
        match kind:
            case "responses":
                return OpenAIModel("gpt-5-mini", retry=retry, **settings)
            case "chat":
                return OpenAIModel("local-7b", server.url + "/v1", retry=retry, **settings)
            case _:
                return AnthropicModel("claude-haiku-4-5", retry=retry, **settings)

    return connect


def ask(model):
    return model.ask(TALK, label="propose:1")


@pytest.mark.parametrize("kind", SPECS)
def test_a_good_answer(connect, kind, waits):
    with ProviderServer(text="the answer") as server:
        reply = ask(connect(server, kind))
    assert (reply.text, reply.stop) == ("the answer", "end")
    assert reply.reasoning == ("" if kind == "chat" else "thought")
    assert (reply.usage.input, reply.usage.output) == (1000, 100)
    assert reply.usage.cached == (None if kind == "chat" else 400)
    assert waits == []
    assert len(server.requests) == 1


def test_prices(connect):
    with ProviderServer() as server:
        openai = ask(connect(server, "responses")).spend
        anthropic = ask(connect(server, "anthropic")).spend
        local = ask(connect(server, "chat")).spend
    assert openai.usd == pytest.approx((600 * 0.25 + 400 * 0.025 + 100 * 2.0) / 1e6)
    assert anthropic.usd == pytest.approx((600 * 1.0 + 400 * 0.1 + 100 * 5.0) / 1e6)
    assert local == Spend(None, 1000, 100), "an unknown price is not 0"


def test_what_is_sent(connect):
    with ProviderServer() as server:
        for kind in SPECS:
            ask(connect(server, kind))
    (first, openai, o_headers), (second, local, c_headers), (third, claude, a_headers) = (
        server.requests
    )
    assert (first, second, third) == ("/v1/responses", "/v1/chat/completions", "/v1/messages")
    assert openai["instructions"] == "be brief"
    assert openai["input"] == [{"role": "user", "content": "hi"}]
    assert [m["role"] for m in local["messages"]] == ["system", "user"]
    assert claude["system"] == "be brief"
    assert [m["role"] for m in claude["messages"]] == ["user"]
    assert KEY in str(o_headers)
    assert KEY in str(a_headers)
    assert KEY not in str(c_headers), "the user's OpenAI key is not for other servers"


@pytest.mark.parametrize("kind", SPECS)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_4xx_fails_at_once_with_the_providers_words(connect, kind, status, waits, monkeypatch):
    monkeypatch.setenv("KERNELWRIGHT_API_KEY", KEY)
    said = {"error": {"message": f"no good: {KEY}", "code": "model_not_found", "type": "x"}}
    with ProviderServer(Answer(status, said)) as server, pytest.raises(ModelError) as caught:
        ask(connect(server, kind))
    assert "no good" in str(caught.value)
    assert KEY not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.status == status
    assert caught.value.at_fault == "user"
    assert len(server.requests) == 1
    assert waits == []


@pytest.mark.parametrize("kind", SPECS)
@pytest.mark.parametrize("status", [429, 500, 503, 529])
def test_what_passes_is_tried_again(connect, kind, status, waits):
    bad = Answer(status, {"error": {"message": "busy", "type": "overloaded_error"}})
    with ProviderServer(bad, bad) as server:
        assert ask(connect(server, kind)).text == "hello"
    assert len(server.requests) == 3
    assert len(waits) == 2
    assert all(0 <= w <= 0.02 for w in waits)


@pytest.mark.parametrize("kind", SPECS)
def test_retry_after_is_honoured(connect, kind, waits):
    busy = {"error": {"message": "slow down"}}
    with ProviderServer(Answer(429, busy, {"retry-after": "7"})) as server:
        assert ask(connect(server, kind)).text == "hello"
    assert len(waits) == 1
    assert 7 <= waits[0] < 7.1


@pytest.mark.parametrize("kind", SPECS)
def test_retry_after_beyond_patience_ends_the_call(connect, kind, waits):
    busy = Answer(429, {"error": {"message": "quota used up"}}, {"retry-after": "86400"})
    with ProviderServer(busy) as server, pytest.raises(ModelError, match="quota used up"):
        ask(connect(server, kind))
    assert waits == []


@pytest.mark.parametrize("kind", SPECS)
def test_retries_are_bounded(connect, kind, waits):
    with (
        ProviderServer(*[Answer(500, {"error": {"message": "broken"}})] * 20) as server,
        pytest.raises(ModelError, match="broken") as caught,
    ):
        ask(connect(server, kind))
    assert len(server.requests) == 4
    assert len(waits) == 3
    assert caught.value.retryable


@pytest.mark.parametrize("kind", SPECS)
def test_a_slow_server_times_out_and_is_tried_again(connect, kind):
    with ProviderServer(Answer(delay_s=1.0)) as server:
        assert ask(connect(server, kind, timeout_s=0.3)).text == "hello"
    assert len(server.requests) == 2


@pytest.mark.parametrize("kind", SPECS)
def test_a_cut_connection_is_tried_again_and_its_cost_is_unknown(connect, kind):
    with ProviderServer(Answer(cut=True), text="x" * 2000) as server:
        reply = ask(connect(server, kind))
    assert reply.text == "x" * 2000
    assert len(server.requests) == 2
    assert reply.spend.usd is None


@pytest.mark.parametrize("kind", ["responses", "chat"])
@pytest.mark.parametrize("body", [b"", b"{", b"<html>oops</html>", b"\xff\xfe", b"{'a': 1}"])
def test_malformed_json_is_an_error_and_charged_as_unknown(connect, kind, body):
    with ProviderServer(Answer(200, body)) as server, pytest.raises(ModelError) as caught:
        ask(connect(server, kind))
    assert "malformed" in str(caught.value)
    assert caught.value.spend == Spend(None, None, None)
    assert len(server.requests) == 1


@pytest.mark.parametrize("kind", ["responses", "chat"])
@pytest.mark.parametrize(
    "body",
    [[], {}, "text", 3, {"choices": []}, {"choices": [{}]}, {"output": [None, 1, {"content": 2}]},
     {"choices": [{"message": {"content": None}}], "usage": None}, {"output": None, "usage": []},
     {"choices": [{"message": {"content": ["a"]}}], "usage": {"prompt_tokens": "7"}}],
)  # fmt: skip
def test_json_of_another_shape_is_an_empty_answer_of_unknown_cost(connect, kind, body):
    with ProviderServer(Answer(200, body)) as server:
        reply = ask(connect(server, kind))
    assert reply.text == ""
    assert reply.spend.usd is None


def test_a_malformed_stream(connect):
    raw = b"event: message_start\ndata: {\n\n"
    with ProviderServer(Answer(200, raw)) as server, pytest.raises(ModelError) as caught:
        ask(connect(server, "anthropic"))
    assert "malformed" in str(caught.value)
    assert caught.value.spend.usd is None


@pytest.mark.parametrize("raw", [b"event: message_start\ndata: {}\n\n", b"", b"{", b"data: 3\n\n"])
def test_a_stream_without_an_end_is_tried_again(connect, raw):
    with ProviderServer(Answer(200, raw)) as server:
        reply = ask(connect(server, "anthropic"))
    assert reply.text == "hello"
    assert reply.spend.usd is None


def test_an_error_in_the_middle_of_a_stream(connect, waits):
    passing = {"type": "error", "error": {"type": "overloaded_error", "message": "overloaded"}}
    lasting = {"type": "error", "error": {"type": "invalid_request_error", "message": "too long"}}
    with ProviderServer(Answer(200, passing)) as server:
        reply = ask(connect(server, "anthropic"))
    assert (reply.text, len(waits)) == ("hello", 1)
    assert reply.spend.usd is None
    with (
        ProviderServer(Answer(200, lasting)) as server,
        pytest.raises(ModelError, match="too long"),
    ):
        ask(connect(server, "anthropic"))
    assert len(server.requests) == 1


def test_truncated_and_refused(connect):
    cases = {
        "responses": [
            (responses("m", "hal") | {"status": "incomplete",
             "incomplete_details": {"reason": "max_output_tokens"}}, "length"),
            (responses("m", "no") | {"status": "incomplete",
             "incomplete_details": {"reason": "content_filter"}}, "refused"),
            ({"output": [{"type": "message", "content": [{"type": "refusal", "refusal": "no"}]}]},
             "refused"),
        ],
        "chat": [
            (chat("m", "hal", finish_reason="length"), "length"),
            (chat("m", "no", finish_reason="content_filter"), "refused"),
            (chat("m", "", message={"content": None, "refusal": "no"}), "refused"),
        ],
        "anthropic": [
            (messages("m", "hal", "max_tokens"), "length"),
            (messages("m", "no", "refusal"), "refused"),
        ],
    }  # fmt: skip
    for kind, answers in cases.items():
        for body, stop in answers:
            with ProviderServer(Answer(200, body)) as server:
                reply = ask(connect(server, kind))
            assert (reply.stop, reply.text) == (stop, "hal" if stop == "length" else "no")


def test_a_response_that_failed_is_charged(connect):
    failed = responses("gpt-5-mini", "") | {
        "status": "failed",
        "error": {"code": "invalid_prompt", "message": "not allowed"},
    }
    with (
        ProviderServer(Answer(200, failed)) as server,
        pytest.raises(ModelError, match="not allowed") as caught,
    ):
        ask(connect(server, "responses"))
    assert caught.value.spend.tokens == 1100
    assert caught.value.spend.usd > 0


def test_failed_attempts_that_were_billed_are_added(connect):
    failed = responses("gpt-5-mini", "") | {
        "status": "failed",
        "error": {"code": "server_error", "message": "sorry"},
    }
    with ProviderServer(Answer(200, failed)) as server:
        reply = ask(connect(server, "responses"))
    assert (reply.text, reply.spend.tokens) == ("hello", 2200)


def test_a_server_without_responses_is_asked_by_chat(connect):
    with ProviderServer(Answer(404, {"detail": "Not Found"})) as server:
        model = connect(server, "responses")
        assert ask(model).text == "hello"
        assert ask(model).text == "hello"
    assert server.paths == ["/v1/responses", "/v1/chat/completions", "/v1/chat/completions"]


def test_reasoning_is_kept_apart(connect):
    shapes = [
        chat("m", "<think>\nlong\n</think>\n\nshort"),
        chat("m", "long</think>short"),
        chat("m", "", message={"content": "short", "reasoning_content": "long"}),
        chat("m", "", message={"content": "short", "reasoning": "long"}),
    ]
    for body in shapes:
        with ProviderServer(Answer(200, body)) as server:
            reply = ask(connect(server, "chat"))
        assert (reply.text, reply.reasoning) == ("short", "long")


def test_a_megabyte(connect):
    for kind in SPECS:
        with ProviderServer(text="é" * 500_000) as server:
            assert len(ask(connect(server, kind)).text) == 500_000


def test_lone_surrogates_do_not_travel(connect):
    body = json.dumps(chat("m", "a\ud800b")).encode()
    with ProviderServer(Answer(200, body)) as server:
        assert ask(connect(server, "chat")).text == "a?b"


def test_nobody_listens(monkeypatch, waits):
    with ProviderServer() as server:
        url = server.url
    model = OpenAIModel("m", url, retry=Retry(attempts=2, wait=waits.append))
    with pytest.raises(ModelError, match="no connection") as caught:
        ask(model)
    assert caught.value.retryable
    assert caught.value.spend == Spend(), "what nobody received costs nothing"
    assert len(waits) == 1


def test_missing_keys_are_named(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    with pytest.raises(UsageError, match="OPENAI_API_KEY"):
        make_model("openai:gpt-5")
    with pytest.raises(UsageError, match="ANTHROPIC_API_KEY"):
        make_model("anthropic:claude-opus-5")
    make_model("http://127.0.0.1:1/v1#m")
