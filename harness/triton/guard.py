"""Watches every access that interpreted Triton kernels make, and names what is wrong at the kernel's line.

Found: accesses outside the tensor that a pointer comes from, conflicts between programs, several lanes of
one store that write different values to one place, memory read before it is written, hints that do not
hold, assertions of `tl.device_assert`. A lane that must not be read gives NaN, one that must not be
written is left out, and the kernel goes on. Masked-off lanes without `other=` are filled with NaN (the
language leaves them undefined), so that whatever uses them shows in the answer.

Not found: what differs only between the threads of one program (there are none here), reads of a tensor
that was handed over whole but of the wrong element (the values show it).
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from kernelwright.harness.triton.fresh import Fresh
from kernelwright.harness.triton.shadow import Conflict, Shadow, Span

Array = npt.NDArray[Any]
_MOST_FINDINGS = 16
_NOT_KERNELS = tuple(
    str(Path(file).parent) + "/" for file in (__file__, np.__file__, torch.__file__)
)


@dataclass(frozen=True)
class Complaint:
    """One thing that is wrong, with the line of the kernel that does it."""

    code: str
    """`out_of_bounds`, `race`, `duplicate_store`, `uninitialised`, `wrong_hint`, `undefined_lanes`."""
    message: str
    kernel: str
    line: int | None
    detail: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """For a frame of the wire."""
        return {
            "code": self.code,
            "message": self.message,
            "line": self.line,
            "detail": {"kernel": self.kernel, **self.detail},
        }


class Guard:
    """Collects complaints of one process; a launch after the other."""

    def __init__(self, fresh: Fresh | None = None) -> None:
        self.complaints: list[Complaint] = []
        self.undefined: list[Complaint] = []
        """Masked loads without `other=`: no fault as such, but a likely cause of a wrong answer."""
        self._fresh = fresh or Fresh()
        self._spans: list[Span] = []
        self._shadow = Shadow([])
        self._kernel = ""
        self._program = 0
        spec = importlib.util.find_spec("triton")
        folders = spec.submodule_search_locations if spec else None
        self._triton = f"{next(iter(folders or ['<none>']))}/"

    def taken(self) -> list[Complaint]:
        """What was found since it was asked last."""
        found, self.complaints = self.complaints, []
        return found

    def launch(self, kernel: str, tensors: Mapping[str, torch.Tensor]) -> None:
        """A kernel is about to run with these tensors."""
        self._kernel = kernel
        self._spans = [_span(name, t) for name, t in tensors.items() if t.numel()]
        self._shadow = Shadow(self._spans)

    def begin(self, program: int) -> None:
        """Another program of the grid runs."""
        self._program = program
        self._shadow.begin(program)

    def place_of(self, address: int) -> int | None:
        """Number of the argument that begins at an address; None: it is no argument."""
        return next((i for i, s in enumerate(self._spans) if s.begin == address), None)

    # -- accesses ---------------------------------------------------------------------------------

    def loaded(self, pointers: Any, mask: Array, item: int) -> Array:
        """Lanes that may be read; complains of the others."""
        allowed = self._within(pointers, mask, item, "read")
        addresses = _flat(pointers.data, allowed)
        if addresses.size:
            self._race(self._shadow.load(addresses))
        return allowed

    def read_unwritten(self, pointers: Any, allowed: Array, values: Array, kind: str) -> None:
        """Complains of values that nobody has written."""
        addresses = _flat(pointers.data, allowed)
        if addresses.size and self._fresh.unwritten(addresses, values[allowed].reshape(-1), kind):
            name = self._name_at(int(addresses[0]))
            self._say("uninitialised", f"{name} is read before anything is written to it")

    def undefined_lanes(self, pointers: Any) -> None:
        """A masked load without `other=` has lanes that are off."""
        name = self._name_of(pointers)
        message = f"lanes of {name} that the mask leaves out are undefined: give other="
        complaint = Complaint("undefined_lanes", message, self._kernel, self._line())
        if complaint not in self.undefined and len(self.undefined) < _MOST_FINDINGS:
            self.undefined.append(complaint)

    def stored(self, pointers: Any, values: Array, mask: Array, item: int) -> Array:
        """Lanes that may be written; complains of the others."""
        allowed = self._within(pointers, mask, item, "write")
        addresses = _flat(pointers.data, allowed)
        if not addresses.size:
            return allowed
        wanted = np.broadcast_to(values, np.shape(pointers.data))[allowed].reshape(-1)
        self._twice(addresses, wanted)
        self._fresh.wrote(addresses, item)
        self._race(self._shadow.store(addresses, _changes(addresses, wanted)))
        return allowed

    def updated(self, pointers: Any, mask: Array, item: int, order: str) -> Array:
        """Lanes that may be updated atomically; complains of the others."""
        allowed = self._within(pointers, mask, item, "update")
        addresses = _flat(pointers.data, allowed)
        if addresses.size:
            self._fresh.wrote(addresses, item)
            relaxed, acquires = order == "relaxed", order in ("acquire", "acquire_release")
            releases = not relaxed and order != "acquire"
            conflict = self._shadow.atomic(addresses, acquires=acquires, releases=releases)
            self._race(conflict)
        return allowed

    def hint(self, what: str, values: list[int], data: Array) -> None:
        """`tl.multiple_of` on a number that is none."""
        if data.size == 1 and values and int(data.reshape(-1)[0]) % values[0]:
            number = int(data.reshape(-1)[0])
            message = f"tl.{what}(…, {values[0]}) does not hold: the value is {number}"
            self._say("wrong_hint", message)

    def cannot(self, what: str) -> None:
        """The kernel does what only a GPU can do."""
        self._say("cannot_be_emulated", what)

    # -- pieces -----------------------------------------------------------------------------------

    def _within(self, pointers: Any, mask: Array, item: int, verb: str) -> Array:
        data = np.asarray(pointers.data)
        on = np.broadcast_to(mask, data.shape).astype(bool)
        at = data.astype(np.int64)
        owner = pointers.attr.get("argument")
        spans = self._spans if owner is None else [self._spans[owner]]
        allowed = np.zeros(data.shape, bool)
        for span in spans:
            allowed |= (at >= span.begin) & (at + item <= span.end)
        wrong = on & ~allowed
        if wrong.any():
            self._outside(spans, at[wrong], item, verb, owner is not None)
        aligned = at % item == 0
        if bool((on & ~aligned).any()):
            self._say(
                "misaligned", f"a {verb} of {item} bytes at an address that is no multiple of it"
            )
        return on & allowed

    def _outside(
        self, spans: list[Span], wrong: npt.NDArray[np.int64], item: int, verb: str, known: bool
    ) -> None:
        address = int(wrong[0])
        if not spans:
            self._say("out_of_bounds", f"a {verb} through a pointer, but no tensor was given")
            return
        span = min(spans, key=lambda s: max(s.begin - address, address - s.end))
        index = (address - span.begin) // span.item
        size = (span.end - span.begin) // span.item
        side = (
            f"{-index} before its begin" if index < 0 else f"index {index}, and it ends at {size}"
        )
        lanes = f"{wrong.size} lanes" if wrong.size > 1 else "1 lane"
        name = f"'{span.name}'" if known else f"any tensor, next to '{span.name}'"
        message = f"{verb} outside {name}: {side} ({lanes}, program {self._program})"
        detail = {"argument": span.name, "index": index, "size": size, "lanes": int(wrong.size)}
        self._say("out_of_bounds", message, detail)

    def _twice(self, addresses: npt.NDArray[np.int64], values: Array) -> None:
        order = np.argsort(addresses, kind="stable")
        sorted_, ordered = addresses[order], values[order]
        same = sorted_[1:] == sorted_[:-1]
        if same.any():
            differ = same & ~_equal(ordered[1:], ordered[:-1])
            if differ.any():
                name = self._name_at(int(sorted_[1:][differ][0]))
                message = f"lanes of one store write different values to the same element of {name}"
                self._say("duplicate_store", f"{message} (program {self._program})")

    def _race(self, conflict: Conflict | None) -> None:
        if conflict is None:
            return
        first, second = conflict.programs
        name = self._name_at(conflict.address)
        message = (
            f"programs {first} and {second} race for {name}: {conflict.kind}, nothing orders them"
        )
        self._say("race", message, {"kind": conflict.kind, "programs": [first, second]})

    def _name_at(self, address: int) -> str:
        for span in self._spans:
            if span.begin <= address < span.end:
                return f"'{span.name}'[{(address - span.begin) // span.item}]"
        return "memory"

    def _name_of(self, pointers: Any) -> str:
        owner = pointers.attr.get("argument")
        return "a tensor" if owner is None else f"'{self._spans[owner].name}'"

    def _say(self, code: str, message: str, detail: Mapping[str, Any] | None = None) -> None:
        line = self._line()
        known = any(c.code == code and c.line == line for c in self.complaints)
        if not known and len(self.complaints) < _MOST_FINDINGS:
            self.complaints.append(Complaint(code, message, self._kernel, line, detail or {}))

    def _line(self) -> int | None:
        """The line of the kernel that is being run: the nearest that is neither Triton's nor ours."""
        frame: FrameType | None = sys._getframe(2)
        while frame is not None:
            file = frame.f_code.co_filename
            if not file.startswith(("<", *_NOT_KERNELS, self._triton)):
                return frame.f_lineno
            frame = frame.f_back
        return None


def _span(name: str, tensor: torch.Tensor) -> Span:
    item = tensor.element_size()
    steps = [(n - 1) * s for n, s in zip(tensor.shape, tensor.stride(), strict=True)]
    begin = tensor.data_ptr() + sum(min(0, step) for step in steps) * item
    return Span(name, begin, tensor.data_ptr() + (1 + sum(max(0, s) for s in steps)) * item, item)


def _flat(pointers: Any, mask: Array) -> npt.NDArray[np.int64]:
    found: npt.NDArray[np.int64] = np.asarray(pointers)[mask].reshape(-1).astype(np.int64)
    return found


def _equal(a: Array, b: Array) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = (a == b) | ((a != a) & (b != b))
    return found


def _changes(addresses: npt.NDArray[np.int64], values: Array) -> npt.NDArray[np.bool_]:
    """Whether what lies at each address is another value."""
    from triton._C.libtriton import interpreter

    dtype = values.dtype
    pointers = addresses.astype(np.uint64)
    on, other = np.ones(addresses.shape, bool), np.zeros(addresses.shape, dtype)
    there = interpreter.load(pointers, on, other, dtype)
    found: npt.NDArray[np.bool_] = ~_equal(there, values)
    return found
