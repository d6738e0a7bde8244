"""Whole runs through the ledger: budgets, kills, resumes, prices that stay."""

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from ledger_fakes import PRICES, Killed, Log, Metered, answered, search
from provider_server import Answer, ProviderServer
from search_fakes import TASK, EchoJudge, FakeEvaluator, ScriptedCoder, kernel

from kernelwright.agents.events import EventLog, read
from kernelwright.agents.journal import Journal
from kernelwright.agents.ledger.effort import tree_cpu_s
from kernelwright.agents.ledger.ledger import Caps
from kernelwright.agents.ledger.metered import MeteredModel
from kernelwright.agents.llm_roles import ModelCoder, ModelJudge
from kernelwright.agents.models.base import (
    Message,
    Usage,
)
from kernelwright.agents.models.prices import Price, Quote, Tier, quote
from kernelwright.agents.models.retry import Retry
from kernelwright.agents.models.spec import make_model
from kernelwright.agents.optimize import Settings, load, optimize
from kernelwright.agents.ports import Quiet


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
import ledger_fakes
class Hangs(ledger_fakes.Metered):
    def _ask(self, label, limit):
        if self.requests == 2:
            print("asking", flush=True)
            time.sleep(60)
        return super()._ask(label, limit)
ledger_fakes.search(Path({folder!r}), Hangs(), budget_usd=0.1)
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
        Settings(tune_trials=0, budget_evals=2, islands=1), tmp_path, resume=True, quotes=dearer,
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
    settings = Settings(tune_trials=0, islands=1)
    outcome = optimize(TASK, FakeEvaluator(), coder, EchoJudge(), settings, tmp_path)
    assert outcome.spent.usd == pytest.approx(0.01 * (len(coder.calls) - 1 + 2))
    assert set(outcome.spent.by_role) == {"coder", "judge"}


def test_evaluations_are_measured(tmp_path: Path) -> None:
    evaluator = FakeEvaluator()
    evaluator.before = lambda: _burn(0.05)
    coder = ScriptedCoder([[kernel(1.2)]])
    settings = Settings(tune_trials=0, islands=1)
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
    assert after - before >= 0.189  # the last digit is a rounded difference
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
