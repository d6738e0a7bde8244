"""The providers over real HTTP: good answers, and every kind of bad one."""

import pytest
from provider_calls import KEY, SPECS, ask
from provider_server import Answer, ProviderServer, chat, chat_events, messages, responses

from kernelwright.agents.models.base import ModelError
from kernelwright.agents.models.openai_model import openai_model
from kernelwright.agents.models.options import Options
from kernelwright.agents.models.retry import Retry
from kernelwright.agents.models.spec import make_model
from kernelwright.agents.roles import Spend
from kernelwright.tasks.errors import UsageError


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
    assert [part["text"] for part in claude["system"]] == ["be brief"]
    assert [m["role"] for m in claude["messages"]] == ["user"]
    assert KEY in str(o_headers)
    assert KEY in str(a_headers)
    assert KEY not in str(c_headers), "the user's OpenAI key is not for other servers"


@pytest.mark.parametrize("kind", SPECS)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_4xx_fails_at_once_with_the_providers_words(connect, kind, status, waits, monkeypatch):
    monkeypatch.setenv("KERNELWRIGHT_API_KEY", KEY)
    said = {"error": {"message": f"no good: {KEY}", "code": "model_not_found", "type": "x"}}
    asked = 2 if kind == "chat" and status in (400, 422) else 1  # once more, in plainer words
    with (
        ProviderServer(*[Answer(status, said)] * asked) as server,
        pytest.raises(ModelError) as caught,
    ):
        ask(connect(server, kind))
    assert "no good" in str(caught.value)
    assert KEY not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.status == status
    assert caught.value.at_fault == "user"
    assert len(server.requests) == asked
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
        assert ask(connect(server, kind, options=Options(timeout=0.3))).text == "hello"
    assert len(server.requests) == 2


@pytest.mark.parametrize("kind", SPECS)
@pytest.mark.parametrize("open_ended", [True, False])
def test_a_cut_connection_is_tried_again_and_its_cost_is_unknown(connect, kind, open_ended):
    with ProviderServer(Answer(cut=True, open_ended=open_ended), text="x" * 2000) as server:
        reply = ask(connect(server, kind))
    assert reply.text == "x" * 2000
    assert len(server.requests) == 2
    assert reply.spend.usd is None


@pytest.mark.parametrize("kind", SPECS)
@pytest.mark.parametrize("body", [b"", b"{", b"<html>oops</html>", b"\xff\xfe", b"{'a': 1}"])
def test_malformed_json_is_an_error_and_charged_as_unknown(connect, kind, body):
    answer = Answer(200, body, {"content-type": "application/json"})
    with ProviderServer(answer) as server, pytest.raises(ModelError) as caught:
        ask(connect(server, kind))
    assert "malformed" in str(caught.value)
    assert caught.value.spend == Spend(None, None, None)
    assert len(server.requests) == 1


@pytest.mark.parametrize("kind", SPECS)
@pytest.mark.parametrize(
    "body",
    [[], {}, "text", 3, {"choices": []}, {"choices": [{}]}, {"output": [None, 1, {"content": 2}]},
     {"choices": [{"message": {"content": None}}], "usage": None}, {"output": None, "usage": []},
     {"choices": [{"message": {"content": ["a"]}}], "usage": {"prompt_tokens": "7"}}],
)  # fmt: skip
def test_json_of_another_shape_is_an_empty_answer_of_unknown_cost(connect, kind, body):
    with ProviderServer(Answer(200, body, whole=True)) as server:
        reply = ask(connect(server, kind))
    assert reply.text == ""
    assert reply.spend.usd is None


@pytest.mark.parametrize("kind", SPECS)
@pytest.mark.parametrize(
    "raw", [b"data: {\n\n", b"data: \xff\n\n", b"data:" + b"[" * 100_000 + b"\n\n"]
)
def test_a_malformed_stream(connect, kind, raw):
    with ProviderServer(Answer(200, raw)) as server, pytest.raises(ModelError) as caught:
        ask(connect(server, kind))
    assert "malformed" in str(caught.value)
    assert caught.value.spend.usd is None
    assert len(server.requests) == 1


@pytest.mark.parametrize("kind", SPECS)
@pytest.mark.parametrize(
    "raw",
    [b"event: message_start\ndata: {}\n\n", b"", b"{", b"data: 3\n\n", b": ping\n\n", b"data: {"],
)
def test_a_stream_without_an_end_is_tried_again(connect, kind, raw):
    with ProviderServer(Answer(200, raw)) as server:
        reply = ask(connect(server, kind))
    assert reply.text == "hello"
    assert reply.spend.usd is None


@pytest.mark.parametrize("kind", SPECS)
def test_the_last_words_of_a_stream_may_lack_a_line_end(connect, kind):
    body = {"chat": chat, "anthropic": messages, "responses": responses}[kind]("m", "hello you")
    with ProviderServer(Answer(200, body)) as good:
        ask(connect(good, kind))
        raw = good._render(good.paths[0], {"stream": True}, Answer(200, body))[1]
    for sent in (raw.rstrip(), raw.replace(b"\n", b"\r\n")):
        with ProviderServer(Answer(200, sent)) as server:
            assert ask(connect(server, kind)).text == "hello you"
        assert len(server.requests) == 1


@pytest.mark.parametrize("kind", SPECS)
def test_a_server_that_does_not_stream(connect, kind):
    with ProviderServer(Answer(whole=True), text="in one piece") as server:
        reply = ask(connect(server, kind))
    assert (reply.text, reply.usage.output) == ("in one piece", 100)
    assert reply.exchange.streamed is False


PASSING = {
    "anthropic": {"type": "error", "error": {"type": "overloaded_error", "message": "overloaded"}},
    "chat": {"error": {"type": "server_error", "message": "overloaded"}},
    "responses": {"type": "error", "code": "server_error", "message": "overloaded"},
}
LASTING = {
    "anthropic": {"type": "error", "error": {"type": "invalid_request_error", "message": "long"}},
    "chat": {"error": {"message": "long", "code": 400}},
    "responses": {"type": "error", "code": "invalid_prompt", "message": "long"},
}


@pytest.mark.parametrize("kind", SPECS)
def test_an_error_in_the_middle_of_a_stream(connect, kind, waits):
    with ProviderServer(Answer(200, PASSING[kind])) as server:
        reply = ask(connect(server, kind))
    assert (reply.text, len(waits)) == ("hello", 1)
    assert reply.spend.usd is None
    with ProviderServer(Answer(200, LASTING[kind])) as server, pytest.raises(ModelError) as caught:
        ask(connect(server, kind))
    assert "long" in str(caught.value)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("kind", "body"),
    [("chat", {"error": {"code": 502, "message": "upstream"}}),
     ("chat", chat("m", "half of i", finish_reason="error")),
     ("chat", chat("m", "half of i", finish_reason="abort")),
     ("responses", responses("m", "half of i") | {"status": "cancelled"})],
)  # fmt: skip
def test_an_answer_that_the_server_gave_up_is_asked_for_again(connect, kind, body):
    with ProviderServer(Answer(200, body)) as server:
        assert ask(connect(server, kind)).text == "hello"
    assert len(server.requests) == 2


def test_truncated_and_refused(connect):
    cases = {
        "responses": [
            (responses("m", "hal") | {"status": "incomplete",
             "incomplete_details": {"reason": "max_output_tokens"}}, "length"),
            (responses("m", "no") | {"status": "incomplete",
             "incomplete_details": {"reason": "content_filter"}}, "refused"),
            (responses("m", "") | {"output": [
                {"type": "message", "content": [{"type": "refusal", "refusal": "no"}]}]}, "refused"),
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
            for whole in (True, False):
                with ProviderServer(Answer(200, body, whole=whole)) as server:
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
        chat("m", "<thinking>long</thinking>short"),
        chat("m", "long</think>short"),
        chat("m", "", message={"content": "short", "reasoning_content": "long"}),
        chat("m", "", message={"content": "short", "reasoning": "long"}),
    ]
    for body in shapes:
        for whole in (True, False):
            with ProviderServer(Answer(200, body, whole=whole)) as server:
                reply = ask(connect(server, "chat"))
            assert (reply.text, reply.reasoning) == ("short", "long")


def test_reasoning_that_was_cut_off_is_no_answer(connect):
    body = chat("m", "<think>\nI must not", finish_reason="length")
    with ProviderServer(Answer(200, body)) as server:
        reply = ask(connect(server, "chat"))
    assert (reply.text, reply.reasoning, reply.stop) == ("", "I must not", "length")


def test_content_in_parts(connect):
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}, 3]
    body = chat("m", "", message={"content": parts})
    with ProviderServer(Answer(200, body, whole=True)) as server:
        assert ask(connect(server, "chat")).text == "ab"


def test_counts_that_a_server_leaves_out_are_unknown(connect):
    with ProviderServer(Answer(200, chat_events(chat("m", "hi"), usage=False))) as server:
        reply = ask(connect(server, "chat"))
    assert reply.text == "hi"
    assert (reply.usage.input, reply.spend.tokens) == (None, None)


@pytest.mark.parametrize("kind", [*SPECS, "openai-chat"])
def test_a_megabyte(connect, kind):
    for whole in (True, False):
        with ProviderServer(Answer(whole=whole), text="é" * 500_000) as server:
            assert len(ask(connect(server, kind)).text) == 500_000


@pytest.mark.parametrize("whole", [True, False])
def test_lone_surrogates_do_not_travel(connect, whole):
    with ProviderServer(Answer(200, chat("m", "a\ud800\u2028b"), whole=whole)) as server:
        assert ask(connect(server, "chat")).text == "a?\u2028b"


def test_nobody_listens(monkeypatch, waits):
    with ProviderServer() as server:
        url = server.url
    model = openai_model("m", url, retry=Retry(attempts=2, wait=waits.append))
    with pytest.raises(ModelError, match="no connection") as caught:
        ask(model)
    assert caught.value.retryable
    assert caught.value.spend == Spend(), "what nobody received costs nothing"
    assert len(waits) == 1


def test_missing_keys_are_named(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    with pytest.raises(UsageError, match="OPENAI_API_KEY"):
        make_model("openai:gpt-5")
    with pytest.raises(UsageError, match="ANTHROPIC_API_KEY"):
        make_model("anthropic:claude-opus-5")
    make_model("http://127.0.0.1:1/v1#m")
