"""`kernelwright optimize` through every kind of model: with a stand-in for the harness, and once each
with the harness itself."""

import json
import os
import shlex
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from frontdoor_fakes import KERNEL, TASK, FakeEvaluator, rejected
from scripted_answers import SOURCES, STAGES, WRONG, answer

from kernelwright.agents.optimize import load
from kernelwright.cli import main

sys.path.insert(0, str(Path(__file__).parents[1] / "agents"))

from provider_server import ProviderServer

HERE = Path(__file__).parent
KINDS = ("openai", "openai-chat", "anthropic", "url", "command", "mailbox", "mix")


def said(body: dict) -> str:
    """All texts of a request, whatever its protocol."""
    turns = body.get("messages") or body.get("input")
    first = body.get("instructions") or body.get("system") or ""
    texts = [first, *(turn["content"] for turn in turns)]
    return "\n".join(
        text if isinstance(text, str) else "".join(part["text"] for part in text) for text in texts
    )


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ProviderServer]:
    with ProviderServer(text=lambda body: answer(said(body))) as server:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-0123456789")
        monkeypatch.setenv("OPENAI_BASE_URL", server.url + "/v1")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        yield server


@contextmanager
def correspondent(box: Path) -> Iterator[None]:
    """Answers whatever lies in the mailbox, as a person would."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.05):
            for prompt in box.glob("*.prompt.md"):
                file = box / prompt.name.replace(".prompt.", ".answer.")
                if not file.exists():
                    new = box / f"draft-{file.name}"
                    new.write_text(answer(prompt.read_text()) + "\n<!-- end -->\n")
                    new.rename(file)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def spec_of(kind: str, server: ProviderServer, tmp_path: Path) -> str:
    script = shlex.join([sys.executable, str(HERE / "scripted_answers.py")])
    return {
        "openai": "openai:gpt-5-mini?effort=low",
        "openai-chat": "openai-chat:gpt-5-mini",
        "anthropic": "anthropic:claude-haiku-4-5?thinking=2000",
        "url": f"{server.url}/v1#local-7b",
        "command": f"command:{script}",
        "mailbox": f"mailbox:{tmp_path / 'box'}?timeout=60",
        "mix": "mix:0.5=openai:gpt-5-mini,0.5=openai-chat:gpt-5",
    }[kind]


def optimize(task: Path, out: Path, *options: str) -> int:
    return main(["optimize", str(task), "--out", str(out), "--budget-evals", "3", *options])


def tried(out: Path) -> list[tuple[str, str, str]]:
    """Candidate, stage and verdict of every attempt of the one run."""
    (run,) = out.glob("*/*")
    return [(a.candidate.id, a.verdict.stage, a.verdict.verdict) for a in load(run).attempts]


@contextmanager
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Within this, no socket of this process reaches anybody."""

    def refuse(self: socket.socket, *args: object) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            raise AssertionError(f"connects to {args}")
        raise OSError("no network")

    with monkeypatch.context() as patch:
        for name in ("connect", "connect_ex", "sendto"):
            patch.setattr(socket.socket, name, refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        yield


@pytest.fixture
def stand_in(evaluator: type[FakeEvaluator]) -> type[FakeEvaluator]:
    evaluator.verdicts = {WRONG.strip() + "\n": rejected()}
    return evaluator


def record_and_replay(
    kind: str,
    server: ProviderServer,
    task: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stages: tuple[str, ...] = STAGES,
) -> None:
    """A run through one kind of model, and its replay, which must come out the same."""
    spec = f"record:{tmp_path / 'answers.jsonl'}:{spec_of(kind, server, tmp_path)}"
    with correspondent(tmp_path / "box"):
        status = optimize(task, tmp_path / "one", "--model", spec)
    found = tried(tmp_path / "one")
    assert tuple(stage for _, stage, _ in found) == stages
    assert status in (0, 1), "0 where the kernel is faster than eager on this machine"
    with no_network(monkeypatch):
        replay = f"replay:{tmp_path / 'answers.jsonl'}"
        assert optimize(task, tmp_path / "two", "--model", replay) in (0, 1)
    assert tried(tmp_path / "two") == found


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_and_its_replay(
    kind: str, server: ProviderServer, task_file: Path, tmp_path: Path,
    stand_in: type[FakeEvaluator], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    record_and_replay(kind, server, task_file, tmp_path, monkeypatch)
    paths = {path.rpartition("/")[2] for path in server.paths}
    assert paths == {
        "openai": {"responses"}, "openai-chat": {"completions"}, "anthropic": {"messages"},
        "url": {"completions"}, "mix": {"responses", "completions"},
    }.get(kind, set())  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["openai", "anthropic", "command", "mailbox"])
def test_a_real_run_and_its_replay(
    kind: str, server: ProviderServer, task_file: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    task_file.write_text(TASK.replace("64, 32", "256, 256"))
    record_and_replay(kind, server, task_file, tmp_path, monkeypatch, ("done", "run", "done"))


def test_a_model_for_each_role(
    server: ProviderServer, task_file: Path, tmp_path: Path, stand_in: type[FakeEvaluator],
) -> None:  # fmt: skip
    coder, judge = "openai:gpt-5-mini", "anthropic:claude-haiku-4-5"
    assert optimize(task_file, tmp_path / "out", "--coder", coder, "--judge", judge) == 0
    for path, body, _ in server.requests:
        asks_judge = "You advise the author" in said(body)
        assert path.endswith("messages" if asks_judge else "responses")
    (run,) = (tmp_path / "out").glob("*/*")
    asked = json.loads((run / "run.json").read_text())
    assert (asked["coder"], asked["judge"], asked["model"]) == ([coder], [judge], ["builtin"])
    card = json.loads((run / "card.json").read_text())
    assert card["search"]["model"] == f"coder {coder}, judge {judge}"
    assert f"--coder {coder} --judge {judge}" in card["reproduce"][1]


def test_a_resumed_run_keeps_the_models_of_its_roles(
    server: ProviderServer, task_file: Path, tmp_path: Path, stand_in: type[FakeEvaluator],
) -> None:  # fmt: skip
    out = tmp_path / "out"
    roles = ("--model", "openai:gpt-5", "--judge", "anthropic:claude-haiku-4-5")
    common = ["optimize", str(task_file), "--out", str(out), "--budget-evals"]
    assert main([*common, "1", *roles]) == 0
    before = len(server.requests)
    assert main([*common, "3", "--resume"]) == 0
    paths = [path.rpartition("/")[2] for path in server.paths[before:]]
    assert "messages" in paths
    assert "responses" in paths
    assert tuple(stage for _, stage, _ in tried(out)) == STAGES


def test_ctrl_c_ends_the_wait_for_a_mailbox_and_resume_takes_the_answer(
    task_file: Path, tmp_path: Path, stand_in: type[FakeEvaluator],
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    box, out = tmp_path / "box", tmp_path / "out"

    def interrupt() -> None:
        while not list(box.glob("*.prompt.md")):
            time.sleep(0.05)
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    began = time.monotonic()
    options = ("--model", f"mailbox:{box}", "--ablate", "no-islands")
    assert optimize(task_file, out, *options) == 130
    assert time.monotonic() - began < 20
    assert f"questions come to {box};" in capfd.readouterr().err
    (prompt,) = box.glob("*.prompt.md")
    (box / "0001.answer.md").write_text(answer(prompt.read_text()) + "\n<!-- end -->")
    with correspondent(box):
        assert main(["optimize", str(task_file), "--out", str(out), "--resume"]) == 0
    assert [stage for _, stage, _ in tried(out)][:3] == list(STAGES)
    labels = [json.loads(p.read_text())["label"] for p in sorted(box.glob("[0-9]*.json"))]
    assert labels[:3] == ["propose:1", "judge:2", "propose:2"]


@pytest.mark.parametrize("role", ["--model", "--coder", "--judge"])
def test_a_wrong_model_leaves_no_folder(
    role: str, task_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert optimize(task_file, out, role, "magic:x") == 2
    assert "unknown model 'magic:x'" in capfd.readouterr().err
    assert not out.exists()


def check(spec: str, capfd: pytest.CaptureFixture[str]) -> tuple[int, dict, str]:
    status = main(["models", "check", spec, "--json"])
    shown = capfd.readouterr()
    return status, json.loads(shown.out), shown.err


@pytest.fixture
def polite(server: ProviderServer) -> ProviderServer:
    """A server that answers the question of `models check`."""
    server.text = '{"cause": "test", "change": "none", "predicted_gain": null}'
    return server


@pytest.mark.parametrize(
    ("kind", "reasons", "priced"),
    [("openai", True, True), ("openai-chat", None, True), ("anthropic", True, True),
     ("url", None, False)],
)  # fmt: skip
def test_models_check(
    kind: str, reasons: bool | None, priced: bool, polite: ProviderServer, tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    status, found, _ = check(spec_of(kind, polite, tmp_path), capfd)
    (one,) = found["checks"]
    assert (status, found["able"], one["error"], one["advice_fault"]) == (0, True, None, None)
    assert 0 < one["latency_s"]["first_token"] <= one["latency_s"]["total"]
    assert (one["tokens"]["input"], one["tokens"]["output"]) == (1000, 100)
    assert one["features"] == {
        "streaming": True, "usage": True, "structured_output": True, "reasoning": reasons,
    }  # fmt: skip
    assert (one["usd"] is not None) == priced
    assert len(polite.requests) == 1


def test_models_check_says_what_is_wrong(
    polite: ProviderServer, tmp_path: Path, capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from provider_server import Answer

    polite.answers = [Answer(401, {"error": {"message": "Incorrect API key sk-0123456789"}})]
    status, found, err = check("openai:gpt-5", capfd)
    assert (status, found["able"]) == (2, False)
    assert "Incorrect API key" in err
    assert "0123456789" not in err + json.dumps(found)
    polite.answers = [Answer(500, {"error": {"message": "down"}})] * 9
    assert check("openai:gpt-5", capfd)[0] == 1
    assert len(polite.requests) <= 4
    polite.answers, polite.text = [], ""
    assert check("anthropic:claude-haiku-4-5", capfd)[0] == 1
    monkeypatch.delenv("OPENAI_API_KEY")
    assert main(["models", "check", "openai:gpt-5"]) == 2
    assert main(["models", "check", "magic:x"]) == 2


def test_models_check_tries_every_part_of_a_mixture_and_records_nothing(
    polite: ProviderServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    spec = f"record:{tmp_path / 'r'}:{spec_of('mix', polite, tmp_path)}"
    status, found, _ = check(spec, capfd)
    assert (status, len(found["checks"])) == (0, 2)
    assert not (tmp_path / "r").exists()


def test_models_lists_forms_prices_and_whether_a_key_is_there(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789abcdef")
    for arguments in (["models"], ["models", "list", "--json"]):
        assert main(arguments) == 0
        shown = capfd.readouterr().out
        assert "0123456789" not in shown
    found = json.loads(shown)
    assert found["keys"]["OPENAI_API_KEY"] is True
    assert found["keys"]["ANTHROPIC_API_KEY"] is False
    assert {"builtin", "openai:NAME", "mailbox:DIR"} <= {form["form"] for form in found["forms"]}
    assert {"openai:gpt-5", "anthropic:claude-opus-5"} <= {m["model"] for m in found["models"]}
    assert len(SOURCES) == len(STAGES)
    assert KERNEL in SOURCES
