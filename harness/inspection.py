"""Inspection: what a candidate goes through only when it would be promoted.

Three more processes with the candidate in them, each on the parent's own cases: under sanitizers, with
delays between its memory accesses, and again and again on more and on fewer threads than usual. What
cannot be done here is said in a note of the verdict, never passed over in silence.
"""

from __future__ import annotations

import contextlib
import os
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import torch

from kernelwright.harness import sanitizer
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.comparison import compare
from kernelwright.harness.errors import HarnessError
from kernelwright.harness.fault import Fault
from kernelwright.harness.forms import Form
from kernelwright.harness.nursery import Nursery
from kernelwright.harness.oracle import Case
from kernelwright.harness.variants import Variant
from kernelwright.harness.verdict import Finding
from kernelwright.harness.worker import Worker, same_bytes

Start = Callable[[Candidate | None, Form, Variant, int, Nursery | None], Worker]
"""Starts a worker: whose code (None: the reference's), form of the task, build, threads, and the
pre-warmed process (None: the usual one)."""

_REPEATS = {"delayed": 16, "plain": 8}
_SECONDS = {"sanitized": 8.0, "delayed": 3.0, "plain": 3.0}
"""No further call begins after so many seconds of one kind of worker."""
_CASES = ("own", "strided", "misaligned")
_LEAST_THREADS = 4
"""More than some machines have cores: threads that wait for one another show what they assume."""

_PATIENCE = ("timeout", "build_failed", "killed")
"""What an honest kernel may run into in a build that is far slower."""
_UNINITIALISED = "memory is read before it is written: with fresh memory full of NaN"
_NOTHING_BUILT = (
    "nothing is built through kernelwright.inline.cpp: only uninitialised memory was looked for"
)

_PROBE = '''
import torch
from kernelwright.inline import cpp

lib = cpp(r"""
extern "C" void run(const float* x, float* y, long n) {
  for (long i = 0; i < n; i++) y[i] = x[i + 1];
}
""")


class ModelNew:
    def __init__(self, *args, **kwargs):
        x = torch.zeros(5)
        lib.run(x, torch.empty_like(x), 5)
'''
"""Reads one float too many. A sanitizer that does not find it is none."""


class Inspector(contextlib.ExitStack):
    """Inspects candidates for one task. The process under sanitizers starts with the first of them."""

    def __init__(self, start: Start, forms: Sequence[Form], threads: int, cxx: str) -> None:
        super().__init__()
        self._start = start
        self._forms = forms
        self._threads = threads
        self._cxx = cxx
        self._nursery: Nursery | None = None
        self._unusable: str | None = None

    def inspect(self, candidate: Candidate) -> tuple[Finding, ...]:
        """Notes on what was seen or could not be looked at. Raises Fault."""
        notes: list[Finding] = []
        race = self._delayed(candidate, notes)
        try:
            self._sanitized(candidate, notes)
        except Fault as fault:
            # A report of a sanitizer says what is wrong; a wrong answer is better explained by a race.
            raise race if race and fault.code != "sanitizer" else fault from None
        if race:
            raise race
        self._repeated(candidate, notes)
        return tuple(notes)

    # -- sanitizers -------------------------------------------------------------------------------

    def _sanitized(self, candidate: Candidate, notes: list[Finding]) -> None:
        unusable = self.prepare()
        if unusable:
            notes.append(_note("not_sanitized", unusable))
            return
        end = time.monotonic() + _SECONDS["sanitized"]
        for number, form in enumerate(self._forms):
            if number and time.monotonic() > end:
                what = f"no time for {form.name} under sanitizers"
                notes.append(_note("not_sanitized", what))
                return
            note = self._sanitized_form(candidate, form)
            if note is not None:
                notes.append(_note("not_sanitized", note))
                return

    def _sanitized_form(self, candidate: Candidate, form: Form) -> str | None:
        """Why the form could not be judged under sanitizers. Raises Fault for what they found."""
        worker: Worker | None = None
        try:
            worker = self._start(candidate, form, "sanitized", self._threads, self._nursery)
            cases = [case for case in form.oracle.cases() if case.name in _CASES]
            for case in _while_time(cases, "sanitized"):
                wrong = _called(worker, case)[0]
                if wrong is not None:
                    raise Fault("uninitialised", f"{_UNINITIALISED}, {wrong}")
        except Fault as fault:
            said = sanitizer.told(fault.report, fault.sources)
            if said:
                raise Fault("sanitizer", said) from fault
            if fault.code == "uninitialised":
                raise
            if fault.code not in _PATIENCE and (worker.built if worker else fault.sources):
                message = f"only in its build with sanitizers: {fault.message}"
                raise Fault(fault.code, message) from fault
            return f"the sanitizers could not finish: {_short(fault.message)}"
        finally:
            if worker is not None:
                worker.close()
        return None if worker.built else _NOTHING_BUILT

    def prepare(self) -> str | None:
        """Start the process under sanitizers and try it, once. Returns why it is of no use here."""
        if self._nursery is not None or self._unusable is not None:
            return self._unusable
        environment = sanitizer.environment(self._cxx)
        if environment is None:
            self._unusable = f"{Path(self._cxx).name} has no AddressSanitizer runtime here"
            return self._unusable
        try:
            self._nursery = self.enter_context(
                Nursery(threads=self._threads, environment=environment)
            )
        except HarnessError as error:
            self._unusable = f"no process starts under AddressSanitizer: {_short(str(error))}"
            return self._unusable
        self._unusable = self._misjudges()
        return self._unusable

    def _misjudges(self) -> str | None:
        """The reference must be clean under sanitizers, and a known bug must not."""
        own = self._forms[0]
        try:
            with contextlib.closing(self._sane(None)) as worker:
                wrong = _called(worker, own.oracle.own)[0]
        except Fault as fault:
            wrong = sanitizer.told(fault.report, fault.sources) or fault.message
        if wrong is not None:
            return f"the reference itself is not clean under sanitizers: {_short(wrong)}"
        try:
            self._sane(Candidate(_PROBE)).close()
        except Fault as fault:
            if sanitizer.told(fault.report, fault.sources):
                return None
            return f"the sanitizers do not work here: {_short(fault.message)}"
        return "the sanitizers do not find a known bug here"

    def _sane(self, candidate: Candidate | None) -> Worker:
        return self._start(candidate, self._forms[0], "sanitized", self._threads, self._nursery)

    # -- races ------------------------------------------------------------------------------------

    def _delayed(self, candidate: Candidate, notes: list[Finding]) -> Fault | None:
        """What goes wrong only when threads are delayed; C++ that we build is all that can be."""
        own = self._forms[0]
        worker: Worker | None = None
        try:
            worker = self._start(candidate, own, "delayed", self._many(), None)
            if worker.built:
                for case in _while_time([own.oracle.own] * _REPEATS["delayed"], "delayed"):
                    wrong = _called(worker, case)[0]
                    if wrong is not None:
                        return Fault("race", f"with its threads delayed at random, {wrong}")
        except Fault as fault:
            if fault.code in _PATIENCE:
                what = f"races could not be looked for: {_short(fault.message)}"
                notes.append(_note("not_delayed", what))
            elif worker is not None and worker.built:
                return Fault("race", f"with its threads delayed at random: {fault.message}")
        finally:
            if worker is not None:
                worker.close()
        return None

    def _repeated(self, candidate: Candidate, notes: list[Finding]) -> None:
        """The same call again and again: on many threads that change their cores, and on one."""
        for threads in (self._many(), 1):
            with (
                contextlib.closing(
                    self._start(candidate, self._forms[0], "plain", threads, None)
                ) as worker,
                _unsettled(worker.pid),
            ):
                differs = self._differs(worker, threads)
            if differs:
                what = f"with {threads} threads, equal inputs give answers that differ in their last bits"
                notes.append(_note("nondeterministic", what))

    def _differs(self, worker: Worker, threads: int) -> bool:
        """Whether right answers to equal inputs differ bit by bit. Raises Fault for a wrong one."""
        first: list[torch.Tensor] = []
        differs = False
        for case in _while_time([self._forms[0].oracle.own] * _REPEATS["plain"], "plain"):
            wrong, outputs = _called(worker, case)
            if wrong is not None:
                raise Fault("unstable", f"repeated with {threads} threads, {wrong}")
            first = first or outputs
            pairs = zip(first, outputs, strict=True)
            differs |= not all(same_bytes(a, b) for a, b in pairs)
        return differs

    def _many(self) -> int:
        return max(_LEAST_THREADS, 2 * self._threads)


def _called(worker: Worker, case: Case) -> tuple[str | None, list[torch.Tensor]]:
    """One call, and what is wrong with its answer."""
    outputs = worker.call(case.inputs, case.gradients, skew=case.skew, most_bytes=case.output_bytes)
    wrong = compare(case, outputs)
    return (None if wrong is None else wrong.message), outputs


def _while_time(cases: Iterable[Case], kind: str) -> Iterator[Case]:
    """At least one case, and no further ones when the time is up."""
    end = time.monotonic() + _SECONDS[kind]
    for case in cases:
        yield case
        if time.monotonic() > end:
            return


@contextlib.contextmanager
def _unsettled(pid: int) -> Iterator[None]:
    """Meanwhile the threads of a process are moved from core to core at random moments."""
    over = threading.Event()
    cores = sorted(os.sched_getaffinity(0))

    def move() -> None:
        while not over.wait(random.random() * 1e-3):
            with contextlib.suppress(OSError):  # a thread, or all of it, has ended
                for task in Path(f"/proc/{pid}/task").iterdir():
                    chosen = random.choice(cores)
                    os.sched_setaffinity(int(task.name), {chosen})

    thread = threading.Thread(target=move, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _note(code: str, message: str) -> Finding:
    return Finding(code, message, "note")


def _short(message: str) -> str:
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return (lines or ["no message"])[0][:300]
