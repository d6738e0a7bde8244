"""KernelBench (arXiv:2502.10517): `level1` to `level4`, a file for each problem, as they are.

Its own harness runs reference and kernel in training mode, as `nn.Module` begins. So does ours where that
makes a difference and can be judged: where a file has batch normalisation and no dropout.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from kernelwright.tasks.loaders.loader import Loaded
from kernelwright.tasks.loaders.reading import Facts, as_task, collect, counted, text_of
from kernelwright.tasks.task import Task

_FILE = re.compile(r"\d+_.*\.py")
_KINDS = (
    ("loss", r"loss"),
    ("pooling", r"pool"),
    ("convolution", r"conv"),
    ("attention", r"attention"),
    ("normalisation", r"norm"),
    ("matmul", r"matmul|matrix|gemm|matvec"),
    ("reduction", r"sum|prod|mean|_max_|_min_|argm|reduc"),
    ("activation", r"relu|sigmoid|tanh|softmax|swish|selu|elu|softplus|softsign|hardtanh|gelu"),
)
"""Category of a single operator, by the first pattern that its name has."""
_GROUPS = {2: "fused blocks", 3: "full architectures", 4: "full architectures"}


class KernelBench:
    """A checkout of KernelBench, or the folder in it that holds the levels."""

    name = "kernelbench"

    def recognises(self, root: Path) -> bool:
        """Whether there are folders `level1` ... with numbered files."""
        return any(True for _ in _files(root))

    def load(self, root: Path) -> Loaded:
        """All problems of all levels."""
        files = (
            (f"{path.parent.name}/{path.stem}", partial(_task, path=path)) for path in _files(root)
        )
        return collect(self.name, files, root)


def _files(root: Path) -> Iterator[Path]:
    for home in (root, root / "KernelBench"):
        for folder in sorted(home.glob("level[0-9]")):
            found = [path for path in folder.glob("*.py") if _FILE.fullmatch(path.name)]
            yield from sorted(found, key=counted)


def _task(name: str, path: Path) -> Task:
    text = text_of(path)
    level = int(path.parent.name.removeprefix("level"))
    return as_task(name, path, kernelbench_facts(text, path.stem, level), text=text)


def kernelbench_facts(text: str, stem: str, level: int) -> Facts:
    """What `TASK` says of a file in KernelBench's format."""
    facts: dict[str, object] = {
        "title": stem.partition("_")[2].replace("_", " ").strip(),
        "category": category(stem, level),
        "level": level,
    }
    if trains(text):
        facts["modes"] = ["train"]
    return facts


def category(stem: str, level: int) -> str:
    """One of MultiKernelBench's categories."""
    if level in _GROUPS:
        return _GROUPS[level]
    words = f"_{stem.lower()}_"
    return next((kind for kind, pattern in _KINDS if re.search(pattern, words)), "uncategorised")


def trains(text: str) -> bool:
    """Whether training mode makes a difference that can be judged: batch statistics, no dropout."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False  # whoever reads it as a task says so
    names = {n.attr if isinstance(n, ast.Attribute) else n.id
             for n in ast.walk(tree) if isinstance(n, ast.Attribute | ast.Name)}  # fmt: skip
    batch = any(name.startswith("BatchNorm") for name in names)
    return batch and not any("dropout" in name.lower() for name in names)
