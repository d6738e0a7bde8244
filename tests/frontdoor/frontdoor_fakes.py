"""Stand-ins for the harness and the model, and a task with its kernel."""

from collections.abc import Callable
from dataclasses import replace

from kernelwright.agents.roles import Advice, Attempt, Brief, NoIdea, Proposal
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.device import DeviceFacts
from kernelwright.harness.verdict import Finding, Roofline, Speedup, Verdict

TASK = """
import torch

class Model(torch.nn.Module):
    def forward(self, x):
        return torch.relu(x) * 2

def get_inputs():
    return [torch.randn(64, 32)]
"""

KERNEL = """
import torch
from kernelwright.inline import cpp, tuned

P = tuned(SCALE=[2])
compiler = "a name that the carried builder uses too"
lib = cpp(r'''
extern "C" void go(const float* x, float* y, long n) {
    for (long i = 0; i < n; i++) y[i] = x[i] < 0 ? 0 : SCALE * x[i];
}
''', defines=P)

class ModelNew(torch.nn.Module):
    def forward(self, x):
        x = x.contiguous()
        y = torch.empty_like(x)
        lib.go(x, y, x.numel())
        return y
"""

FACTS = DeviceFacts("cpu", "Some Processor", 2, ("avx2",))


def accepted(factor: float) -> Verdict:
    """A candidate so many times as fast as eager."""
    gain = Speedup(factor, factor * 0.95, factor * 1.05, 16)
    return Verdict(
        "accepted",
        "done",
        track="custom",
        precision="fp32",
        language="cpp",
        time_ms={"candidate": 1.0, "eager": factor, "compile": None},
        speedup={"eager": gain, "champion": gain, "compile": None},
        roofline=Roofline("memory", 0.5),
        seconds={"build": 0.3, "check": 0.2, "time": 0.4},
        reasons={"speedup.compile": "torch.compile failed: no idea"},
    )


def rejected() -> Verdict:
    """A wrong candidate."""
    finding = Finding("wrong_value", "the output is wrong\nin many | elements")
    return Verdict("rejected", "correctness", (finding,), language="cpp", seconds={"build": 0.3})


class FakeEvaluator:
    """Says of each source what `verdicts` has for it; `accepted(2.0)` of any other."""

    verdicts: dict[str, Verdict] = {}  # noqa: RUF012 - replaced by each test
    opened = 0

    def __init__(self, task: object, *, threads: int | None = None, seed: int | None = None):
        self.facts = FACTS

    def __enter__(self) -> "FakeEvaluator":
        type(self).opened += 1
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def evaluate(
        self,
        candidate: Candidate,
        *,
        effort: str = "loop",
        champion: Candidate | None = None,
        counters: bool = False,
    ) -> Verdict:
        verdict = self.verdicts.get(candidate.source, accepted(2.0))
        return replace(verdict, language=candidate.language)


class FakeCoder:
    """Proposes the given sources, one a round, then has no idea."""

    def __init__(self, *sources: str, then: Callable[[], None] = lambda: None) -> None:
        self._sources = sources
        self._then = then

    def propose(self, brief: Brief) -> Proposal:
        tried = {attempt.candidate.source for attempt in brief.history}
        for source in self._sources:
            if source not in tried:
                return Proposal((Candidate(source),), "one pass")
        self._then()
        raise NoIdea("nothing left to try")


class FakeJudge:
    """Always the same advice."""

    def advise(self, brief: Brief, attempt: Attempt) -> Advice:
        return Advice("optimize", "memory", "write less")
