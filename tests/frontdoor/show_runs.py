"""A run on disk with something of everything, written event by event."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kernelwright.agents.events import EventLog
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.verdict import Finding, Roofline, Speedup, Verdict

SPEND = {"usd": 0.02, "input_tokens": 900, "output_tokens": 100}
FREE = {"usd": 0.0, "input_tokens": 0, "output_tokens": 0}
SETTINGS = {"budget_evals": 12, "budget_minutes": None, "budget_usd": 1.0, "budget_tokens": None}


def kernel(name: str) -> Candidate:
    return Candidate(f'"""{name}"""\nP = tuned(N=[1, 2])\nclass ModelNew:\n    kind = "{name}"\n')


def accepted(median: float, champion: float | None = None) -> Verdict:
    speedup = {"eager": Speedup(median, median * 0.9, median * 1.1, 24)}
    if champion:
        speedup["champion"] = Speedup(champion, champion * 0.95, champion * 1.05, 24)
    return Verdict("accepted", "done", speedup=speedup, roofline=Roofline("memory", 0.5))


def rejected(code: str = "wrong_values") -> Verdict:
    return Verdict("rejected", "correctness", (Finding(code, "off by 3 at [0, 1]"),))


class Writer:
    """Writes a log; `kill` leaves it as a killed process would."""

    def __init__(self, folder: Path) -> None:
        self.log = EventLog(folder)
        self.event("run", "run", task="own/op", task_hash="ab", seed=7, language="cpp")
        device = {"kind": "cpu", "name": "a processor", "threads": 4}
        self.event("session", "1", settings=SETTINGS, device=device)

    def event(self, kind: str, key: str, /, *named: Candidate, **data: Any) -> None:
        self.log.append(kind, key, data, named)

    def choose(self, number: int, parent: Candidate | None = None, **turn: Any) -> None:
        self.event("decided", f"choose:{number}", parent=parent and parent.id, **turn)

    def judge(self, number: int, change: str, predicted: float | None, **advice: Any) -> None:
        said = {"kind": "optimize", "cause": "it waits", "change": change, **advice}
        self.event(
            "finished",
            f"judge:{number}",
            advice={**said, "predicted_gain": predicted, "directive": {}},
            spend=SPEND,
        )

    def propose(self, number: int, *found: Candidate, note: str = "", copies: int = 0) -> None:
        ids = [candidate.id for candidate in found]
        answer = {"candidates": ids + ids[:1] * copies, "fresh": ids, "note": note}
        silent = None if found else "knows nothing more"
        self.event("finished", f"propose:{number}", *found, **answer, no_idea=silent, spend=SPEND)

    def evaluate(
        self,
        number: int,
        candidate: Candidate,
        verdict: Verdict,
        parent: Candidate | None = None,
        choice: Mapping[str, int] | None = None,
        **more: Any,
    ) -> None:
        about = {"round": number, "parent": parent and parent.id, "note": "", "against": None}
        self.event(
            "finished",
            f"evaluate:{candidate.id}",
            candidate,
            **about,
            choice=choice or {},
            verdict=verdict.to_json(),
            took={"wall_s": 2.0, "cpu_s": 1.0, "gpu_s": 0.0},
            **more,
        )

    def close(self, number: int) -> None:
        self.event("decided", f"round:{number}")


FIRST, SECOND, WRONG, MENDED, CROSSED = (
    kernel(name) for name in ("first", "second", "wrong", "mended", "crossed")
)
TUNED = SECOND.baked({"N": 2})


def write(folder: Path, *, until: str = "end") -> None:
    """The run, or the beginning of it: `started`, `empty`, `killed`, `end`."""
    run = Writer(folder)
    try:
        _write(run, until)
    finally:
        run.log.close()


def _write(run: Writer, until: str) -> None:
    if until == "started":
        return
    run.choose(1, kind="fresh")
    run.event("started", "propose:1")
    if until == "empty":
        return
    run.propose(1, FIRST, note="one pass", copies=1)
    run.evaluate(1, FIRST, accepted(2.0))
    run.close(1)
    run.choose(2, FIRST, kind="improve", strategies=["fuse", "tile"], bottleneck="memory")
    lesson = {"task": "other/task", "change": "unrolled twice", "gain": 0.8, "low": 0.7}
    run.event("decided", "recall:2", lessons=[{**lesson, "high": 0.9}])
    run.judge(2, "fuse the [loops]", 1.5, strategy="fuse", metrics=["50% of the roofline"])
    run.propose(2, SECOND, note="fused")
    run.evaluate(2, SECOND, accepted(3.0), FIRST)
    run.evaluate(2, TUNED, accepted(4.0), SECOND, {"N": 2})
    broken = {"probe": {"why": "a row of one"}, "finding": {"code": "wrong", "message": "off by 9"}}
    outcomes = [{"probe": {}, "result": "stood"}, {"probe": broken["probe"], "result": "broke"}]
    said = {"note": "rows", "written": 2, "outcomes": outcomes, "broken": [broken]}
    run.event("finished", f"tester:{SECOND.id}", **said, spend=FREE)
    hint = {"code": "suspicion", "message": "reads the first row twice", "detail": {}}
    run.event("finished", f"audit:{SECOND.id}", note="", findings=[hint], spend=FREE)
    run.event("finished", f"tester:{FIRST.id}", note="", written=0, outcomes=[], broken=[])
    run.event("finished", f"audit:{FIRST.id}", note="plain", findings=[], spend=FREE)
    run.close(2)
    run.choose(3, TUNED, kind="improve")
    run.judge(3, "two rows at once", 1.2)
    run.propose(3, WRONG, note="two rows")
    run.evaluate(3, WRONG, rejected(), TUNED)
    run.close(3)
    run.choose(4, WRONG)
    run.judge(4, "handle the tail", None, kind="correct")
    run.propose(4, MENDED, note="tail")
    if until == "killed":
        run.event("started", f"evaluate:{MENDED.id}")
        return
    run.evaluate(4, MENDED, accepted(4.4), WRONG)
    run.close(4)
    run.choose(5, MENDED, kind="cross", other=FIRST.id, island=1)
    run.propose(5, CROSSED, note="both")
    run.evaluate(5, CROSSED, accepted(4.4), MENDED, twin=MENDED.id)
    run.close(5)
    run.choose(6, MENDED, kind="improve")
    run.propose(6)
    run.close(6)
    run.event("stopped", "no_idea", message="knows nothing more")
    run.event("finished", f"confirm:{MENDED.id}", verdict=accepted(4.2).to_json(), took=None)
