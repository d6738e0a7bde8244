"""Reference: runs a task's file in this process, and answers what it computes and what that costs.

Everything the user's code raises becomes a one-line TaskError that names the line in their file;
what it prints goes to stderr; the random state of the process is left as it was. It is not a
sandbox: a task is the user's own file. Candidates never run here.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import linecache
import random
import sys
import traceback
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.parameter import is_lazy

from kernelwright.tasks.arithmetic import evaluate
from kernelwright.tasks.cost import count_operations, distinct_bytes
from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.load import parse_source
from kernelwright.tasks.randomise import randomise
from kernelwright.tasks.task import Task

Input = torch.Tensor | int | float | bool


class Reference:
    """A task brought to life, on the CPU. `variant` overrides constants of it: `{"BATCH": 64}`.

    `constants` holds the numbers that the file assigns at module level, after the override.
    Raises TaskError when the file raises, or does not assign a constant that `variant` names.
    """

    def __init__(self, task: Task, variant: Mapping[str, int] | None = None) -> None:
        self.task = task
        self.variant = dict(variant or {})
        self.filename = str(task.path) if task.path else f"<{task.name}>"
        self._module = self._execute()
        self.constants: dict[str, int | float] = {
            name: value
            for name, value in vars(self._module).items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        }

    def init_args(self) -> tuple[list[Any], dict[str, Any]]:
        """What `Model` is made with: positional and keyword arguments.

        `get_init_inputs` may return a list, a dictionary of keyword arguments, or `[args, kwargs]`.
        Without it, `Model` takes none. The same on every call.
        """
        if not hasattr(self._module, "get_init_inputs"):
            return [], {}
        with self._user_code("get_init_inputs"), seeded(0):
            given = self._module.get_init_inputs()
        if given is None:
            return [], {}
        if isinstance(given, Mapping) and _are_names(given):
            return [], dict(given)
        if not isinstance(given, list | tuple):
            raise self._fault(
                f"get_init_inputs must return a list, not {_kind(given)}", "get_init_inputs"
            )
        if self._is_args_and_kwargs(given):
            return list(given[0]), dict(given[1])
        return list(given), {}

    def build(self, seed: int, *, train: bool = False) -> nn.Module:
        """A `Model` on the CPU, in eval mode unless `train`; equal seeds give equal parameters."""
        args, kwargs = self.init_args()
        with self._user_code("Model"), seeded(seed):
            model = self._module.Model(*args, **kwargs)
            if isinstance(model, nn.Module):
                model.train(train)
        if not isinstance(model, nn.Module):
            raise self._fault(f"Model is no torch.nn.Module but {_kind(model)}", "Model")
        for name, value in [*model.named_parameters(), *model.named_buffers()]:
            if is_lazy(value):
                raise self._fault(f"parameter {name} is lazy: give its layer the sizes", "Model")
        return model.to("cpu")

    def inputs(self, seed: int) -> tuple[Input, ...]:
        """What `get_inputs` returns, on the CPU: tensors of any dtype, and plain numbers.

        Equal seeds give equal inputs. Raises TaskError for anything else, and for no tensor at all.
        """
        with self._user_code("get_inputs"), seeded(seed):
            given = self._module.get_inputs()
        if not isinstance(given, list | tuple):
            raise self._fault(
                f"get_inputs must return a list of tensors, not {_kind(given)}", "get_inputs"
            )
        checked = tuple(self._checked_input(i, value) for i, value in enumerate(given))
        if not any(isinstance(value, torch.Tensor) for value in checked):
            raise self._fault("get_inputs returns no tensor", "get_inputs")
        return checked

    def randomise(self, model: nn.Module, seed: int) -> None:
        """Give parameters and saved buffers non-trivial values, in place (see `randomise.py`)."""
        with self._user_code("Model"):
            randomise(model, seed)

    def state(self, model: nn.Module) -> dict[str, torch.Tensor]:
        """A copy of what `load_state_dict` takes: parameters and saved buffers by name."""
        with self._user_code("Model"):
            state = model.state_dict()
            return {k: v.detach().clone() for k, v in state.items() if isinstance(v, torch.Tensor)}

    def run(
        self,
        model: nn.Module,
        inputs: Sequence[Input],
        grads: Sequence[torch.Tensor] | None = None,
        *,
        seed: int = 0,
    ) -> tuple[torch.Tensor, ...]:
        """The outputs: nested tuples, lists and dictionaries become one flat tuple of tensors.

        With `grads`, one for each floating output in order (of its shape), the outputs are followed
        by the gradients of the floating inputs, in order, and of the parameters, in the order of
        `model.parameters()`; zeros where an output does not depend on one. The caller's inputs are
        never changed. Random operations in `forward` draw the same numbers on every call with the
        same `seed`.
        """
        backward = grads is not None
        own = [_copy(value, backward) for value in inputs]
        with self._user_code("Model.forward"), seeded(seed), torch.set_grad_enabled(backward):
            returned = model(*own)
        outputs = tuple(self._tensors(returned))
        if not outputs:
            raise self._fault("forward returns no tensor", "Model")
        derived = () if grads is None else self._gradients(outputs, [*_leaves(own, model)], grads)
        return tuple(t.detach() for t in (*outputs, *derived))

    def draws_random_numbers(self, model: nn.Module, inputs: Sequence[Input]) -> bool:
        """Whether `forward` moves torch's random state. Buffers may change, as in any call."""
        own = [_copy(value, False) for value in inputs]
        with self._user_code("Model.forward"), seeded(0), torch.no_grad():
            before = torch.get_rng_state()
            model(*own)
            return not torch.equal(before, torch.get_rng_state())

    def trained(self, model: nn.Module) -> tuple[str, ...]:
        """Names of the parameters whose gradients `run` gives, in its order."""
        return tuple(name for name, p in model.named_parameters() if p.requires_grad)

    def operations(self, inputs: Sequence[Input]) -> int:
        """Arithmetic operations of one forward call.

        The task's own expression when it declares one; else counted, a lower bound (see `cost.py`).
        """
        if self.task.meta.operations is not None:
            return self._evaluate(self.task.meta.operations)
        model = self.build(0)
        own = [_copy(value, False) for value in inputs]
        with self._user_code("Model.forward"), seeded(0), torch.no_grad():
            return count_operations(lambda: model(*own))

    def bytes_moved(
        self,
        inputs: Sequence[Input],
        outputs: Sequence[torch.Tensor],
        model: nn.Module,
    ) -> int:
        """Bytes that one call must read and write at least.

        The task's own expression when it declares one; else each of inputs, parameters, buffers and
        outputs once. That counts an embedding table whole: such a task should declare its own.
        """
        if self.task.meta.bytes_moved is not None:
            return self._evaluate(self.task.meta.bytes_moved)
        given = [value for value in inputs if isinstance(value, torch.Tensor)]
        return distinct_bytes([*given, *model.parameters(), *model.buffers(), *outputs])

    def _execute(self) -> types.ModuleType:
        """The file as a module of its own, the variant's values in place of its constants."""
        tree = parse_source(self.task.source, self.filename)
        override = _Override(self.variant)
        tree = ast.fix_missing_locations(override.visit(tree))
        missing = sorted(set(self.variant) - override.found)
        if missing:
            raise TaskError(f"{self.filename} assigns no constant {missing[0]}: no such variant")
        # Registered, because dataclasses and pickling look a class's module up by its name.
        module = types.ModuleType(f"kernelwright_task_{self.task.hash[:16]}")
        module.__file__ = self.filename
        sys.modules[module.__name__] = module
        if self.task.path is None:
            lines = self.task.source.splitlines(keepends=True)
            linecache.cache[self.filename] = (
                len(self.task.source),
                None,
                lines,
                self.filename,
            )
        with self._user_code("the file"), seeded(0):
            exec(compile(tree, self.filename, "exec", dont_inherit=True), vars(module))
        for name in ("Model", "get_inputs"):
            if not callable(getattr(module, name, None)):
                raise self._fault(f"{name} is not defined after the file has run", name)
        return module

    @contextlib.contextmanager
    def _user_code(self, what: str) -> Iterator[None]:
        """Run code of the file: prints go to stderr, whatever it raises becomes a TaskError."""
        try:
            with contextlib.redirect_stdout(sys.stderr):
                yield
        except TaskError:
            raise
        except (Exception, SystemExit) as error:
            lines = [f.lineno for f in traceback.extract_tb(error.__traceback__)
                     if f.filename == self.filename]  # fmt: skip
            place = f":{lines[-1]}" if lines else ""
            text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
            said = f"{type(error).__name__}: {text}" if text else type(error).__name__
            raise TaskError(f"{self.filename}{place}: {what} raises {said}") from error

    def _fault(self, message: str, name: str) -> TaskError:
        """A TaskError at the line where the file defines `name`."""
        for node in parse_source(self.task.source, self.filename).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
                return TaskError(f"{self.filename}:{node.lineno}: {message}")
        return TaskError(f"{self.filename}: {message}")

    def _is_args_and_kwargs(self, given: Sequence[Any]) -> bool:
        """Whether a list of two is `[args, kwargs]`; a Model that takes it as it is goes first."""
        if len(given) != 2 or not isinstance(given[0], list | tuple) or not _are_names(given[1]):
            return False
        try:
            inspect.signature(self._module.Model).bind(*given)
        except TypeError:
            return True
        return False

    def _checked_input(self, index: int, value: object) -> Input:
        if isinstance(value, bool | int | float):
            return value
        if not isinstance(value, torch.Tensor):
            raise self._fault(
                f"input {index} of get_inputs is {_kind(value)}: it must be a tensor or a number",
                "get_inputs",
            )
        if value.layout != torch.strided or value.is_quantized or value.is_meta:
            raise self._fault(f"input {index} of get_inputs is no plain dense tensor", "get_inputs")
        return value.detach().to("cpu")

    def _tensors(self, value: object) -> Iterator[torch.Tensor]:
        """The tensors of a nested output, in order; None (an output left out) is passed over."""
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, Mapping):
            for item in value.values():
                yield from self._tensors(item)
        elif isinstance(value, list | tuple):
            for item in value:
                yield from self._tensors(item)
        elif value is not None:
            raise self._fault(f"forward returns {_kind(value)}: outputs must be tensors", "Model")

    def _gradients(
        self,
        outputs: Sequence[torch.Tensor],
        leaves: Sequence[torch.Tensor],
        grads: Sequence[torch.Tensor],
    ) -> tuple[torch.Tensor, ...]:
        floating = [t for t in outputs if t.is_floating_point()]
        if len(floating) != len(grads):
            raise ValueError(f"{len(grads)} gradients given for {len(floating)} floating outputs")
        pairs = [(t, g) for t, g in zip(floating, grads, strict=True) if t.requires_grad]
        if not pairs:
            raise self._fault("no output can be differentiated, so it has no backward", "Model")
        with self._user_code("backward"):
            return torch.autograd.grad(
                [t for t, _ in pairs], leaves, [g for _, g in pairs], materialize_grads=True
            )

    def _evaluate(self, expression: str) -> int:
        try:
            return evaluate(expression, self.constants)
        except ValueError as error:
            raise TaskError(f"{self.filename}: TASK: {error}") from error


class _Override(ast.NodeTransformer):
    """Follows each module-level assignment to a name of the variant with the variant's value.

    So constants that the file computes from it, and defaults of its functions, see the new value.
    """

    def __init__(self, variant: Mapping[str, int]) -> None:
        self.variant = variant
        self.found: set[str] = set()

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return node

    def visit_Assign(self, node: ast.Assign) -> list[ast.stmt]:
        return self._followed(node, node.targets)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> list[ast.stmt]:
        return self._followed(node, [node.target])

    def visit_AugAssign(self, node: ast.AugAssign) -> list[ast.stmt]:
        return self._followed(node, [node.target])

    def _followed(self, node: ast.stmt, targets: Sequence[ast.expr]) -> list[ast.stmt]:
        names = [n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)]
        hit = [name for name in names if name in self.variant]
        self.found.update(hit)
        return [node, *(ast.copy_location(_assign(n, self.variant[n]), node) for n in hit)]


def _assign(name: str, value: int) -> ast.stmt:
    return ast.Assign([ast.Name(name, ast.Store())], ast.Constant(value))


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch, numpy and random, and put their states back afterwards."""
    numpy_state, python_state = np.random.get_state(), random.getstate()
    try:
        with torch.random.fork_rng(devices=[]):
            # torch.manual_seed costs two milliseconds more, for the generators of devices that are not used.
            torch.default_generator.manual_seed(seed)
            np.random.seed(seed % 2**32)
            random.seed(seed)
            yield
    finally:
        np.random.set_state(numpy_state)
        random.setstate(python_state)


def _copy(value: Input, backward: bool) -> Input:
    if not isinstance(value, torch.Tensor):
        return value
    copy = value.detach().clone()
    return copy.requires_grad_(backward and copy.is_floating_point())


def _leaves(inputs: Sequence[Input], model: nn.Module) -> Iterator[torch.Tensor]:
    """What gradients are wanted of: floating inputs, then parameters."""
    yield from (x for x in inputs if isinstance(x, torch.Tensor) and x.is_floating_point())
    yield from (p for p in model.parameters() if p.requires_grad)


def _are_names(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(key, str) for key in value)


def _kind(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
