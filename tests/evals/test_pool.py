"""A pool runs units beside each other; what one does, or how it dies, is nobody else's business."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kernelwright.evals import pool as pools
from kernelwright.evals.pool import Ended, NotNow, Pool, Unit


@pytest.fixture(autouse=True)
def scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Units run `python -c TEXT` in place of the command line."""
    popen = subprocess.Popen

    def start(command: list[str], **options: Any) -> subprocess.Popen[str]:
        return popen([sys.executable, "-c", *command[5:]], **options)

    monkeypatch.setattr(pools.subprocess, "Popen", start)


class Seen:
    def __init__(self) -> None:
        self.said: list[tuple[str, Mapping[str, Any]]] = []
        self.ended: dict[str, Ended] = {}

    def told(self, name: str, said: Mapping[str, Any]) -> None:
        self.said.append((name, said))

    def end(self, ended: Ended) -> None:
        self.ended[ended.unit.name] = ended


def unit(folder: Path, name: str, script: str) -> Unit:
    return Unit(name, (textwrap.dedent(script),), folder / f"{name}.log")


TELL = "import json, os; os.write(int(os.environ['KERNELWRIGHT_PROGRESS_FD']), b'{\"n\": 1}\\n');"


def test_results_progress_and_last_words(tmp_path: Path) -> None:
    seen = Seen()
    units = [
        unit(tmp_path, "good", TELL + "print(json.dumps({'best': os.environ['MORE']}))"),
        unit(tmp_path, "bad", "import sys; print('half a'); sys.exit('what went wrong')"),
        unit(tmp_path, "killed", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"),
    ]
    Pool(2, seen.told, seen.end, {"MORE": "2x"}).run(units)
    assert seen.ended["good"].status == 0
    assert seen.ended["good"].result == {"best": "2x"}
    assert ("good", {"n": 1}) in seen.said
    assert seen.ended["bad"].status == 1
    assert seen.ended["bad"].result is None
    assert seen.ended["bad"].last_words == "what went wrong"
    assert seen.ended["killed"].status == -signal.SIGKILL
    assert seen.ended["killed"].last_words == "no message"


def test_no_more_at_once_than_slots(tmp_path: Path) -> None:
    script = """
        import os, pathlib, time
        here = pathlib.Path(os.environ["ROOM"])
        (here / str(os.getpid())).touch()
        time.sleep(0.2)
        print(len(list(here.iterdir())))
        (here / str(os.getpid())).unlink()
    """
    room = tmp_path / "room"
    room.mkdir()
    seen = Seen()
    units = [unit(tmp_path, str(i), script) for i in range(6)]
    Pool(2, seen.told, seen.end, {"ROOM": str(room)}).run(units)
    assert len(seen.ended) == 6
    assert max(int(ended.output) for ended in seen.ended.values()) == 2


def test_stop_asks_those_that_run_and_starts_no_more(tmp_path: Path) -> None:
    seen = Seen()
    script = TELL + "\nimport time\ntry: time.sleep(60)\nexcept KeyboardInterrupt: print('[]')"
    units = [unit(tmp_path, str(i), script) for i in range(3)]
    pool: Pool

    def told(name: str, said: Mapping[str, Any]) -> None:
        if said == {"n": 1}:
            time.sleep(0.2)  # it is asleep by now
            pool.stop()

    pool = Pool(1, told, seen.end, {})
    pool.run(units)
    assert list(seen.ended) == ["0"]
    assert seen.ended["0"].output == "[]\n"


def test_children_die_with_the_pool(tmp_path: Path) -> None:
    ours = tmp_path / "pid"
    child = f"import os, time; open({str(ours)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    parent = f"""
        import subprocess, sys
        from kernelwright.harness.sandbox.system import die_with_parent
        from kernelwright.evals import pool as pools
        from pathlib import Path
        popen = subprocess.Popen
        start = (
            "import sys; from kernelwright.harness.sandbox.system import die_with_parent;"
            "die_with_parent(int(sys.argv[1])); exec(sys.argv[2])"
        )
        pools.subprocess.Popen = lambda c, **k: popen([sys.executable, "-c", start, c[3], *c[5:]], **k)
        nothing = lambda *a: None
        pools.Pool(1, nothing, nothing, {{}}).run(
            [pools.Unit("a", ({child!r},), Path({str(tmp_path / "log")!r}))]
        )
    """
    pid = os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, "-c", textwrap.dedent(parent)])
    for _ in range(200):
        if ours.is_file() and ours.read_text():
            break
        time.sleep(0.1)
    grandchild = int(ours.read_text())
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    for _ in range(100):
        if not Path(f"/proc/{grandchild}").exists() or _is_zombie(grandchild):
            break
        time.sleep(0.1)
    else:
        pytest.fail("the child outlived the pool")


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_a_result_is_one_object(tmp_path: Path) -> None:
    job = unit(tmp_path, "x", "")
    assert Ended(job, 0, json.dumps([1])).result is None
    assert Ended(job, 0, "").result is None


def test_arguments_that_are_known_late_and_a_unit_that_is_not_to_run(tmp_path: Path) -> None:
    seen = Seen()

    def refused() -> list[str]:
        raise NotNow("no money")

    late = unit(tmp_path, "late", "import sys; print(sys.argv[1:])")
    never = unit(tmp_path, "never", "print('run')")
    units = [replace(late, late=lambda: ["--more"]), replace(never, late=refused)]
    Pool(1, seen.told, seen.end, {}).run(units)
    assert seen.ended["late"].output == "['--more']\n"
    assert (seen.ended["never"].skipped, seen.ended["never"].output) == ("no money", "")
