"""Time: how answers come, how often and when a call is made again, how many at once, and the end of all."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from provider_calls import SPECS, TALK, ask
from provider_server import Answer, ProviderServer

from kernelwright.agents.models.base import Cancelled, ModelError
from kernelwright.agents.models.halt import Halt
from kernelwright.agents.models.limiter import Limiter, limiter_of
from kernelwright.agents.models.options import Options
from kernelwright.agents.models.retry import Retry
from kernelwright.agents.roles import Spend


@pytest.mark.parametrize("kind", SPECS)
def test_how_an_answer_came_is_known(connect, kind):
    with ProviderServer(Answer(drip_s=0.05), text="x" * 2000) as server:
        reply = ask(connect(server, kind))
    came = reply.exchange
    assert came.streamed
    assert 0 < came.first_token_s < came.total_s - 0.1
    assert reply.text == "x" * 2000


def test_an_answer_that_drips_for_ever_is_ended_and_not_begun_again(connect):
    slow = Answer(drip_s=0.2)
    with ProviderServer(slow, slow, text="x" * 20_000) as server:
        with pytest.raises(ModelError, match="no whole answer in") as caught:
            ask(connect(server, "anthropic", options=Options(timeout=4.0)))
        assert len(server.requests) == 1
    assert not caught.value.retryable
    assert caught.value.spend.usd is None


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [({"retry-after-ms": "2500"}, 2.5, 2.6), ({"retry-after": "7", "retry-after-ms": "x"}, 7, 7.1),
     ({"retry-after": format_datetime(datetime.now(UTC) + timedelta(hours=1))}, 1800, 3601),
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
    assert server.most_active <= 16, "40 were asked for at once"
    assert len(server.requests) == 70


def test_calls_that_are_refused_together_halve_the_limit_once():
    limiter = Limiter(8)

    def refused():
        raise ModelError("slow down", retryable=True, status=429)

    with pytest.raises(ModelError), limiter.watched():
        with pytest.raises(ModelError), limiter.watched():
            refused()
        assert limiter.limit == 4
        refused()
    assert limiter.limit == 4
    for least in (2, 1, 1):
        with pytest.raises(ModelError), limiter.watched():
            refused()
        assert limiter.limit == least
    with pytest.raises(ModelError), limiter.watched():
        raise ModelError("wrong", status=400)
    for _ in range(100):
        with limiter.watched():
            pass
    assert 10 < limiter.limit < 20


def test_more_at_once_while_all_goes_well(connect):
    with ProviderServer() as server:
        model = connect(server, "chat")
        before = limiter_of(server.url + "/v1").limit
        for _ in range(20):
            ask(model)
        assert limiter_of(server.url + "/v1").limit > before + 1


def _cut_when_asked(server, halt):
    while not server.requests:
        time.sleep(0.02)
    time.sleep(0.2)
    halt.now()


@pytest.mark.parametrize("kind", SPECS)
@pytest.mark.parametrize(
    "slow", [Answer(delay_s=20), Answer(drip_s=0.5), Answer(drip_s=0.5, open_ended=True)]
)
def test_a_call_under_way_is_cut_at_once(connect, kind, slow):
    halt = Halt()
    with ProviderServer(slow, text="x" * 9000) as server:
        model = connect(server, kind, halt=halt)
        cutter = threading.Thread(target=_cut_when_asked, args=(server, halt))
        cutter.start()
        began = time.monotonic()
        with pytest.raises(Cancelled) as caught:
            ask(model)
        assert time.monotonic() - began < 15, "the answer would take 20 s"
        cutter.join()
        with pytest.raises(Cancelled):
            ask(model)
    assert caught.value.spend == Spend(None, None, None), "it may have been billed"
    assert len(server.requests) == 1


def _stop_when_asked(server, halt):
    while not server.requests:
        time.sleep(0.02)
    halt.soon()


def test_a_halt_ends_waiting_but_not_an_answer_under_way(connect):
    halt = Halt()
    with ProviderServer(Answer(delay_s=0.5)) as server:
        threading.Thread(target=_stop_when_asked, args=(server, halt)).start()
        assert ask(connect(server, "chat", halt=halt)).text == "hello"
    assert halt.asked
    halt = Halt()
    with ProviderServer(Answer(429, {}, {"retry-after": "60"})) as server:
        threading.Thread(target=_stop_when_asked, args=(server, halt)).start()
        began = time.monotonic()
        with pytest.raises(Cancelled):
            ask(connect(server, "chat", halt=halt, retry=Retry(wait=halt.wait)))
        assert time.monotonic() - began < 30, "the provider asks for 60 s"


def test_nobody_waits_for_a_slot_after_a_halt(connect):
    halt = Halt()
    with ProviderServer(*[Answer(delay_s=4.0)] * 8) as server:
        model = connect(server, "chat", halt=halt)
        with ThreadPoolExecutor(12) as pool:
            calls = [pool.submit(ask, model) for _ in range(12)]
            until = time.monotonic() + 20
            while server.active < 8 and time.monotonic() < until:
                time.sleep(0.02)
            halt.soon()
        ended = [call.exception() for call in calls]
    assert sum(isinstance(end, Cancelled) for end in ended) == 4
    assert ended.count(None) == 8
