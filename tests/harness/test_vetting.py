"""Vetting: broken and hostile task files end in one line each, in the cage and not here."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kernelwright.harness.audit import audit
from kernelwright.harness.vetting import Vetting
from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.load import load_task
from kernelwright.tasks.task import Task

GOOD = """
import os, signal, socket, sys
import torch

class Model(torch.nn.Module):
    def forward(self, x):
        return torch.tanh(x * 3)

def get_inputs():
    return [torch.randn(4, 5)]
"""
GIVEN = "return [torch.randn(4, 5)]"
FORWARD = "return torch.tanh(x * 3)"
SECONDS = 8.0


@pytest.fixture(scope="module")
def vetting() -> Iterator[Vetting]:
    with Vetting(memory=512 << 20, step_seconds=SECONDS) as opened:
        yield opened


@pytest.fixture(autouse=True)
def doubted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As users have it: no task is trusted, none has passed before."""
    monkeypatch.delenv("KERNELWRIGHT_TRUST_TASKS", raising=False)
    monkeypatch.setenv("KERNELWRIGHT_CACHE", str(tmp_path / "cache"))


def task(source: str, path: Path = Path("/somewhere/op.py")) -> Task:
    return Task("op", source, path)


BROKEN = {
    "network": (
        GOOD.replace(GIVEN, "socket.create_connection(('127.0.0.1', 9))"),
        r"op\.py:10: get_inputs raises \w*Error",
    ),
    "a server's name": (
        GOOD.replace(GIVEN, "return [socket.getaddrinfo('example.com', 80)]"),
        r"op\.py:10: get_inputs raises .*[^)]; tasks are tried without network$",
    ),
    "giant memory": (
        GOOD.replace(GIVEN, "return [torch.zeros(1 << 40)]"),
        r"op\.py:10: get_inputs raises RuntimeError: .*memory",
    ),
    "sys.exit": (GOOD.replace(FORWARD, "sys.exit(0)"), r"op\.py:7: .*forward raises SystemExit"),
    "os._exit": (GOOD.replace(FORWARD, "os._exit(0)"), "Model.forward.* ended by itself"),
    "crash": (GOOD.replace(FORWARD, "os.kill(os.getpid(), signal.SIGSEGV)"), "died of SIGSEGV"),
    "wrong type": (GOOD.replace(GIVEN, "return ['text']"), "input 0 of get_inputs is a str"),
    "no list": (GOOD.replace(GIVEN, "return 7"), "get_inputs must return a list"),
    "no tensor": (GOOD.replace(FORWARD, "return 'text'"), "forward returns a str"),
    "syntax": (GOOD + "def (:\n", r"op\.py:11 is not Python"),
    "missing class": (GOOD.replace("class Model", "class Module"), "Model is not defined"),
    "missing package": (GOOD + "import nobody_has_this\n", "raises ModuleNotFoundError"),
    "several lines": (GOOD.replace(FORWARD, "raise ValueError('a\\nb')"), "raises ValueError: a$"),
    "a file of the user's": (
        GOOD.replace(GIVEN, "return [open('/etc/hostname')]"),
        r"get_inputs raises \w*Error",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_one_line(vetting: Vetting, name: str) -> None:
    source, said = BROKEN[name]
    with pytest.raises(TaskError, match=said) as raised:
        vetting.vet(task(source))
    assert "\n" not in str(raised.value)


def test_what_never_ends_is_ended(vetting: Vetting) -> None:
    endless = GOOD.replace(GIVEN, "\n    while True:\n        pass")
    with pytest.raises(TaskError, match=f"get_inputs does not end within {SECONDS:.0f} s"):
        vetting.vet(task(endless))
    vetting.vet(task(GOOD))  # and the next goes on


def test_what_passes_is_remembered_and_what_fails_is_not(
    vetting: Vetting, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = task(GOOD.replace(FORWARD, "raise ValueError"))
    vetting.vet(task(GOOD))
    for _ in range(2):
        with pytest.raises(TaskError):
            vetting.vet(broken)
    monkeypatch.setattr(Vetting, "_start", lambda self: pytest.fail("it was tried again"))
    with Vetting() as other:
        other.vet(task(GOOD, Path("/elsewhere/op.py")))


def test_own_tasks_are_not_tried_nor_any_where_the_user_vouches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Vetting() as closed:
        monkeypatch.setattr(closed, "_start", lambda: pytest.fail("it was tried"))
        closed.vet(load_task("core/softmax"))
        monkeypatch.setenv("KERNELWRIGHT_TRUST_TASKS", "1")
        closed.vet(task(GOOD.replace(FORWARD, "raise ValueError")))


def test_a_hostile_file_does_not_reach_this_process(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    hostile = f"import os\nopen({str(trace)!r}, 'w')\n" + GOOD
    with pytest.raises(TaskError, match="the file raises"):
        audit(task(hostile))
    assert not trace.exists()
