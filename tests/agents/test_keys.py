"""Keys are found in one place, and are in nothing that is written, shown or within reach."""

import copy
import json
import pickle
import subprocess
import sys
import textwrap
import types
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from provider_server import Answer, ProviderServer
from search_fakes import TASK as FAKE_TASK
from search_fakes import FakeEvaluator, kernel

from kernelwright.agents.events import EventLog
from kernelwright.agents.llm_roles import ModelCoder, ModelJudge
from kernelwright.agents.models import keys
from kernelwright.agents.models.base import ModelError
from kernelwright.agents.models.keys import MASK, Secret, key, needed, no_secret, redact, redacted
from kernelwright.agents.models.retry import Retry
from kernelwright.agents.models.spec import make_model
from kernelwright.agents.optimize import Settings, optimize
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.evaluate import Evaluator
from kernelwright.tasks.errors import UsageError
from kernelwright.tasks.task import Task

PLANTED = "planted+secret/0123456789=key"
"""Looks like no provider's key: only that it is known gives it away."""


@pytest.fixture(autouse=True)
def no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in keys.VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setitem(sys.modules, "keyring", None)
    monkeypatch.setattr(keys, "_known", set())


def keyring(monkeypatch: pytest.MonkeyPatch, get: object) -> None:
    """Puts a keyring in place."""
    module, errors = types.ModuleType("keyring"), types.ModuleType("keyring.errors")
    errors.KeyringError = OSError  # type: ignore[attr-defined]
    module.get_password = get  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", module)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)


def test_a_secret_shows_itself_nowhere() -> None:
    secret = Secret(PLANTED)
    shown = [repr(secret), str(secret), f"{secret}", f"{[secret]}", json.dumps(secret, default=str)]
    shown += ["%s %r" % (secret, {"key": secret}), format(secret)]  # noqa: UP031
    assert not [text for text in shown if "planted" in text]
    for copier in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="not written down"):
            copier(secret)
    with pytest.raises(TypeError):
        json.dumps(secret)
    assert secret.reveal() == PLANTED
    assert secret == Secret(PLANTED) != Secret("other")
    assert secret
    assert not Secret("")


def test_the_environment_comes_before_the_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    assert key("openai") is None
    with pytest.raises(
        UsageError, match="openai:x needs a key: set OPENAI_API_KEY, or `keyring set"
    ):
        needed("openai", "openai:x")
    keyring(monkeypatch, lambda service, user: f"ring-{service}-{user}-0123")
    assert key("anthropic") == Secret("ring-kernelwright-anthropic-0123")
    monkeypatch.setenv("ANTHROPIC_API_KEY", f"  {PLANTED}\n")
    assert key("anthropic") == Secret(PLANTED), "without the blanks that files and shells leave"
    assert key("openai") == Secret("ring-kernelwright-openai-0123")


def test_a_keyring_that_stays_locked_has_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(service: str, user: str) -> str:
        raise OSError("locked")

    keyring(monkeypatch, locked)
    assert key("openai") is None


@pytest.mark.parametrize("value", ["two words", "key\nX-Other: header", "schlüssel-0123"])
def test_what_can_be_no_key_is_refused_without_showing_it(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clients would repeat it in their errors."""
    monkeypatch.setenv("OPENAI_API_KEY", value)
    with pytest.raises(UsageError, match="OPENAI_API_KEY is no key") as caught:
        key("openai")
    assert value not in str(caught.value)


LIKE_KEYS = [
    "sk-proj-abcdefghij0123456789",
    "sk-ant-api03-AbCdEf_gh-0123456789",
    "sk-or-v1-0123456789abcdef0123456789abcdef",
    "gsk_0123456789abcdefghijkl",
    "hf_abcdefghijklmnopqrstuvwx",
    "ghp_0123456789abcdefghijABCDEFGHIJ0123",
    "AIzaSyA0123456789abcdefghijklmnopqrstuv",
    "AKIAIOSFODNN7EXAMPLE",
]


@pytest.mark.parametrize("value", LIKE_KEYS)
@pytest.mark.parametrize(
    "text", ["{}", "key={}", "'{}'", "Authorization: Bearer {}", "x-api-key: {}", "a {}, b\n{}\n"]
)
def test_what_looks_like_a_key_is_taken_out(value: str, text: str) -> None:
    said = redact(text.format(value, value))
    assert value not in said
    assert MASK in said


def test_headers_are_taken_out_whatever_they_hold() -> None:
    for text in (
        "Authorization: Bearer abcdefABCDEF012345",
        "{'x-api-key': 'abcdefABCDEF012345'}",
        "Illegal header value b'Bearer abcdefABCDEF012345'",
        'api_key="abcdefABCDEF012345"',
        "no connection to https://me:abcdefABCDEF012345@host/v1",
    ):
        assert "abcdefABCDEF012345" not in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "task-0123456789abcdef0123 and risk-averse-0123456789abcdef",
        "sk-learn-like-interfaces-are-fine",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "the bearer of bad news; tokens: 1234567890123456",
        "see http://localhost:8000/v1 and mail a@b.c",
        "lib.sk_forward(x, y); // sk-1",
        "/tmp/kernelwright-0ezfacym/scratch/kernel.py:12: error: 'x' was not declared",
        "def ModelNew(): return torch.nn.functional.softmax(x, dim=-1)",
    ],
)
def test_other_texts_are_left_alone(text: str) -> None:
    assert redact(text) == text


def test_what_is_known_is_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert redact(PLANTED) == PLANTED
    monkeypatch.setenv("SOME_SERVICE_TOKEN", PLANTED)
    assert redact(f"<{PLANTED}>") == f"<{MASK}>", "a secret by the name of its variable"
    monkeypatch.delenv("SOME_SERVICE_TOKEN")
    monkeypatch.setenv("KERNELWRIGHT_API_KEY", PLANTED)
    monkeypatch.setenv("MY_PASSWORD", PLANTED[:12])
    assert redact(PLANTED) == MASK, "the whole, not its first letters"
    key("server")
    monkeypatch.delenv("KERNELWRIGHT_API_KEY")
    assert redact(PLANTED) == MASK, "once known, always known"
    data = {"a": [PLANTED, {PLANTED: (1, PLANTED)}], "n": 1.5, "none": None}
    assert redacted(data) == {"a": [MASK, {MASK: [1, MASK]}], "n": 1.5, "none": None}


def test_short_values_are_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "1")
    assert redact("1 of 11") == "1 of 11"


@given(st.text(), st.text())
def test_redacting_twice_changes_nothing_more(before: str, after: str) -> None:
    text = f"{before} sk-0123456789abcdefghij {after}"
    assert redact(redact(text)) == redact(text)
    assert "sk-0123456789abcdefghij" not in redact(text)


def test_what_cannot_be_redacted_must_hold_no_key() -> None:
    assert no_secret("command:claude -p", "the model") == "command:claude -p"
    with pytest.raises(UsageError, match="the model holds a key") as caught:
        no_secret("command:tool --api-key sk-0123456789abcdefghij", "the model")
    assert "sk-0123456789" not in str(caught.value)


def test_errors_and_events_hold_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", PLANTED)
    assert PLANTED not in str(ModelError(f"wrong key {PLANTED}"))
    with EventLog(tmp_path) as log:
        log.append("failed", "x", {"error": f"wrong key {PLANTED}"})
    assert_nowhere(tmp_path)


def test_uncaught_exceptions_show_no_key() -> None:
    code = textwrap.dedent(
        f"""
        import threading
        from kernelwright.agents.models.keys import guard_traces
        guard_traces()

        def fail():
            try:
                raise ValueError("Illegal header value b'Bearer {PLANTED}'")
            except ValueError as error:
                raise RuntimeError("no connection, key {PLANTED}") from error

        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
        fail()
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"OPENAI_API_KEY": PLANTED},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("RuntimeError: no connection") == 2
    assert PLANTED not in done.stderr.replace(f'"""{PLANTED}', "")


def assert_nowhere(folder: Path) -> None:
    """No file below holds the planted key."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert files
    for file in files:
        assert PLANTED.encode() not in file.read_bytes(), file


def test_a_run_whose_provider_repeats_the_key_keeps_it_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an error, in advice, in a candidate with its note, and in a prompt made of them."""
    monkeypatch.setenv("OPENAI_API_KEY", PLANTED)

    def answer(body: object) -> str:
        if "You advise the author" in str(body):
            return json.dumps({"cause": PLANTED, "change": PLANTED, "predicted_gain": 1.2})
        return f"NOTE: {PLANTED}\n```python\n{kernel(2.0)}# {PLANTED}\n```\n"

    with ProviderServer(text=answer) as server:
        busy = {"error": {"message": f"slow down, {PLANTED}"}}
        server.answers += [Answer(429, busy), Answer(500, busy)]
        monkeypatch.setenv("OPENAI_BASE_URL", server.url + "/v1")
        spec = f"record:{tmp_path / 'answers'}:openai:gpt-5-mini"
        model = make_model(spec, Retry(attempts=3, base_s=0.001))
        outcome = optimize(
            FAKE_TASK, FakeEvaluator(), ModelCoder(model), ModelJudge(model),
            Settings(tune_trials=0, patience=2, islands=1), tmp_path / "run",
        )  # fmt: skip
        assert outcome.attempts
        assert MASK in outcome.attempts[0].note
        assert MASK in outcome.attempts[0].candidate.source
        server.answers.append(Answer(401, busy))
        refused = optimize(
            FAKE_TASK, FakeEvaluator(), ModelCoder(model), ModelJudge(model),
            Settings(tune_trials=0, patience=9, islands=1), tmp_path / "run", resume=True,
        )  # fmt: skip
        assert refused.stop.reason == "model_failed"
        assert "slow down" in refused.stop.message
        assert PLANTED not in refused.stop.message
        sent = server.requests
    assert PLANTED in str([headers for _, _, headers in sent]), "the provider itself gets it"
    assert PLANTED not in str([body for _, body, _ in sent]), "but no prompt repeats it"
    assert_nowhere(tmp_path)


SEEKER = """
import glob, os, sys, torch

said = [repr(dict(os.environ))]
paths = ["/proc/self/environ", f"/proc/{os.getppid()}/environ", *glob.glob("/proc/[0-9]*/environ")]
paths += glob.glob("/proc/[0-9]*/cmdline") + glob.glob(os.path.expanduser("~/.*"))
paths += [os.path.join(top, name) for top, _, names in os.walk(os.getcwd()) for name in names]
for path in paths:
    try:
        with open(path, "rb") as file:
            said.append(f"{path}: {file.read()[:100000]!r}")
    except OSError as error:
        said.append(f"{path}: {error.errno}")
found = ("plan" + "ted+secret") in " ".join(said)
raise RuntimeError(f"found={found} in {len(paths)} files; " + " ".join(said)[-2000:])
"""

OWN_TASK = """
import torch

class Model(torch.nn.Module):
    def forward(self, x):
        return x + 1

def get_inputs():
    return [torch.randn(64)]
"""


def test_a_candidate_cannot_reach_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the key in our environment, and in a file in our home: what it says is not redacted."""
    home = tmp_path / "home"
    home.mkdir()
    (home / ".netrc").write_text(PLANTED)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("OPENAI_API_KEY", PLANTED)
    key("openai")
    with Evaluator(Task("own", OWN_TASK), threads=1, seed=1) as evaluator:
        verdict = evaluator.evaluate(Candidate(f"{SEEKER}\nclass ModelNew(torch.nn.Module): ...\n"))
    said = str(verdict.to_json())
    assert verdict.verdict == "rejected"
    assert "found=False" in said
    assert "planted" not in said
