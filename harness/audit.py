"""Task audit: can the judge tell this operator from one that leaves work out?

Mutants of the task go through the oracle and the comparison that judge candidates:
  answer     outputs that are no work (`answers.py`)
  source     the reference with a term dropped or a constant changed (`tasks/mutants.py`)
  module     a submodule, parameter or constant of the model replaced by a neutral one
  input      an input, or its last slice along a dimension, ignored
  precision  inputs or parameters read in bf16 where the class is fp32
A mutant that a case of finite inputs rejects is killed. One that passes them all is a survivor, and the
task weak, unless its float64 outputs are the reference's to 13 digits: then it is killed by special
values, or `equivalent`.
They run in this process: all are made from a reference that was vetted. Not for candidates.
"""

from __future__ import annotations

import contextlib
import math
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

import torch
from torch import nn

from kernelwright.harness.answers import Answer, agree, answers, passes, same, telling, wrong
from kernelwright.harness.limited import TooLong, limited
from kernelwright.harness.oracle import Case, Oracle
from kernelwright.harness.subject import exact
from kernelwright.harness.vetting import vet
from kernelwright.harness.worker import Value
from kernelwright.tasks.audits import AuditRecord, MutantFound
from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.mutants import changed, source_mutants
from kernelwright.tasks.reference import Reference
from kernelwright.tasks.task import Task

MOST_MUTANTS = 300
MOST_SECONDS = 120.0
"""For one task; mutants that are not reached by then are counted as left out."""
_MUTANT_SECONDS = 20.0
"""Of processor time, for a mutant whose reference takes less; it is a mutant that never ends."""
_TIMES_THE_REFERENCE = 4.0
_LOWEST = -3e4
"""So low that it is no maximum and its exponential is 0, in the range of fp16."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Mutant:
    """A changed reference: other source, or the same with `model` or `inputs` changed."""

    name: str
    kind: str
    line: int | None = None
    source: str | None = None
    model: Callable[[nn.Module], None] | None = None
    inputs: Callable[[Sequence[Value]], tuple[Value, ...]] | None = None


def audit(
    task: Task,
    *,
    seed: int = 0,
    most_mutants: int = MOST_MUTANTS,
    seconds: float = MOST_SECONDS,
    progress: Progress | None = None,
) -> AuditRecord:
    """Audit one task. Equal seeds give equal results, but for mutants that time left out.

    Raises TaskError where the task cannot be judged at all.
    """
    vet(task)
    bench = _Bench(task, seed)
    bench.check_itself()
    deadline = time.monotonic() + seconds
    found: dict[str, list[MutantFound]] = {"equivalent": [], "survived": [], "killed": []}
    trials: list[Answer | Mutant] = [*answers(bench.oracle), *bench.mutants()]
    tried = trials[:most_mutants]
    done = 0
    for done, trial in enumerate(tried, 1):
        if isinstance(trial, Answer):
            fate, shown = bench.fate_of_answer(trial), MutantFound(trial.name, "answer")
        else:
            fate, shown = bench.fate(trial), MutantFound(trial.name, trial.kind, trial.line)
        found[fate].append(shown)
        if progress:
            progress(done, len(tried))
        if time.monotonic() > deadline:
            break
    return AuditRecord(
        task=task.name,
        hash=task.hash,
        verdict="weak" if found["survived"] else "sound",
        mutants=done,
        killed=len(found["killed"]),
        equivalent=tuple(found["equivalent"]),
        survivors=tuple(found["survived"]),
        left_out=len(trials) - done,
        seed=seed,
        date=datetime.now(UTC).date().isoformat(),
    )


class _Bench:
    """The oracle of one task, and what becomes of a mutant before it."""

    def __init__(self, task: Task, seed: int) -> None:
        self.task = task
        self.reference = Reference(task)
        self.train = task.meta.modes[0] == "train"
        self.oracle = Oracle(self.reference, seed, train=self.train)
        self.cases = self.oracle.cases()
        self.constant = [
            all(_one_number(case.expected[i].value) for case in self.cases)
            for i in range(len(self.oracle.own.expected))
        ]
        self.seconds = math.inf

    def check_itself(self) -> None:
        """Raise TaskError where the reference itself, made anew like a mutant, would be killed.

        What it takes of the processor's time says how long a mutant may take.
        """
        again = Mutant("the reference itself", "source", source=self.task.source + "\n")
        begun = time.process_time()
        fate = self.fate(again)
        self.seconds = max(_MUTANT_SECONDS, _TIMES_THE_REFERENCE * (time.process_time() - begun))
        if fate == ("survived" if all(self.constant) else "equivalent"):
            return
        found = self._first_wrong(again)
        if found is not None and found.name != "own":
            raise TaskError(
                f"task {self.task.name}: the reference itself, in PyTorch, answers inputs '{found.name}'"
                " outside the error budget, so a right kernel might be refused"
            )
        raise TaskError(
            f"task {self.task.name}: the reference, built once more with the same state, gives other"
            " answers: what forward uses must be a parameter, a saved buffer, an input or a constant"
        )

    def _first_wrong(self, again: Mutant) -> Case | None:
        """The first case in which the reference, made anew, is not right."""
        with _quiet(), self._reference(again) as reference:
            return next((c for c in self.cases if self._rejected(again, reference, [c])), None)

    def fate_of_answer(self, answer: Answer) -> str:
        """`killed`, `equivalent` or `survived`."""
        cases = telling(self.cases)
        if not passes(answer, cases):
            return "killed"
        return "equivalent" if not answer.nothing and same(answer, cases) else "survived"

    def fate(self, mutant: Mutant) -> str:
        """`killed`, `equivalent` or `survived`."""
        try:
            with _quiet(), limited(self.seconds), self._reference(mutant) as reference:
                cases = telling(self.cases)
                if self._rejected(mutant, reference, cases):
                    return "killed"
                if self._differs(mutant, reference, cases):
                    return "survived"
                if self._rejected(mutant, reference, self.cases):
                    return "killed"
        except (TaskError, TooLong):
            return "killed"
        return "survived" if all(self.constant) else "equivalent"

    def _rejected(self, mutant: Mutant, reference: Reference, cases: Sequence[Case]) -> bool:
        """Whether the judge rejects what the mutant computes in any of the cases."""
        model = self._model(mutant, reference)
        return any(wrong(case, self._run(mutant, reference, model, case)) for case in cases)

    def _differs(self, mutant: Mutant, reference: Reference, cases: Sequence[Case]) -> bool:
        """Whether the mutant computes anything else than the reference does, in float64."""
        wide = self._model(mutant, reference).double()
        ours = self._model(None, self.reference).double()
        for case in cases:
            try:
                theirs = self._run(mutant, reference, wide, case, exact)
            except TaskError:
                return True
            wanted = self._run(None, self.reference, ours, case, exact)
            if not all(map(agree, theirs, wanted)):
                return True
        return False

    def _run(
        self,
        mutant: Mutant | None,
        reference: Reference,
        model: nn.Module,
        case: Case,
        run: Callable[..., tuple[torch.Tensor, ...]] = Reference.run,
    ) -> tuple[torch.Tensor, ...]:
        """What it computes in the mode that the task is judged in, and its buffers after it in training."""
        inputs = case.inputs if mutant is None else _inputs(mutant, case)
        before = {k: v.clone() for k, v in model.state_dict().items()} if self.train else {}
        try:
            outputs = run(reference, model, inputs, case.gradients)
        except ValueError as error:
            raise TaskError(f"the mutant cannot be differentiated: {error}") from error
        if not self.train:
            return outputs
        after = dict(model.named_buffers())
        missing = [name for name in self.oracle.buffers if name not in after]
        if missing:
            raise TaskError(f"the mutant has no buffer {missing[0]}")
        outputs = (*outputs, *(after[name].clone() for name in self.oracle.buffers))
        model.load_state_dict(before)  # a call in training mode changes buffers
        return outputs

    def mutants(self) -> Iterator[Mutant]:
        """All changed references, in the order in which they are tried."""
        model = self._model(None, self.reference)
        if self.oracle.own.precision in ("fp32", "fp64"):
            if _floating(self.oracle.own.inputs):
                yield Mutant("inputs rounded to bf16", "precision", inputs=_coarse)
            if _floating(self.oracle.state.values()):
                yield Mutant("parameters rounded to bf16", "precision", model=_coarsen)
        yield from _input_mutants(self.oracle.own)
        yield from _module_mutants(model)
        for m in source_mutants(self.task):
            yield Mutant(m.name, "source", m.line, source=m.source)

    @contextlib.contextmanager
    def _reference(self, mutant: Mutant) -> Iterator[Reference]:
        if mutant.source is None:
            yield self.reference
            return
        task = replace(self.task, source=mutant.source)
        try:
            yield Reference(task)
        finally:
            sys.modules.pop(f"kernelwright_task_{task.hash[:16]}", None)

    def _model(self, mutant: Mutant | None, reference: Reference) -> nn.Module:
        model = reference.build(0, train=self.train)
        try:
            model.load_state_dict(self.oracle.state)
        except RuntimeError as error:
            raise TaskError(f"the mutant takes no state: {error}") from error
        if mutant is not None and mutant.model is not None:
            mutant.model(model)
        return model


def _inputs(mutant: Mutant, case: Case) -> tuple[Value, ...]:
    return case.inputs if mutant.inputs is None else mutant.inputs(case.inputs)


def _one_number(value: torch.Tensor) -> bool:
    """Whether all elements are equal (one alone is not called constant)."""
    flat = value.reshape(-1)
    return flat.numel() > 1 and bool(((flat == flat[0]) | (flat.isnan() & flat[0].isnan())).all())


# -- what is changed in the model --------------------------------------------------------------------


def _module_mutants(model: nn.Module) -> Iterator[Mutant]:
    for name, module in model.named_modules():
        if name:
            yield Mutant(f"{name} -> Identity", "module", model=partial(_skip, name=name))
        for attribute, value in vars(module).items():
            if isinstance(value, float):
                full = f"{name}.{attribute}" if name else attribute
                for other in changed(value):
                    change = partial(_set, name=name, attribute=attribute, value=other)
                    yield Mutant(f"{full} = {value:g} -> {other:g}", "module", model=change)
    for name, value in model.state_dict().items():
        if isinstance(value, torch.Tensor) and value.is_floating_point() and value.numel():
            for number in (0.0, 1.0):
                change = partial(_fill, name=name, value=number)
                yield Mutant(f"{name} -> all {number:g}", "module", model=change)


def _skip(model: nn.Module, name: str) -> None:
    parent, _, leaf = name.rpartition(".")
    setattr(model.get_submodule(parent), leaf, nn.Identity())


def _set(model: nn.Module, name: str, attribute: str, value: float) -> None:
    setattr(model.get_submodule(name), attribute, value)


def _fill(model: nn.Module, name: str, value: float) -> None:
    with torch.no_grad():
        model.state_dict()[name].fill_(value)


# -- what is read in less precision ------------------------------------------------------------------


def _floating(values: Iterable[object]) -> bool:
    return any(isinstance(v, torch.Tensor) and v.is_floating_point() for v in values)


def _coarse(given: Sequence[Value]) -> tuple[Value, ...]:
    return tuple(_round(v) if isinstance(v, torch.Tensor) else v for v in given)


def _coarsen(model: nn.Module) -> None:
    with torch.no_grad():
        for value in model.state_dict().values():
            value.copy_(_round(value))


def _round(value: torch.Tensor) -> torch.Tensor:
    return value.bfloat16().to(value.dtype) if value.is_floating_point() else value


# -- what is ignored of the inputs -------------------------------------------------------------------


def _input_mutants(own: Case) -> Iterator[Mutant]:
    for i, value in enumerate(own.inputs):
        if not isinstance(value, torch.Tensor) or not value.numel():
            continue
        for number in (0, 1):
            change = partial(_filled, index=i, number=number)
            yield Mutant(f"input {i} -> all {number}", "input", inputs=change)
        for dim, size in enumerate(value.shape):
            for absent in _absent(value) if size > 1 else ():
                name = f"input {i} without its last slice along dimension {dim}"
                change = partial(_cut, index=i, dim=dim, absent=absent)
                yield Mutant(f"{name} ({absent})", "input", inputs=change)


def _filled(given: Sequence[Value], index: int, number: int) -> tuple[Value, ...]:
    """The inputs, one of them filled with a number."""
    copy = torch.full_like(torch.as_tensor(given[index]), number)
    return (*given[:index], copy, *given[index + 1 :])


def _absent(value: torch.Tensor) -> tuple[str, ...]:
    """What may stand for a slice that is not there: for sums, for maxima and softmax, for indices."""
    if value.is_floating_point():
        return ("zero", "lowest")
    return ("the first instead",)


def _cut(given: Sequence[Value], index: int, dim: int, absent: str) -> tuple[Value, ...]:
    """The inputs, one of them without its last slice."""
    copy = torch.as_tensor(given[index]).clone()
    last = copy.select(dim, -1)
    if absent == "zero":
        last.zero_()
    elif absent == "lowest":
        last.fill_(_LOWEST)
    else:
        last.copy_(copy.select(dim, 0).clone())
    return (*given[:index], copy, *given[index + 1 :])


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """What a mutant is warned of means nothing to the user."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
