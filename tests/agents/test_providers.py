"""The providers over real HTTP, against a local server that speaks their protocols."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from provider_server import Answer, ProviderServer, chat, chat_events, messages, responses

from kernelwright.agents.models.anthropic_model import anthropic_model
from kernelwright.agents.models.base import Cancelled, Message, ModelError, Schema
from kernelwright.agents.models.halt import Halt
from kernelwright.agents.models.limiter import limiter_of
from kernelwright.agents.models.openai_model import openai_model
from kernelwright.agents.models.options import Options
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
        settings = {"retry": Retry(attempts=4, base_s=0.01, wait=waits.append)} | settings
        match kind:
            case "responses":
                return openai_model("gpt-5-mini", **settings)
            case "openai-chat":
                return openai_model("gpt-5-mini", chat=True, **settings)
            case "chat":
                return openai_model("local-7b", server.url + "/v1", **settings)
            case _:
                return anthropic_model("claude-haiku-4-5", **settings)

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
def test_a_cut_connection_is_tried_again_and_its_cost_is_unknown(connect, kind):
    with ProviderServer(Answer(cut=True), text="x" * 2000) as server:
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
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    with pytest.raises(UsageError, match="OPENAI_API_KEY"):
        make_model("openai:gpt-5")
    with pytest.raises(UsageError, match="ANTHROPIC_API_KEY"):
        make_model("anthropic:claude-opus-5")
    make_model("http://127.0.0.1:1/v1#m")


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


@pytest.mark.parametrize("kind", SPECS)
def test_how_an_answer_came_is_known(connect, kind):
    with ProviderServer(Answer(drip_s=0.05), text="x" * 2000) as server:
        reply = ask(connect(server, kind))
    came = reply.exchange
    assert came.streamed
    assert 0 < came.first_token_s < came.total_s - 0.1
    assert reply.text == "x" * 2000


def test_an_answer_that_drips_for_ever_is_ended(connect):
    slow = Answer(drip_s=0.1)
    with ProviderServer(slow, slow, slow, slow, text="x" * 9000) as server:
        began = time.monotonic()
        with pytest.raises(ModelError, match="no whole answer in") as caught:
            ask(connect(server, "anthropic", options=Options(timeout=0.4)))
        assert time.monotonic() - began < 6
    assert caught.value.retryable
    assert caught.value.spend.usd is None


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [({"retry-after-ms": "2500"}, 2.5, 2.6), ({"retry-after": "7", "retry-after-ms": "x"}, 7, 7.1),
     ({"retry-after": format_datetime(datetime.now(UTC) + timedelta(hours=1))}, 3500, 3601),
     ({"retry-after": "soon"}, 0, 0.1), ({"retry-after": "-5"}, 0, 0.1),
     ({"retry-after": "inf"}, 0, 0.1), ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0, 0.1)],
)  # fmt: skip
def test_every_form_of_retry_after(connect, waits, headers, least, most):
    busy = Answer(429, {"error": {"message": "slow down"}}, headers)
    with ProviderServer(busy) as server:
        retry = Retry(base_s=0.01, patience_s=9999, wait=waits.append)
        assert ask(connect(server, "chat", retry=retry)).text == "hello"
    assert len(waits) == 1
    assert least <= waits[0] <= most


def test_a_quota_that_is_used_up_does_not_come_back(connect, waits):
    said = {"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}
    with ProviderServer(Answer(429, said)) as server, pytest.raises(ModelError, match="quota"):
        ask(connect(server, "responses"))
    assert waits == []


@pytest.mark.parametrize("status", [408, 409])
def test_other_statuses_that_pass(connect, status):
    with ProviderServer(Answer(status, {"error": {"message": "later"}})) as server:
        assert ask(connect(server, "responses")).text == "hello"


def test_a_storm_of_429_halves_the_calls_at_once_and_all_pass(connect):
    storm = [Answer(429, {"error": {"message": "slow"}}, delay_s=0.05)] * 30
    with ProviderServer(*storm) as server:
        retry = Retry(attempts=40, base_s=0.01, cap_s=0.05)
        model = connect(server, "chat", retry=retry)
        with ThreadPoolExecutor(40) as pool:
            said = list(pool.map(lambda i: model.ask(TALK, label=f"propose:{i}").text, range(40)))
    assert said == ["hello"] * 40
    assert server.most_active <= 8
    assert len(server.requests) == 70


def test_more_at_once_while_all_goes_well(connect):
    with ProviderServer() as server:
        model = connect(server, "chat")
        before = limiter_of(server.url + "/v1").limit
        for _ in range(20):
            ask(model)
        assert limiter_of(server.url + "/v1").limit > before + 1


@pytest.mark.parametrize("kind", SPECS)
@pytest.mark.parametrize("slow", [Answer(delay_s=20), Answer(drip_s=0.5)])
def test_a_call_under_way_is_cut_at_once(connect, kind, slow):
    halt = Halt()
    with ProviderServer(slow, text="x" * 9000) as server:
        model = connect(server, kind, halt=halt)
        threading.Timer(0.4, halt.now).start()
        began = time.monotonic()
        with pytest.raises(Cancelled) as caught:
            ask(model)
        assert time.monotonic() - began < 3
        with pytest.raises(Cancelled):
            ask(model)
    assert caught.value.spend == Spend(None, None, None), "it may have been billed"
    assert len(server.requests) == 1


def test_a_halt_ends_waiting_but_not_an_answer_under_way(connect):
    halt = Halt()
    with ProviderServer(Answer(delay_s=0.5)) as server:
        threading.Timer(0.2, halt.soon).start()
        assert ask(connect(server, "chat", halt=halt)).text == "hello"
    halt = Halt()
    with ProviderServer(Answer(429, {}, {"retry-after": "60"})) as server:
        threading.Timer(0.2, halt.soon).start()
        began = time.monotonic()
        with pytest.raises(Cancelled):
            ask(connect(server, "chat", halt=halt, retry=Retry(wait=halt.wait)))
        assert time.monotonic() - began < 3


def test_nobody_waits_for_a_slot_after_a_halt(connect):
    halt = Halt()
    with ProviderServer(*[Answer(delay_s=1.0)] * 8) as server:
        model = connect(server, "chat", halt=halt)
        with ThreadPoolExecutor(12) as pool:
            calls = [pool.submit(ask, model) for _ in range(12)]
            time.sleep(0.4)
            halt.soon()
        ended = [call.exception() for call in calls]
    assert sum(isinstance(end, Cancelled) for end in ended) == 4
    assert ended.count(None) == 8
