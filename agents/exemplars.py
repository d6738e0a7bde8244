"""Exemplars: complete small kernels of `agents/prompts/exemplars/<language>/`, one a family of operators.

A Coder is shown one in its first turns: the format at work in the target language, for an operator of
the same family but never the operator at hand. A file starts with comment lines that say which families
it is for, which task it solves, and which words in another task's name or source (`name:`: in its name only)
make that task nearly the same operator; these lines are not shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kernelwright.tasks.task import Task

FOLDER = Path(__file__).parent / "prompts" / "exemplars"
_HEAD = re.compile(r"# (families|solves|like): *(.*)\n")
_BY_CATEGORY = {
    "elementwise and broadcast": ("elementwise",),
    "activation": ("elementwise", "rows"),
    "reduction": ("reduction", "rows"),
    "normalisation": ("rows", "reduction"),
    "matmul": ("matmul",),
    "attention": ("online", "matmul"),
    "convolution": ("window", "matmul"),
    "pooling": ("window", "reduction"),
    "loss": ("reduction", "rows"),
    "embedding and indexing": ("gather",),
}
_BY_SOURCE = (
    ("scan", r"cumsum|cumprod|cummax|cummin|logcumsumexp|associative_scan"),
    ("online", r"scaled_dot_product|attention|logsumexp|cross_entropy|softmax"),
    ("window", r"Conv\d|conv\d|conv_transpose|[pP]ool\d|unfold"),
    ("matmul", r"\w @ \w|matmul|\bbmm\b|\bmm\b|addmm|einsum|Linear\(|F\.linear"),
    ("gather", r"gather|scatter|index_|[eE]mbedding|\[\w*(?:ids|idx|index)\w*\]|topk|sort\("),
    ("rows", r"[nN]orm\b|[nN]orm\(|normalize|\.var\(|\.std\("),
    ("reduction", r"\.(?:sum|mean|amax|amin|prod|max|min|argmax|argmin|norm)\("),
)
"""Families by what a source calls, the most telling first."""
_STRUCTURES = {"scan": ("scan",), "online": ("online", "rows")}
"""What decides the structure of a kernel, whatever its category is called."""


@dataclass(frozen=True)
class Exemplar:
    """One file. `operator` is the first line of its docstring."""

    operator: str
    source: str
    families: tuple[str, ...]
    solves: str
    like: tuple[str, ...]

    def near(self, task: Task) -> bool:
        """Whether the task is this operator, or nearly."""
        name, source = task.name.lower(), task.source.lower()
        words = [word.lower().partition("name:") for word in self.like]
        return task.name == self.solves or any(
            rest in name if named else word in name or word in source for word, named, rest in words
        )


def exemplar(task: Task, language: str) -> Exemplar | None:
    """The exemplar that fits the task best and does not solve it; None where the language has none."""
    known = exemplars(language)
    for family in (*families(task), "elementwise", "reduction"):
        for found in known:
            if family in found.families and not found.near(task):
                return found
    return None


def families(task: Task) -> tuple[str, ...]:
    """The families that a task belongs to, the most fitting first."""
    by_source = tuple(name for name, shows in _BY_SOURCE if re.search(shows, _body(task.source)))
    by_category = _BY_CATEGORY.get(task.meta.category, ())
    shown = ("scan", *by_source) if "scan" in task.name else by_source
    first = next((_STRUCTURES[name] for name in shown if name in _STRUCTURES), ())
    if by_category == ("gather",):
        return by_category
    return tuple(dict.fromkeys((*first, *(by_category or by_source)))) or ("elementwise",)


@cache
def exemplars(language: str) -> tuple[Exemplar, ...]:
    """All exemplars of a language, by file name. Raises ValueError for a file out of format."""
    return tuple(_read(path) for path in sorted((FOLDER / language).glob("*.py")))


def _read(path: Path) -> Exemplar:
    text = path.read_text()
    head = dict(_HEAD.findall(text))
    source = _HEAD.sub("", text).strip() + "\n"
    title = re.match(r'r?"""(.+?)[.\n]', source)
    if not title or not head.get("families") or "like" not in head:
        raise ValueError(f"{path}: an exemplar needs `# families:`, `# like:` and a docstring")
    return Exemplar(
        title[1], source, _words(head["families"]), head.get("solves", ""), _words(head["like"])
    )


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _body(source: str) -> str:
    """A task's source from its first class on: before it stand docstrings and metadata."""
    at = source.find("class Model")
    return source[at:] if at >= 0 else source
