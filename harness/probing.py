"""Runs probes on a candidate, and makes what breaks it as small as can cheaply be.

Expected values stay here, in the parent: a worker gets inputs alone, as from any other case.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from kernelwright.harness.arena import footprint
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.counterexample import OWN, InputPlan, Probe
from kernelwright.harness.crew import Crew
from kernelwright.harness.fault import Fault
from kernelwright.harness.forms import Form, other_form
from kernelwright.harness.oracle import Case, tensors
from kernelwright.harness.realise import InputFacts, Unfit
from kernelwright.harness.verdict import Finding
from kernelwright.harness.worker import Worker
from kernelwright.tasks.errors import TaskError

Result = Literal["stood", "broke", "noted", "discarded"]
"""`noted`: it failed where an honest kernel may. `discarded`: nothing could be asked."""
Check = Callable[[Worker, Case], None]
_CONSTANTS = re.compile(r"[A-Za-z_]\w{0,60}=\d{1,9}(, [A-Za-z_]\w{0,60}=\d{1,9}){0,15}")
_SMALLER_SECONDS = 2.0
_UNTOUCHED = ("timeout", "resources", "killed")
"""Ends of a process that a slow machine may bring about: not minimised, never kept."""


@dataclass(frozen=True)
class Outcome:
    """What came of one probe. `probe` is the smaller one where a smaller one does the same."""

    probe: Probe
    result: Result
    finding: Finding | None = None
    """What went wrong: an error where it broke, a note where it was noted."""
    reason: str = ""
    """Why it was discarded, or is only a note."""


class Prober:
    """Puts probes to candidates of one task."""

    def __init__(self, crew: Crew, forms: Sequence[Form], check: Check) -> None:
        """`check` makes one call and raises Fault when it is wrong. The first form is the task's own."""
        self._crew = crew
        shown = [form for form in forms if not form.hidden]
        self._forms = {_shape_of(form, i): form for i, form in enumerate(shown)}
        self._own = forms[0]
        self._check = check
        self._held: dict[str, tuple[Form, Case] | None] = {}

    @property
    def shapes(self) -> tuple[str, ...]:
        """What a probe may name as its shape and be believed: `own`, and what the task declares."""
        return tuple(self._forms)

    @property
    def inputs(self) -> tuple[InputFacts, ...]:
        """The inputs of the task as it stands."""
        return self._own.oracle.input_facts

    def forget(self) -> None:
        """Pose the probes in force anew."""
        self._held.clear()

    def probe(
        self, candidate: Candidate, probes: Iterable[Probe], *, seconds: float | None = None
    ) -> Iterator[Outcome]:
        """One outcome for each, in their order, until the time is up. Raises Fault and HarnessError.

        Fault: the candidate cannot even be loaded, or is wrong on the task's own inputs.
        """
        end = None if seconds is None else time.monotonic() + seconds
        with _Stage(self._crew, candidate, self._check) as stage:
            stage.worker(self._own)
            for probe in probes:
                if end is not None and time.monotonic() > end:
                    return
                yield self._put(stage, probe, end)

    def held(self, probe: Probe) -> tuple[Form, Case] | None:
        """The case of a probe in force, and its form; None where nothing can be asked now. Made once."""
        if probe.id not in self._held:
            form = self._forms.get(probe.shape)
            case = self._case(form, probe) if form and not probe.advisory else ""
            self._held[probe.id] = (form, case) if form and isinstance(case, Case) else None
        return self._held[probe.id]

    def _put(self, stage: _Stage, probe: Probe, end: float | None) -> Outcome:
        form, only = self._form(probe)
        if form is None:
            return Outcome(probe, "discarded", reason=only or "")
        case = self._case(form, probe)
        if isinstance(case, str):
            return Outcome(probe, "discarded", reason=case)
        fault = stage.failure(form, case)
        if fault is None:
            return Outcome(probe, "stood")
        if only is None and fault.code in _UNTOUCHED:
            only = "a busy machine may be the cause"
        if only is not None:
            return Outcome(probe, "noted", _finding(probe, fault, "note", only), only)
        small, fault = self._smaller(stage, form, probe, fault, end)
        return Outcome(small, "broke", _finding(small, fault, "error"))

    def _form(self, probe: Probe) -> tuple[Form | None, str | None]:
        """The form of the task, and why a failure in it is only a note; None twice over: it counts."""
        known = self._forms.get(probe.shape)
        if known is not None:
            return known, probe.advisory
        if not _CONSTANTS.fullmatch(probe.shape):
            return None, f"no shape {probe.shape!r}: it is declared nowhere, and names no constants"
        constants = {k: int(v) for k, v in (p.split("=") for p in probe.shape.split(", "))}
        try:
            form = other_form(self._own, constants)
        except TaskError as error:
            return None, f"the reference does not take it: {error}"
        return form, "the task does not declare this shape"

    def _case(self, form: Form, probe: Probe) -> Case | str:
        """The case, or why there is none."""
        try:
            case = form.oracle.posed(probe)
        except (Unfit, TaskError) as error:
            return str(error)
        fits = 2 * footprint(tensors(case)) <= self._crew.room
        return case if fits else "its inputs are too large"

    def _smaller(
        self, stage: _Stage, form: Form, probe: Probe, fault: Fault, end: float | None
    ) -> tuple[Probe, Fault]:
        """Leave out whatever does not matter: whole plans, layouts, single elements, the offset."""
        if fault.code in ("crash", "exit"):
            return probe, fault
        if end is not None:
            end = max(end, time.monotonic() + _SMALLER_SECONDS)
        tried = True
        while tried:
            tried = False
            for simpler in _simpler(probe):
                if end is not None and time.monotonic() > end:
                    return probe, fault
                case = self._case(form, simpler)
                found = None if isinstance(case, str) else stage.failure(form, case)
                if found is not None and found.code not in _UNTOUCHED:
                    probe, fault, tried = simpler, found, True
                    break
        return probe, fault


class _Stage(contextlib.ExitStack):
    """The candidate in a locked process for each form that is asked for, a new one where it has died."""

    def __init__(self, crew: Crew, candidate: Candidate, check: Check) -> None:
        super().__init__()
        self._crew = crew
        self._candidate = candidate
        self._check = check
        self._workers: dict[str, Worker] = {}

    def failure(self, form: Form, case: Case) -> Fault | None:
        """What is wrong with one call, if anything is."""
        try:
            self._check(self.worker(form), case)
        except Fault as fault:
            return fault
        return None

    def worker(self, form: Form) -> Worker:
        """The candidate in this form, right on the form's own inputs. Raises Fault."""
        worker = self._workers.get(form.name)
        if worker is None or not worker.alive:
            worker = self._crew.candidate(self._candidate, form)
            self.callback(worker.close)
            self._check(worker, form.oracle.own)
            worker.lockdown()
            self._workers[form.name] = worker
        return worker


def _simpler(probe: Probe) -> Iterator[Probe]:
    """The probe with one thing less, the most first."""
    for i, plan in enumerate(probe.inputs):
        kept = probe.inputs
        others = (*kept[:i], *kept[i + 1 :])
        yield replace(probe, inputs=others)
        for less in _less(plan):
            if less != plan:
                yield replace(probe, inputs=(*kept[:i], less, *kept[i + 1 :]))
    if probe.offset:
        yield replace(probe, offset=0)


def _less(plan: InputPlan) -> Iterator[InputPlan]:
    yield replace(plan, layout="contiguous")
    yield replace(plan, kind="own", scale=1.0, shift=0.0, count=3)
    for i in range(len(plan.edits)):
        yield replace(plan, edits=(*plan.edits[:i], *plan.edits[i + 1 :]))


def _shape_of(form: Form, number: int) -> str:
    return form.name.removeprefix("shape ") if number else OWN


def _finding(
    probe: Probe, fault: Fault, severity: Literal["error", "note"], only: str = ""
) -> Finding:
    said = fault.message
    if probe.words not in said:
        said = f"{probe.words}: {said}"
    if severity == "note":
        return Finding("probe", f"{said} (only a note: {only})", "note", fault.detail)
    return Finding(fault.code, said, detail={**fault.detail, "counterexample": probe.to_json()})
