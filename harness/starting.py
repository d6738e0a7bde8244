"""The kernel that a task starts from: a check on the reference, and the one that candidates are to beat.

One in a language of the device is run, and timed beside each candidate. One that needs another device is
run where something stands in for that (an emulator tells what is right, not how fast), and else left out,
with the reason. What is run and is wrong is the task's fault: kernel and reference differ.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from kernelwright.harness.candidate import Candidate
from kernelwright.harness.checks import Checks
from kernelwright.harness.crew import Crew, telling_line
from kernelwright.harness.device import DeviceFacts
from kernelwright.harness.errors import HarnessError
from kernelwright.harness.fault import Fault
from kernelwright.harness.forms import Form, further_forms, own_form
from kernelwright.harness.inline_cpp import BuildError
from kernelwright.harness.parse import LANGUAGE_NAMES, language_of, parse_problem
from kernelwright.tasks.errors import TaskError, UsageError
from kernelwright.tasks.task import Task

NATIVE = {"cpu": ("cpp", "python"), "cuda": ("cpp", "cuda", "python", "triton")}
"""Languages whose kernels run on a kind of device, and not in an emulator."""
_NOT_RUN = ("build_failed", "exception", "no_model", "timeout")
"""What becomes of a kernel whose device is not there."""


@dataclass(frozen=True)
class Start:
    """The start kernel of a task on this machine."""

    candidate: Candidate
    untimed: str | None = None
    """Why candidates are not timed against it here; None: they are."""


def examined(task: Task, facts: DeviceFacts) -> Start | None:
    """The task's start kernel, checked in every shape; None where there is none.

    Raises TaskError where it is wrong, UsageError without a compiler.
    """
    if task.start is None:
        return None
    own, further = own_form(task, None), further_forms(task, None)
    try:
        with Crew(task, own, further, facts.threads) as crew:
            return started(task, Checks(crew, own.oracle), facts.kind, further, everywhere=True)
    except BuildError as error:
        raise UsageError(str(error)) from error


def started(
    task: Task,
    checks: Checks,
    kind: str,
    further: Sequence[Form] = (),
    *,
    everywhere: bool = False,
) -> Start | None:
    """The task's start kernel, checked as far as a device of this `kind` can; None where there is none.

    One of the device is tried on all cases of the task's own form, one that is emulated in the first of the
    `further` ones, which is small; `everywhere`: in all of them. Raises TaskError where it is wrong.
    """
    if task.start is None:
        return None
    candidate = Candidate(task.start, language_of(task.start))
    native = candidate.language in NATIVE.get(kind, ())
    language = LANGUAGE_NAMES[candidate.language]
    problem = parse_problem(task.start)
    try:
        if problem is not None:
            raise Fault(*problem)
        if native or not further:
            _check(candidate, checks)
        for form in further if everywhere else () if native else further[:1]:
            checks.form(candidate, form, final=False)
    except Fault as fault:
        if native or fault.code not in _NOT_RUN:
            raise TaskError(
                f"task {task.name}: the start kernel {task.meta.start} does not do what the"
                f" reference does: {fault.code}: {telling_line(fault.message)}"
            ) from fault
        return Start(candidate, _not_run(language, fault.message))
    except HarnessError as error:
        if native:
            raise
        return Start(candidate, _not_run(language, str(error)))
    if native:
        return Start(candidate)
    return Start(candidate, f"the start kernel is {language}: emulated here, which shows no speed")


def wrong_language(task: Task, source: str) -> Fault | None:
    """What is wrong with a translation that is not in a language the task asks for."""
    asked = task.meta.translate_to
    written = language_of(source)
    if not asked or written in asked:
        return None
    wanted = " or ".join(LANGUAGE_NAMES[name] for name in asked)
    said = f"written in {LANGUAGE_NAMES[written]}: the task asks for a translation to {wanted}"
    return Fault("wrong_language", said)


def _not_run(language: str, why: str) -> str:
    return (
        f"the start kernel is {language}, which has not been run here: it needs --device cuda"
        f" ({telling_line(why)})"
    )


def _check(candidate: Candidate, checks: Checks) -> None:
    with contextlib.closing(checks.crew.candidate(candidate)) as worker:
        for case in checks.oracle.cases():
            checks.call(worker, case)
