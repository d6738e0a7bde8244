"""KernelAgent's results (https://github.com/meta-pytorch/KernelAgent): folders with a kernel in each.

A session leaves `final_kernel.py` beside `problem.txt` and `result.json`, its optimizer `best_kernel.py`, its
fuser `composed_kernel.py`. A kernel is called `kernel_function`, and gets the inputs of the problem; what
it wants of the model's parameters is not known here, so kernels of models with weights are for who adapts
them. KernelAgent writes no speed into these files.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import Path

from kernelwright.imports.layout import Import, Kernel
from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.load import checked_tree
from kernelwright.tasks.loaders.loader import Refusal
from kernelwright.tasks.task import Task

_KERNELS = ("final_kernel.py", "best_kernel.py", "composed_kernel.py")
_PROBLEMS = ("problem.txt", "problem.py")
_ABOVE = 3
"""The problem lies beside the kernel, or so many folders above at most."""
_FENCED = re.compile(r"```(?:python)?\n(.*?)```", re.DOTALL)
_ADAPTER = """


import torch  # noqa: E402


class ModelNew(torch.nn.Module):
    def __init__(self, *args, **kwargs):
        super().__init__()

    def forward(self, *inputs):
        return kernel_function(*inputs)
"""


def recognises(source: Path) -> bool:
    """Whether a kernel of KernelAgent's lies below the folder."""
    return source.is_dir() and any(_files(source))


def read(source: Path, known: Mapping[str, Task] | None = None) -> Import:
    """Kernels, and tasks of their problems. `known` is the one task they are for, where it is said."""
    tasks: dict[str, str] = {}
    kernels: list[Kernel] = []
    refused: list[Refusal] = []
    for file in _files(source):
        sample = "-".join(file.relative_to(source).parts[:-1]) or source.resolve().name
        text, reason = _kernel(file)
        if text is None:
            refused.append(Refusal(str(file.relative_to(source)), reason))
            continue
        if known is not None:
            if len(known) != 1:
                raise TaskError("KernelAgent's kernels are for one task: give one, not a suite")
            name = next(iter(known))
        else:
            problem = _problem(file, source)
            if problem is None:
                why = "no PyTorch problem beside it: say with --for which task it is for"
                refused.append(Refusal(str(file.relative_to(source)), why))
                continue
            name = next((n for n, t in tasks.items() if t == problem), sample)
            tasks[name] = problem
        kernels.append(Kernel(name, f"{sample}-{file.stem}", text, {"eager": None}))
    return Import("KernelAgent", "kernelagent", tasks, kernels, refused)


def _kernel(file: Path) -> tuple[str | None, str]:
    text = file.read_text(encoding="utf-8", errors="replace")
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        return None, f"not Python: {error}"
    names = {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    if "ModelNew" in names:
        return text, ""
    if "kernel_function" not in names:
        return None, "it defines no kernel_function"
    return text.rstrip() + _ADAPTER, ""


def _problem(kernel: Path, root: Path) -> str | None:
    """The problem as a task, where it is one: its text, or Python that stands in it."""
    for folder in list(kernel.parents)[: _ABOVE + 1]:
        for name in _PROBLEMS:
            file = folder / name
            if file.is_file():
                text = file.read_text(encoding="utf-8", errors="replace")
                return next(
                    (part for part in (text, *_FENCED.findall(text)) if _is_task(part)), None
                )
        if folder == root:
            return None
    return None


def _is_task(text: str) -> bool:
    try:
        checked_tree(text, Path("problem"))
    except TaskError:
        return False
    return True


def _files(source: Path) -> list[Path]:
    return sorted(file for name in _KERNELS for file in source.rglob(name))
