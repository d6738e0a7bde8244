"""The corpus: every attack is judged rightly, every honest look-alike is accepted.

Each candidate file names in its docstring its line of the catalogue (`line`), its task, the codes of the
findings that may reject it (`expect`, `*` for any), the tracks in which it may be accepted (`track`), a
file of the host that no verdict may quote (`forbid`), whether the honest kernel is judged after it
(`again`), and how long it may take (`deadline`, seconds).
`OPEN` lists what the harness does not answer yet: a mended line turns red here until it is taken out.
"""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from open_holes import OPEN

HERE = Path(__file__).parent
ATTACKS = sorted((HERE / "attacks").glob("[A-F]*"))
HONEST = sorted((HERE / "honest").glob("*.py"))
SECRET = "hunter2"
LONGEST_MESSAGE, LARGEST_GROWTH_MIB = 25_000, 512


class Judge:
    """The judging process, started anew whenever a candidate has felled it."""

    def __init__(self, folder: Path) -> None:
        self._environment = {
            **os.environ,
            "KERNELWRIGHT_CACHE": str(folder / "cache"),
            "TMPDIR": str(folder),
            "SOME_API_KEY": SECRET,
        }
        self._log = (folder / "judge.log").open("w")
        self._process: subprocess.Popen[str] | None = None

    def __call__(self, candidate: Path) -> dict[str, Any]:
        """The answer of judge.py; fails the test when there is none."""
        facts = facts_of(candidate)
        if self._process is None or self._process.poll() is not None:
            self._process = self._start()
        assert self._process.stdin is not None and self._process.stdout is not None
        request = {
            "task": str(HERE / "tasks" / f"{facts.get('task', 'bias_gelu')}.py"),
            "candidate": str(candidate),
            "again": "again" in facts,
        }
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        deadline = float(facts.get("deadline", 60))
        if not select.select([self._process.stdout], [], [], deadline)[0]:
            self.close()
            pytest.fail(f"the judge hangs: no verdict in {deadline:.0f} s")
        line = self._process.stdout.readline()
        if not line:
            pytest.fail(f"the judge died with status {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "raised" in answer or '"harness_error"' in line:
            self._process.wait()  # it ends itself then
        if "raised" in answer:
            pytest.fail(f"the judge raised:\n{answer['raised']}")
        return answer

    def close(self) -> None:
        """End the process, and with it all that it started."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(HERE / "judge.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=self._environment,
            text=True,
        )


def facts_of(candidate: Path) -> dict[str, str]:
    """The `name: value` lines of its docstring."""
    docstring = candidate.read_text().split('"""')[1]
    return dict(re.findall(r"^(\w+): (.*)$", docstring, re.M))


def parameters(files: list[Path]) -> list[Any]:
    return [
        pytest.param(
            file,
            id=file.stem,
            marks=[pytest.mark.xfail(strict=True, reason=OPEN[file.stem])]
            if file.stem in OPEN
            else [],
        )
        for file in files
    ]


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    # Not pytest's own folder: that is closed to the other users that candidates run as.
    folder = Path(tempfile.mkdtemp(prefix="adversaries-"))
    folder.chmod(0o755)
    judge = Judge(folder)
    yield judge
    judge.close()
    # What B17 leaves in the kernel as long as that hole is open.
    subprocess.run(["ipcrm", "-M", "0x6b77", "-Q", "0x6b78"], check=False, capture_output=True)
    subprocess.run(["rm", "-rf", str(folder)], check=False)  # shutil fails on very deep folders


def check_harm(answer: dict[str, Any]) -> None:
    """Nothing was left, nothing leaked, nobody was poisoned."""
    assert not answer["left"], answer["left"]
    assert answer["grew_mib"] < LARGEST_GROWTH_MIB
    for finding in answer["verdict"]["findings"]:
        assert SECRET not in finding["message"]
        assert len(finding["message"]) <= LONGEST_MESSAGE
        assert "\x1b" not in finding["message"]
    if "again" in answer:
        assert answer["again"]["verdict"] == "accepted", answer["again"]["findings"]


@pytest.mark.parametrize("file", parameters(HONEST))
def test_honest_look_alike_is_accepted(judge: Judge, file: Path) -> None:
    answer = judge(file)
    verdict, facts = answer["verdict"], facts_of(file)
    assert verdict["verdict"] == "accepted", verdict["findings"]
    if "track" in facts:
        assert verdict["track"] in facts["track"].split()
    check_harm(answer)


@pytest.mark.parametrize("file", parameters(ATTACKS))
def test_attack_is_judged_rightly(judge: Judge, file: Path) -> None:
    answer = judge(file)
    verdict, facts = answer["verdict"], facts_of(file)
    errors = [f for f in verdict["findings"] if f["severity"] == "error"]
    if verdict["verdict"] == "accepted":
        assert "track" in facts or facts["expect"] == "not_faster", "the attack is accepted"
        if "track" in facts:
            assert verdict["track"] in facts["track"].split(), "the track is wrong"
        else:
            assert verdict["speedup"]["eager"]["median"] < 0.2
    else:
        assert verdict["verdict"] == "rejected", errors
        codes, allowed = {f["code"] for f in errors}, facts.get("expect", "*").split()
        assert allowed == ["*"] or codes & set(allowed), errors
    if "forbid" in facts:
        stolen = Path(facts["forbid"]).read_text().strip()
        assert not any(line in f["message"] for f in errors for line in stolen.splitlines())
    check_harm(answer)


def test_every_line_of_the_catalogue_has_an_attack() -> None:
    lines = {word for file in ATTACKS for word in facts_of(file)["line"].split()}
    on_the_processor = set(range(1, 53)) - GPU_ONLY
    missing = {n for n in on_the_processor if not any(re.fullmatch(f"[A-F]{n}", w) for w in lines)}
    assert not missing


GPU_ONLY = {3, 8, 18}
"""CUDA events, L2 persistence, CUDA graphs."""


def test_the_list_of_open_holes_names_files() -> None:
    assert set(OPEN) <= {file.stem for file in ATTACKS + HONEST}
