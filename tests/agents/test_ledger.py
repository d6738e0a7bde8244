"""The ledger: no budget is ever overrun, whatever calls do and wherever a run is killed."""

import random
import threading
import time
from dataclasses import replace
from fractions import Fraction

import pytest
from ledger_fakes import PRICES, Killed, Log, answered

from kernelwright.agents.ledger.account import Account, Line, total
from kernelwright.agents.ledger.ledger import LEAST_OUTPUT, Caps, Ledger
from kernelwright.agents.models.base import (
    ModelError,
    OverBudget,
    Reply,
    Usage,
)
from kernelwright.agents.roles import Spend
from kernelwright.tasks.errors import UsageError

CAP = 0.10
UNKNOWN = Spend(None, None, None)


class Provider:
    """Bills every request by its own exact books, and answers as badly as providers do."""

    def __init__(self, seed: int, log: Log, deadly: bool) -> None:
        self.random = random.Random(seed)
        self.lock = threading.Lock()
        self.bill = Fraction(0)
        self.tokens = 0
        self.requests = 0
        self.log = log
        self.deadly = deadly

    def request(self, model: str, size: int, limit: int | None) -> Reply:
        assert limit is not None
        with self.lock:
            draw, self.requests = self.random.random(), self.requests + 1
            asked = int(size * self.random.uniform(0.1, 1))
            cached = int(asked * self.random.choice([0, 0.5, 1]))
            written = int((asked - cached) * self.random.choice([0, 0.5, 1]))
            out = int(limit * self.random.choice([1, 1, self.random.random(), 0.05]))
            wait_s = self.random.choice([0, 0, 0.0002, 0.001])
        if draw < 0.05:
            raise ModelError("HTTP 429", retryable=True, status=429)
        usage = Usage(asked, cached, written, out, out // 2)
        self._charge(model, usage)
        if wait_s:
            time.sleep(wait_s)
        if self.deadly and draw > 0.97:
            self.log.dead = True
            raise Killed
        if draw < 0.10:
            raise ModelError("the stream was cut", retryable=True, spend=UNKNOWN)
        if draw < 0.13:
            raise ModelError("failed", spend=Spend(None, asked, out), usage=usage)
        if draw < 0.16:
            return Reply("cut off", "length", usage=Usage(output=out))
        stop = "refused" if draw < 0.2 else "length" if out == limit else "end"
        return Reply("answer", stop, usage=usage)  # type: ignore[arg-type]

    def _charge(self, model: str, usage: Usage) -> None:
        price = PRICES[model]
        tier = [t for t in price.tiers if (usage.input or 0) > t.above or t.above == 0][-1]
        cached, written = usage.cached or 0, usage.cache_written or 0
        parts = (
            ((usage.input or 0) - cached - written, tier.input),
            (cached, tier.input if tier.cached is None else tier.cached),
            (written, tier.input if tier.cache_written is None else tier.cache_written),
            (usage.output or 0, tier.output),
        )
        with self.lock:
            self.bill += (
                sum((Fraction(str(rate)) * count for count, rate in parts), Fraction(0)) / 1_000_000
            )
            self.tokens += (usage.input or 0) + (usage.output or 0)


def simulate(seed: int, caps: Caps, deadly: bool = True) -> tuple[Provider, Account, Log]:
    """A run: several threads ask until the budget is used up; a killed one is resumed."""
    draw = random.Random(f"run {seed}")
    log = Log()
    provider = Provider(seed, log, deadly)
    for _session in range(40):
        ledger, account = log.session(caps)
        done = threading.Event()
        plans = [
            [
                (draw.choice(list(PRICES)), draw.randint(600, 12_000), draw.choice([None, 3_000]))
                for _ in range(60)
            ]
            for _ in range(draw.choice([1, 2, 8]))
        ]

        def work(plan: list[tuple[str, int, int | None]], ledger: Ledger, done: object) -> None:
            for model, size, most in plan:
                try:
                    ledger.call(
                        "coder", "propose:1", model, size, most,
                        lambda limit, m=model, s=size: provider.request(m, s, limit),
                    )  # fmt: skip
                except OverBudget:
                    done.set()  # type: ignore[attr-defined]
                    return
                except ModelError:
                    continue
                except Killed:
                    return

        threads = [threading.Thread(target=work, args=(plan, ledger, done)) for plan in plans]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive(), f"seed {seed}: a call waits for ever"
        if done.is_set() and not log.dead:
            break
    return provider, account, log


def test_a_cap_is_never_exceeded_in_200_parallel_runs() -> None:
    used = []
    for seed in range(200):
        provider, account, log = simulate(seed, Caps(usd=CAP))
        assert provider.bill <= Fraction(str(CAP)), f"seed {seed}: {float(provider.bill)}"
        bound = account.committed().usd_at_most
        assert bound is not None
        assert float(provider.bill) <= bound * (1 + 1e-12), "the books know of every dollar"
        assert bound <= CAP
        assert provider.requests == sum(event.kind == "reserved" for event in log.events)
        used.append(float(provider.bill))
    assert max(used) > 0.9 * CAP, "the budget can be used"


def test_a_token_cap_is_never_exceeded() -> None:
    for seed in range(40):
        provider, account, _ = simulate(seed, Caps(tokens=60_000))
        assert provider.tokens <= 60_000
        assert provider.tokens <= (account.committed().tokens_at_most or 0) <= 60_000


def test_both_caps_hold_at_once() -> None:
    for seed in range(20):
        provider, _, _ = simulate(seed, Caps(usd=CAP, tokens=40_000))
        assert provider.bill <= Fraction(str(CAP))
        assert provider.tokens <= 40_000


def books(caps: Caps = Caps()) -> tuple[Ledger, Account, Log]:  # noqa: B008 - frozen
    log = Log()
    return *log.session(caps), log


def test_the_budget_is_used_up_by_shorter_answers() -> None:
    ledger, account, _ = books(Caps(usd=CAP))
    limits: list[int | None] = []

    def call(limit: int | None) -> Reply:
        limits.append(limit)
        assert limit is not None
        return Reply("", usage=Usage(1_000, output=limit))

    with pytest.raises(OverBudget, match=r"the budget of \$0\.1 is used up: \$0\."):
        while True:
            ledger.call("coder", "propose:1", "plain", 1_000, 8_000, call)
    assert limits[0] == 8_000
    assert limits[-1] is not None
    assert LEAST_OUTPUT <= limits[-1] < 8_000
    left = CAP - (account.committed().usd or 0.0)
    assert left < PRICES["plain"].most_usd(1_000, LEAST_OUTPUT)


def test_a_call_waits_for_what_others_have_reserved() -> None:
    """Two calls cannot both be afforded at their worst; one after the other they can."""
    ledger, account, _ = books(Caps(usd=0.06))
    began, go = threading.Event(), threading.Event()

    def slow(limit: int | None) -> Reply:
        began.set()
        assert go.wait(10)
        return Reply("", usage=Usage(10, output=10))

    first = threading.Thread(
        target=lambda: ledger.call("coder", "propose:1", "plain", 1_000, 10_000, slow)
    )
    first.start()
    assert began.wait(10)
    replies: list[Reply] = []
    second = threading.Thread(
        target=lambda: replies.append(
            ledger.call("judge", "judge:1", "plain", 1_000, 10_000, answered(Usage(10, output=10)))
        )
    )
    second.start()
    second.join(0.05)
    assert second.is_alive()
    assert len(account.calls) == 1
    go.set()
    first.join(10)
    second.join(10)
    assert replies
    assert account.committed().calls == 2


def test_a_provider_that_bills_too_much_is_believed_and_no_more_is_asked() -> None:
    ledger, account, _ = books(Caps(usd=0.06))
    ledger.call("coder", "propose:1", "plain", 1_000, 4_000, answered(Usage(1_000, output=90_000)))
    assert account.committed().usd == pytest.approx(0.451)
    with pytest.raises(OverBudget):
        ledger.call("coder", "propose:2", "plain", 10, 10, answered(Usage(1, output=1)))


@pytest.mark.parametrize(
    ("failure", "usd", "at_most"),
    [
        (ModelError("HTTP 400", status=400), 0.0, 0.0),
        (ModelError("cut", spend=UNKNOWN), None, 0.016),
        (ModelError("failed", usage=Usage(100, output=10)), 0.00015, 0.00015),
        (ModelError("failed", spend=Spend(None, 100, 10)), None, 0.016),
        (KeyboardInterrupt(), None, 0.016),
    ],
)
def test_what_fails_is_charged(failure: BaseException, usd: float | None, at_most: float) -> None:
    ledger, account, log = books(Caps(usd=1.0))

    def call(limit: int | None) -> Reply:
        raise failure

    with pytest.raises(type(failure)):
        ledger.call("coder", "propose:1", "plain", 1_000, 3_000, call)
    line = account.settled()
    assert (line.calls, line.usd) == (1, usd if usd is None else pytest.approx(usd))
    assert line.usd_at_most == pytest.approx(at_most)
    assert [event.kind for event in log.events[-2:]] == ["reserved", "settled"]


@pytest.mark.parametrize("stop", ["refused", "length"])
def test_what_is_of_no_use_is_charged(stop: str) -> None:
    ledger, account, log = books()
    reply = Reply("no", stop, usage=Usage(100, output=10))  # type: ignore[arg-type]
    spend = ledger.call("coder", "propose:1", "plain", 1_000, None, lambda limit: reply).spend
    assert account.settled().usd == spend.usd == pytest.approx(0.00015)
    assert log.events[-1].data["outcome"] == stop


def test_an_answer_longer_than_was_reserved_raises_the_bound() -> None:
    """A program takes no limit and gives no count: its bytes are the bound."""
    ledger, account, _ = books(Caps(usd=1.0))
    ledger.call("coder", "propose:1", "plain", 1_000, 3_000, answered(Usage(), "x" * 50_000))
    line = account.settled()
    assert (line.usd, line.tokens) == (None, None)
    assert line.usd_at_most == pytest.approx((1_000 + 50_000 * 5) / 1e6)
    assert line.tokens_at_most == 51_000


def test_without_a_cap_nothing_is_limited() -> None:
    ledger, _, _ = books()
    seen: list[int | None] = []

    def call(limit: int | None) -> Reply:
        seen.append(limit)
        return Reply("", usage=Usage(1, output=1))

    for most in (None, 7):
        ledger.call("coder", "propose:1", "plain", 1_000, most, call)
    assert seen == [None, 7]


def test_an_unknown_price_and_a_dollar_cap_do_not_go_together() -> None:
    ledger, _, log = books(Caps(usd=1.0))
    with pytest.raises(UsageError, match="--price IN,OUT"):
        ledger.call("coder", "propose:1", "command:x", 10, 10, answered(Usage(1, output=1)))
    free, account, _ = books(Caps(usd=1.0))
    free.call("coder", "propose:1", "replay:x", 10, None, answered(Usage()))
    assert account.settled().usd == 0.0
    uncapped, _ = log.session(Caps())
    uncapped.call("coder", "propose:1", "command:x", 10, 10, answered(Usage(1, output=1)))
    capped, _ = log.session(Caps(usd=1.0))
    with pytest.raises(UsageError, match="--no-dollar-cap"):
        capped.call("coder", "propose:1", "plain", 10, 10, answered(Usage(1, output=1)))


def test_by_role_by_model_by_round() -> None:
    ledger, account, _ = books()
    usage = Usage(100, cached=50, output=10, reasoning=4)
    for role, model, label in (
        ("coder", "plain", "propose:1"),
        ("coder", "cached", "propose:2"),
        ("judge", "plain", "judge:2:repair"),
    ):
        ledger.call(role, label, model, 1_000, None, answered(usage))
    assert {name: line.calls for name, line in account.by_role().items()} == {
        "coder": 2,
        "judge": 1,
    }
    assert account.by_model()["plain"].tokens == 220
    assert account.by_round()[2].calls == 2
    whole = account.settled()
    assert (whole.input, whole.cached, whole.output, whole.reasoning) == (300, 150, 30, 12)
    assert whole.cache_written is None, "the provider does not say"
    for groups in (account.by_role(), account.by_model()):
        assert replace(total(groups.values()), wall_s=whole.wall_s) == whole
    assert Line(1, 0.0).to_json()["usd"] == 0.0


def test_a_round_s_calls_are_shared_by_its_candidates() -> None:
    ledger, account, _ = books()
    for label in ("judge:2", "propose:2", "propose:2:repair", "propose:3"):
        ledger.call("coder", label, "plain", 1_000, None, answered(Usage(1_000, output=0)))
    shares = account.by_candidate({1: ["free"], 2: ["a", "b"], 3: []})
    assert set(shares) == {"a", "b"}
    assert shares["a"].usd == shares["b"].usd == pytest.approx(0.0015)
    assert shares["a"].tokens == 1_500
    ledger.call("coder", "propose:2", "plain", 1_000, None, answered(Usage()))
    assert account.by_candidate({2: ["a"]})["a"].usd is None
