"""Whole runs in which a language model plays Coder and Judge, through every kind of model."""

import json
import re
import shlex
import sys
from pathlib import Path

import pytest
from provider_server import Answer, ProviderServer
from search_fakes import TASK, FakeEvaluator, kernel, speed_of

from kernelwright.agents.llm_roles import ModelCoder, ModelJudge
from kernelwright.agents.models.retry import Retry
from kernelwright.agents.models.spec import make_model
from kernelwright.agents.optimize import Settings, optimize
from kernelwright.tasks.errors import UsageError

SPEEDS = [1.2, 1.5, None, 1.8]
"""What the model writes in each round; None: a kernel that does not build."""


def answer(prompt: str) -> str:
    """A model that counts the kernels in the table of what was tried, and writes the next."""
    if "You advise the author" in prompt:
        return 'Here: {"cause": "slow", "change": "be faster", "predicted_gain": 1.2}'
    done = len(re.findall(r"^\| \d+ \|", prompt, re.M))
    if done >= len(SPEEDS):
        return "I have no more ideas."
    speed = SPEEDS[done]
    source = kernel(speed) if speed else kernel(9.0, fails="build")
    return f"NOTE: attempt {done}\n```python\n{source}```\n"


def run(spec, folder):
    model = make_model(spec, Retry(attempts=3, base_s=0.01))
    settings = Settings(tune_trials=0, islands=1)
    return optimize(TASK, FakeEvaluator(), ModelCoder(model), ModelJudge(model), settings, folder)


def check(outcome):
    assert [a.verdict.stage for a in outcome.attempts] == ["done", "done", "build", "done"]
    assert [a.note for a in outcome.attempts] == [f"attempt {i}" for i in range(4)]
    assert speed_of(outcome.champion.attempt.candidate) == 1.8
    assert outcome.stop.reason == "no_idea"


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-0123456789")
    with ProviderServer(text=lambda body: answer(said(body))) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url + "/v1")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        yield server


def said(body):
    """All texts of a request, whatever its protocol."""
    turns = body.get("messages") or body.get("input")
    first = body.get("instructions") or body.get("system") or ""
    texts = [first, *(turn["content"] for turn in turns)]
    return "\n".join(
        text if isinstance(text, str) else "".join(part["text"] for part in text) for text in texts
    )


@pytest.mark.parametrize("spec", ["openai:gpt-5-mini", "anthropic:claude-opus-5", "{url}/v1#local"])
def test_providers(server, spec, tmp_path):
    busy = Answer(429, {"error": {"message": "busy"}})
    server.answers += [busy, busy]
    outcome = run(spec.format(url=server.url), tmp_path)
    check(outcome)
    calls = len(server.requests) - 2
    assert outcome.spent.tokens == 1100 * calls
    assert (outcome.spent.usd is None) == ("local" in spec)


def test_a_wrong_key_is_one_line_to_the_user(server, tmp_path):
    server.answers.append(Answer(401, {"error": {"message": "Incorrect API key provided"}}))
    with pytest.raises(UsageError, match="Incorrect API key provided"):
        run("openai:gpt-5", tmp_path)


def test_a_command(tmp_path):
    here = str(Path(__file__).parent)
    code = (
        f"import sys; sys.path.insert(0, {here!r}); import test_runs_with_models as t; "
        "print(t.answer(sys.stdin.read()))"
    )
    outcome = run(f"command:{shlex.quote(sys.executable)} -c {shlex.quote(code)}", tmp_path)
    check(outcome)
    assert outcome.spent.usd is None


def test_a_replay_gives_the_same_run_without_a_network(server, tmp_path):
    file = tmp_path / "answers.jsonl"
    recorded = run(f"record:{file}:openai:gpt-5", tmp_path / "one")
    check(recorded)
    server.__exit__()
    replayed = run(f"replay:{file}", tmp_path / "two")
    check(replayed)
    assert [a.candidate for a in replayed.attempts] == [a.candidate for a in recorded.attempts]
    assert replayed.spent.usd == 0.0
    labels = [json.loads(line)["label"] for line in file.read_text().splitlines()]
    assert labels[:4] == ["propose:1", "judge:2", "propose:2", "judge:3"]


def test_no_key_is_ever_written_down(server, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret-key")
    run(f"record:{tmp_path / 'r.jsonl'}:openai:gpt-5", tmp_path / "run")
    written = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert len(written) >= 3
    assert not [p for p in written if b"sk-very-secret" in p.read_bytes()]
