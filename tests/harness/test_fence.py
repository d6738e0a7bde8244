"""The fence around a process that judges a stranger's task: what it keeps away, what still works inside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from kernelwright.harness.sandbox import level
from kernelwright.harness.sandbox.fence import Fence, environment
from kernelwright.harness.turnstile import Turnstile, files

needs_namespaces = pytest.mark.skipif(
    not level().namespaces, reason=f"no namespaces here: {level().no_namespaces}"
)


class Probe:
    """Runs code behind a fence and gives what it left in `said`, as JSON."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "probe"
        self._folder.mkdir()

    def command(self, code: str, fence: Fence) -> list[str]:
        text = "import json\nsaid = {}\n" + textwrap.dedent(code) + "\nprint(json.dumps(said))\n"
        (self._folder / "probe.py").write_text(text)
        read = (*fence.read, str(self._folder))
        return Fence(read, fence.files).command("probe")

    def environment(self) -> dict[str, str]:
        return environment({**os.environ, "PYTHONPATH": str(self._folder)})

    def __call__(self, code: str, fence: Fence | None = None) -> dict[str, Any]:
        done = subprocess.run(
            self.command(code, fence or Fence()),
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@pytest.fixture
def probe(tmp_path: Path) -> Probe:
    return Probe(tmp_path)


TRIES = """
import os, socket
def tried(name, job):
    try:
        said[name] = str(job())
    except Exception as error:
        said[name] = type(error).__name__
"""


def test_nothing_of_the_user_is_in_reach(
    probe: Probe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("KERNELWRIGHT_KEYS", "sk-secret")
    secret, target = tmp_path / "secret", tmp_path / "target"
    secret.write_text("mine")
    said = probe(
        f"""{TRIES}
tried("secret", lambda: open({str(secret)!r}).read())
tried("write", lambda: open({str(target)!r}, "w"))
tried("network", lambda: socket.create_connection(("127.0.0.1", 9), 2))
tried("name", lambda: socket.getaddrinfo("example.org", 80))
tried("parent", lambda: os.kill({os.getpid()}, 9))
said["keys"] = [k for k, v in os.environ.items() if "sk-" in v]
"""
    )
    assert said.pop("keys") == []
    assert set(said) == {"secret", "write", "network", "name", "parent"}
    assert all(name.endswith("Error") or name == "gaierror" for name in said.values()), said
    assert not target.exists()


def test_what_was_handed_in_is_there_and_scratch_can_be_written(
    probe: Probe, tmp_path: Path
) -> None:
    given = tmp_path / "given.py"
    given.write_text("x = 1")
    room = tmp_path / "batch" / ".turnstile"
    room.parent.mkdir()
    others = room.parent / "record.json"
    others.write_text("mine")
    Turnstile(room).close()
    said = probe(
        f"""{TRIES}
import tempfile
from pathlib import Path
said["given"] = Path({str(given)!r}).read_text()
tried("changed", lambda: Path({str(given)!r}).write_text("y"))
said["laid"] = Path(os.environ["KERNELWRIGHT_CACHE"], "known.json").read_text()
from kernelwright.harness.turnstile import Turnstile
with Turnstile(Path({str(room)!r})).alone():
    said["beside"] = sorted(os.listdir({str(room.parent)!r}))
tried("filled", lambda: Path({str(files(room)[0])!r}).write_text("much"))
Path(tempfile.gettempdir(), "own").write_text("z")
said["cwd"] = os.listdir(".")
""",
        Fence((str(given), *map(str, files(room))), {"cache/known.json": "{}" + " " * (1 << 18)}),
    )
    assert said["given"] == "x = 1" and given.read_text() == "x = 1"
    assert said["changed"].endswith("Error")
    assert said["laid"].strip() == "{}" and "own" in said["cwd"]
    assert said["beside"] == [".turnstile.door", ".turnstile.room"]
    assert said["filled"].endswith("Error") and others.read_text() == "mine"


@needs_namespaces
def test_cages_inside_are_as_strong_as_outside(probe: Probe) -> None:
    said = probe(
        "from dataclasses import asdict\n"
        "from kernelwright.harness.sandbox import level\n"
        "said = asdict(level())"
    )
    assert said["namespaces"] and said["own_user"] == level().own_user
    assert said["landlock_abi"] == level().landlock_abi


def test_status_comes_through_and_nothing_is_left(probe: Probe, tmp_path: Path) -> None:
    here = tmp_path / "tmp"
    here.mkdir()
    done = subprocess.run(
        probe.command("import sys; sys.exit(7)", Fence()),
        env={**probe.environment(), "TMPDIR": str(here)},
        check=False,
    )
    assert done.returncode == 7
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_it_ends_with_whoever_started_it(probe: Probe, tmp_path: Path, how: signal.Signals) -> None:
    pipe, theirs = os.pipe()
    command = probe.command(f"import os, time\nos.write({theirs}, b'x')\ntime.sleep(60)", Fence())
    starter = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import subprocess; subprocess.run({command!r}, pass_fds=({theirs},))",
        ],
        env=probe.environment(),
        pass_fds=(theirs,),
    )
    os.close(theirs)
    assert os.read(pipe, 1) == b"x"
    starter.send_signal(how)
    starter.wait(10)
    begin = time.monotonic()
    assert os.read(pipe, 1) == b"", "its end of the pipe is still open"
    assert time.monotonic() - begin < 30
    os.close(pipe)
