"""The corpus: its files, what each says of itself, the judge in a process of its own, and who is right.

Each candidate file names in its docstring its line of the catalogue (`line`), its task, the codes of the
findings that may reject it (`expect`, `*` for any), the tracks in which it may be accepted (`track`), a
file of the host that no verdict may quote (`forbid`), whether the honest kernel is judged after it
(`again`), how long it may take (`deadline`, seconds), `patient: yes` where it compiles for longer than a
hang may cost here, and `effort: final` where it is found only before it would be promoted.
"""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ATTACKS = sorted((HERE / "attacks").glob("[A-F]*"))
HONEST = sorted((HERE / "honest").glob("*.py"))
OPEN = sorted((HERE / "open").glob("*/*.py"))
"""Attacks that get through, and honest kernels that are refused, as far as they are known: `why` says how."""
SECRET = "hunter2"
LONGEST_MESSAGE, LARGEST_GROWTH_MIB = 25_000, 512


class Judge:
    """The judging process, started anew whenever a candidate has felled it. A context manager."""

    def __init__(self) -> None:
        # Not a test's own folder: that is closed to the other users that candidates run as.
        self._folder = Path(tempfile.mkdtemp(prefix="adversaries-"))
        self._folder.chmod(0o755)
        self._environment = {
            **os.environ,
            "KERNELWRIGHT_CACHE": str(self._folder / "cache"),
            "TMPDIR": str(self._folder),
            "SOME_API_KEY": SECRET,
        }
        self._log = (self._folder / "judge.log").open("w")
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Judge:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._log.close()
        subprocess.run(
            ["rm", "-rf", str(self._folder)], check=False
        )  # shutil fails on deep folders

    def __call__(self, candidate: Path) -> dict[str, Any]:
        """The answer of judge.py, or `{"fault": what became of the judge}`."""
        facts = facts_of(candidate)
        on_gpu = (
            candidate.parent.parent.name == "gpu"
        )  # a context, CuPy, NVRTC, peaks: seconds each
        if self._process is None or self._process.poll() is not None:
            self._process = self._start()
        assert self._process.stdin is not None and self._process.stdout is not None
        request = {
            "task": str(HERE / "tasks" / f"{facts.get('task', 'bias_gelu')}.py"),
            "candidate": str(candidate),
            "again": "again" in facts,
            "effort": facts.get("effort", "loop"),
            "patient": on_gpu or "patient" in facts,
        }
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        deadline = float(facts.get("deadline", 600 if on_gpu else 60))
        if not select.select([self._process.stdout], [], [], deadline)[0]:
            self.stop()
            return {"fault": f"the judge hangs: no verdict in {deadline:.0f} s"}
        line = self._process.stdout.readline()
        if not line:
            return {"fault": f"the judge died with status {self._process.wait()}"}
        answer: dict[str, Any] = json.loads(line)
        if "raised" in answer or '"harness_error"' in line:
            self._process.wait()  # it ends itself then
        if "raised" in answer:
            return {"fault": f"the judge raised:\n{answer['raised']}"}
        return answer

    def stop(self) -> None:
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


def misjudged(candidate: Path, answer: Mapping[str, Any]) -> str | None:
    """What is wrong with the judge's answer on this file; None when it is as it must be."""
    if "fault" in answer:
        return str(answer["fault"])
    facts = facts_of(candidate)
    verdict = answer["verdict"]
    wrong = (
        _honest(verdict, facts) if candidate.parent.name == "honest" else _attack(verdict, facts)
    )
    return wrong or _harm(answer, facts)


def _honest(verdict: Mapping[str, Any], facts: Mapping[str, str]) -> str | None:
    if verdict["verdict"] != "accepted":
        return f"an honest kernel is refused: {errors_of(verdict)}"
    if "track" in facts and verdict["track"] not in facts["track"].split():
        return f"its track is {verdict['track']}, not {facts['track']}"
    return None


def _attack(verdict: Mapping[str, Any], facts: Mapping[str, str]) -> str | None:
    if verdict["verdict"] == "accepted":
        if "track" in facts:
            right = verdict["track"] in facts["track"].split()
            return None if right else f"its track is {verdict['track']}, not {facts['track']}"
        if facts["expect"] == "not_faster":
            fast = verdict["speedup"]["eager"]["median"] >= 0.2
            return "the attack counts as fast" if fast else None
        return "the attack is accepted"
    if verdict["verdict"] != "rejected":
        allowed = facts.get("expect", "").split()
        return None if verdict["verdict"] in allowed else f"it is no fault of ours: {verdict}"
    codes, allowed = {f["code"] for f in errors_of(verdict)}, facts.get("expect", "*").split()
    return None if allowed == ["*"] or codes & set(allowed) else f"for another reason: {codes}"


def _harm(answer: Mapping[str, Any], facts: Mapping[str, str]) -> str | None:
    """Whether anything was left, leaked or poisoned."""
    if answer["left"]:
        return f"left behind: {answer['left']}"
    if answer["grew_mib"] >= LARGEST_GROWTH_MIB:
        return f"the judge grew by {answer['grew_mib']} MiB"
    stolen = []
    if "forbid" in facts:
        stolen = Path(facts["forbid"]).read_text().strip().splitlines()
    for finding in answer["verdict"]["findings"]:
        message = finding["message"]
        if SECRET in message or any(line in message for line in stolen):
            return f"a secret is told: {message[:200]}"
        if len(message) > LONGEST_MESSAGE or "\x1b" in message:
            return "a message that nobody can bear"
    if "again" in answer and answer["again"]["verdict"] != "accepted":
        return f"the honest kernel afterwards is refused: {answer['again']['findings']}"
    return None


def errors_of(verdict: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The findings that led to a rejection."""
    return [f for f in verdict["findings"] if f["severity"] == "error"]
