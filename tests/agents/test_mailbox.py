"""The mailbox: prompts out, answers in, whoever writes them and whenever."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kernelwright.agents.models.base import Cancelled, Message, ModelError, Schema
from kernelwright.agents.models.halt import Halt
from kernelwright.agents.models.mailbox import END, MailboxModel
from kernelwright.agents.models.options import Options
from kernelwright.agents.models.spec import make_model
from kernelwright.agents.roles import Spend
from kernelwright.tasks.errors import UsageError

TALK = (Message("system", "be brief"), Message("user", "hi"))


def mailbox(folder, *, timeout=20.0, settle_s=0.2, halt=None):
    options = Options(timeout=timeout)
    return MailboxModel(folder, options=options, settle_s=settle_s, poll_s=0.01, halt=halt)


def ask(model, label="propose:1", talk=TALK):
    return model.ask(talk, label=label)


def later(seconds, work):
    timer = threading.Timer(seconds, work)
    timer.daemon = True
    timer.start()


def put(folder: Path, number: int, text: str) -> None:
    """As a good correspondent does: under another name, then renamed."""
    new = folder / f"draft-{number}"
    new.write_text(text)
    new.rename(folder / f"{number:04}.answer.md")


def test_a_prompt_goes_out_and_an_answer_comes_in(tmp_path):
    later(0.2, lambda: put(tmp_path / "box", 1, f"the answer\n{END}\n"))
    reply = ask(mailbox(tmp_path / "box"))
    assert reply.text == "the answer\n"
    assert reply.spend == Spend(None, None, None), "what it costs is unknown"
    box = tmp_path / "box"
    assert "be brief\n\nhi" in (box / "0001.prompt.md").read_text()
    data = json.loads((box / "0001.json").read_text())
    assert data["label"] == "propose:1"
    assert [m["text"] for m in data["messages"]] == ["be brief", "hi"]
    assert END in (box / "README.md").read_text()
    assert not [p.name for p in box.iterdir() if p.name.startswith(".")]


def test_calls_are_numbered(tmp_path):
    model = mailbox(tmp_path)
    for number in range(1, 13):
        put(tmp_path, number, f"answer {number}{END}")
        assert ask(model, f"propose:{number}").text == f"answer {number}"
    assert len(list(tmp_path.glob("*.prompt.md"))) == 12


def test_a_call_that_is_made_again_takes_the_answer_that_is_there(tmp_path):
    with pytest.raises(ModelError, match=r"no 0001.answer.md in 0 s; .* resume"):
        ask(mailbox(tmp_path, timeout=0.1))
    put(tmp_path, 1, "while nobody looked" + END)
    assert ask(mailbox(tmp_path)).text == "while nobody looked"
    assert len(list(tmp_path.glob("*.prompt.md"))) == 1
    other = (*TALK, Message("assistant", "x"))
    put(tmp_path, 2, "another" + END)
    assert ask(mailbox(tmp_path), talk=other).text == "another"


def test_a_growing_answer_is_waited_for(tmp_path):
    file = tmp_path / "0001.answer.md"

    def write():
        with file.open("w") as out:
            for piece in ("one ", "two ", "three"):
                out.write(piece)
                out.flush()
                time.sleep(0.15)

    thread = threading.Thread(target=write)
    model = mailbox(tmp_path, settle_s=1.5)
    thread.start()
    assert ask(model).text == "one two three"
    thread.join()


def test_an_empty_file_is_no_answer(tmp_path):
    (tmp_path / "0001.answer.md").write_text("  \n")
    with pytest.raises(ModelError, match="no 0001"):
        ask(mailbox(tmp_path, timeout=0.6))


def test_answers_in_odd_bytes(tmp_path):
    (tmp_path / "0001.answer.md").write_bytes(b"\xef\xbb\xbfa\xffb" + END.encode())
    assert ask(mailbox(tmp_path)).text == "a\ufffdb"


def test_two_runs_in_one_folder_get_numbers_of_their_own(tmp_path):
    def call(number):
        with pytest.raises(ModelError):
            ask(mailbox(tmp_path, timeout=0.3), f"propose:{number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(call, range(8)))
    labels = {json.loads(p.read_text())["label"] for p in tmp_path.glob("[0-9]*.json")}
    assert labels == {f"propose:{i}" for i in range(8)}
    assert len(list(tmp_path.glob("*.prompt.md"))) == 8


def test_a_halt_ends_the_wait(tmp_path):
    halt = Halt()
    later(0.2, halt.soon)
    began = time.monotonic()
    with pytest.raises(Cancelled):
        ask(mailbox(tmp_path, halt=halt))
    assert time.monotonic() - began < 15


def test_the_schema_is_for_programs(tmp_path):
    put(tmp_path, 1, "{}" + END)
    mailbox(tmp_path).ask(TALK, label="judge:1", schema=Schema("advice", {"type": "object"}))
    assert json.loads((tmp_path / "0001.json").read_text())["schema"] == {"type": "object"}


def test_the_spec(tmp_path):
    model = make_model(f"mailbox:{tmp_path}/new?timeout=0.05")
    with pytest.raises(ModelError, match="no 0001"):
        ask(model)
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write"):
        make_model(f"mailbox:{tmp_path}/file")


def test_a_folder_that_is_gone_is_an_error_of_the_call(tmp_path):
    model = mailbox(tmp_path / "box")
    for file in (tmp_path / "box").iterdir():
        file.unlink()
    (tmp_path / "box").rmdir()
    with pytest.raises(ModelError, match="No such file"):
        ask(model)
