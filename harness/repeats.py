"""Calls in a row that a kernel with a stale memory gets wrong: changed weights, slightly changed inputs.

Both are run in the worker that has passed the cases before, with its own inputs at one address.
"""

from __future__ import annotations

from typing import Protocol

from kernelwright.harness.comparison import compare
from kernelwright.harness.fault import Fault
from kernelwright.harness.oracle import Case, Oracle
from kernelwright.harness.worker import Worker


class Check(Protocol):
    """One checked call; raises when its answer is wrong. `steady`: always at one address."""

    def __call__(self, worker: Worker, case: Case, *, steady: bool = False) -> None:
        """Call, and compare."""


def check_state_follows(worker: Worker, oracle: Oracle, check: Check) -> None:
    """Weights may change between calls, in place: the outputs must follow. Raises Fault."""
    other = oracle.other_state()
    if other is None:
        return
    check(worker, oracle.own, steady=True)
    # A step that changes few elements starts from the own state: a sample of it stays as it was.
    own = oracle.state, oracle.own
    for state, case in (other, own, *oracle.stepped_state()):
        worker.load_state(state.items())
        found = worker.call(case.inputs, case.gradients, steady=True, most_bytes=case.output_bytes)
        wrong = compare(case, found)
        if wrong is not None:
            raise Fault(
                "stale_weights",
                f"after the weights were changed in place, {wrong.message}. Weights may change in"
                " place (load_state_dict, an optimizer step): what is packed or folded from them must"
                " be made again when the (data_ptr, _version) of a weight changes",
            )
    worker.load_state(oracle.state.items())
    check(worker, oracle.own, steady=True)


def check_retouched(worker: Worker, oracle: Oracle, check: Check) -> None:
    """Inputs that differ from those of the call before in a few elements only. Raises Fault.

    A cache by samples, by a sum or by address takes them for the same.
    """
    check(worker, oracle.own, steady=True)
    for case in oracle.retouched():
        found = worker.call(case.inputs, case.gradients, steady=True, most_bytes=case.output_bytes)
        wrong = compare(case, found)
        if wrong is not None:
            raise Fault(
                "stale_output",
                f"after a call with nearly the same inputs, {wrong.message}: is the answer of an"
                " earlier call kept?",
            )
        own = worker.call(
            oracle.own.inputs, oracle.own.gradients, steady=True, most_bytes=oracle.own.output_bytes
        )
        wrong = compare(oracle.own, own)
        if wrong is not None:
            raise Fault("stale_output", f"right at first, but in a later call {wrong.message}")
