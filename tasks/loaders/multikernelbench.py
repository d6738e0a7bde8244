"""MultiKernelBench (arXiv:2507.17773): `reference/CATEGORY/NAME.py`, with its own categories.

Older checkouts list them in a table in `dataset.py`, newer ones by folder: the table goes first where it is a
literal. The part that comes from NPUKernelBench has `get_input_groups` and a file of cases in JSON lines
instead of `get_inputs`: the first cases become shapes. What such a case hands to `forward` that is neither
a tensor nor a number (a list, a truth value left open) is fixed, and a kernel is not handed it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.loaders.kernelbench import trains
from kernelwright.tasks.loaders.loader import Loaded
from kernelwright.tasks.loaders.reading import as_task, collect, counted, text_of
from kernelwright.tasks.task import Task

MOST_CASES = 4
_ADAPTER = """
CASE = 0
_CASES = {cases!r}


def open(path, *args, **kwargs):
    import io
    return io.StringIO(_CASES[CASE])


def _is_given(value):
    return isinstance(value, (torch.Tensor, int, float))


def _group():
    return list(get_input_groups()[0])


def _begin(self, fixed, *args):
    _began(self, *args)
    self.fixed = fixed


def _forward(self, *given):
    given = list(given)
    for position, value in self.fixed:
        given.insert(position, value)
    return _forwarded(self, *given)


# In place: the class may speak of itself by its name, as in super(Model, self).
_began, _forwarded = Model.__init__, Model.forward
Model.__init__, Model.forward = _begin, _forward


def get_inputs():
    return [value for value in _group() if _is_given(value)]


_whole_init = get_init_inputs


def get_init_inputs():
    fixed = [(i, value) for i, value in enumerate(_group()) if not _is_given(value)]
    return [fixed, *_whole_init()]
"""


class MultiKernelBench:
    """A checkout of MultiKernelBench."""

    name = "multikernelbench"

    def recognises(self, root: Path) -> bool:
        """Whether there are `dataset.py` and references by category."""
        return (root / "dataset.py").is_file() and any(True for _ in _files(root))

    def load(self, root: Path) -> Loaded:
        """All references."""
        table = categories(root / "dataset.py")
        files = (
            (f"{path.parent.name}/{path.stem}", partial(_task, path=path, table=table))
            for path in _files(root)
        )
        return collect(self.name, files, root)


def categories(dataset: Path) -> Mapping[str, str]:
    """Name to category, where `dataset.py` has a literal table of them; nothing elsewhere."""
    try:
        tree = ast.parse(text_of(dataset))
    except SyntaxError as error:
        raise TaskError(f"{dataset}:{error.lineno} is not Python: {error.msg}") from error
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if any(isinstance(t, ast.Name) and t.id == "dataset" for t in targets):
            assert isinstance(node, ast.Assign)
            try:
                table = ast.literal_eval(node.value)
            except ValueError:
                return {}  # built from the folders
            if isinstance(table, dict):
                return {
                    name: str(row["category"])
                    for name, row in table.items()
                    if isinstance(row, dict) and "category" in row
                }
    return {}


def _files(root: Path) -> Iterator[Path]:
    found = (root / "reference").glob("*/*.py")
    yield from sorted((p for p in found if not p.name.startswith("_")), key=counted)


def _task(name: str, path: Path, table: Mapping[str, str]) -> Task:
    text = text_of(path)
    folder = path.parent.name
    facts: dict[str, object] = {
        "title": path.stem.replace("_", " "),
        "category": table.get(path.stem, folder),
    }
    if folder[-1:].isdigit():
        facts["level"] = int(folder[-1])
    if trains(text):
        facts["modes"] = ["train"]
    if "def get_input_groups" not in text:
        return as_task(name, path, facts, text=text)
    cases = _cases(path)
    facts["shapes"] = [{"CASE": i} for i in range(1, len(cases))]
    return as_task(name, path, facts, text=text, adapter=_ADAPTER.format(cases=cases))


def _cases(path: Path) -> list[str]:
    """The first lines of the file of cases beside a reference."""
    beside = path.with_suffix(".json")
    if not beside.is_file():
        raise TaskError(f"{path} has get_input_groups, and no {beside.name} is beside it")
    lines = [line.strip() for line in text_of(beside).splitlines() if line.strip()]
    if not lines:
        raise TaskError(f"{beside} holds no case")
    return lines[:MOST_CASES]
