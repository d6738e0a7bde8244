"""What CUDA says when a kernel has gone wrong, as a code that findings have."""

from __future__ import annotations

from kernelwright.harness.fault import Fault

_ERRORS = {
    "illegal memory access": "out_of_bounds",
    "misaligned address": "misaligned",
    "unspecified launch failure": "crash",
    "device-side assert": "assertion",
}
"""What CUDA says, and the code of the finding."""


def named(fault: Fault) -> Fault:
    """A fault with the code of what CUDA says."""
    if fault.code != "exception":
        return fault
    code = next((c for words, c in _ERRORS.items() if words in fault.message), fault.code)
    return Fault(code, fault.message, fault.detail)
