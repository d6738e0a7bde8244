"""Models without a network: spec strings, commands, recordings, prices, retries."""

import shlex
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from kernelwright.agents.models.base import Cancelled, Message, ModelError, Reply, Usage
from kernelwright.agents.models.command import CommandModel, prompt
from kernelwright.agents.models.halt import Halt
from kernelwright.agents.models.mix import MixModel
from kernelwright.agents.models.options import Options, split
from kernelwright.agents.models.replay import RecordingModel, ReplayModel
from kernelwright.agents.models.retry import Retry
from kernelwright.agents.models.spec import FORM_LIST, asked_models, make_model
from kernelwright.agents.roles import Spend
from kernelwright.tasks.errors import UsageError

TALK = (Message("system", "be brief"), Message("user", "hi"))


def python(code):
    return f"{shlex.quote(sys.executable)} -c {shlex.quote(code)}"


def ask(model, label="propose:1"):
    return model.ask(TALK, label=label)


@pytest.mark.parametrize(
    "spec",
    ["", "gpt-5", "openai:", "anthropic", "magic:x", "http://host/v1", "https://host/v1#", "record:f",
     "record:f:", "record::openai:x", "mailbox", "mailbox:", "mix:", "openai-chat:", "openai:?effort=low",
     "record:f:magic:x", "mix:1=openai:x,1=magic:x", "replay:", "command:"],
)  # fmt: skip
def test_unknown_specs(spec, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    with pytest.raises(UsageError) as caught:
        make_model(spec)
    assert "NAME" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_specs_name_the_model_again(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
    file = tmp_path / "r.jsonl"
    for spec in ("openai:gpt-5", "anthropic:claude-opus-5", "http://h:1/v1#a/b", "command:cat -u",
                 f"record:{file}:openai:gpt-5", f"replay:{file}", "openai-chat:gpt-5?effort=low",
                 "openai:ft:gpt-5:me", "anthropic:claude-opus-5?thinking=8000&max_tokens=9000",
                 "http://h:1/v1#a/b?temperature=0.7", f"mailbox:{tmp_path}/box?timeout=5",
                 "mix:0.7=openai:a?effort=low,0.3=anthropic:b",
                 "mix:1=command:cat a,b,1=openai:c"):  # fmt: skip
        assert make_model(spec).spec == spec


def test_clients_are_imported_only_to_ask(monkeypatch):
    code = (
        "import sys; from kernelwright.agents.models.spec import FORM_LIST, asked_models, make_model; "
        "make_model('openai:x'); make_model('anthropic:x'); import kernelwright.agents.optimize; "
        "slow = {'openai', 'anthropic', 'langgraph', 'optuna', 'rich'} & set(sys.modules); "
        "print(slow or 'none')"
    )

    out = subprocess.run(
        [sys.executable, "-c", code],
        env={"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k"},
        capture_output=True,
        text=True,
    )
    assert out.stdout.strip() == "none", out.stderr


def test_a_command_answers_the_prompt():
    reply = ask(CommandModel(python("import sys; print(sys.stdin.read().upper())")))
    assert reply.text == "BE BRIEF\n\nHI\n"
    assert reply.spend == Spend(None, None, None), "what a command costs is unknown"


def test_a_command_that_fails_hangs_or_is_not_there():
    with pytest.raises(ModelError, match=r"exit status 3: no luck"):
        ask(CommandModel(python("import sys; sys.exit(print('no luck', file=sys.stderr) or 3)")))
    began = time.monotonic()
    child = "import subprocess; subprocess.run(['sleep', '60'])"
    with pytest.raises(ModelError, match="no answer in 0"):
        ask(CommandModel(python(child), timeout_s=0.3))
    assert time.monotonic() - began < 10
    for wrong in ("no-such-program-here", "'unclosed", " "):
        with pytest.raises(UsageError):
            CommandModel(wrong)


def test_a_command_that_says_nothing_gave_no_answer():
    with pytest.raises(ModelError, match="no answer: but why"):
        ask(CommandModel(python("import sys; print('but why', file=sys.stderr)")))


def test_a_command_that_does_not_read_its_prompt():
    talk = (Message("user", "x" * 1_000_000),)
    assert CommandModel("echo yes").ask(talk, label="propose:1").text == "yes\n"


def test_a_command_is_cut_at_once():
    halt = Halt()
    threading.Timer(0.3, halt.now).start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        ask(CommandModel("sleep 60", halt=halt))
    assert time.monotonic() - began < 30


def test_a_command_is_no_shell(tmp_path):
    model = CommandModel(f"echo $HOME; touch {tmp_path}/made")
    assert ask(model).text == f"$HOME; touch {tmp_path}/made\n"
    assert not (tmp_path / "made").exists()


def test_a_conversation_as_one_text():
    assert prompt(TALK) == "be brief\n\nhi"
    longer = (*TALK, Message("assistant", "yes"), Message("user", "so?"))
    assert (
        prompt(longer)
        == "# system\n\nbe brief\n\n# user\n\nhi\n\n# assistant\n\nyes\n\n# user\n\nso?"
    )


class Counting:
    """Answers 1, 2, 3, …"""

    spec = "counting"

    def __init__(self):
        self.count = 0

    def ask(self, messages, *, label, schema=None, meter=None):
        self.count += 1
        usage = Usage(input=5, output=self.count)
        return Reply(f"{label} é {self.count}", "length", "why", usage, Spend(0.1, 5, 1), "m")


def test_what_was_recorded_is_replayed(tmp_path):
    file = tmp_path / "r.jsonl"
    recorder = RecordingModel(Counting(), file)
    said = {label: ask(recorder, label) for label in ("propose:1", "judge:2", "propose:2")}
    replay = ReplayModel(file)
    for label in ("propose:2", "propose:1", "judge:2", "judge:2"):
        reply = ask(replay, label)
        assert (reply.text, reply.stop, reply.reasoning, reply.usage, reply.model) == (
            said[label].text, "length", "why", said[label].usage, "m",
        )  # fmt: skip
        assert reply.spend == Spend(), "a replay costs nothing"
    with pytest.raises(ModelError, match="ends before propose:3") as caught:
        ask(replay, "propose:3")
    assert not caught.value.retryable


def test_a_call_that_was_made_again_counts_once(tmp_path):
    file = tmp_path / "r.jsonl"
    recorder = RecordingModel(Counting(), file)
    ask(recorder)
    with file.open("a") as out:
        out.write('{"label": "propose:2", "reply"')  # killed while it wrote
    assert ask(ReplayModel(file)).text.endswith("1")
    again = RecordingModel(Counting(), file)
    ask(again, "propose:2")
    ask(again, "propose:1")
    replay = ReplayModel(file)
    assert ask(replay, "propose:2").text.endswith("1")
    assert ask(replay, "propose:1").text.endswith("2")
    assert len(file.read_text().splitlines()) == 3


def test_recordings_of_several_threads_do_not_mix(tmp_path):
    class Long:
        spec = "long"

        def ask(self, messages, *, label, schema=None, meter=None):
            return Reply(label * 5000)

    recorders = [RecordingModel(Long(), tmp_path / "r") for _ in range(4)]
    labels = [f"propose:{n}" for n in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: ask(recorders[n % 4], labels[n]), range(40)))
    replay = ReplayModel(tmp_path / "r")
    assert all(ask(replay, label).text == label * 5000 for label in labels)


def test_files_that_are_no_recordings(tmp_path):
    for text in ("[1]\n", "{}\n{}\n", '{"label": 1}\n', "text\n{}\n"):
        (tmp_path / "f").write_text(text)
        with pytest.raises(UsageError, match="not a recorded answer"):
            ReplayModel(tmp_path / "f")
    (tmp_path / "f").write_bytes(b"\xff\xfe\xff")
    for path in (tmp_path / "f", tmp_path, tmp_path / "missing"):
        with pytest.raises(UsageError, match="cannot replay"):
            ReplayModel(path)
    with pytest.raises(UsageError, match="cannot record"):
        RecordingModel(Counting(), tmp_path / "no" / "f")


def test_backoff_grows_is_jittered_and_bounded():
    waits = []
    calls = []

    def call():
        calls.append(1)
        raise ModelError("busy", retryable=True, spend=Spend(0.1, 1, 1))

    policy = Retry(attempts=9, base_s=1.0, cap_s=8.0, wait=waits.append)
    with pytest.raises(ModelError) as caught:
        policy.run(call)
    assert (len(calls), len(waits)) == (9, 8)
    assert all(0 <= w <= min(8, 2**i) for i, w in enumerate(waits))
    assert len(set(waits)) == 8
    assert caught.value.spend.input_tokens == 9
    assert Spend(0.1, 1, None) + Spend(None, 2, 3) == Spend(None, 3, None)


@pytest.mark.parametrize(
    ("spec", "said"),
    [("openai:x?efort=high", "efort=high"), ("openai:x?effort=huge", "none|minimal|low"),
     ("openai:x?effort", "no option"), ("openai:x?max_tokens=0", "give TOKENS"),
     ("openai:x?max_tokens=1e3", "give TOKENS"), ("openai:x?temperature=nan", "0..2"),
     ("openai:x?thinking=2000", "known: max_tokens"), ("openai:x?top_p=0.1&top_p=0.2", "twice"),
     ("anthropic:x?thinking=1000", "at least 1024"), ("mailbox:b?timeout=-1", "SECONDS"),
     ("anthropic:x?thinking=9000&max_tokens=9000", "less than max_tokens"),
     ("anthropic:x?thinking=adaptive&temperature=0.5", "no temperature"),
     ("http://h/v1#m?effort=", "effort=''"), ("http://u:secret@h/v1#m", "KERNELWRIGHT_API_KEY"),
     ("http://h:99999/v1#m", "no address"), ("mix:openai:x", "WEIGHT=SPEC"),
     ("mix:0=openai:x", "above 0"), ("mix:1=openai:x,2=", "WEIGHT=SPEC")],
)  # fmt: skip
def test_options_that_are_wrong_are_named(spec, said, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
    with pytest.raises(UsageError) as caught:
        make_model(spec)
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_options_are_read():
    known = next(form.options for form in FORM_LIST if form.form.startswith("anthropic"))
    query = "max_tokens=9000&temperature=1&top_p=0.5&effort=low&thinking=2048&timeout=60"
    assert split(f"name?{query}", "spec", known) == (
        "name", Options(9000, 1.0, 0.5, "low", 2048, 60.0),
    )  # fmt: skip
    assert split("name", "spec", known) == ("name", Options())


class Named:
    """Says its name."""

    def __init__(self, name):
        self.spec = name

    def ask(self, messages, *, label, schema=None, meter=None):
        return Reply(self.spec)


def test_a_mixture_draws_by_weight_and_again_the_same():
    labels = [f"{role}:{n}" for role in ("propose", "judge") for n in range(500)]

    def draws(seed):
        model = MixModel("mix", [(0.7, Named("a")), (0.3, Named("b"))], seed)
        return [ask(model, label).text for label in labels]

    first = draws(1)
    assert first == draws(1)
    assert first != draws(2)
    assert 0.65 < Counter(first)["a"] / len(labels) < 0.75


def test_who_has_to_repair_is_who_was_asked():
    model = MixModel("mix", [(1, Named("a")), (1, Named("b"))])
    for n in range(50):
        assert model.drawn(f"judge:{n}") is model.drawn(f"judge:{n}:repair")


def test_the_models_behind_a_spec():
    assert asked_models("mix:1=record:f:openai:a?effort=low,2=mix:1=replay:r,1=openai:b") == (
        "openai:a?effort=low", "replay:r", "openai:b",
    )  # fmt: skip


def test_a_halt_ends_the_wait_between_attempts():
    halt = Halt()
    halt.soon()

    def call():
        raise ModelError("busy", retryable=True, spend=Spend(0.1, 1, 1))

    with pytest.raises(Cancelled) as caught:
        Retry(wait=halt.wait).run(call)
    assert caught.value.spend == Spend(0.1, 1, 1)
