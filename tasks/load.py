"""Finds a task by path or by name and reads it, without running any of it.

Covers: plain files anywhere, the suites that ship as folders beside this file (`core/softmax`) or are made
by code (`generated.py`), and suites of others by where they lie (`foreign.py`).
Does not cover: running the reference (`reference.py`).
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.generated import GENERATED
from kernelwright.tasks.loaders.loader import Loaded
from kernelwright.tasks.metadata import read_metadata
from kernelwright.tasks.start import read_start
from kernelwright.tasks.subsets import Variant, parse
from kernelwright.tasks.task import Task

if TYPE_CHECKING:
    from kernelwright.tasks.foreign import Foreign

_SUITES = Path(__file__).resolve().parent


def load_task(spec: str | Path) -> Task:
    """The task that `spec` means: a `.py` file, `suite/name`, or the bare name of a bundled task.

    Or one of a suite of others: `kernelbench:PATH/level1/19_ReLU`.
    Raises TaskError, in one line, when there is no such file or name, or when the file is not a
    task: not Python, no `Model`, no `get_inputs`, or a `TASK` dictionary that cannot be read.
    """
    if isinstance(spec, str) and not spec.endswith(".py"):
        bundled = _bundled(spec)
        if bundled:
            return bundled
    other = _foreign(str(spec))
    if other and other.task:
        return other.one()
    path = Path(spec).expanduser()
    _must_be_python_file(path, str(spec))
    suite = path.resolve().parent
    name = f"{suite.name}/{path.stem}" if suite.parent == _SUITES else path.stem
    return read_task(path, name)


def suites() -> list[str]:
    """Names of the bundled suites, sorted."""
    return sorted(folder.name for folder in _SUITES.iterdir() if _is_suite_folder(folder))


def _is_suite_folder(folder: Path) -> bool:
    """Whether it holds tasks, and is no package of Python."""
    return folder.is_dir() and not (folder / "__init__.py").exists() and bool(_files(folder))


def list_suite(name: str) -> list[Task]:
    """The tasks of a suite: bundled, a variant of one (`core-mini`), or of others (`foreign.py`).

    Raises TaskError for an unknown suite.
    """
    return list(load_suite(name).tasks)


def load_suite(name: str) -> Loaded:
    """The same, with the tasks that were refused."""
    other = _foreign(name)
    if other is None:
        return Loaded(name, tuple(_list_bundled(name)))
    if other.task:
        raise TaskError(f"{name} is no suite: {other.root} is one, and the rest names a task of it")
    return other.load()


def _list_bundled(name: str) -> list[Task]:
    if name in suites():
        return [read_task(file, f"{name}/{file.stem}") for file in _files(_SUITES / name)]
    if name in GENERATED:
        return GENERATED[name].tasks()
    variant = _variant(name)
    if variant is None:
        known = [*suites(), *GENERATED]
        raise TaskError(
            f"no suite {name!r}{_did_you_mean(name, known)}, nor a checkout of a suite that is known"
        )
    return variant.of(_list_bundled(variant.suite), name)


def is_suite(name: str) -> bool:
    """Whether `name` is a suite: bundled, a variant of one, or of others by where it lies."""
    if name in suites() or name in GENERATED or _variant(name) is not None:
        return True
    other = _foreign(name)
    return other is not None and not other.task


def suite_of(task: Task) -> str | None:
    """What to say to have all of its suite; None for a file of its own."""
    other = _foreign(task.spec) if task.spec else None
    if other is not None:
        return f"{other.loader.name}{other.form}:{other.root}"
    return task.name.rpartition("/")[0] or None


def is_bundled(task: Task) -> bool:
    """Whether a task ships with kernelwright."""
    return task.path is not None and _SUITES in task.path.parents


def _foreign(name: str) -> Foreign | None:
    from kernelwright.tasks.foreign import find  # loaders read tasks, as this module does

    return None if name in suites() or name in GENERATED else find(name)


def _variant(name: str) -> Variant | None:
    """The variant of a bundled suite that a name means, or None."""
    found = parse(name)
    return found if found and (found.suite in suites() or found.suite in GENERATED) else None


def read_task(path: Path, name: str) -> Task:
    """Read and check one task file. Raises TaskError; never runs the file."""
    try:
        source = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise TaskError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise TaskError(f"{path} is not Python: not UTF-8 text (byte {error.start})") from error
    meta = read_metadata(checked_tree(source, path), str(path))
    return Task(name, source, path.resolve(), meta, read_start(path, meta))


def parse_source(source: str, where: str) -> ast.Module:
    """The syntax tree. Raises TaskError, with the line, for what is not Python."""
    try:
        return ast.parse(source, where)
    except SyntaxError as error:
        line = f":{error.lineno}" if error.lineno else ""
        raise TaskError(f"{where}{line} is not Python: {error.msg}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise TaskError(f"{where} is not Python: {error}") from error


def checked_tree(source: str, path: Path) -> ast.Module:
    """The syntax tree of a task. Raises TaskError for what is not Python, or no task."""
    tree = parse_source(source, str(path))
    names = set(_bound_names(tree.body))
    if "Model" not in names:
        other = next((n for n in tree.body if isinstance(n, ast.ClassDef)), None)
        hint = f" (it defines {other.name}: rename that)" if other else ""
        raise TaskError(f"{path} has no class Model{hint}: a task defines Model and get_inputs")
    if "get_inputs" not in names:
        raise TaskError(f"{path} has no get_inputs(): it must return a list of the model's inputs")
    return tree


def _bound_names(body: list[ast.stmt]) -> Iterator[str]:
    """Names that module-level statements bind, those inside `if`, `try` and `with` included."""
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        else:
            for block in ("body", "orelse", "finalbody"):
                yield from _bound_names(getattr(node, block, []))


def _bundled(spec: str) -> Task | None:
    """The bundled task of that name, or None. Raises TaskError if several suites have it."""
    suite, slash, name = spec.rpartition("/")
    if suite in GENERATED:
        return GENERATED[suite].task(name)
    if suite not in suites() and is_suite(suite):
        return next((t for t in list_suite(suite) if t.name.rpartition("/")[2] == name), None)
    homes = [s for s in suites() if not slash or s == suite]
    found = [s for s in homes if (_SUITES / s / f"{name}.py") in _files(_SUITES / s)]
    if len(found) > 1:
        raise TaskError(
            f"several suites have {name!r}: say {' or '.join(f'{s}/{name}' for s in found)}"
        )
    return read_task(_SUITES / found[0] / f"{name}.py", f"{found[0]}/{name}") if found else None


def _must_be_python_file(path: Path, spec: str) -> None:
    if path.is_dir():
        raise TaskError(f"{spec} is a folder: give one task file in it, such as {path / 'NAME.py'}")
    if not path.exists():
        if path.suffix == ".py":
            folder = path.parent
            near = [f.name for f in folder.glob("*.py")] if folder.is_dir() else []
            raise TaskError(f"no such file: {spec}{_did_you_mean(path.name, near)}")
        if spec in suites():
            raise TaskError(f"{spec} is a suite: give one of its tasks, such as {spec}/NAME")
        names = [f"{s}/{f.stem}" for s in suites() for f in _files(_SUITES / s)]
        stems = {full.partition("/")[2]: full for full in names}
        close = difflib.get_close_matches(spec.rpartition("/")[2], stems, n=3, cutoff=0.5)
        hint = f" (close: {', '.join(stems[c] for c in close)})" if close else ""
        raise TaskError(
            f"no task {spec!r}{hint}: give a .py file, or a name of `kernelwright tasks`"
        )
    if path.suffix != ".py":
        raise TaskError(
            f"{spec} is not a .py file: a task is a Python file with Model and get_inputs"
        )


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.glob("*.py") if not file.name.startswith("_"))


def _did_you_mean(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f" (close: {', '.join(close)})" if close else ""
