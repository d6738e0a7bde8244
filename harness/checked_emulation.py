"""The sanitizer stage of CUDA kernels that are emulated: a build in which every access is judged.

One more process with the candidate in it, on the parent's own cases: bounds of each tensor and of shared
memory, races within a block and across blocks, shared memory that nobody has written, alignment, barriers
and masks (`cuda_emulation/`). Threads and blocks take turns forwards, backwards and shuffled, and each answer
must be right: what depends on the order is a race too.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence

from kernelwright.harness.comparison import compare
from kernelwright.harness.fault import Fault
from kernelwright.harness.forms import Form
from kernelwright.harness.verdict import Finding
from kernelwright.harness.worker import Worker

EFFECTS = ("wrong_value", "special_values", "precision", "crash")
"""What may come of a race, an access out of bounds or memory that is not set."""
_ORDERS = 3
_SECONDS = 12.0
"""No further call begins after so long."""
_CALL_SECONDS = 60.0


def check(start: Callable[[Form], Worker], forms: Sequence[Form]) -> tuple[Finding, ...]:
    """Notes on what could not be looked at. `start` starts a checked worker. Raises Fault."""
    end = time.monotonic() + _SECONDS
    for number, form in enumerate(forms):
        if number and time.monotonic() > end:
            return (_note(f"no time for {form.name} in the checked build"),)
        try:
            with contextlib.closing(start(form)) as worker:
                _call(worker, form, end, orders=1 if number else _ORDERS)
        except Fault as fault:
            if fault.code == "timeout":
                return (_note(f"the checked build is too slow here: {fault.message}"),)
            where = "" if form is forms[0] else f"in {form.name}: "
            raise Fault(fault.code, f"{where}{fault.message}", fault.detail) from fault
    return ()


def _call(worker: Worker, form: Form, end: float, *, orders: int) -> None:
    case = form.oracle.own
    for order in range(orders):
        if order and time.monotonic() > end:
            return
        outputs = worker.call(
            case.inputs, case.gradients, timeout=_CALL_SECONDS, most_bytes=case.output_bytes
        )
        wrong = compare(case, outputs)
        if wrong is not None:
            message = f"with threads and blocks run in another order, {wrong.message}"
            raise Fault("race", message, wrong.detail)


def _note(message: str) -> Finding:
    return Finding("not_sanitized", message, "note")
