"""The ledger: no budget is ever overrun, whatever calls do and wherever a run is killed."""

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from provider_server import Answer, ProviderServer
from search_fakes import TASK, EchoJudge, FakeEvaluator, ScriptedCoder, kernel

from kernelwright.agents.events import Event, EventLog, read
from kernelwright.agents.journal import Journal
from kernelwright.agents.ledger.account import Account, Line, total
from kernelwright.agents.ledger.effort import tree_cpu_s
from kernelwright.agents.ledger.ledger import LEAST_OUTPUT, Caps, Ledger
from kernelwright.agents.ledger.metered import MeteredModel
from kernelwright.agents.llm_roles import ModelCoder, ModelJudge
from kernelwright.agents.models.base import (
    UNMETERED,
    Message,
    ModelError,
    OverBudget,
    Reply,
    Usage,
    size_of,
)
from kernelwright.agents.models.prices import Price, Quote, Tier, quote
from kernelwright.agents.models.retry import Retry
from kernelwright.agents.models.spec import make_model
from kernelwright.agents.optimize import Settings, load, optimize
from kernelwright.agents.ports import Quiet
from kernelwright.agents.roles import Spend
from kernelwright.tasks.errors import UsageError

CAP = 0.10
UNKNOWN = Spend(None, None, None)
PRICES = {
    "plain": Price((Tier(1.0, 5.0),), "test", "2026-01-01"),
    "cached": Price((Tier(0.25, 2.0, cached=0.025, cache_written=0.3125),), "test", "2026-01-01"),
    "tiered": Price(
        (Tier(0.1, 0.5, 0.01, 0.125), Tier(0.5, 2.5, 0.05, 0.625, above=9_000)),
        "test",
        "2026-01-01",
    ),
}


class Killed(BaseException):
    """The process is gone."""


class Log:
    """An event log in memory. After `kill()` nothing is written any more, as in a dead process."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.dead = False

    def session(self, caps: Caps) -> tuple[Ledger, Account]:
        """A process that takes up the run."""
        self.dead = False
        account = Account()
        for event in self.events:
            account.apply(event)

        def record(kind: str, key: str, data: object) -> None:
            if self.dead:
                raise Killed
            event = Event(len(self.events) + 1, 0.0, kind, key, data)  # type: ignore[arg-type]
            self.events.append(event)
            account.apply(event)

        record("session", str(len(self.events)), {})
        for name, price in PRICES.items():
            if name not in account.quotes:
                record("price", name, Quote(name, price).to_json())
        return Ledger(record, account, caps), account


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


def answered(usage: Usage, text: str = "answer") -> Callable[[int | None], Reply]:
    return lambda limit: Reply(text, usage=usage)


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


class Metered:
    """A model of a price, that writes a faster kernel each time. Counts its requests."""

    spec = "plain"

    def __init__(self, usage: Usage = Usage(2_000, output=1_000), dies_at: int = 0) -> None:  # noqa: B008
        self.requests = 0
        self.limits: list[int | None] = []
        self._usage = usage
        self._dies_at = dies_at

    def ask(self, messages, *, label, schema=None, meter=UNMETERED):
        return meter.charged(
            self.spec, size_of(messages), 8_000, lambda limit: self._ask(label, limit)
        )

    def _ask(self, label: str, limit: int | None) -> Reply:
        self.requests += 1
        self.limits.append(limit)
        if self.requests == self._dies_at:
            raise Killed
        if label.startswith("judge"):
            said = '{"cause": "slow", "change": "be faster"}'
        else:
            said = f"```python\n{kernel(1 + int(label.partition(':')[2]) / 10)}```"
        return Reply(said, usage=self._usage)


def search(folder: Path, model: Metered, resume: bool = False, **settings: float):
    return optimize(
        TASK, FakeEvaluator(), ModelCoder(model), ModelJudge(model),
        replace(Settings(tune_trials=0, budget_evals=8), **settings), folder, resume=resume,
        quotes=(Quote("plain", PRICES["plain"]),),
    )  # fmt: skip


def test_a_cap_ends_a_run_and_its_results_survive(tmp_path: Path) -> None:
    model = Metered()
    outcome = search(tmp_path, model, budget_usd=0.05)
    assert outcome.stop.reason == "budget_usd"
    assert outcome.champion is not None
    assert outcome.spent.usd == pytest.approx(model.requests * 0.007)
    assert outcome.spent.usd <= 0.05
    assert outcome.spent.by_role["coder"].calls + outcome.spent.by_role["judge"].calls == (
        model.requests
    )
    shares = outcome.spent.by_candidate
    assert set(shares) == {attempt.candidate.id for attempt in outcome.attempts}
    first = len(outcome.attempts)
    assert 0 < first < 8

    more = search(tmp_path, model, resume=True, budget_usd=5.0)
    assert more.stop.reason == "evaluations"
    assert len(more.attempts) == 8
    assert more.spent.usd == pytest.approx(model.requests * 0.007), "nothing is forgotten"


def test_calls_from_threads_share_one_log(tmp_path: Path) -> None:
    with EventLog(tmp_path) as log:
        settings = Settings(budget_usd=1.0)
        journal = Journal(log, FakeEvaluator(), settings, Quiet(), threading.Event())
        journal.record("price", "plain", Quote("plain", PRICES["plain"]).to_json())

        def work(number: int) -> None:
            for _ in range(4):
                journal.ledger.call(
                    "coder", f"propose:{number}", "plain", 1_000, 2_500,
                    answered(Usage(1_000, output=100)),
                )  # fmt: skip

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert journal.spent().usd == pytest.approx(32 * 0.0015)
    account = load(tmp_path).account
    assert len(account.calls) == account.settled().calls == 32
    assert account.settled().usd == pytest.approx(32 * 0.0015)


def test_tokens_end_a_run_too(tmp_path: Path) -> None:
    outcome = search(tmp_path, Metered(), budget_tokens=25_000)
    assert outcome.stop.reason == "budget_tokens"
    assert outcome.spent.tokens is not None
    assert outcome.spent.tokens <= 25_000


def test_a_broken_off_call_is_seen_and_bounded(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        search(tmp_path, Metered(dies_at=3))
    events = read(tmp_path / "run.db")[0]
    assert [e.data["outcome"] for e in events if e.kind == "settled"][-1] == "broken off"
    outcome = search(tmp_path, Metered(), resume=True)
    assert outcome.spent.usd is None
    assert outcome.spent.unknown == 1
    assert outcome.spent.usd_at_most is not None
    known = sum(e.data["usd"] or 0 for e in read(tmp_path / "run.db")[0] if e.kind == "settled")
    assert outcome.spent.usd_at_most > known


KILLED = """
import sys, time
from pathlib import Path
sys.path.insert(0, {here!r})
import test_ledger
class Hangs(test_ledger.Metered):
    def _ask(self, label, limit):
        if self.requests == 2:
            print("asking", flush=True)
            time.sleep(60)
        return super()._ask(label, limit)
test_ledger.search(Path({folder!r}), Hangs(), budget_usd=0.1)
"""


def test_kill_9_during_a_call_leaves_its_reservation_standing(tmp_path: Path) -> None:
    code = KILLED.format(here=str(Path(__file__).parent), folder=str(tmp_path))
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=tmp_path)
    assert process.stdout
    assert process.stdout.readline() == b"asking\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    last = read(tmp_path / "run.db")[0][-1]
    assert last.kind == "reserved"
    assert last.data["usd"] > 0.03
    before = load(tmp_path).account.committed()
    assert before.calls == 3
    outcome = search(tmp_path, Metered(), resume=True, budget_usd=0.1)
    assert outcome.stop.reason == "budget_usd"
    assert outcome.spent.unknown == 1
    assert outcome.spent.usd_at_most is not None
    assert 0.08 < outcome.spent.usd_at_most <= 0.1
    calls = load(tmp_path).account.calls
    assert calls[last.key].line.usd_at_most == last.data["usd"]


def test_a_resumed_run_keeps_its_prices(tmp_path: Path) -> None:
    search(tmp_path, Metered(), budget_evals=1)
    dearer = (Quote("plain", Price((Tier(100.0, 100.0),), "test", "2026-02-02")),)
    model = Metered()
    optimize(
        TASK, FakeEvaluator(), ModelCoder(model), ModelJudge(model),
        Settings(tune_trials=0, budget_evals=2), tmp_path, resume=True, quotes=dearer,
    )  # fmt: skip
    state = load(tmp_path)
    assert state.account.quotes["plain"].price == PRICES["plain"]
    assert state.spent().usd == pytest.approx(0.007 * 3)
    kept = [e for e in read(tmp_path / "run.db")[0] if e.kind == "price"]
    assert len(kept) == 1
    assert kept[0].data["price"]["tiers"][0]["output"] == 5.0


def test_a_model_without_a_quote_gets_the_library_s(tmp_path: Path) -> None:
    model = Metered()
    model.spec = "anthropic:claude-haiku-4-5"
    search(tmp_path, model, budget_evals=1)
    assert load(tmp_path).account.quotes[model.spec] == quote(model.spec)


def test_roles_that_ask_no_model_report_by_themselves(tmp_path: Path) -> None:
    coder = ScriptedCoder([[kernel(1.2)], [kernel(1.4)]])
    settings = Settings(tune_trials=0)
    outcome = optimize(TASK, FakeEvaluator(), coder, EchoJudge(), settings, tmp_path)
    assert outcome.spent.usd == pytest.approx(0.01 * (len(coder.calls) - 1 + 2))
    assert set(outcome.spent.by_role) == {"coder", "judge"}


def test_evaluations_are_measured(tmp_path: Path) -> None:
    evaluator = FakeEvaluator()
    evaluator.before = lambda: _burn(0.05)
    coder = ScriptedCoder([[kernel(1.2)]])
    settings = Settings(tune_trials=0)
    outcome = optimize(TASK, evaluator, coder, EchoJudge(), settings, tmp_path)
    took = outcome.spent.evaluating
    assert took.cpu_s is not None
    assert took.cpu_s >= 0.08, "the evaluation and its confirmation"
    assert took.wall_s >= 0.1
    assert took.gpu_s == 0.0
    assert load(tmp_path).effort == {outcome.attempts[0].candidate.id: took}


def _burn(cpu_s: float) -> None:
    end = time.thread_time() + cpu_s
    while time.thread_time() < end:
        pass


def test_processor_time_of_a_tree() -> None:
    before = tree_cpu_s()
    code = "import time\nwhile time.process_time() < 0.2: pass"
    subprocess.run(["sh", "-c", f'"{sys.executable}" -c "{code}"; true'], check=True)
    after = tree_cpu_s()
    assert before is not None
    assert after is not None
    assert after - before >= 0.19
    assert tree_cpu_s(2**30) is None


@pytest.mark.parametrize("spec", ["openai:gpt-5-mini", "anthropic:claude-haiku-4-5", "{url}/v1#x"])
def test_every_attempt_is_a_request_of_its_own_and_is_told_its_limit(
    spec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over real HTTP: one that was refused, one that was cut off, one that is answered."""
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.setenv(name, "sk-test-0123456789abcdefghij")
    busy = Answer(429, {"error": {"message": "busy"}})
    with ProviderServer(busy, Answer(cut=True)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url + "/v1")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        log = Log()
        ledger, account = log.session(Caps(usd=0.25))
        spec = spec.format(url=server.url)
        account.quotes[spec] = Quote(spec, PRICES["plain"])
        model = MeteredModel(make_model(spec, Retry(attempts=3, base_s=0.001)), ledger, "coder")
        reply = model.ask([Message("user", "hi")], label="propose:1")
    assert reply.text == "hello"
    settled = [event.data for event in log.events if event.kind == "settled"]
    assert [data["usd"] for data in settled][:2] == [0.0, None]
    assert settled[2]["usd"] > 0
    limits = [event.data["limit"] for event in log.events if event.kind == "reserved"]
    names = ("max_output_tokens", "max_tokens", "max_completion_tokens")
    sent = [next(body[name] for name in names if name in body) for _, body, _ in server.requests]
    assert sent == limits
    assert limits[1] > limits[2], "what may have been billed is no longer there"
    assert account.unknown() == 1
    assert account.committed().usd_at_most <= 0.25
