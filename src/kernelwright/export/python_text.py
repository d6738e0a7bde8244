"""The Python of an exported operator: the runtime, what the operator is, and its module and function."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from kernelwright.export import runtime
from kernelwright.export.runtime import Spec


class Parts(NamedTuple):
    """What an operator is written from."""

    spec: Spec
    header: Sequence[str]
    """Comment lines on top."""
    kernel: str
    """A champion that runs on its own."""
    reference: str
    """The task's file."""

    @property
    def op(self) -> str:
        """The operator's name without its namespace."""
        return self.spec.name.rpartition("::")[2]

    @property
    def module(self) -> str:
        """Its module's name: `bias_gelu` becomes `BiasGelu`."""
        return "".join(word.capitalize() for word in self.op.split("_"))


_MODULES = '''
def _module(part: str, source: str) -> types.ModuleType:
    """A module of its own from a text, which tracebacks and Triton can read."""
    name = f"{__name__}_{part}"
    module = types.ModuleType(name)
    module.__file__ = f"<{name}>"
    lines = source.splitlines(keepends=True)
    linecache.cache[module.__file__] = (len(source), None, lines, module.__file__)
    sys.modules[name] = module
    exec(compile(source, module.__file__, "exec", dont_inherit=True), module.__dict__)
    return module


reference = _module("reference", _REFERENCE)
OPERATOR = Operator(SPEC, reference, lambda: _module("kernel", _KERNEL))
'''
_FILES = """
def _kernel() -> types.ModuleType:
    from . import kernel

    return kernel


OPERATOR = Operator(SPEC, reference, _kernel)
"""


def single_file(parts: Parts) -> str:
    """Everything in one file; it also has `ModelNew`, so that it can be judged as it is."""
    return _joined(
        parts,
        imports=["import linecache", "import sys"],
        loading=f"{_text('_REFERENCE', parts.reference)}\n{_text('_KERNEL', parts.kernel)}\n{_MODULES}",
        after=f'\nModelNew = {parts.module}\n"""By the name under which a judge looks for it."""\n',
        spec=_spec(parts.spec),
    )


def package_file(parts: Parts) -> str:
    """`op.py` of a package, beside `kernel.py` and `reference.py`."""
    return _joined(
        parts, imports=["from . import reference"], loading=_FILES, after="", spec=_spec(parts.spec)
    )


def hub_file(parts: Parts) -> str:
    """The same, with the namespace that Hugging Face's builder gives to each build."""
    name = f"add_op_namespace_prefix({parts.op!r})"
    return _joined(
        parts,
        imports=["from . import reference", "from ._ops import add_op_namespace_prefix"],
        loading=_FILES,
        after="",
        spec=_spec(parts.spec).replace(f"name={parts.spec.name!r}", f"name={name}", 1),
    )


def init_file(parts: Parts) -> str:
    """`__init__.py`."""
    names = ("OPERATOR", parts.module, parts.op)
    listed = ", ".join(f'"{name}"' for name in names)
    return (
        f'"""The operator `{parts.op}`: see README.md."""\n\n'
        f"from .op import {', '.join(names)}\n\n__all__ = [{listed}]\n"
    )


def _joined(parts: Parts, *, imports: Sequence[str], loading: str, after: str, spec: str) -> str:
    head = "".join(f"# {line}".rstrip() + "\n" for line in parts.header)
    before, body = _runtime()
    wanted = sorted(imports, key=lambda line: line.startswith("from ."))
    ours = [line for line in wanted if not line.startswith("from .")]
    theirs = [line for line in wanted if line.startswith("from .")]
    return (
        f"{head}\n{before}"
        + "".join(f"{line}\n" for line in ours)
        + body.partition("\n\n_KEPT")[0]
        + "".join(f"\n{line}" for line in theirs)
        + "\n\n_KEPT"
        + body.partition("\n\n_KEPT")[2].rstrip()
        + f"\n\n\n{spec}\n{loading}\n{_user(parts)}{after}"
    )


def _runtime() -> tuple[str, str]:
    """`runtime.py` in two: its docstring and future import, and the rest."""
    source = Path(runtime.__file__).read_text(encoding="utf-8")
    future = "from __future__ import annotations\n\n"
    before, _, body = source.partition(future)
    return before + future, body


def _spec(spec: Spec) -> str:
    lines = ["SPEC = Spec("]
    for name, value in zip(spec._fields, spec, strict=True):
        if name in ("forms", "configs"):
            lines += [f"    {name}=(", *(f"        {item!r}," for item in value), "    ),"]
        else:
            lines.append(f"    {name}={value!r},")
    return "\n".join([*lines, ")"]) + "\n"


def _text(name: str, source: str) -> str:
    """A text as one literal a line, which nothing in it can end."""
    lines = re.findall(r"[^\n]*\n|[^\n]+$", source)
    found = f"{name} = (\n" + "".join(f"    {line!a}\n" for line in lines) + ")\n"
    assert ast.literal_eval(found.partition(" = ")[2]) == source
    return found


def _user(parts: Parts) -> str:
    """The module and the function that people call."""
    spec = parts.spec
    state = [f"{name.replace('.', '_')}_" for name in spec.state]
    arguments = ", ".join([*spec.arguments, *state])
    tuples = [f"({', '.join(names)},)" if names else "()" for names in (spec.arguments, state)]
    return f'''
class {parts.module}(reference.Model):
    """Takes the place of `Model`: made with the same arguments, the same names in its state_dict."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._config = OPERATOR.config(args, kwargs)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return OPERATOR.of_module(self, super().forward, self._config, args, kwargs)


def {parts.op}({arguments}, *, config: int = 0) -> Any:
    """What `Model.forward` returns. `config`: which of SPEC.configs Model would be made with."""
    return OPERATOR.call({tuples[0]}, {tuples[1]}, config)
'''
