"""The oracle: secret inputs, what the outputs must be, and whether they are.

It lives in the parent and nowhere else. References are float64; see `precision.py` for the budget.
"""

from __future__ import annotations

import random
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

import torch

from kernelwright.harness import precision
from kernelwright.harness.counterexample import Probe
from kernelwright.harness.distributions import DISTRIBUTIONS, Distribution
from kernelwright.harness.fewer_rows import fewer_rows, follows
from kernelwright.harness.precision import Expected
from kernelwright.harness.realise import InputFacts, Unfit, realise
from kernelwright.harness.retouch import TOUCHES, may_be_rearranged, one_changed
from kernelwright.harness.rounding import Rounding
from kernelwright.harness.subject import Subject
from kernelwright.harness.worker import Value
from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.reference import Reference

_UNSEEN = (
    "own", "own", "own", "wide", "large", "tiny", "shifted", "constant rows", "sparse", "zero",
    "special values", "first and last index", "one index",
)  # fmt: skip
_UNSEEN_SECONDS, _LEAST_UNSEEN = 1.0, 4
_PATIENCE = 8.0
"""Inputs that somebody has thought out may be in an order that is bad for an honest sum."""


@dataclass(frozen=True)
class Case:
    """One checked call: inputs, and what each output must be."""

    name: str
    inputs: tuple[Value, ...] = field(repr=False)
    expected: tuple[Expected, ...] = field(repr=False)
    layout: tuple[tuple[torch.dtype, tuple[int, ...]], ...]
    precision: str
    gradients: tuple[torch.Tensor, ...] | None = field(default=None, repr=False)
    skew: int = 0
    labels: tuple[str, ...] = ()
    """What each expected tensor is, where it is not simply an output."""
    answers: int | None = None
    """So many of them are returned by the call; gradients and buffers follow. None: all."""

    @property
    def returned(self) -> int:
        """How many of the expected tensors the call itself returns."""
        return len(self.expected) if self.answers is None else self.answers

    @property
    def arguments(self) -> tuple[Value, ...]:
        """What one timed call is given: inputs, then gradients for its outputs."""
        return (*self.inputs, *(self.gradients or ()))

    @property
    def upstream(self) -> int | None:
        """How many of the arguments are gradients; None: there is no backward pass."""
        return None if self.gradients is None else len(self.gradients)

    @property
    def without_buffers(self) -> Case:
        """The same, but for buffers after the call."""
        kept = len(self.expected) - sum(label.startswith("buffer") for label in self.labels)
        return replace(self, expected=self.expected[:kept], layout=self.layout[:kept])

    @property
    def output_bytes(self) -> int:
        """Most bytes that outputs of the right shapes may span, with room for strides."""
        return (1 << 20) + sum(4 * e.value.numel() * e.value.element_size() for e in self.expected)


class Oracle:
    """Cases for one task. `state` is the secret model state that the candidate is given.

    `train`: reference and candidates are in training mode, and saved buffers after a call count as
    outputs. Raises TaskError where no verdict is possible.
    """

    def __init__(self, reference: Reference, seed: int | None, *, train: bool = False) -> None:
        self.reference = reference
        self.train = train
        self._random: random.Random = random.SystemRandom() if seed is None else random.Random(seed)
        self.backward = reference.task.meta.backward
        self._subject = self._new_subject()
        self.state = self._subject.state
        one, other = (reference.inputs(self.seed()) for _ in range(2))
        self._fixed = _equal(one, other)
        """The task seeds its inputs itself: fresh values are made by moving the given ones around."""
        self._free = tuple(may_be_rearranged(a, b) for a, b in zip(one, other, strict=True))
        self.skipped: dict[str, str] = {}
        """Distributions under which nothing can be demanded, with the reason."""
        self._cases: dict[str, Case | None] = {}
        self._other: tuple[dict[str, torch.Tensor], Case] | None = None
        self._stepped: list[tuple[dict[str, torch.Tensor], Case]] | None = None
        self._retouched: list[Case] | None = None
        self._unseen: list[Case] | None = None
        self._check_answerable(one)
        own = self.case("own")
        if own is None:
            raise TaskError(
                f"task {reference.task.name}: eager and float64 disagree on the task's own inputs"
                f" ({self.skipped['own']}); no verdict is possible"
            )
        self.own = own

    @property
    def trained(self) -> tuple[str, ...]:
        """Parameters whose gradients are wanted, in order; none without backward."""
        return self._subject.trained if self.backward else ()

    @property
    def buffers(self) -> tuple[str, ...]:
        """Buffers that are wanted after a call, in order; none in evaluation mode."""
        return self._subject.buffers if self.train else ()

    def _new_subject(self) -> Subject:
        model = self.reference.build(self.seed(), train=self.train)
        self.reference.randomise(model, self.seed())
        return Subject(self.reference, model)

    def _check_answerable(self, inputs: Sequence[Value]) -> None:
        mode = "training" if self.train else "evaluation"
        if self._subject.draws_random_numbers(inputs):
            raise TaskError(
                f"task {self.reference.task.name}: in {mode} mode the outputs depend on random numbers"
                " drawn in forward (dropout?), so no kernel can be checked: leave it out of the task"
            )
        if self.train and self._subject.remembers(inputs):
            raise TaskError(
                f"task {self.reference.task.name}: in training mode the outputs depend on how often it"
                " has been called, so timed calls cannot be checked"
            )

    def seed(self) -> int:
        """A fresh secret seed."""
        return self._random.randrange(1 << 31)

    def fresh_inputs(self) -> tuple[Value, ...]:
        """The task's own inputs with values that nobody has seen."""
        inputs = self.reference.inputs(self.seed())
        if not self._fixed:
            return inputs
        return tuple(
            v.flatten().roll(self._random.randrange(1, v.numel())).view(v.shape)
            if isinstance(v, torch.Tensor) and v.is_floating_point() and v.numel() > 1
            else v
            for v in inputs
        )

    def fresh_arguments(self) -> tuple[Value, ...]:
        """Fresh inputs, then fresh gradients for the floating outputs where there is a backward pass."""
        if not self.backward:
            return self.fresh_inputs()
        generator = torch.Generator().manual_seed(self.seed())
        return (
            *self.fresh_inputs(),
            *(
                torch.randn(shape, generator=generator).to(dtype)
                for dtype, shape in self.own.layout[: self.own.returned]
                if dtype.is_floating_point
            ),
        )

    def cases(self, names: Collection[str] | None = None) -> list[Case]:
        """All cases that this task allows (of those named), the most telling first; made once."""
        chosen = [d.name for d in DISTRIBUTIONS if names is None or d.name in names]
        found = [self.case(name) for name in chosen]
        return [case for case in found if case is not None]

    def renew(self) -> None:
        """Forget all cases: the next ones have new seeds."""
        self._cases.clear()
        self.skipped.clear()
        self._other, self._stepped, self._retouched, self._unseen = None, None, None, None
        self.own = self.case("own") or self.own

    def case(self, name: str) -> Case | None:
        """The case of one distribution; None when nothing can be demanded under it."""
        if name not in self._cases:
            distribution = next(d for d in DISTRIBUTIONS if d.name == name)
            self._cases[name] = self._make(distribution)
        return self._cases[name]

    def other_state(self) -> tuple[dict[str, torch.Tensor], Case] | None:
        """Another secret state, and the own inputs with what the outputs must be under it.

        None where there is no floating state, or nothing can be demanded. Made once.
        """
        if self._other is None and any(t.is_floating_point() for t in self.state.values()):
            subject = self._new_subject()
            case = self._answered("own", self.own.inputs, self.own.gradients, subject=subject)
            self._other = None if case is None else (subject.state, case)
        return self._other

    def stepped_state(self) -> list[tuple[dict[str, torch.Tensor], Case]]:
        """The state with a few elements changed, as a sparse step of an optimizer does: some pairs swapped
        in every parameter, then one element of one; and the own inputs with what the outputs must be.

        Made once.
        """
        if self._stepped is None:
            generator = torch.Generator().manual_seed(self.seed())
            movable = [
                name
                for name, _ in self.reference.build(0).named_parameters()
                if name in self.state
                and may_be_rearranged(self.state[name], self.state[name])
                and self.state[name].is_floating_point()
            ]
            self._stepped = []
            for name, touch in TOUCHES if movable else ():
                chosen = movable if touch is not one_changed else [self._random.choice(movable)]
                state = {
                    k: touch(v, generator) if k in chosen else v for k, v in self.state.items()
                }
                model = self.reference.build(0, train=self.train)
                model.load_state_dict(state)
                subject = Subject(self.reference, model)
                case = self._answered(
                    f"own, {name} in a weight", self.own.inputs, self.own.gradients, subject=subject
                )
                if case is not None:
                    self._stepped.append((subject.state, case))
        return self._stepped

    def retouched(self) -> list[Case]:
        """The own inputs with a few elements changed (see `retouch.py`), then the gradients of the outputs
        alone; made once."""
        if self._retouched is None:
            generator = torch.Generator().manual_seed(self.seed())
            inputs, gradients = self.own.inputs, self.own.gradients
            found = []
            for name, touch in TOUCHES if any(self._free) else ():
                changed = tuple(
                    touch(v, generator) if isinstance(v, torch.Tensor) and free else v
                    for v, free in zip(inputs, self._free, strict=True)
                )
                found.append(self._answered(name, changed, gradients))
            for name, touch in TOUCHES if any(g.numel() > 1 for g in gradients or ()) else ():
                upstream = tuple(
                    touch(g, generator) if g.numel() > 1 else g for g in gradients or ()
                )
                found.append(self._answered(f"gradients, {name}", inputs, upstream))
            self._retouched = [case for case in found if case is not None]
        return self._retouched

    def unseen(self) -> list[Case]:
        """Cases laid out as the own one whose inputs no checked call has had, for timed ones; made once.

        As many as a second allows, at least four: which ones, nobody knows beforehand.
        """
        if self._unseen is None:
            skipped, layout = dict(self.skipped), _strides(self.own)
            end = time.monotonic() + _UNSEEN_SECONDS
            names = [name for name in _UNSEEN if name not in skipped]
            self._unseen = []
            for name in random.SystemRandom().sample(names, len(names)):
                if len(self._unseen) >= _LEAST_UNSEEN and time.monotonic() > end:
                    break
                case = self._make(next(d for d in DISTRIBUTIONS if d.name == name))
                if case and _strides(case) == layout:
                    self._unseen.append(case)
            self.skipped = skipped
        return self._unseen

    def touched(self, arguments: Sequence[Value]) -> tuple[Value, ...]:
        """The same arguments with one element of each changed, where it may be: in the same places."""
        generator = torch.Generator().manual_seed(self.seed())

        def touch(value: Value, free: bool) -> Value:
            if not (isinstance(value, torch.Tensor) and free):
                return value
            changed = one_changed(value, generator)
            return changed if changed.stride() == value.stride() else value  # expanded

        free = (*self._free, *[True] * (len(arguments) - len(self._free)))
        return tuple(map(touch, arguments, free))

    def other_batch(self) -> Case | None:
        """The own inputs with fewer rows, where the reference takes them and its outputs follow."""
        cut = fewer_rows(self.own.inputs)
        if cut is None:
            return None
        inputs, before, after = cut
        shapes = [shape for _, shape in self.own.layout[: self.own.returned]]
        try:
            outputs = self._subject.answers(inputs)
            if not follows(shapes, [tuple(t.shape) for t in outputs], before, after):
                return None
            generator = torch.Generator().manual_seed(self.seed())
            gradients = self._gradients(DISTRIBUTIONS[0], inputs, generator)
        except TaskError:
            return None
        return self._answered(f"{after} rows instead of {before}", inputs, gradients)

    @property
    def input_facts(self) -> tuple[InputFacts, ...]:
        """What may be known of the inputs by who writes probes."""
        return tuple(
            InputFacts(
                tuple(v.shape), str(v.dtype).removeprefix("torch."), free, bool((v < 0).any())
            )
            if isinstance(v, torch.Tensor) and not v.is_complex()
            else InputFacts(None)
            for v, free in zip(self.own.inputs, self._free, strict=True)
        )

    def posed(self, probe: Probe) -> Case:
        """The case that a probe describes. Raises Unfit where nothing can be demanded of it."""
        inputs = realise(probe, self.reference.inputs(probe.seed), self._free)
        generator = torch.Generator().manual_seed(probe.seed)
        skipped = dict(self.skipped)
        try:
            gradients = self._gradients(DISTRIBUTIONS[0], inputs, generator)
            case = self._answered(
                probe.words, inputs, gradients, skew=probe.offset, flat=True, patience=_PATIENCE
            )
            reason = self.skipped.get(probe.words, "")
        except TaskError as error:
            raise Unfit(f"the reference does not take it: {error}") from error
        finally:
            self.skipped = skipped
        if case is None:
            raise Unfit(reason)
        numbers = [e.value for e in case.expected if e.tolerance is not None]
        if numbers and all(bool(value.isnan().all()) for value in numbers):
            raise Unfit("the reference gives NaN alone")
        return case

    def _make(self, distribution: Distribution) -> Case | None:
        generator = torch.Generator().manual_seed(self.seed())
        if distribution.layout_of_own:
            return self._laid_out(distribution, generator)
        if distribution.integers and not self._free_integers():
            self.skipped[distribution.name] = "no integers or truth values may be rearranged"
            return None
        inputs = distribution.apply(self.fresh_inputs(), generator, self._free)
        try:
            gradients = self._gradients(distribution, inputs, generator)
        except TaskError as error:
            if distribution.name == "own":
                raise
            self.skipped[distribution.name] = str(error)
            return None
        case = self._answered(
            distribution.name,
            inputs,
            gradients,
            skew=distribution.skew,
            flat=distribution.flat,
        )
        if distribution.integers and case and not all(e.finite for e in case.expected):
            self.skipped[distribution.name] = "degenerate: the reference has no finite answer"
            return None
        return case

    def _laid_out(self, distribution: Distribution, generator: torch.Generator) -> Case | None:
        """The own case in another layout; None where that changes nothing.

        Its answers are the same. PyTorch has other kernels there, which may be less precise: the budget is
        measured anew.
        """
        inputs = distribution.apply(self.own.inputs, generator)
        if all(a is b for a, b in zip(inputs, self.own.inputs, strict=True)):
            self.skipped[distribution.name] = "no input has dimensions enough"
            return None
        case = self._answered(distribution.name, inputs, self.own.gradients)
        if case is None:
            return None
        pairs = zip(case.expected, self.own.expected, strict=True)
        return replace(case, expected=tuple(replace(e, value=own.value) for e, own in pairs))

    def _free_integers(self) -> bool:
        pairs = zip(self.own.inputs, self._free, strict=True)
        return any(free and isinstance(v, torch.Tensor) and not v.is_floating_point()
                   for v, free in pairs)  # fmt: skip

    def _answered(
        self,
        name: str,
        inputs: tuple[Value, ...],
        gradients: tuple[torch.Tensor, ...] | None,
        *,
        subject: Subject | None = None,
        skew: int = 0,
        flat: bool = False,
        patience: float = 1.0,
    ) -> Case | None:
        """What the outputs must be; None, with the reason in `skipped`, when nothing can be demanded."""
        asked = subject or self._subject
        generator = torch.Generator().manual_seed(self.seed())
        try:
            eager = asked.eager(inputs, gradients)
            exact = asked.exact(inputs, gradients)
            noisy = []
            for common in (False, True):
                with Rounding(generator, common=common):
                    noisy.append(asked.exact(inputs, gradients))
        except TaskError as error:
            if name == "own":
                raise
            self.skipped[name] = str(error)
            return None
        chosen = precision.class_of(self.reference.task.meta.tolerance, eager)
        if precision.relative(chosen) is None:
            known = ", ".join([*precision.RELATIVE, "fp16-sums-of-K"])
            raise TaskError(
                f"task {self.reference.task.name}: unknown tolerance {chosen!r} (one of {known})"
            )
        expected = [
            precision.expect(r, e, list(n), chosen, flat=flat, patience=patience)
            for r, e, *n in zip(exact, eager, *noisy, strict=True)
        ]
        if any(e is None for e in expected):
            self.skipped[name] = "eager leaves the range of its precision"
            return None
        labels = self._labels(inputs, len(eager))
        return Case(
            name,
            inputs,
            tuple(e for e in expected if e is not None),
            tuple((e.dtype, tuple(e.shape)) for e in eager),
            chosen,
            gradients,
            skew,
            labels,
            sum(label.startswith("output") for label in labels),
        )

    def _labels(self, inputs: Sequence[Value], count: int) -> tuple[str, ...]:
        """Names for people: outputs, then gradients, then buffers."""
        further: list[str] = []
        if self.backward:
            further += [
                f"the gradient of input {i}"
                for i, v in enumerate(inputs)
                if isinstance(v, torch.Tensor) and v.is_floating_point()
            ]
            further += [f"the gradient of parameter {name}" for name in self.trained]
        further += [f"buffer {name} after the call" for name in self.buffers]
        return (*(f"output {i}" for i in range(count - len(further))), *further)

    def _gradients(
        self, distribution: Distribution, inputs: Sequence[Value], generator: torch.Generator
    ) -> tuple[torch.Tensor, ...] | None:
        """A random gradient for each floating output, laid out as the distribution says."""
        if not self.backward:
            return None
        outputs = self._subject.answers(inputs)
        return tuple(
            distribution.upstream(torch.randn(t.shape, generator=generator).to(t.dtype), generator)
            for t in outputs
            if t.is_floating_point()
        )


def _equal(a: Sequence[Value], b: Sequence[Value]) -> bool:
    pairs = [(x, y) for x, y in zip(a, b, strict=True) if isinstance(x, torch.Tensor)]
    return all(isinstance(y, torch.Tensor) and torch.equal(x, y) for x, y in pairs)


def _strides(case: Case) -> list[tuple[int, ...]]:
    return [t.stride() for t in tensors(case)]


def tensors(case: Case) -> list[torch.Tensor]:
    """All tensors that one call of this case hands over."""
    given = (*case.inputs, *(case.gradients or ()))
    return [v for v in given if isinstance(v, torch.Tensor)]
