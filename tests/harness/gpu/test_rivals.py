"""Further rivals are started once; one that fails says why and is not tried again."""

from types import SimpleNamespace
from typing import Any

from kernelwright.harness.fault import Fault
from kernelwright.harness.gpu.baselines import Baseline
from kernelwright.harness.gpu.rivals import Rivals


def test_rivals_that_run_and_those_that_do_not():
    started: list[str] = []

    def start(baseline: Baseline) -> Any:
        started.append(baseline.name)
        if baseline.name == "cuda_graph":
            raise Fault(
                "exception", "RuntimeError: operation not permitted when stream is capturing"
            )
        return SimpleNamespace(alive=True)

    known = [Baseline(name, "x") for name in ("max_autotune", "cuda_graph")]
    known.append(Baseline("cublaslt", reason="no library"))
    rivals = Rivals(known, start)
    first = rivals.workers()
    assert list(first) == ["max_autotune"]
    assert rivals.workers() == first
    assert started == ["max_autotune", "cuda_graph"]
    assert "not permitted" in rivals.reasons["cuda_graph"]
    assert rivals.reasons["cublaslt"] == "no library"
    first["max_autotune"].alive = False  # type: ignore[misc]
    rivals.workers()
    assert started[-1] == "max_autotune"
