"""CUDA-L1's results (arXiv:2507.14111): `optimized_cuda_code/DEVICE.json`, a line a problem.

The problems are KernelBench's. A line has the reference, the kernel or null, and speedups over five
baselines, measured on that device.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from kernelwright.imports.layout import Import, Kernel
from kernelwright.tasks.errors import UsageError
from kernelwright.tasks.loaders.loader import Refusal
from kernelwright.tasks.task import Task

_FOLDER = "optimized_cuda_code"
_BASELINES = {
    "score_default": "eager",
    "score_torch_compile_default": "compile",
    "score_torch_compile_reduce_overhead": "compile, reduced overhead",
    "score_cuda_graph": "CUDA graph",
    "score_cudnn": "cuDNN flags",
}
Line = Mapping[str, object]


def recognises(source: Path) -> bool:
    """A checkout, its folder of results, or one file of it."""
    return bool(_files(source)) and (source.is_dir() or _is_result(source))


def read(source: Path, known: Mapping[str, Task] | None = None) -> Import:
    """Tasks and kernels. `known`: tasks of a KernelBench by name, which kernels are named after.

    Without it tasks are written from the references in the results. Raises UsageError.
    """
    tasks: dict[str, str] = {}
    kernels: list[Kernel] = []
    refused: list[Refusal] = []
    for file in _files(source):
        for number, line in _lines(file):
            try:
                level, problem = line["level_id"], line["task_id"]
                reference, code = line["ref_code"], line["custom_code"]
            except KeyError as error:
                raise UsageError(
                    f"{file}:{number} has no {error.args[0]!r}, as CUDA-L1's results do"
                ) from error
            name = f"level{level}/{problem}"
            if known is not None:
                found = [task for task in known if re.search(rf"(^|/){name}_", task)]
                if len(found) != 1:
                    refused.append(Refusal(f"{name} on {file.stem}", "no such task in the suite"))
                    continue
                name = found[0]
            elif tasks.setdefault(name, str(reference)) != reference:
                refused.append(
                    Refusal(f"{name} on {file.stem}", "another reference than in the first file")
                )
                continue
            text, reason = _kernel(code)
            if text is None:
                refused.append(Refusal(f"{name} on {file.stem}", reason))
                continue
            claimed = {words: _number(line.get(key)) for key, words in _BASELINES.items()}
            kernels.append(Kernel(name, file.stem, text, claimed, file.stem))
    return Import("CUDA-L1", "cuda-l1", tasks, kernels, refused)


def _kernel(code: object) -> tuple[str | None, str]:
    """The kernel as a candidate, or why not. Some call their class `Model`, as the reference does."""
    if not isinstance(code, str) or not code.strip():
        return None, "no kernel: the tool has found none"
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError) as error:
        return None, f"not Python: {error}"
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    if "ModelNew" in names:
        return code, ""
    if "Model" in names:
        return f"{code.rstrip()}\n\n\nModelNew = Model\n", ""
    return None, "neither ModelNew nor Model is defined"


def _files(source: Path) -> list[Path]:
    if source.is_file():
        return [source] if source.suffix in (".json", ".jsonl") else []
    folder = source / _FOLDER if (source / _FOLDER).is_dir() else source
    found = sorted(folder.glob("*.json")) if folder.is_dir() else []
    return [file for file in found if _is_result(file)]


def _is_result(file: Path) -> bool:
    try:
        with file.open(encoding="utf-8") as lines:
            first = json.loads(lines.readline())
    except (OSError, ValueError):
        return False
    return isinstance(first, dict) and {"ref_code", "custom_code", "level_id"} <= set(first)


def _lines(file: Path) -> Iterator[tuple[int, Line]]:
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                found = json.loads(line)
            except ValueError as error:
                raise UsageError(f"{file}:{number} is not JSON: {error}") from error
            if not isinstance(found, dict):
                raise UsageError(f"{file}:{number} is no object")
            yield number, found


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
